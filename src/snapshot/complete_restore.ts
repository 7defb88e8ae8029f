/** The end of a restore: is everything as it should be, and does it stand? */
import { ExitCode, messageOf, type RollbackError } from "#/core/errors.ts";
import { asStop } from "#/release/failure.ts";
import { toError } from "#/release/report_base.ts";
import { OperationHooks } from "#/release/surroundings.ts";
import type { OperationReport, VerificationResult } from "#/report/model.ts";
import { type Change, endHooks } from "./change.ts";
import { failedRequired, runRestoreChecks } from "./checks.ts";
import {
  backOut,
  doStep,
  notAsItShouldBe,
  refusedByChecks,
  setStep,
  verifyRestored,
} from "./execute_restore.ts";
import { forgetOperation, type TargetJournal } from "./journal.ts";
import type { RestoreSnapshotOptions } from "./options.ts";
import type { PlannedRestore } from "./plan_restore.ts";
import { finishTarget } from "./take_back.ts";
import { startWatcher } from "./watcher.ts";

/** Everything is restored: is it as it should be, and does it stand? */
export async function complete(
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
    summary: `${planned.wording?.done ?? `Restored ${names} from ${planned.snapshot.id}`}${stands}`,
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
