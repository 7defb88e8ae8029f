/** Ids of snapshots: made, checked, and found by what a person types. */
import { RollbackAlreadyRolledBackError, RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";
import type { SnapshotManifest } from "#/store/model.ts";
import type { StoreReader } from "#/store/store.ts";
import type { Workspace } from "./workspace.ts";

const GIVEN_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** Words that stand for a snapshot, and so cannot be the id of one. */
const WORDS: ReadonlySet<string> = new Set(["latest", "last-good"]);

/** `rb-` and 12 hex digits. */
export function newSnapshotId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return `rb-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** @throws {UsageError} when the id cannot name a snapshot */
export function assertSnapshotId(id: string): void {
  if (GIVEN_ID.test(id) && !WORDS.has(id) && !id.endsWith(".")) return;
  const why = WORDS.has(id)
    ? "it stands for another snapshot"
    : "it must start with a letter or digit, and use only letters, digits and . _ - (128 at most)";
  throw new UsageError(`Cannot use ${quoteShort(id)} as the id of a snapshot: ${why}`, {
    hint: "Leave --id out to have one made.",
  });
}

/** @throws {RollbackAlreadyRolledBackError} when there is a snapshot with this id */
export async function assertNewId(store: StoreReader, id: string): Promise<void> {
  if (await store.readSnapshot(id) === undefined) return;
  throw new RollbackAlreadyRolledBackError(`There is a snapshot ${id} already`, {
    hint: "Give another --id, or leave it out to have one made.",
    context: { snapshot: id },
  });
}

/**
 * Whether a snapshot is of this workspace on this machine: a store may be shared by many. One that lies in the workspace
 * is its own, whatever the machine is called: a container gets a new name with every start.
 */
export function isOwnSnapshot(
  { folder, scope, options }: Workspace,
  snapshot: SnapshotManifest,
): boolean {
  if (snapshot.workspace !== folder) return false;
  return snapshot.machine_id === scope.machineId || options.store.location.startsWith(`${folder}/`);
}

/** The snapshots of this workspace, newest first. */
export function ownSnapshots(
  workspace: Workspace,
  snapshots: readonly SnapshotManifest[],
): readonly SnapshotManifest[] {
  return snapshots.filter((snapshot) => isOwnSnapshot(workspace, snapshot)).toReversed();
}

/**
 * Finds a snapshot: by its id or a unique beginning of it, `latest` (the newest that was asked for, so not the safety
 * snapshots that restores make), or `last-good` (the newest that is marked good).
 * @throws {RollbackVersionNotFoundError}
 * @throws {IntegrityError} its manifest is damaged
 */
export async function findSnapshot(workspace: Workspace, wanted: string): Promise<SnapshotManifest> {
  const store = await workspace.store();
  if (!WORDS.has(wanted)) {
    assertSnapshotId(wanted);
    const exact = await store.readSnapshot(wanted);
    if (exact !== undefined) return exact;
  }
  const { snapshots } = await store.listSnapshots();
  if (WORDS.has(wanted)) return byWord(workspace, snapshots, wanted);
  const matches = snapshots.filter(({ id }) => id.startsWith(wanted));
  if (matches.length === 1) return matches[0]!;
  const what = matches.length > 1
    ? `${quoteShort(wanted)} names ${matches.length} snapshots: ${
      matches.slice(0, 5).map(({ id }) => id).join(", ")
    }`
    : `There is no snapshot ${quoteShort(wanted)} in ${store.location}`;
  throw new RollbackVersionNotFoundError(what, {
    hint: "See `backout snapshot list`.",
    context: { snapshot: wanted },
  });
}

function byWord(
  workspace: Workspace,
  snapshots: readonly SnapshotManifest[],
  word: string,
): SnapshotManifest {
  const own = ownSnapshots(workspace, snapshots);
  const found = own.find(({ origin, mark }) =>
    word === "latest" ? origin !== "safety" && origin !== "guard" : mark === "good"
  );
  if (found !== undefined) return found;
  const none = word === "latest" ? "no snapshot" : "no snapshot that is marked good";
  throw new RollbackVersionNotFoundError(`There is ${none} of ${workspace.folder} yet`, {
    hint: word === "latest"
      ? "Make one with `backout snapshot create`; those of other folders are restored by their id."
      : "Mark one with `backout snapshot mark ID good`, or give an id: see `backout snapshot list`.",
    context: { snapshot: word },
  });
}
