/** Limits that apply as soon as a new snapshot is made. */
import { messageOf } from "#/core/errors.ts";
import { snapshotRetention, type SnapshotRetentionSettings } from "#/policy/retention_snapshots.ts";
import type { Change } from "./change.ts";
import { freeSpace } from "./free_space.ts";
import { isOwnSnapshot } from "./snapshot_id.ts";

/**
 * Deletes the snapshots of this workspace that no rule keeps. What cannot be deleted is a warning: the new snapshot is
 * there, and the next one tries again.
 */
export async function applyLimits(
  change: Change,
  settings: SnapshotRetentionSettings | undefined,
): Promise<void> {
  if (settings === undefined) return;
  const { workspace } = change;
  try {
    const store = await workspace.store();
    const all = await store.listSnapshots();
    const snapshots = all.snapshots.filter((snapshot) => isOwnSnapshot(workspace, snapshot));
    const { decisions, unmet } = snapshotRetention(
      snapshots,
      settings,
      workspace.scope.now(),
      freeSpace(workspace.options),
    );
    const leaving = decisions.filter(({ action }) => action === "delete");
    for (const { id } of leaving) await store.deleteSnapshot(id);
    if (leaving.length > 0) {
      change.warn(`Retention deleted ${leaving.map(({ id }) => id).join(", ")}`);
    }
    for (const { message } of unmet) change.warn(message);
  } catch (error) {
    change.warn(`Retention could not be applied: ${messageOf(error)}`);
  }
}
