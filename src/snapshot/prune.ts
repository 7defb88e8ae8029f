/** `snapshot prune`: what the rules let go of is deleted, oldest first. What is deleted for good cannot be taken back. */
import { ExitCode, UsageError, VerificationError } from "#/core/errors.ts";
import { hasSnapshotRules, type SnapshotRetentionSettings } from "#/policy/retention_snapshots.ts";
import { pruneHistory } from "#/operation/history.ts";
import { asStop } from "#/release/failure.ts";
import { toError } from "#/release/report_base.ts";
import { decideHistory, type HistoryDecision, WORTH_A_RUN } from "#/release/retention_history.ts";
import { hookNotes } from "#/release/surroundings.ts";
import { INDEX_KEY } from "#/repository/index_file.ts";
import type { OperationReport, PrunedSnapshot, PruneOutcome, StepReport } from "#/report/model.ts";
import { count, formatBytes } from "#/report/units.ts";
import { type Change, runChange } from "./change.ts";
import { judgeChange } from "./judge.ts";
import { decideSnapshots, deleteSnapshots, refusedSentence } from "./let_go.ts";
import type { WorkspaceOptions } from "./options.ts";
import { isSomethingLeft } from "./recover_workspace.ts";
import { collectStore } from "./store_operations.ts";

export interface PruneOptions extends WorkspaceOptions {
  readonly rules: SnapshotRetentionSettings;
  /** Frees the space in the store afterwards, also where nothing was deleted. @default false */
  readonly collect?: boolean;
}

/**
 * Deletes the snapshots of this workspace that no rule keeps. A dry run says of each whether it stays, and why. With
 * nothing to do no trace is left. A restore that waits to be confirmed stops it not: what that one needs stays.
 * @throws {UsageError} when no rule is set: whoever runs it every night wants to hear of that
 */
export async function pruneSnapshots(options: PruneOptions): Promise<OperationReport> {
  if (options.dryRun !== true) assertSnapshotRules(options.rules);
  const definition = {
    operation: "snapshot_prune",
    title: "delete the snapshots that retention lets go of",
    version: "",
    whileWaiting: true,
    isIdle: async (change: Change) => {
      if (await isSomethingLeft(change.workspace)) return false;
      const { report } = change;
      if (await decide(change, options.rules) === 0) return true;
      change.report = report; // decided again under the lock
      return false;
    },
  } as const;
  const report = await runChange(options, definition, (change) => prune(change, options));
  if (options.collect !== true || report.exit_code !== ExitCode.done) return report;
  return await collectAfter(report, options);
}

/** @throws {UsageError} when no rule is set */
export function assertSnapshotRules(rules: SnapshotRetentionSettings): void {
  if (hasSnapshotRules(rules)) return;
  throw new UsageError("No retention rule is set for snapshots: nothing would ever be deleted", {
    hint: "Give some, for example --keep-last 20 --keep-within 90d, or `snapshots: {retention: …}` in " +
      "backout.yaml.",
  });
}

/** Notes in the report what becomes of each snapshot, and of the history. @returns how many things go */
async function decide(change: Change, rules: SnapshotRetentionSettings): Promise<number> {
  const { snapshots, leaving, freeBytes, warnings } = await decideSnapshots(change.workspace, rules);
  if (!hasSnapshotRules(rules)) change.warn("No retention rule is set for snapshots: everything is kept");
  warnings.forEach(change.warn);
  const history = await leavingHistory(change, rules, leaving.length > 0);
  const prune: PruneOutcome = {
    free_bytes: freeBytes,
    snapshots: snapshots.toReversed(),
    keep: totals(snapshots, "keep"),
    delete: totals(snapshots, "delete"),
    history_records_to_delete: history.delete,
  };
  const stay = `${count(prune.keep.snapshots, "snapshot")} ${prune.keep.snapshots === 1 ? "stays" : "stay"}`;
  const go = [
    ...(leaving.length === 0
      ? []
      : [`${count(leaving.length, "snapshot")} (${formatBytes(prune.delete.bytes)})`]),
    ...(history.delete === 0 ? [] : [count(history.delete, "history record")]),
  ];
  const verb = change.dryRun ? "Would delete" : "Deleted";
  change.report = {
    ...change.report,
    prune,
    status: change.dryRun ? "dry_run" : "success",
    exit_code: ExitCode.done,
    versions: leaving.map(({ id }) => id).toReversed(),
    version_exists: snapshots.length > 0,
    policy_passed: true,
    dependencies_satisfied: true,
    steps: [
      ...leaving.map(({ id, reasons }) =>
        plannedStep("delete_snapshot", `delete ${id} (${reasons.join("; ")})`)
      ),
      ...(history.upTo === null ? [] : [
        plannedStep("prune_history", `delete ${go.at(-1)}, up to ${history.upTo.at}`),
      ]),
    ],
    summary: go.length === 0 ? `Nothing to delete: ${stay}` : `${verb} ${go.join(" and ")}; ${stay}`,
  };
  return leaving.length + history.delete;
}

function plannedStep(kind: string, description: string): StepReport {
  return { kind, description, status: "planned", seconds: 0 };
}

/**
 * The old records of the workspace's history. Those of a repository in the same folder are its own retention's: going
 * back to a moment needs them.
 */
