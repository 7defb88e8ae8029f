/** Limits that apply as soon as a new snapshot is made. */
import { messageOf } from "#/core/errors.ts";
import type { SnapshotRetentionSettings } from "#/policy/retention_snapshots.ts";
import type { Change } from "./change.ts";
import { decideSnapshots, deleteSnapshots, refusedSentence } from "./let_go.ts";

/**
 * Deletes the snapshots of this workspace that no rule keeps. What cannot be deleted is a warning: the new snapshot is
 * there, and the next one tries again.
 */
export async function applyLimits(
  change: Change,
  settings: SnapshotRetentionSettings | undefined,
): Promise<void> {
  if (settings === undefined) return;
  const gone: string[] = [];
  try {
    const { leaving, warnings } = await decideSnapshots(change.workspace, settings);
    const after = (index: number) => void gone.push(leaving[index]!.id);
    const refused = await deleteSnapshots(change.workspace, leaving, { after });
    [...warnings, ...refused.map(refusedSentence)].forEach(change.warn);
  } catch (error) {
    change.warn(`Retention could not be applied: ${messageOf(error)}`);
  } finally {
    if (gone.length > 0) change.warn(`Retention deleted ${gone.join(", ")}`);
  }
}
