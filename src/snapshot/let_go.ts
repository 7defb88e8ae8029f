/** What retention lets go of: decided and deleted, after each new snapshot and by `snapshot prune`. */
import { isForbidden } from "#/operation/delete_backup.ts";
import { messageOf } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { snapshotRetention, type SnapshotRetentionSettings } from "#/policy/retention_snapshots.ts";
import type { PrunedSnapshot } from "#/report/model.ts";
import type { SnapshotManifest } from "#/store/model.ts";
import { freeSpace } from "./free_space.ts";
import { guardNotes } from "./guard_note.ts";
import { TargetJournal, unfinishedTargetIds } from "./journal.ts";
import { isOwnSnapshot } from "./snapshot_id.ts";
import type { Workspace } from "./workspace.ts";

export interface DecidedSnapshots {
  /** All of this workspace, oldest first. */
  readonly snapshots: readonly PrunedSnapshot[];
  /** Those of them that go, oldest first. */
  readonly leaving: readonly PrunedSnapshot[];
  /** Null on object storage, and where the system does not say. */
  readonly freeBytes: number | null;
  /** Limits that do not hold even afterwards, and what could not be judged. */
  readonly warnings: readonly string[];
}

/** A snapshot that the storage does not let go of: it stays, and nothing else has to wait for it. */
export interface RefusedSnapshot {
  readonly id: string;
  readonly why: string;
}

/** What the rules say of each snapshot of this workspace, now. Changes nothing. @throws {UsageError} a rule is broken */
export async function decideSnapshots(
  workspace: Workspace,
  settings: SnapshotRetentionSettings,
): Promise<DecidedSnapshots> {
  const listed = await (await workspace.store()).listSnapshots();
  const own = listed.snapshots.filter((snapshot) => isOwnSnapshot(workspace, snapshot))
    .toSorted((a, b) => Date.parse(a.created_at) - Date.parse(b.created_at) || (a.id < b.id ? -1 : 1));
  const space = freeSpace(workspace.options);
  const needed = await neededByOperations(workspace, own);
  const { decisions, unmet } = snapshotRetention(own, settings, workspace.scope.now(), { ...space, needed });
  const snapshots = own.map((manifest, i) => toRow(manifest, decisions[i]!));
  return {
    snapshots,
    leaving: snapshots.filter(({ action }) => action === "delete"),
    freeBytes: space.freeBytes ?? null,
    warnings: [
      ...unmet.map(({ message }) => message),
      ...listed.damaged.map((name) => `The manifest ${name} cannot be read: its snapshot is kept`),
    ],
  };
}

function toRow(
  { id, created_at, origin, description, targets }: SnapshotManifest,
  { action, reasons }: Pick<PrunedSnapshot, "action" | "reasons">,
): PrunedSnapshot {
  const bytes = targets.reduce((sum, { stored_bytes }) => sum + stored_bytes, 0);
  return { id, created_at, origin, description, bytes, action, reasons };
}

/** A restore needs what it restores, and what takes it back: until it is over, or confirmed. A guard needs its own. */
async function neededByOperations(
  workspace: Workspace,
  snapshots: readonly SnapshotManifest[],
): Promise<ReadonlyMap<string, string>> {
  const { scope } = workspace;
  const needed = new Map((await guardNotes(workspace)).map(({ snapshot, program, isRunning }) => [
    snapshot,
    `the guard of ${program} ${isRunning ? "may go back to it" : "was killed and took nothing back"}`,
  ]));
  for (const id of await unfinishedTargetIds(scope)) {
    try {
      const state = (await TargetJournal.open(scope, id))?.state;
      if (state === undefined) continue; // it had not begun
      const { title, snapshot, safety } = state.plan;
      const why = state.waitingUntil === undefined
        ? `the unfinished ${title} needs it`
        : `the ${title} waits for a confirmation`;
      for (const one of [snapshot, safety]) needed.set(one, why);
    } catch {
      // Nobody knows what it was at.
      for (const one of snapshots) needed.set(one.id, `the unfinished operation ${id} may need it`);
    }
  }
  return needed;
}

/**
 * Deletes what goes, oldest first. Each deletion is whole: where this is interrupted, the next run does the rest.
 * @param watch is told before and after each
 * @returns what the storage does not let go of
 * @throws {StorageError} the store fails otherwise
 */
export async function deleteSnapshots(
  workspace: Workspace,
  leaving: readonly PrunedSnapshot[],
  watch: { readonly before?: (index: number) => void; readonly after?: (index: number) => void } = {},
): Promise<readonly RefusedSnapshot[]> {
  const store = await workspace.store();
  const refused: RefusedSnapshot[] = [];
  for (const [index, { id }] of leaving.entries()) {
    throwIfStopped(workspace.scope.signal);
    watch.before?.(index);
    try {
      await store.deleteSnapshot(id);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      refused.push({ id, why: messageOf(error) });
      continue;
    }
    watch.after?.(index);
  }
  return refused;
}

export function refusedSentence({ id, why }: RefusedSnapshot): string {
  return `The snapshot ${id} could not be deleted, and stays: ${why}`;
}