async function leavingHistory(
  { workspace: { scope } }: Change,
  { history }: SnapshotRetentionSettings,
  isWorthIt: boolean,
): Promise<HistoryDecision> {
  const isShared = await scope.store.stat(INDEX_KEY) !== undefined;
  const decision = await decideHistory(scope.store, isShared ? undefined : history, scope.now());
  if (isWorthIt || decision.delete >= WORTH_A_RUN) return decision;
  return { ...decision, delete: 0, upTo: null };
}

function totals(
  snapshots: readonly PrunedSnapshot[],
  action: PrunedSnapshot["action"],
): PruneOutcome["keep"] {
  const chosen = snapshots.filter((one) => one.action === action);
  return { snapshots: chosen.length, bytes: chosen.reduce((sum, { bytes }) => sum + bytes, 0) };
}

async function prune(change: Change, options: PruneOptions): Promise<void> {
  if (await decide(change, options.rules) === 0) {
    change.idle = change.recoveries.length === 0;
    return;
  }
  await judgeChange(change, "delete the snapshots that retention lets go of", {});
  if (change.dryRun) return hookNotes(options.around, "snapshot_prune").forEach(change.warn);
  await change.hooks.before(change.report);
  await deleteAll(change, options.rules);
}

async function deleteAll(change: Change, rules: SnapshotRetentionSettings): Promise<void> {
  const { workspace, report: { prune, summary } } = change;
  const leaving = prune!.snapshots.filter(({ action }) => action === "delete").toReversed();
  const watch = watchSteps(change);
  try {
    const refused = await deleteSnapshots(workspace, leaving, watch);
    refused.map(refusedSentence).forEach(change.warn);
    await deleteHistory(change, rules, leaving, watch);
    if (refused.length > 0) throw new VerificationError(notAll(leaving, refused.length));
    change.report = { ...change.report, summary };
  } catch (error) {
    const cause = asStop(error, workspace.scope);
    const done = change.report.steps.filter(({ status }) => status === "done").length;
    if (done === 0) {
      change.report = { ...change.report, versions: [] };
      throw cause;
    }
    const shown = toError(cause);
    const deleted = new Set(
      leaving.filter((_, i) => change.report.steps[i]!.status === "done").map(({ id }) => id),
    );
    change.report = {
      ...change.report,
      status: "partial",
      exit_code: shown.code,
      error: shown,
      errors: [shown.message],
      versions: change.report.versions.filter((id) => deleted.has(id)),
      steps: change.report.steps.map((step) =>
        step.status === "planned" ? { ...step, status: "skipped" } : step
      ),
      summary: `Deleted ${deleted.size} of ${count(leaving.length, "snapshot")}: ${shown.message}`,
    };
  }
}

/** Records that are deleted in part are no harm: the next run takes the others. */
async function deleteHistory(
  change: Change,
  rules: SnapshotRetentionSettings,
  leaving: readonly PrunedSnapshot[],
  watch: ReturnType<typeof watchSteps>,
): Promise<void> {
  const { upTo } = await leavingHistory(change, rules, leaving.length > 0);
  if (upTo === null) return;
  const { store } = change.workspace.scope;
  watch.before(leaving.length);
  await pruneHistory(store, upTo.operation);
  await store.flush();
  watch.after(leaving.length);
}

function notAll(leaving: readonly PrunedSnapshot[], refused: number): string {
  return `the storage keeps ${refused} of the ${leaving.length} that no rule keeps`;
}

/** Keeps the steps of the report, and tells of each. */
function watchSteps(change: Change) {
  const { scope } = change.workspace;
  const time = () => scope.now().toISOString();
  let began = 0;
  const steps = change.report.steps.length;
  const note = (index: number, status: "failed" | "done", seconds: number) => {
    const noted = change.report.steps.map((step, i) => i === index ? { ...step, status, seconds } : step);
    change.report = { ...change.report, steps: noted };
  };
  return {
    before: (index: number) => {
      began = performance.now();
      const { description } = change.report.steps[index]!;
      scope.emit({ event: "step_started", time: time(), step: index + 1, steps, description });
      note(index, "failed", 0); // until it is known to be done
    },
    after: (index: number) => {
      const seconds = Math.round(performance.now() - began) / 1000;
      const { description } = change.report.steps[index]!;
      note(index, "done", seconds);
      scope.emit({ event: "step_finished", time: time(), step: index + 1, steps, description, seconds });
    },
  };
}

/** After the record: the store has a lock of its own, and no restore should wait for this. */
async function collectAfter(report: OperationReport, options: PruneOptions): Promise<OperationReport> {
  const { prune, summary } = report;
  if (prune === undefined) return report;
  if (report.dry_run) return { ...report, summary: `${summary}; then the store is collected` };
  try {
    const collected = await collectStore(options);
    if (collected === undefined) return report;
    return {
      ...report,
      prune: { ...prune, collected },
      bytes_reclaimed: collected.removed_bytes,
      warnings: [...report.warnings, ...collected.warnings],
      summary: `${summary}; freed ${formatBytes(collected.removed_bytes)} in the store` +
        (collected.waiting_bytes > 0 ? `, ${formatBytes(collected.waiting_bytes)} more in a later run` : ""),
    };
  } catch (error) {
    const shown = toError(error);
    return {
      ...report,
      status: "partial",
      exit_code: shown.code,
      error: shown,
      errors: [...report.errors, shown.message],
      summary: `${summary}; but the store could not be collected: ${shown.message}`,
    };
  }
}
