/**
 * Runs one command of a component: the user's environment, a session of its own, and all that it prints in a log file,
 * which it writes itself. What stops this process ends it, and what it started.
 */
import { dirname } from "node:path";
import { lastLines } from "#/core/child_output.ts";
import { endGroup, within } from "#/core/child_process.ts";
import { UsageError } from "#/core/errors.ts";
import { makeFolders } from "#/core/output_file.ts";
import { throwIfStopped } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { attempt } from "#/core/system_error.ts";

/** Between the request to end (SIGTERM) and the end (SIGKILL), in milliseconds. */
const TERM_GRACE_MS = 5_000;
const TAIL_BYTES = 16 * 1024;
const TAIL_LINES = 5;
const LOG_MODE = 0o600;

export interface StepRun {
  /** Program and arguments. */
  readonly argv: readonly string[];
  /** Absolute. */
  readonly folder: string;
  /** Absolute; made where it is not there, else appended to. */
  readonly log: string;
  /** Beside the environment of this process. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

export interface StepEnd {
  readonly code: number;
  /** The signal that ended it; null when it ended by itself. */
  readonly signal: string | null;
  readonly seconds: number;
}

/**
 * @throws {InterruptedError} it was stopped with this process, and has ended
 * @throws {UsageError} it cannot be started
 */
export async function runStep({ argv, folder, log, variables = {}, signal }: StepRun): Promise<StepEnd> {
  throwIfStopped(signal);
  if (argv.length === 0 || argv.some((word) => word.includes("\0"))) {
    throw new UsageError("Cannot run a command that is empty or has a NUL byte");
  }
  attempt("write", log, () => beginLog(log));
  const began = performance.now();
  const child = attempt("run a command in", folder, () =>
    new Deno.Command("/bin/sh", {
      // The log is the command's own: it goes on being written however this process ends, and no pipe is to be waited for.
      args: ["-c", 'log=$1; shift; exec "$@" >>"$log" 2>&1', "sh", log, ...argv],
      cwd: folder,
      env: { ...variables },
      stdin: "null",
      stdout: "null",
      stderr: "null",
      detached: Deno.build.os !== "windows",
    }).spawn());
  const how = await within(child.status, undefined, signal);
  if (how === "aborted") {
    await endGroup(child, TERM_GRACE_MS);
    throwIfStopped(signal);
  }
  const { code, signal: endedBy } = await child.status;
  return { code, signal: endedBy, seconds: Math.round(performance.now() - began) / 1000 };
}

function beginLog(log: string): void {
  if (posix.lstat(log) !== undefined) return;
  makeFolders(dirname(log));
  posix.openNewFile(log, LOG_MODE).close();
}

/** The last lines of a log as one line that is safe to show; empty where nothing was printed. */
export function endOfLog(log: string): string {
  const info = posix.lstat(log);
  if (info?.isFile !== true) return "";
  using file = Deno.openSync(log, { read: true });
  file.seekSync(Math.max(0, info.size - TAIL_BYTES), Deno.SeekMode.Start);
  const bytes = new Uint8Array(TAIL_BYTES);
  let length = 0;
  for (
    let got = file.readSync(bytes);
    got !== null && length < TAIL_BYTES;
    got = file.readSync(bytes.subarray(length))
  ) {
    length += got;
  }
  return lastLines(new TextDecoder().decode(bytes.subarray(0, length)), TAIL_LINES);
}
