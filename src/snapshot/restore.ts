/** Restoring a snapshot. */
import {
  ExitCode,
  messageOf,
  type RollbackError,
  RollbackVersionNotFoundError,
  UsageError,
} from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { asStop, cannotStart, wouldFail } from "#/release/failure.ts";
import { toError } from "#/release/report_base.ts";
import { hookNotes, OperationHooks } from "#/release/surroundings.ts";
import type { OperationReport, VerificationResult } from "#/report/model.ts";
import { count } from "#/report/units.ts";
import { type Change, endHooks, runChange } from "./change.ts";
import { failedRequired, runRestoreChecks } from "./checks.ts";
import { startWatcher } from "./watcher.ts";
import {
  backOut,
  doStep,
  executeRestore,
  notAsItShouldBe,
  refusedByChecks,
  setStep,
  verifyRestored,
} from "./execute_restore.ts";
import { exportSnapshot } from "./export.ts";
import { forgetOperation, type TargetJournal } from "./journal.ts";
import { judgeChange, manifestFacts } from "./judge.ts";
import type { RestoreSnapshotOptions } from "./options.ts";
import { outcome, plannedRestore } from "./outcome.ts";
import {
  type PlannedRestore,
  plannedSteps,
  planRestore,
  refuseEmptyPromise,
  refuseUncommitted,
} from "./plan_restore.ts";
import { finishTarget } from "./take_back.ts";

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
  change.report = {
    ...change.report,
    steps: plannedSteps(planned, options),
    snapshot: outcome(snapshot.id, {
      targets: planned.all.map(({ saved, bound, plan }) => plannedRestore(saved, bound, plan)),
    }),
  };
  await judgeChange(change, `restore ${snapshot.id}`, restoreFacts(planned, options));
  refuseUncommitted(planned, options);
  refuseEmptyPromise(planned, options);
  if (planned.steps.length === 0) return nothingToDo(change, snapshot.id, options.paths ?? []);
  const problems = planned.steps.flatMap(({ saved, plan }) =>
    plan.problems.map((problem) => `${saved.name}: ${problem}`)
  );
  const titled = { operation: "snapshot_restore", title: `restore ${snapshot.id}` } as const;
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
  hookNotes(options.around, "snapshot_restore").forEach(change.warn);
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

/** Everything is restored: is it as it should be, and does it stand? */
async function complete(
  change: Change,
  options: RestoreSnapshotOptions,
  planned: PlannedRestore,
  journal: TargetJournal,
): Promise<void> {
  const mayGoBack = options.rollbackOnFailure === true || options.confirmWithinMs !== undefined;
  try {
    const verification = await verifyRestored(change, options, planned.steps);
    change.report = { ...change.report, verification };
    if (options.rollbackOnFailure === true) refuseWrong(verification);
    if (!mayGoBack) journal.append({ record: "committed" });
  } catch (error) {
    throw await backOut(change, journal, asStop(error, change.workspace.scope));
  }
  if (!mayGoBack) change.afterRecord = () => forgetOperation(change.workspace.scope, change.id);
  // Before the checks: they may look at what the hooks start again.
  await endHooks(change, succeeded(change, planned, []));
  let missed: unknown;
  try {
    await doChecks(change, options);
  } catch (error) {
    missed = error;
  }
  const wrong = wrongOf(change, missed);
  if (options.rollbackOnFailure === true && wrong.length > 0) {
    throw await undoChecked(change, options, journal, wrong, missed);
  }
  if (options.confirmWithinMs !== undefined) await awaitConfirmation(change, options, journal);
  else if (mayGoBack) await commitLate(change, journal);
  if (journal.state.committed) await finishTargets(change, planned);
  change.report = succeeded(change, planned, wrong);
}

function refuseWrong(verification: readonly VerificationResult[]): void {
  const wrong = verification.filter(({ passed }) => !passed).map(({ detail }) => detail);
  if (wrong.length > 0) throw refusedByChecks(wrong);
}

