/**
 * The one way that anything on a workspace changes: lock, recover, then the operation's own inspect → policy → plan →
 * execute → verify, then record and tell. A dry run is the same path without the lock, stopped before execute.
 */
import { ExitCode, LockedError, messageOf, UsageError } from "#/core/errors.ts";
import { newOperationId } from "#/core/ids.ts";
import { asStop, failed } from "#/release/failure.ts";
import { record, type RecordResult } from "#/release/record.ts";
import { baseReport, finishedReport } from "#/release/report_base.ts";
import { acquireLock, seconds } from "#/release/scope.ts";
import { afterRecovery, OperationHooks, tell } from "#/release/surroundings.ts";
import type { OperationKind, OperationReport } from "#/report/model.ts";
import { describeKilled, killedGuards } from "./guard_note.ts";
import { TargetJournal, unfinishedTargetIds } from "./journal.ts";
import type { WorkspaceOptions } from "./options.ts";
import { noteTargetRecoveries, recoverTargets, type TargetRecovery } from "./recover_targets.ts";
import { operationScratch, type Scratch, temporaryScratch } from "./target_context.ts";
import { openWorkspace, type Workspace } from "./workspace.ts";

export interface ChangeDefinition {
  readonly operation: OperationKind;
  /** Verb and object: `restore rb-0123456789ab`. */
  readonly title: string;
  /** The snapshot asked for, as the report shows it. */
  readonly version: string;
  /** It is allowed while a restore waits for its confirmation. @default false */
  readonly whileWaiting?: boolean;
  /** Its own report says that an unconfirmed restore was taken back: no other entry of the log does. @default false */
  readonly tellsExpired?: boolean;
  /**
   * Looks, without the lock, whether there is nothing to do, and if so completes the report: no trace is left.
   * What finds that out only under the lock sets `Change.idle`.
   */
  readonly isIdle?: (change: Change) => Promise<boolean>;
  /** Given what failed, before the report of it is made. */
  readonly onFailure?: (error: unknown) => void;
}

/** A change that is under way. */
export interface Change {
  readonly workspace: Workspace;
  readonly id: string;
  readonly dryRun: boolean;
  readonly scratch: Scratch;
  /** What was recovered before it. */
  readonly recoveries: readonly TargetRecovery[];
  /** As it stands, so that a failure can show how far it came. */
  report: OperationReport;
  hooks: OperationHooks;
  /** There was nothing to do, and nobody is told: no history, no audit entry, no notification. */
  idle: boolean;
  /** Called when the outcome is in history and audit: forgets the journal. */
  afterRecord: (() => Promise<void>) | undefined;
  readonly warn: (message: string) => void;
}

/** Runs an operation to its report. @throws {UsageError} */
export async function runChange(
  options: WorkspaceOptions,
  definition: ChangeDefinition,
  work: (change: Change) => Promise<void>,
): Promise<OperationReport> {
  if (options.force === true && (options.reason ?? "").trim() === "") {
    throw new UsageError("--force needs a reason", {
      hint: "Say why with --reason; it goes into the audit log.",
    });
  }
  const workspace = await openWorkspace(options);
  try {
    return await runIn(workspace, definition, work);
  } finally {
    await workspace.close();
  }
}

async function runIn(
  workspace: Workspace,
  definition: ChangeDefinition,
  work: (change: Change) => Promise<void>,
): Promise<OperationReport> {
  const { scope } = workspace;
  const change = beginChange(workspace, definition);
  const clock = performance.now();
  try {
    if (change.dryRun) await dryRun(change, work);
    else if (await definition.isIdle?.(change) === true) change.idle = true;
    else await realRun(change, definition, work);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const cause = asStop(error, scope);
    definition.onFailure?.(cause);
    change.report = failed(change.report, cause);
  }
  change.report = { ...change.report, rollback_duration_seconds: seconds(clock) };
  const warnings = new Set([...change.report.warnings, ...workspace.warnings]);
  change.report = { ...change.report, warnings: [...warnings] };
  const recorded = change.idle ? undefined : await recordOutcome(change);
  if (recorded?.complete === true) await forget(change);
  change.report = finishedReport(scope, change.report, recorded);
  return await tell(scope, workspace.change, change.report, !change.idle);
}

function beginChange(workspace: Workspace, definition: ChangeDefinition): Change {
  const { scope, options } = workspace;
  const started = scope.now();
  const id = newOperationId(started);
  const dryRun = options.dryRun ?? false;
  const report: OperationReport = {
    ...baseReport({ ...definition, rollbackType: null }, scope, workspace.change, started.toISOString()),
    rollback_id: dryRun ? null : id,
  };
  scope.emit({
    event: "started",
    time: report.timestamp,
    operation: definition.operation,
    id: report.rollback_id,
    version: definition.version,
  });
  const change: Change = {
    workspace,
    id,
    dryRun,
    scratch: dryRun ? temporaryScratch() : operationScratch(workspace, id),
    recoveries: [],
    report,
    hooks: new OperationHooks(scope, options.around, id),
    idle: false,
    afterRecord: undefined,
    warn: (message) => {
      if (change.report.warnings.includes(message)) return;
      scope.emit({ event: "warning", time: scope.now().toISOString(), message });
      change.report = { ...change.report, warnings: [...change.report.warnings, message] };
    },
  };
  return change;
}

