/** Where messages wait: a folder on this machine, also for a repository on object storage. */
import { sha256Hex } from "#/core/sha256.ts";
import { dirname, join } from "node:path";
import { currentUser } from "#/core/permission.ts";
import * as posix from "#/core/posix.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import { StorageError } from "#/core/errors.ts";

export interface SpoolPlace {
  readonly folder: string;
  /** A folder above it that must be there already; those between are made. */
  readonly base: string;
}

export interface SpoolQuestion {
  readonly type: "local" | "s3" | "gcs";
  /** The repository's folder, or `s3://…`, `gs://…`. */
  readonly location: string;
  /** Where `.backout` is, when not in the repository itself. */
  readonly stateDir?: string | undefined;
  readonly env: (name: string) => string | undefined;
}

/** The folder for the messages of a repository; undefined where there is no place for one (no home folder). */
export function spoolPlace({ type, location, stateDir, env }: SpoolQuestion): SpoolPlace | undefined {
  if (type === "local" || stateDir !== undefined) {
    // A refusal on what is no repository must not make it look like one.
    const base = type === "local" ? join(stateDir ?? location, ".backout") : stateDir!;
    return { base, folder: join(base, "notify-spool") };
  }
  const home = env("HOME") || env("USERPROFILE");
  const states = env("XDG_STATE_HOME") || (home ? join(home, ".local", "state") : undefined);
  if (states === undefined) return undefined;
  const name = sha256Hex(location).slice(0, 16);
  return { base: home || dirname(states), folder: join(states, "backout", name, "notify-spool") };
}

/**
 * Makes the folder, for its owner alone. Root gives what it makes to the owner of the base.
 * @throws {StorageError}
 */
export function makeSpool({ folder, base }: SpoolPlace): void {
  const info = lookAt(folder);
  if (info?.isDirectory === true) return;
  if (info !== undefined) throw notAFolder(folder);
  const owner = lookAt(base);
  if (owner === undefined) {
    throw new StorageError(`Cannot make ${folder}: there is no ${base}`, { context: { path: folder } });
  }
  makeBelow(folder, owner);
}

function makeBelow(folder: string, owner: Deno.FileInfo): void {
  const parent = dirname(folder);
  if (parent !== folder && lookAt(parent) === undefined) makeBelow(parent, owner);
  attempt("make the folder", folder, () => {
    try {
      posix.mkdir(folder, 0o700);
    } catch (error) {
      if (posix.errorCode(error) !== "EEXIST") throw error;
      return;
    }
    if (currentUser() === 0 && owner.uid !== null && owner.uid !== 0) {
      posix.chown(folder, owner.uid, owner.gid);
    }
  });
}

function notAFolder(path: string): StorageError {
  return new StorageError(`Cannot use ${path}: it is not a folder`, {
    hint: "Move it away; messages that wait for a receiver are kept there.",
    context: { path },
  });
}