async function doChecks(change: Change, options: RestoreSnapshotOptions): Promise<void> {
  const index = change.report.steps.findIndex(({ kind }) => kind === "run_checks");
  if (index < 0) return;
  await doStep(change, index, async () => {
    const checks = await runRestoreChecks(change, options);
    const { snapshot } = change.report;
    if (snapshot !== undefined) change.report = { ...change.report, snapshot: { ...snapshot, checks } };
    const advisory = checks.filter(({ passed, required }) => !passed && !required);
    advisory.forEach(({ name, detail }) => change.warn(`${name}: ${detail}`));
  });
  if (failedRequired(change.report).length > 0) setStep(change, index, { status: "failed" });
}

function wrongOf(change: Change, missed: unknown): readonly string[] {
  const differing = change.report.verification.filter(({ passed }) => !passed).map(({ detail }) => detail);
  const checks = failedRequired(change.report).map(({ name, detail }) => `${name}: ${detail}`);
  const stopped = missed === undefined ? [] : [`the checks did not run to their end (${messageOf(missed)})`];
  return [...differing, ...checks, ...stopped];
}

/** Takes back a restore that its checks refuse: what the hooks started is stopped again for it. */
async function undoChecked(
  change: Change,
  options: RestoreSnapshotOptions,
  journal: TargetJournal,
  wrong: readonly string[],
  missed: unknown,
): Promise<Error> {
  await beginHooksAgain(change, options);
  const cause = missed === undefined ? refusedByChecks(wrong) : asStop(missed, change.workspace.scope);
  return await backOut(change, journal, cause);
}

/** The hooks before it, for the way back. Nothing holds that up. */
export async function beginHooksAgain(
  change: Change,
  { around }: Pick<RestoreSnapshotOptions, "around">,
): Promise<void> {
  change.hooks = new OperationHooks(change.workspace.scope, around, change.id);
  try {
    await change.hooks.before(change.report);
  } catch (error) {
    change.warn(messageOf(error));
  }
}

async function awaitConfirmation(
  change: Change,
  options: RestoreSnapshotOptions,
  journal: TargetJournal,
): Promise<void> {
  const { scope } = change.workspace;
  const until = new Date(scope.now().getTime() + (options.confirmWithinMs ?? 0)).toISOString();
  try {
    journal.append({ record: "waiting_for_confirmation", until });
  } catch (error) {
    await beginHooksAgain(change, options);
    throw await backOut(change, journal, error);
  }
  startWatcher(change.workspace.options, change.warn);
  const { snapshot } = change.report;
  if (snapshot !== undefined) {
    change.report = { ...change.report, snapshot: { ...snapshot, confirm_by: until } };
  }
}

async function commitLate(change: Change, journal: TargetJournal): Promise<void> {
  try {
    journal.append({ record: "committed" });
  } catch (error) {
    throw await backOut(change, journal, error);
  }
  change.afterRecord = () => forgetOperation(change.workspace.scope, change.id);
}

async function finishTargets(change: Change, planned: PlannedRestore): Promise<void> {
  const { workspace, scratch, warn } = change;
  for (const { bound, saved } of planned.steps) {
    await finishTarget({ workspace, scratch, warn }, bound, saved);
  }
}

function succeeded(change: Change, planned: PlannedRestore, wrong: readonly string[]): OperationReport {
  const until = change.report.snapshot?.confirm_by ?? null;
  const names = planned.steps.map(({ saved }) => saved.name).join(", ");
  const stands = until === null ? "" : `; it is taken back unless \`backout confirm\` comes by ${until}`;
  const added = change.report.snapshot?.targets.reduce(
    (sum, target) => target.status === "restored" ? sum + target.bytes : sum,
    0,
  ) ?? 0;
  const done: OperationReport = {
    ...change.report,
    status: "success",
    exit_code: ExitCode.done,
    total_bytes_added: added,
    steps: change.report.steps.map((step) =>
      step.kind === "await_confirmation" && until !== null ? { ...step, status: "done" } : step
    ),
    summary: `Restored ${names} from ${planned.snapshot.id}${stands}`,
  };
  if (wrong.length === 0) return done;
  const error: RollbackError = notAsItShouldBe(wrong);
  return {
    ...done,
    status: "partial",
    exit_code: error.code,
    error: toError(error),
    errors: [error.message],
    summary: `${error.message}${stands}`,
  };
}
