/**
 * The one way that anything on a repository changes: inspect → policy → plan → execute (→ verify) → record.
 * A dry run is the same path, stopped before execute.
 */
import { ExitCode, messageOf, UsageError } from "#/core/errors.ts";
import { backupFolderName as backupName, newOperationId } from "#/core/ids.ts";
import { unfinishedIds } from "#/operation/journal.ts";
import { acquire } from "#/release/acquire.ts";
import { decide, type Outcome, type RunOptions, type RunState } from "#/release/decide.ts";
import type { Definition } from "#/release/definition.ts";
import { execute } from "#/release/execute.ts";
import { asStop, cannotStart, failed, wouldFail } from "#/release/failure.ts";
import { noteRecoveries, recoverScope } from "#/release/recover_scope.ts";
import { requireRepository } from "#/release/read_releases.ts";
import { record, type RecordResult } from "#/release/record.ts";
import { baseReport, finishedReport, NOTHING_HAPPENED } from "#/release/report_base.ts";
import { type BroughtHooks, broughtHooks, NO_HOOKS } from "#/release/release_hooks.ts";
import { isTolerant, type Scope, seconds } from "#/release/scope.ts";
import { afterRecovery, hookNotes, OperationHooks, tell } from "#/release/surroundings.ts";
import { INDEX_KEY } from "#/repository/index_file.ts";
import type { RepositoryView } from "#/repository/inspect.ts";
import type { ChangeOptions } from "#/repository/options.ts";
import type { OperationReport } from "#/report/model.ts";
import { type Binding, type Plan, SYMBOLIC } from "#/step/repository_step.ts";
import { ConflictError } from "#/storage/object_store.ts";

export type { Outcome } from "#/release/decide.ts";

/** A lost race is planned again at most this often. */
const MAX_RACES = 5;

export async function runOperation<V extends RepositoryView>(
  scope: Scope,
  definition: Definition<V>,
  options: ChangeOptions,
  run: RunOptions = {},
): Promise<Outcome> {
  if (options.force === true && (options.reason ?? "").trim() === "") {
    throw new UsageError("--force needs a reason", {
      hint: "Say why with --reason; it goes into the audit log.",
    });
  }
  const started = scope.now();
  const id = newOperationId(started);
  const base = baseReport(definition, scope, options, started.toISOString());
  scope.emit({
    event: "started",
    time: base.timestamp,
    operation: definition.operation,
    id: base.dry_run ? null : id,
    version: definition.version,
  });
  const state: RunState = {
    report: base,
    plan: undefined,
    recorded: undefined,
    auditHead: undefined,
    entries: { before: [], after: [] },
  };
  const clock = performance.now();
  try {
    if (base.dry_run) await dryRun(scope, definition, options, run, state);
    else await realRun(scope, definition, options, run, state, id);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    state.report = failed(state.report, asStop(error, scope));
  }
  state.report = { ...state.report, rollback_duration_seconds: seconds(clock) };
  const idle = isIdle(definition, state);
  const recorded = state.recorded ??
    (idle ? undefined : await recordOutcome(scope, idOfRecord(id, state, started), state));
  const outcome: Outcome = {
    report: finishedReport(scope, state.report, recorded),
    plan: state.plan,
    entries: state.entries,
  };
  const report = await run.complete?.(outcome) ?? outcome.report;
  return { ...outcome, report: await tell(scope, options, report, !idle) };
}

function isIdle<V extends RepositoryView>(definition: Definition<V>, { plan, report }: RunState): boolean {
  return definition.silentWhenIdle === true && plan?.steps.length === 0 &&
    report.exit_code === ExitCode.done;
}

/** What is left unfinished is recorded under its own id by whoever recovers it; this attempt gets another one. */
function idOfRecord(id: string, { report }: RunState, at: Date): string {
  return report.exit_code === ExitCode.unfinished ? newOperationId(at) : id;
}

async function dryRun<V extends RepositoryView>(
  scope: Scope,
  definition: Definition<V>,
  options: ChangeOptions,
  run: RunOptions,
  state: RunState,
): Promise<void> {
  const unfinished = await abandonedIds(scope).catch(() => []);
  const { view, plan } = await decide(scope, definition, options, run, state, SYMBOLIC);
  const problems = [...view.writeProblems, ...definition.problems(view, isTolerant(options))];
  const notes = unfinished.map((id) => `The unfinished operation ${id} would be recovered first`);
  const brought = await broughtTo(scope, definition, options, view, plan);
  const hooks = plan.steps.length === 0 ? [] : hookNotes(options.around, definition.operation, brought);
  const warnings = [...state.report.warnings, ...notes, ...hooks, ...brought.warnings];
  if (problems.length > 0) {
    state.report = { ...state.report, warnings };
    throw wouldFail(definition, problems);
  }
  const report: OperationReport = { ...state.report, warnings, status: "dry_run", exit_code: ExitCode.done };
  const { channels_moved, artifacts_kept } = report; // these stay as intentions, like the lists of what would be removed
  const summary = definition.summary(report);
  state.report = { ...report, ...NOTHING_HAPPENED, channels_moved, artifacts_kept, undo: plan.undo, summary };
}

