/** One build at a time in a source: two would write the same files, and one could keep what the other has half written. */
import { join } from "node:path";
import { makeFolders } from "#/core/output_file.ts";
import { pause, throwIfStopped } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { sha256Hex } from "#/core/sha256.ts";
import { attempt, isSystemFailure } from "#/core/system_error.ts";
import { FlockWait } from "#/store/flock_wait.ts";
import type { EntryOptions } from "../entry/stores.ts";
import type { BuildInputs } from "./inputs.ts";

const OWN_MODE = 0o700;
const FILE_MODE = 0o600;
/** Between two tries, in milliseconds. */
const STEP_MS = 100;

export interface BuildTurn extends Disposable {
  /** Whether somebody else built meanwhile: what was read before is not what is there. */
  readonly waited: boolean;
}

/**
 * Waits until nobody of this workspace builds in the source. The lock ends with its process.
 * @throws {InterruptedError} it was stopped while it waited
 */
export async function takeTurn(
  { component, source }: Pick<BuildInputs, "component" | "source">,
  options: EntryOptions,
): Promise<BuildTurn> {
  const path = lockFile(options.folder, source);
  using wait = new FlockWait(path, true);
  for (let waited = false;; waited = true) {
    throwIfStopped(options.signal);
    const file = await tryOnce(wait, path, options);
    if (file === "unsupported") return { waited, [Symbol.dispose]: () => {} };
    if (file !== undefined) return { waited, [Symbol.dispose]: () => file.close() };
    if (!waited) options.onWait?.([`another build of ${component} in ${source}`]);
    await pause(STEP_MS, options.signal);
  }
}

async function tryOnce(
  wait: FlockWait,
  path: string,
  { onWarning }: EntryOptions,
): Promise<Deno.FsFile | "unsupported" | undefined> {
  try {
    return await wait.try();
  } catch (error) {
    if (!isSystemFailure(error)) throw error;
    onWarning(`${path} cannot be locked, so nothing keeps two builds from running at the same time`);
    return "unsupported";
  }
}

/** Nobody ever removes it, so that all see the same one. */
function lockFile(folder: string, source: string): string {
  const own = join(folder, ".backout");
  const path = join(own, "locks", `build-${sha256Hex(source).slice(0, 16)}`);
  attempt("write", path, () => {
    if (posix.lstat(own) === undefined) posix.mkdir(own, OWN_MODE);
    makeFolders(join(own, "locks"));
    if (posix.lstat(path) !== undefined) return;
    try {
      posix.openNewFile(path, FILE_MODE).close();
    } catch (error) {
      if (posix.errorCode(error) !== "EEXIST") throw error;
    }
  });
  return path;
}
