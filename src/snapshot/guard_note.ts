/**
 * Notes of guards whose commands run, below `.backout/guards`. Retention leaves their snapshots alone; and where a guard
 * was killed, so that it cannot go back, its note stays until its snapshot is restored or deleted, and whoever comes next
 * is told. The guard holds the lock of its note, so that shows whether it lives.
 */
import { isJsonObject } from "#/core/json.ts";
import * as posix from "#/core/posix.ts";
import { attempt } from "#/core/system_error.ts";
import { AdvisoryProbe, holdNew } from "#/storage/filesystem/advisory_lock.ts";
import { FilesystemTree } from "#/storage/filesystem/tree.ts";
import type { Workspace } from "./workspace.ts";

export interface KilledGuard {
  readonly snapshot: string;
  /** The program that the guard ran, without its arguments. */
  readonly program: string;
}

export interface GuardNote extends KilledGuard {
  /** False: the guard was killed. */
  readonly isRunning: boolean;
}

const GUARDS = ".backout/guards";
const NOTE = /^(rb-[0-9a-f]+)\.json$/;
const MAX_BYTES = 64 * 1024;

/** Leaves a note until it is disposed of. */
export function noteGuard({ scope }: Workspace, snapshot: string, program: string): Disposable {
  const tree = new FilesystemTree(scope.store.location);
  tree.guard().resolveFolder(GUARDS);
  const path = `${tree.makeFolder(GUARDS, true)}/${snapshot}.json`;
  return attempt("write", path, () => {
    const file = posix.openNewFile(path, 0o600);
    holdNew(file); // before anybody could take it for one that was left behind
    posix.writeOpenFile(file, path, new TextEncoder().encode(JSON.stringify({ program })));
    posix.syncFolder(tree.path(GUARDS));
    return {
      [Symbol.dispose]: () => {
        posix.unlink(path);
        file.close();
      },
    };
  });
}

/** All notes that are there. */
export async function guardNotes({ scope }: Workspace): Promise<readonly GuardNote[]> {
  const tree = new FilesystemTree(scope.store.location);
  const folder = tree.guard().resolveFolder(GUARDS);
  const notes: GuardNote[] = [];
  for (const { name } of posix.readFolder(folder) ?? []) {
    const snapshot = NOTE.exec(name)?.[1];
    if (snapshot === undefined) continue;
    const path = `${folder}/${name}`;
    const isRunning = await isHeld(path);
    if (isRunning !== undefined) notes.push({ snapshot, program: programIn(path), isRunning });
  }
  return notes;
}

/** The note of a guard that was killed is no longer needed; that of one that runs stays. */
export async function forgetKilledGuard(workspace: Workspace, snapshot: string): Promise<void> {
  const note = (await guardNotes(workspace)).find((it) => it.snapshot === snapshot);
  if (note === undefined || note.isRunning) return;
  const tree = new FilesystemTree(workspace.scope.store.location);
  posix.unlink(tree.path(`${GUARDS}/${snapshot}.json`));
}

/** Those of guards that were killed. */
export async function killedGuards(workspace: Workspace): Promise<readonly KilledGuard[]> {
  const killed = (await guardNotes(workspace)).filter((it) => !it.isRunning);
  return killed.map(({ snapshot, program }) => ({ snapshot, program }));
}

/** What whoever comes next is told of one, as a sentence. */
export function describeKilled({ snapshot, program }: KilledGuard): string {
  return `The guard of ${program} was killed while its command ran, and took nothing back: run ` +
    `\`backout snapshot restore ${snapshot}\`, or delete that snapshot where the change is to stay.`;
}

/** Undefined where the note is gone. Where locks cannot tell, it counts as held. */
async function isHeld(path: string): Promise<boolean | undefined> {
  using probe = new AdvisoryProbe();
  try {
    const { state, file } = await probe.try(Deno.openSync(path, { read: true, write: true }));
    file?.close();
    return state !== "obtained";
  } catch (error) {
    if (posix.errorCode(error) === "ENOENT") return undefined;
    return true;
  }
}

function programIn(path: string): string {
  try {
    const info = posix.lstat(path);
    if (info?.isFile !== true || info.size > MAX_BYTES) return "a command";
    const value: unknown = JSON.parse(Deno.readTextFileSync(path));
    const program = isJsonObject(value) ? value["program"] : undefined;
    return typeof program === "string" && program !== "" ? program : "a command";
  } catch {
    return "a command"; // written just now, or cut off: what counts is its name
  }
}
