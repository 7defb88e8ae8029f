/** Where the output of commands is kept: below `.backout/logs`, of the last runs. */
import { join } from "node:path";
import { makeFolders, removeFolder } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { attempt } from "#/core/system_error.ts";

const KEPT_RUNS = 50;
const OWN_MODE = 0o700;
const RUN = /^(apply|build)-\d{8}T\d{6}Z-[0-9a-f]{8}$/;

/** The folder of all logs. @param folder the meta repository's root */
export function logsFolder(folder: string): string {
  return join(folder, ".backout", "logs");
}

/** Makes the folder of a run's logs, and lets go of those of the oldest runs. @returns its path */
export function makeLogFolder(folder: string, name: string): string {
  const own = join(folder, ".backout");
  const logs = logsFolder(folder);
  return attempt("write", logs, () => {
    // Others must not read what is in it, whoever makes it first.
    if (posix.lstat(own) === undefined) posix.mkdir(own, OWN_MODE);
    makeFolders(logs);
    const runs = (posix.readFolder(logs) ?? []).filter((it) => it.isDirectory && RUN.test(it.name));
    const old = runs.map((it) => it.name).sort(byTime).slice(0, Math.max(0, runs.length - KEPT_RUNS + 1));
    for (const run of old) removeOld(join(logs, run));
    const path = join(logs, name);
    posix.mkdir(path, OWN_MODE);
    return path;
  });
}

/** Another command may be at it at the same time: then it is that one's. */
function removeOld(path: string): void {
  try {
    removeFolder(path);
  } catch (error) {
    if (!["ENOENT", "ENOTEMPTY"].includes(posix.errorCode(error) ?? "")) throw error;
  }
}

function byTime(a: string, b: string): number {
  const [x, y] = [a.slice(a.indexOf("-")), b.slice(b.indexOf("-"))];
  return x < y ? -1 : x > y ? 1 : 0;
}