async function dryRun(change: Change, work: (change: Change) => Promise<void>): Promise<void> {
  const { scope } = change.workspace;
  const held = await scope.lock.inspect();
  const ids = (await unfinishedTargetIds(scope)).filter((id) => held?.holder.id !== id);
  for (const id of ids) change.warn(`The unfinished operation ${id} would be recovered first`);
  try {
    await work(change);
  } finally {
    await change.scratch.remove();
  }
}

async function realRun(
  change: Change,
  definition: ChangeDefinition,
  work: (change: Change) => Promise<void>,
): Promise<void> {
  const { workspace, id } = change;
  const { scope, options } = workspace;
  await using held = await acquireLock(scope, id, definition.title, options.reason ?? "");
  held.warnings.forEach(change.warn);
  for (const guard of await killedGuards(workspace)) {
    if (guard.snapshot !== definition.version) change.warn(describeKilled(guard));
  }
  const recoveries = await recoverTargets(workspace, { logExpired: definition.tellsExpired !== true });
  (change as { recoveries: readonly TargetRecovery[] }).recoveries = recoveries;
  change.report = noteTargetRecoveries(change.report, recoveries);
  const recovered = recoveries.map(({ plan }) => ({ journal: plan }));
  (await afterRecovery(scope, options.around, id, held, recovered)).forEach(change.warn);
  if (definition.whileWaiting !== true) await refuseWhileWaiting(workspace);
  try {
    await work(change);
  } catch (error) {
    await endHooks(change, failed(change.report, asStop(error, scope)));
    throw error;
  } finally {
    await removeScratch(change);
  }
  await endHooks(change, change.report);
}

/** Runs the hooks after it, once. */
export async function endHooks(change: Change, report: OperationReport): Promise<void> {
  const { workspace, hooks, id } = change;
  (await hooks.after(report)).forEach(change.warn);
  change.hooks = new OperationHooks(workspace.scope, workspace.options.around, id);
}

/** Nothing else may change while a restore may still be taken back. @throws {LockedError} */
async function refuseWhileWaiting(workspace: Workspace): Promise<void> {
  const { scope } = workspace;
  for (const id of await unfinishedTargetIds(scope)) {
    const state = (await TargetJournal.open(scope, id))?.state;
    if (state?.waitingUntil === undefined) continue;
    const { plan } = state;
    throw new LockedError(
      `The ${plan.title} by ${plan.by}@${plan.host} waits for a confirmation until ${state.waitingUntil}`,
      {
        hint: "Keep it with `backout confirm`; it is taken back by itself when nobody does.",
        context: { operation: id, snapshot: plan.snapshot, until: state.waitingUntil },
      },
    );
  }
}

/** What a driver left in its private folder is nobody's business any more; a journal's operation keeps its own. */
async function removeScratch(change: Change): Promise<void> {
  try {
    await change.scratch.remove();
    const { store } = change.workspace.scope;
    const journal = await TargetJournal.open(change.workspace.scope, change.id).catch(() => null);
    if (journal === undefined) await store.removeTree(`.backout/target-operations/${change.id}`);
  } catch (error) {
    change.warn(`The operation's private folder could not be removed: ${messageOf(error)}`);
  }
}

async function recordOutcome(change: Change): Promise<RecordResult | undefined> {
  const { report, workspace } = change;
  const { scope } = workspace;
  const nothingHappened = report.dry_run || report.status === "failed";
  // What is left unfinished is recorded under its own id by whoever recovers it; this attempt gets another one.
  const id = report.exit_code === ExitCode.unfinished ? newOperationId(scope.now()) : change.id;
  try {
    if (nothingHappened && await scope.store.stat(".backout") === undefined) return undefined;
    return await record(scope.store, {
      id,
      report,
      journal: undefined,
      finishedAt: scope.now().toISOString(),
      auditHint: undefined,
      signer: scope.signer,
      machineId: scope.machineId,
      again: false,
    });
  } catch (error) {
    return { created: false, complete: false, signed: false, warnings: [messageOf(error)] };
  }
}

async function forget(change: Change): Promise<void> {
  try {
    await change.afterRecord?.();
  } catch (error) {
    change.warn(`The journal could not be removed, so the next command does it: ${messageOf(error)}`);
  }
}
