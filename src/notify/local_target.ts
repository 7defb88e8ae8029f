/** Targets on this machine: a program that reads the event, a file that collects events. */
import { dirname } from "node:path";
import { messageOf } from "#/core/errors.ts";
import { makeFolders } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { attempt } from "#/core/system_error.ts";
import { cleanEnvironment, endText, hookSucceeded, runHook } from "#/operation/hook.ts";
import { lastLines } from "#/operation/hook_output.ts";
import type { NotifyEvent } from "./event.ts";
import type { CommandTarget, FileTarget } from "./target.ts";
import type { NotifyTools, TimeLimit } from "./tools.ts";

const NEWLINE = 10;

/** Gives the event to a program. @returns why that failed, undefined when it did not */
export async function runCommandTarget(
  target: CommandTarget,
  event: NotifyEvent,
  tools: NotifyTools,
  limit: TimeLimit,
  cwd: string | undefined,
): Promise<string | undefined> {
  const result = await runHook({
    command: target.command,
    timeoutMs: limit.left,
    termGraceMs: 250,
    env: {
      ...cleanEnvironment(tools.env),
      BACKOUT_EVENT_ID: event.id,
      BACKOUT_EVENT_TYPE: event.type,
    },
    stdin: `${event.body}\n`,
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (hookSucceeded(result)) return undefined;
  const said = lastLines(result.output, 2);
  return `it ${endText(result)}${said === "" ? "" : `: ${said}`}`;
}

/** Appends the event as one line, durably. @returns why that failed, undefined when it did not */
export function appendToFile({ file: path }: FileTarget, event: NotifyEvent): string | undefined {
  try {
    attempt("write", path, () => append(path, `${event.body}\n`));
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function append(path: string, line: string): void {
  makeFolders(dirname(path));
  const existing = statOf(path);
  // A pipe that nobody reads would hold the operation up.
  if (existing !== undefined && !existing.isFile) throw new Error("it is not a file");
  const isNew = existing === undefined && createIfMissing(path);
  using file = Deno.openSync(path, { read: true, append: true });
  const start = endsTorn(file) ? "\n" : "";
  posix.writeOpenFile(file, path, new TextEncoder().encode(start + line));
  if (isNew) posix.syncFolder(dirname(path));
}

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function createIfMissing(path: string): boolean {
  try {
    posix.openNewFile(path, 0o600).close();
    return true;
  } catch (error) {
    if (posix.errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** A line that a crash or a full disk cut off must not swallow the next one. */
function endsTorn(file: Deno.FsFile): boolean {
  const { size } = file.statSync();
  if (size === 0) return false;
  const last = new Uint8Array(1);
  file.seekSync(size - 1, Deno.SeekMode.Start);
  return file.readSync(last) === 1 && last[0] !== NEWLINE;
}
