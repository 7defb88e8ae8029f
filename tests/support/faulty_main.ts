/**
 * Puts a fault into the program: `deno run -A --preload tests/support/faulty_main.ts main.ts …`. `BACKOUT_FAULT` says what happens before which changing call (numbered from 1).
 *
 *     count:FILE           writes one line `<number> <call> <path>` per call
 *     kill:N               SIGKILLs this process before call N
 *     fail:N:ERRNO         call N fails with ERRNO, once
 *     failfrom:N:ERRNO     call N and all after it fail
 *     pause:N:FILE         before call N, makes FILE and waits until FILE.go exists
 *
 * Several, separated by a comma, are applied in turn.
 */
import { appendFileSync } from "node:fs";
import { constants } from "node:os";
import { type MutatingCall, setFaultHook } from "#/core/posix.ts";

type Fault = (number: number, call: MutatingCall, path: string) => void;

/** Builds one fault from its text. @throws {Error} on text it does not know */
function parseFault(text: string): Fault {
  const [kind, first = "", ...rest] = text.split(":");
  const last = rest.join(":");
  switch (kind) {
    case "count":
      return (number, call, path) =>
        appendFileSync([first, ...rest].join(":"), `${number} ${call} ${JSON.stringify(path)}\n`);
    case "kill":
      return (number) => {
        if (number === Number(first)) Deno.kill(Deno.pid, "SIGKILL");
      };
    case "fail":
      return (number, call, path) => {
        if (number === Number(first)) throw errnoError(last, call, path);
      };
    case "failfrom":
      return (number, call, path) => {
        if (number >= Number(first)) throw errnoError(last, call, path);
      };
    case "pause":
      return (number) => {
        if (number === Number(first)) pause(last);
      };
    default:
      throw new Error(`BACKOUT_FAULT: unknown fault ${JSON.stringify(text)}`);
  }
}

function errnoError(code: string, call: MutatingCall, path: string): Error {
  const errno = (constants.errno as Record<string, number>)[code] ?? 0;
  return Object.assign(new Error(`${code}: injected fault, ${call} '${path}'`), {
    code,
    errno: -errno,
    syscall: call,
    path,
  });
}

/** Waits without giving the event loop a turn, as a call that takes long would. */
function pause(file: string): void {
  Deno.writeTextFileSync(file, "");
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (!exists(`${file}.go`)) Atomics.wait(cell, 0, 0, 5);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

const faults = (Deno.env.get("BACKOUT_FAULT") ?? "").split(",").filter((it) => it !== "").map(parseFault);
let calls = 0;
setFaultHook((call, path) => {
  calls += 1;
  for (const fault of faults) fault(calls, call, path);
});
