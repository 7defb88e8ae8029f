/** Taking a snapshot. */
import { ExitCode } from "#/core/errors.ts";
import { hookNotes } from "#/release/surroundings.ts";
import { holdsStack, STACK_RETENTION } from "#/policy/retention_snapshots.ts";
import type { OperationReport, StepReport } from "#/report/model.ts";
import { count, formatBytes } from "#/report/units.ts";
import { bindSpec, type BoundTarget, chosenSpecs } from "./bind_target.ts";
import { captureSnapshot, orderedTargets } from "./capture.ts";
import { type Change, runChange } from "./change.ts";
import { judgeChange } from "./judge.ts";
import type { CreateOptions } from "./options.ts";
import { outcome, outcomeOfManifest, plannedOutcome } from "./outcome.ts";
import { applyLimits } from "./limits.ts";
import { assertNewId, assertSnapshotId, newSnapshotId } from "./snapshot_id.ts";

/**
 * Takes a snapshot of several targets: all of them, or none is recorded.
 * @throws {UsageError} the id cannot be one, or the targets cannot be ordered
 */
export function createSnapshot(options: CreateOptions): Promise<OperationReport> {
  const id = options.id ?? newSnapshotId();
  assertSnapshotId(id);
  const definition = { operation: "snapshot_create", title: `take the snapshot ${id}`, version: id } as const;
  return runChange(options, definition, (change) => create(change, options, id));
}

async function create(change: Change, options: CreateOptions, id: string): Promise<void> {
  const targets = await Promise.all(chosenSpecs(options).map((spec) => bindSpec(options, spec)));
  const ordered = orderedTargets(targets).map(({ bound }) => bound);
  await assertNewId(await change.workspace.store(), id);
  change.report = {
    ...change.report,
    versions: [id],
    steps: ordered.map(plannedStep),
    snapshot: outcome(id, { targets: ordered.map(plannedOutcome) }),
  };
  await judgeChange(change, `take the snapshot ${id}`, {
    id,
    description: options.description ?? "",
    origin: options.origin ?? "manual",
    labels: options.labels ?? {},
    targets: ordered.map(({ spec, driver }) => ({
      name: spec.name,
      type: spec.type,
      undo: driver.undo(spec.config),
      changes: 0,
      removes: 0,
      bytes: 0,
      uncommitted: [],
    })),
  });
  if (change.dryRun) return intend(change, options, ordered);
  await change.hooks.before(change.report);
  const manifest = await captureSnapshot(change, {
    id,
    targets,
    origin: options.origin ?? "manual",
    description: options.description ?? "",
    labels: options.labels ?? {},
  });
  const bytes = manifest.targets.reduce((sum, target) => sum + target.bytes, 0);
  change.report = {
    ...change.report,
    status: "success",
    exit_code: ExitCode.done,
    version_exists: true,
    manifest_created: true,
    snapshot: outcomeOfManifest(manifest),
    steps: change.report.steps.map((step, i) => ({
      ...step,
      status: "done",
      seconds: manifest.targets[i]?.seconds ?? 0,
    })),
    undo: `backout snapshot delete ${id}`,
    summary: `Took the snapshot ${id} of ${count(targets.length, "target")} (${formatBytes(bytes)})`,
  };
  await applyLimits(change, options.retention ?? (holdsStack(manifest) ? STACK_RETENTION : undefined));
}

function intend(change: Change, options: CreateOptions, targets: readonly BoundTarget[]): void {
  hookNotes(options.around, "snapshot_create").forEach(change.warn);
  change.report = {
    ...change.report,
    status: "dry_run",
    exit_code: ExitCode.done,
    summary: `Would take a snapshot of ${targets.map(({ spec }) => spec.name).join(", ")}`,
  };
}

function plannedStep({ spec }: BoundTarget): StepReport {
  return {
    kind: "capture_target",
    description: `capture ${spec.name} (${spec.type})`,
    status: "planned",
    seconds: 0,
  };
}