/** Unfinished operations but for the one that is running now. */
async function abandonedIds(scope: Scope): Promise<readonly string[]> {
  const ids = await unfinishedIds(scope.store);
  const held = ids.length === 0 ? undefined : await scope.lock.inspect();
  return ids.filter((id) => held === undefined || held.state === "dead" || held.holder.id !== id);
}

async function realRun<V extends RepositoryView>(
  scope: Scope,
  definition: Definition<V>,
  options: ChangeOptions,
  run: RunOptions,
  state: RunState,
  id: string,
): Promise<void> {
  // Only a publish makes a repository; anything else must not leave a lock's folder where there is none.
  if (definition.operation !== "publish") await requireRepository(scope.store);
  await using held = await acquire(scope, definition, options, id);
  const recoveries = await recoverScope(scope, held);
  state.report = noteRecoveries(withWarnings(state.report, held.warnings), recoveries);
  const afterwards = await afterRecovery(scope, options.around, id, held, recoveries);
  state.report = withWarnings(state.report, [...state.report.warnings, ...afterwards]);
  const hooks = new OperationHooks(scope, options.around, id);
  try {
    await planAndExecute(scope, definition, options, run, state, id, hooks);
  } catch (error) {
    const warnings = await hooks.after(failed(state.report, asStop(error, scope)));
    state.report = withWarnings(state.report, [...state.report.warnings, ...warnings]);
    throw error;
  }
  const warnings = await hooks.after(state.report);
  state.report = withWarnings(state.report, [...state.report.warnings, ...warnings]);
}

async function planAndExecute<V extends RepositoryView>(
  scope: Scope,
  definition: Definition<V>,
  options: ChangeOptions,
  run: RunOptions,
  state: RunState,
  id: string,
  hooks: OperationHooks,
): Promise<void> {
  const { warnings } = state.report;
  for (let race = 1;; race++) {
    const binding = bindingOf(scope, state.report, id);
    // What an earlier lap found is found again.
    state.report = withWarnings(state.report, warnings);
    const { view, plan } = await decide(scope, definition, options, run, state, binding);
    if (plan.steps.length === 0) return noOperation(definition, state);
    const problems = [...view.writeProblems, ...definition.problems(view, isTolerant(options))];
    if (problems.length > 0) throw cannotStart(definition, problems);
    const brought = await broughtTo(scope, definition, options, view, plan);
    state.report = withWarnings(state.report, [...state.report.warnings, ...brought.warnings]);
    await hooks.before(state.report, brought);
    scope.signal?.throwIfAborted();
    try {
      const executed = await execute(scope, definition, { view, plan, report: state.report }, {
        binding,
        tolerant: isTolerant(options),
        onReport: (current) => state.report = current,
        onRecorded: (recorded) => state.recorded = recorded,
      });
      state.report = executed.report;
      state.recorded = executed.recorded;
      return;
    } catch (error) {
      if (!(error instanceof ConflictError) || race >= MAX_RACES) throw error;
      scope.emit({
        event: "warning",
        time: scope.now().toISOString(),
        message: "The index changed meanwhile: planning again",
      });
    }
  }
}

/** The hooks that the releases of the plan bring along. */
async function broughtTo<V extends RepositoryView>(
  { store }: Scope,
  { operation }: Definition<V>,
  { around }: ChangeOptions,
  { index }: V,
  plan: Plan,
): Promise<BroughtHooks> {
  if (plan.steps.length === 0) return NO_HOOKS;
  return await broughtHooks(store, around, operation, plan.versions, index);
}

function withWarnings(report: OperationReport, warnings: readonly string[]): OperationReport {
  return { ...report, warnings };
}

function bindingOf(scope: Scope, report: OperationReport, id: string): Binding {
  return {
    id,
    at: report.timestamp,
    by: scope.by,
    backupName: (version) => backupName(version, id, new Date(report.timestamp)),
  };
}

function noOperation<V extends RepositoryView>(definition: Definition<V>, state: RunState): void {
  const report: OperationReport = { ...state.report, status: "success", exit_code: ExitCode.done };
  state.report = { ...report, summary: definition.summary(report) };
}

async function recordOutcome(scope: Scope, id: string, state: RunState): Promise<RecordResult | undefined> {
  const { report } = state;
  if (report.exit_code === ExitCode.storage && report.serial_before === 0 && report.steps.length === 0) {
    return undefined;
  }
  try {
    if (await scope.store.stat(INDEX_KEY) === undefined) return undefined; // no repository to keep a log in
    return await record(scope.store, {
      id,
      report,
      journal: undefined,
      finishedAt: scope.now().toISOString(),
      auditHint: state.auditHead,
      signer: scope.signer,
      machineId: scope.machineId,
      again: false,
    });
  } catch (error) {
    return { created: false, complete: false, signed: false, warnings: [messageOf(error)] };
  }
}
