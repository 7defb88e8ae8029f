/**
 * Recovery of a workspace: every restore that was interrupted ends before or after. A restore that waits for its
 * confirmation is left alone until its time is over, and is taken back then.
 */
import {
  ExitCode,
  messageOf,
  RollbackAtomicError,
  UnfinishedOperationError,
  UsageError,
} from "#/core/errors.ts";
import { newOperationId } from "#/core/ids.ts";
import { loadSigner, type Signer } from "#/audit/sign.ts";
import { record } from "#/release/record.ts";
import { takenBackReport } from "#/release/report_base.ts";
import { OperationHooks } from "#/release/surroundings.ts";
import type { OperationReport } from "#/report/model.ts";
import { bindSaved } from "./bind_target.ts";
import {
  forgetOperation,
  journalKey,
  type JournalState,
  type RestorePlan,
  TargetJournal,
  unfinishedTargetIds,
} from "./journal.ts";
import { letHeldGo } from "./let_held_go.ts";
import { finishTarget, takeBack, type TakeBackWorld } from "./take_back.ts";
import { callTarget, operationScratch } from "./target_context.ts";
import type { Workspace } from "./workspace.ts";

/** One restore that was recovered. */
export interface TargetRecovery {
  readonly id: string;
  readonly title: string;
  readonly direction: "forward" | "back";
  /** Nobody confirmed it in time. */
  readonly expired: boolean;
  readonly plan: RestorePlan;
  /** One sentence. */
  readonly summary: string;
  readonly warnings: readonly string[];
}

export interface RecoverTargetsOptions {
  /** False where the caller's own report says that an unconfirmed restore was taken back. @default true */
  readonly logExpired?: boolean;
}

/**
 * Recovers what is unfinished, oldest first, under the lock.
 * @throws {UnfinishedOperationError} one needs a person
 */
export async function recoverTargets(
  workspace: Workspace,
  options: RecoverTargetsOptions = {},
): Promise<readonly TargetRecovery[]> {
  const { scope } = workspace;
  const recoveries: TargetRecovery[] = [];
  for (const id of await unfinishedTargetIds(scope)) {
    await refuseForeign(workspace, id);
    const goesOn = await letHeldGo(workspace, id);
    const journal = await TargetJournal.open(scope, id);
    if (journal === undefined) {
      if (goesOn) await forgetOperation(scope, id); // it had not begun
      continue;
    }
    refuseOtherMachine(workspace, journal.state.plan);
    const { waitingUntil } = journal.state;
    if (waitingUntil !== undefined && !isOver(workspace, waitingUntil)) continue;
    recoveries.push(await recoverOne(workspace, journal, options));
  }
  await scope.store.removeLeftovers();
  return recoveries;
}

/** A time that nobody can read is over. */
export function isOver({ scope }: Workspace, until: string): boolean {
  return !(Date.parse(until) > scope.now().getTime());
}

async function recoverOne(
  workspace: Workspace,
  journal: TargetJournal,
  { logExpired = true }: RecoverTargetsOptions,
): Promise<TargetRecovery> {
  const { scope } = workspace;
  const { plan, hooksBegan, waitingUntil } = journal.state;
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  const world = { workspace, scratch: operationScratch(workspace, plan.id), warn };
  const expired = waitingUntil !== undefined;
  const forward = journal.state.committed || isPastTheTurn(journal.state);
  scope.emit({
    event: "recovering",
    time: scope.now().toISOString(),
    id: plan.id,
    operation: plan.title,
    direction: forward ? "forward" : "back",
  });
  const hooks = new OperationHooks(scope, workspace.options.around, plan.id, hooksBegan && !expired);
  if (expired) await hooks.before(plan.report).catch((error) => warn(messageOf(error)));
  const ended = forward
    ? await goForward(world, journal)
    : await goBack(world, journal, expired ? `nobody confirmed it by ${waitingUntil}` : "it was interrupted");
  const report = reportOf(ended, plan, warnings);
  warnings.push(...await hooks.after(report));
  if (!expired || logExpired) await recordRecovery(workspace, ended, { ...report, warnings });
  await forgetOperation(scope, plan.id);
  const { direction, summary } = ended;
  return { id: plan.id, title: plan.title, direction, expired, plan, summary, warnings };
}

interface Ended {
  readonly direction: "forward" | "back";
  readonly expired: boolean;
  readonly summary: string;
}

/**
 * The last target cannot be taken back, and was begun when all others had been restored: the only safe way is on, since
 * a restore may be done again.
 */
function isPastTheTurn({ plan, begun, reverting }: JournalState): boolean {
  const last = begun.at(-1);
  if (reverting !== undefined || last === undefined) return false;
  return last.step === plan.targets.length - 1 && plan.targets[last.step]?.undo === "none";
}

async function goForward(world: TakeBackWorld, journal: TargetJournal): Promise<Ended> {
  const { plan, committed } = journal.state;
  const store = await world.workspace.store();
  const snapshot = await store.readSnapshot(plan.snapshot);
  try {
    if (!committed) {
      await restoreLast(world, journal);
      journal.append({ record: "committed" });
    }
  } catch (error) {
    return await goBack(world, journal, messageOf(error));
  }
  for (const target of plan.targets) {
    const saved = snapshot?.targets.find(({ name }) => name === target.name);
    if (saved === undefined) continue; // deleted since: nothing of it can be left over that matters
    await finishTarget(world, await bindSaved(world.workspace.options, saved), saved);
  }
  const summary = `The interrupted ${plan.title} was finished first`;
  return { direction: "forward", expired: false, summary };
}

