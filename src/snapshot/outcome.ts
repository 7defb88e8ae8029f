/** What the report says of each target. */
import type { OperationReport, SnapshotOutcome, TargetOutcome } from "#/report/model.ts";
import type { SavedTarget, SnapshotManifest } from "#/store/model.ts";
import type { Restored, TargetPlan, TargetSpec } from "#/target/target.ts";
import type { BoundTarget } from "./bind_target.ts";

/** More are counted, not listed. */
const MOST_CHANGES = 1000;

/** A target that would be captured. */
export function plannedOutcome({ spec, driver }: BoundTarget): TargetOutcome {
  return { ...emptyOutcome(spec), undo: driver.undo(spec.config) };
}

function emptyOutcome({ name, type }: Pick<TargetSpec, "name" | "type">): TargetOutcome {
  return {
    name,
    type,
    undo: "exact",
    method: "",
    files: 0,
    bytes: 0,
    stored_bytes: 0,
    changed: 0,
    removed: 0,
    seconds: 0,
    status: "planned",
    fingerprint: "",
    metadata: {},
    changes: [],
  };
}

export function capturedOutcome(saved: SavedTarget): TargetOutcome {
  const { name, type, undo, method, files, bytes, stored_bytes, seconds, fingerprint, metadata } = saved;
  return {
    ...{ name, type, undo, method, files, bytes, stored_bytes, seconds, fingerprint, metadata },
    changed: 0,
    removed: 0,
    status: "captured",
    changes: [],
  };
}

/** A target that a restore changes, or finds as it should be. */
export function plannedRestore(saved: SavedTarget, { driver }: BoundTarget, plan: TargetPlan): TargetOutcome {
  const unchanged = plan.changes.length === 0;
  const removed = plan.changes.filter(({ action }) => action === "remove").length;
  return {
    ...capturedOutcome(saved),
    method: unchanged ? driver.restoreMethod ?? saved.method : "",
    stored_bytes: 0,
    seconds: 0,
    changed: plan.changes.length - removed,
    removed,
    status: unchanged ? "unchanged" : "planned",
    changes: plan.changes.slice(0, MOST_CHANGES),
  };
}

export function restoredOutcome(planned: TargetOutcome, restored: Restored, seconds: number): TargetOutcome {
  const { method, changed, removed } = restored;
  const metadata = { ...planned.metadata, ...restored.details };
  return { ...planned, method, changed, removed, metadata, seconds, status: "restored" };
}

/** The report's part on a snapshot. */
export function outcome(id: string, given: Partial<SnapshotOutcome> = {}): SnapshotOutcome {
  return { id, safety_id: null, targets: [], checks: [], confirm_by: null, ...given };
}

export function outcomeOfManifest(manifest: SnapshotManifest): SnapshotOutcome {
  return outcome(manifest.id, { targets: manifest.targets.map(capturedOutcome) });
}

/** Replaces what is said of one target. */
export function withTarget(
  report: OperationReport,
  name: string,
  change: (target: TargetOutcome) => TargetOutcome,
): OperationReport {
  const { snapshot } = report;
  if (snapshot === undefined) return report;
  const targets = snapshot.targets.map((target) => target.name === name ? change(target) : target);
  return { ...report, snapshot: { ...snapshot, targets } };
}
