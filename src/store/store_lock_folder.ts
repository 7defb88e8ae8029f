/**
 * The lock of a store in a folder: a flock on `locks/store.lock`, shared or exclusive, which ends with its process
 * whatever happens to it; and beside it a note for each holder, only for people who wait.
 */
import { StorageError } from "#/core/errors.ts";
import { formatJson, isJsonObject } from "#/core/json.ts";
import { pause, throwIfStopped } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { attempt, SystemError } from "#/core/system_error.ts";
import { readIdentity } from "#/storage/lock_identity.ts";
import type { StoreBackend } from "./backend.ts";
import { makeDurableFolder } from "./backend_root.ts";
import { FlockWait } from "./flock_wait.ts";
import type { FullLockRequest, HeldStoreLock, StoreLockMode, StoreLockRecord } from "./store_lock.ts";
import { describeAll, isDeadHere, storeLockedError } from "./store_lock_record.ts";

const LOCK_FILE = "locks/store.lock";
const POLL_MIN_MS = 20;
const POLL_MAX_MS = 250;
/**
 * Who left no note is about to write one, or is a program that was just being started and has the file for a moment: such
 * a holder is waited for a little, also by who does not wait.
 */
const UNKNOWN_HOLDER_MS = 2_000;
const MAX_NOTE_BYTES = 64 * 1024;

export async function lockFolderStore(
  backend: StoreBackend,
  mode: StoreLockMode,
  request: FullLockRequest,
): Promise<HeldStoreLock> {
  await backend.scratch(); // makes the store's folder, and checks whose it is
  const path = backend.localPath(LOCK_FILE);
  if (path === undefined) {
    throw new StorageError(`Cannot lock ${backend.location}: it has no place for a lock`);
  }
  const folder = path.slice(0, path.lastIndexOf("/"));
  makeDurableFolder(folder);
  makeLockFile(path);
  const file = await waitForFlock(path, folder, mode, request, backend.location);
  try {
    if (mode === "exclusive") sweepNotes(folder);
    return held(file, writeNote(folder, mode, request), mode);
  } catch (error) {
    file.close();
    throw error;
  }
}

async function waitForFlock(
  path: string,
  folder: string,
  mode: StoreLockMode,
  request: FullLockRequest,
  location: string,
): Promise<Deno.FsFile> {
  const began = performance.now();
  using wait = new FlockWait(path, mode === "exclusive");
  for (let waits = 0;; waits++) {
    throwIfStopped(request.signal);
    const file = await tryFlock(wait, path, location);
    if (file !== undefined) return file;
    const holders = holdersIn(folder);
    const patience = holders.length > 0 ? 0 : UNKNOWN_HOLDER_MS;
    const left = began + Math.max(request.timeoutMs, patience) - performance.now();
    if (left <= 0) throw storeLockedError(location, mode, request, holders);
    if (waits === 1) request.onWait?.(describeAll(holders));
    await pause(Math.min(left, POLL_MIN_MS + Math.random() * (POLL_MAX_MS - POLL_MIN_MS)), request.signal);
  }
}

async function tryFlock(wait: FlockWait, path: string, location: string): Promise<Deno.FsFile | undefined> {
  try {
    return await wait.try();
  } catch (cause) {
    throw new StorageError(`Cannot lock ${location}: its filesystem has no file locks`, {
      hint: "Mount it with locks (NFS: without `nolock`), or keep the store on another filesystem.",
      context: { path, errno: posix.errorCode(cause) ?? null },
      cause,
    });
  }
}

function held(file: Deno.FsFile, note: string | undefined, mode: StoreLockMode): HeldStoreLock {
  let released = false;
  return {
    mode,
    assertHeld: () => Promise.resolve(), // a flock lasts as long as its process
    [Symbol.asyncDispose]: () => {
      if (released) return Promise.resolve();
      released = true;
      return Promise.resolve().then(() => {
        try {
          if (note !== undefined) removeNote(note);
        } finally {
          file.close();
        }
      });
    },
  };
}

function makeLockFile(path: string): void {
  if (posix.lstat(path)?.isFile === true) return;
  attempt("create", path, () => {
    try {
      posix.writeNewFile(path, new Uint8Array(0), 0o600);
    } catch (error) {
      if (posix.errorCode(error) !== "EEXIST") throw error;
    }
  });
}

/** Undefined where the disk is full: taking bytes away must work then, and nobody but people needs the note. */
function writeNote(folder: string, mode: StoreLockMode, request: FullLockRequest): string | undefined {
  const id = crypto.randomUUID();
  const { operation, by, reason } = request;
  const since = new Date().toISOString();
  const record: StoreLockRecord = {
    ...{ id, operation, by, reason, since, mode, advisory: true },
    ...readIdentity(),
  };
  const path = `${folder}/${id}.json`;
  try {
    attempt("write", path, () => {
      posix.writeNewFile(path, new TextEncoder().encode(formatJson(record)), 0o600);
    });
    return path;
  } catch (error) {
    if (posix.lstat(path) !== undefined) removeNote(path);
    if (error instanceof SystemError && error.kind === "disk_full") return undefined;
    throw error;
  }
}

/** Call it with the exclusive flock: whoever left a note then is dead. */
function sweepNotes(folder: string): void {
  for (const name of noteNames(folder)) removeNote(`${folder}/${name}`);
}

function removeNote(path: string): void {
  attempt("remove", path, () => {
    try {
      posix.unlink(path);
    } catch (error) {
      if (posix.errorCode(error) !== "ENOENT") throw error;
    }
  });
}

function noteNames(folder: string): readonly string[] {
  const entries = attempt("list", folder, () => posix.readFolder(folder)) ?? [];
  return entries.filter((entry) => entry.isFile && entry.name.endsWith(".json")).map((entry) => entry.name);
}

/** The notes of those who are not known to be dead. */
function holdersIn(folder: string): readonly StoreLockRecord[] {
  return noteNames(folder).flatMap((name) => {
    const record = readNote(`${folder}/${name}`);
    return record === undefined || isDeadHere(record) ? [] : [record];
  });
}

function readNote(path: string): StoreLockRecord | undefined {
  try {
    if (Deno.lstatSync(path).size > MAX_NOTE_BYTES) return undefined;
    const value: unknown = JSON.parse(Deno.readTextFileSync(path));
    const isNote = isJsonObject(value) && typeof value.pid === "number" &&
      ["operation", "by", "host", "since", "reason", "boot_id"].every((it) => typeof value[it] === "string");
    return isNote ? value as unknown as StoreLockRecord : undefined;
  } catch {
    return undefined; // given back just now, or torn by a power loss: it is only a note
  }
}