async function restoreLast(
  { workspace, scratch, warn }: TakeBackWorld,
  journal: TargetJournal,
): Promise<void> {
  const { plan } = journal.state;
  const store = await workspace.store();
  const snapshot = await store.readSnapshot(plan.snapshot);
  const last = plan.targets.at(-1);
  const saved = snapshot?.targets.find(({ name }) => name === last?.name);
  if (saved === undefined) throw new UnfinishedOperationError(`the snapshot ${plan.snapshot} is gone`);
  const { spec, driver } = await bindSaved(workspace.options, saved);
  const options = { paths: plan.paths, discardChanges: true };
  const call = { workspace, spec, scratch, phase: "restoring", warn };
  await callTarget(call, (context) => driver.restore(spec, saved, { ...context, store, options }));
}

async function goBack(world: TakeBackWorld, journal: TargetJournal, why: string): Promise<Ended> {
  const { plan, begun, waitingUntil } = journal.state;
  const expired = waitingUntil !== undefined;
  const { remains } = await takeBack(world, journal, why);
  if (remains.length > 0) {
    await forgetOperation(world.workspace.scope, plan.id);
    throw new UnfinishedOperationError(
      `The ${plan.title} was interrupted, and not all of it could be taken back: ${remains.join("; ")}`,
      {
        hint: "Look at these yourself; everything else is as before. This is said only once.",
        context: { operation: plan.id, remains },
      },
    );
  }
  const summary = expired
    ? `Nobody confirmed the ${plan.title} by ${waitingUntil}: it was taken back; all is as before it`
    : begun.length === 0
    ? `The interrupted ${plan.title} had changed nothing`
    : `The interrupted ${plan.title} was taken back first; all was as before`;
  return { direction: "back", expired, summary };
}

function reportOf(ended: Ended, plan: RestorePlan, warnings: readonly string[]): OperationReport {
  const report = { ...plan.report, warnings: [...plan.report.warnings, ...warnings] };
  if (ended.direction === "back") {
    return takenBackReport(report, new RollbackAtomicError(ended.summary), report.serial_after);
  }
  return {
    ...report,
    steps: report.steps.map((step) => step.kind === "run_checks" ? step : { ...step, status: "done" }),
    status: "success",
    exit_code: ExitCode.done,
    summary: ended.summary,
  };
}

/** A restore that was not confirmed is in the log as done already: that it was taken back is an entry of its own. */
async function recordRecovery(workspace: Workspace, ended: Ended, report: OperationReport): Promise<void> {
  const { scope } = workspace;
  const operation = report.rollback_id ?? newOperationId(scope.now());
  const recorded = await record(scope.store, {
    id: ended.expired ? newOperationId(scope.now()) : operation,
    report: ended.expired ? { ...report, timestamp: scope.now().toISOString() } : report,
    journal: undefined,
    finishedAt: scope.now().toISOString(),
    auditHint: undefined,
    signer: scope.signer ?? signerOf(workspace.options.signingKeyFile),
    machineId: scope.machineId,
    again: !ended.expired,
  });
  if (recorded.complete) return;
  throw new UnfinishedOperationError(
    `Cannot record that: ${ended.summary}: ${recorded.warnings.join("; ")}`,
    {
      hint: "The targets are right already. Mend the audit log's folder, then run `backout recover`.",
      context: { operation },
    },
  );
}

/** Recovery does not fail for a key that cannot be read any more. */
function signerOf(file: string | undefined): Signer | undefined {
  try {
    return file === undefined ? undefined : loadSigner(file);
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

/** Root does not act on what another user may have made up. */
async function refuseForeign({ scope }: Workspace, id: string): Promise<void> {
  if (scope.uid !== 0) return;
  const stat = await scope.store.stat(journalKey(id));
  if (stat === undefined || stat.uid === null || stat.uid === 0) return;
  throw new UnfinishedOperationError(
    `Cannot recover operation ${id} as root: user ${stat.uid} wrote its journal`,
    {
      hint:
        `Run \`backout recover\` as that user, e.g. setpriv --reuid=${stat.uid} --clear-groups -- backout recover …`,
      context: { operation: id, uid: stat.uid },
    },
  );
}

/** The targets of the journal are another machine's. */
function refuseOtherMachine({ scope }: Workspace, plan: RestorePlan): void {
  if (plan.machine_id === scope.machineId) return;
  throw new UnfinishedOperationError(
    `Cannot recover operation ${plan.id} (${plan.title}) here: it ran on ${plan.host}, another machine`,
    {
      hint: `Run \`backout recover\` on ${plan.host}. Where that machine is gone, remove its folder below ` +
        ".backout/target-operations.",
      context: { operation: plan.id, host: plan.host },
    },
  );
}

/** What was recovered, as the report and its warnings show it. */
export function noteTargetRecoveries(
  report: OperationReport,
  recoveries: readonly TargetRecovery[],
): OperationReport {
  if (recoveries.length === 0) return report;
  return {
    ...report,
    recovered: recoveries.map(({ id, title, direction }) => ({ id, operation: title, direction })),
    warnings: [
      ...report.warnings,
      ...recoveries.flatMap(({ summary, warnings }) => [summary, ...warnings]),
    ],
  };
}
