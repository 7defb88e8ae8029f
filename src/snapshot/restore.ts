/** Restoring a snapshot. */
import { ExitCode, RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { cannotStart, wouldFail } from "#/release/failure.ts";
import { hookNotes } from "#/release/surroundings.ts";
import type { OperationReport } from "#/report/model.ts";
import { count } from "#/report/units.ts";
import { type Change, runChange } from "./change.ts";
import { complete } from "./complete_restore.ts";
import { executeRestore } from "./execute_restore.ts";
import { exportSnapshot } from "./export.ts";
import { forgetKilledGuard } from "./guard_note.ts";
import { judgeChange, manifestFacts } from "./judge.ts";
import type { RestoreSnapshotOptions } from "./options.ts";
import { outcome, plannedRestore } from "./outcome.ts";
import {
  type PlannedRestore,
  plannedSteps,
  planRestore,
  refuseEmptyPromise,
  refuseUncommitted,
  type RestoreWording,
} from "./plan_restore.ts";

/** A confirmation that nobody could give in time is a trap. */
const SHORTEST_CONFIRMATION_MS = 1_000;

/**
 * Brings targets to what a snapshot has of them: all of them, or none. The state before is kept in a safety snapshot.
 * @throws {UsageError}
 */
export function restoreSnapshot(options: RestoreSnapshotOptions): Promise<OperationReport> {
  const { confirmWithinMs, to } = options;
  if (confirmWithinMs !== undefined && !(confirmWithinMs >= SHORTEST_CONFIRMATION_MS)) {
    throw new UsageError("--confirm-within must be at least 1 s", {
      hint: "For example --confirm-within 60s.",
    });
  }
  const definition = {
    operation: "snapshot_restore",
    title: `restore ${options.snapshot}`,
    version: options.snapshot,
  } as const;
  if (to !== undefined) {
    return runChange(options, definition, (change) => exportSnapshot(change, options, to));
  }
  return runChange(options, definition, (change) => restore(change, options));
}

/** The restore itself, for others that restore as a part of what they do. */
export async function restore(change: Change, options: RestoreSnapshotOptions): Promise<void> {
  const planned = await planRestore(change, options);
  const { snapshot } = planned;
  notePlanned(change, options, planned);
  await judgeChange(change, `restore ${snapshot.id}`, restoreFacts(planned, options));
  refuseUncommitted(planned, options);
  refuseEmptyPromise(planned, options);
  const paths = options.paths ?? [];
  if (planned.steps.length === 0) nothingToDo(change, snapshot.id, paths);
  else await carryOut(change, options, planned, `restore ${snapshot.id}`);
  if (!change.dryRun && paths.length === 0) await forgetKilledGuard(change.workspace, snapshot.id);
}

/**
 * Brings targets to states that were worked out instead of read from a snapshot: all of them, or none, with the same
 * journal, safety snapshot, checks and recovery.
 */
export async function restoreWorkedOut(
  change: Change,
  options: RestoreSnapshotOptions,
  planned: PlannedRestore & { readonly wording: RestoreWording },
): Promise<void> {
  const { title } = planned.wording;
  notePlanned(change, options, planned);
  await judgeChange(change, title, restoreFacts(planned, options));
  refuseEmptyPromise(planned, options);
  if (planned.steps.length > 0) return await carryOut(change, options, planned, title);
  change.report = {
    ...change.report,
    status: change.dryRun ? "dry_run" : "success",
    exit_code: ExitCode.done,
    summary: `Nothing to do (${title}): everything is so already`,
  };
}

function notePlanned(change: Change, options: RestoreSnapshotOptions, planned: PlannedRestore): void {
  change.report = {
    ...change.report,
    steps: plannedSteps(planned, options),
    snapshot: outcome(planned.snapshot.id, {
      targets: planned.all.map(({ saved, bound, plan }) => plannedRestore(saved, bound, plan)),
    }),
  };
}

async function carryOut(
  change: Change,
  options: RestoreSnapshotOptions,
  planned: PlannedRestore,
  title: string,
): Promise<void> {
  const problems = planned.steps.flatMap(({ saved, plan }) =>
    plan.problems.map((problem) => `${saved.name}: ${problem}`)
  );
  const titled = { operation: change.report.operation, title };
  if (change.dryRun) {
    if (problems.length > 0) throw wouldFail(titled, problems);
    return intend(change, options, planned);
  }
  if (problems.length > 0) throw cannotStart(titled, problems);
  const journal = await executeRestore(change, options, planned);
  await complete(change, options, planned, journal);
}

function restoreFacts(planned: PlannedRestore, options: RestoreSnapshotOptions) {
  return {
    ...manifestFacts(planned.snapshot),
    targets: planned.all.map(({ saved, plan }) => ({
      name: saved.name,
      type: saved.type,
      undo: saved.undo,
      changes: plan.changes.length,
      removes: plan.changes.filter(({ action }) => action === "remove").length,
      bytes: saved.bytes,
      uncommitted: plan.uncommitted,
    })),
    checks: options.checks.length,
    required_checks: options.checks.filter(({ required }) => required !== false).length,
    rollback_on_failure: options.rollbackOnFailure ?? false,
    needs_confirmation: options.confirmWithinMs !== undefined,
    discard_changes: options.discardChanges ?? false,
  };
}

/** @throws {RollbackVersionNotFoundError} a path is neither in the snapshot nor here: it is a slip */
function nothingToDo(change: Change, id: string, paths: readonly string[]): void {
  // Were it in the snapshot, it would be missing here now, and brought back.
  const unknown = paths.find((path) => posix.lstat(path) === undefined);
  if (unknown !== undefined) {
    throw new RollbackVersionNotFoundError(`Neither ${id} nor this machine has ${unknown}`, {
      hint: `See \`backout snapshot show ${id} --json\` for what it covers.`,
      context: { snapshot: id, path: unknown },
    });
  }
  const what = paths.length === 0 ? "everything is" : `${paths.join(", ")}: no target covers it, or it is`;
  change.report = {
    ...change.report,
    status: change.dryRun ? "dry_run" : "success",
    exit_code: ExitCode.done,
    summary: `Nothing to restore: ${what} as ${id} has it`,
  };
}

function intend(change: Change, options: RestoreSnapshotOptions, planned: PlannedRestore): void {
  hookNotes(options.around, change.report.operation).forEach(change.warn);
  if (planned.wording !== undefined) {
    const summary = planned.wording.intended;
    change.report = { ...change.report, status: "dry_run", exit_code: ExitCode.done, summary };
    return;
  }
  const changes = planned.steps.reduce((sum, { plan }) => sum + plan.changes.length, 0);
  const { id, created_at, description } = planned.snapshot;
  change.report = {
    ...change.report,
    status: "dry_run",
    exit_code: ExitCode.done,
    summary: `Would restore ${planned.steps.map(({ saved }) => saved.name).join(", ")} from ${id} (${
      count(changes, "change")
    }), taken ${created_at.replace(/\.\d+Z$/, "Z")}${description === "" ? "" : `: ${description}`}`,
  };
}
