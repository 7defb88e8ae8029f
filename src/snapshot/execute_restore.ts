/** Executes a planned restore: journal, hooks, safety snapshot, one target after the other, and back where one fails. */
import {
  messageOf,
  RollbackAtomicError,
  RollbackError,
  UnfinishedOperationError,
  VerificationError,
} from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { asStop } from "#/release/failure.ts";
import { seconds, stopReason, withReserve } from "#/release/scope.ts";
import type { StepReport, VerificationResult } from "#/report/model.ts";
import { captureSnapshot } from "./capture.ts";
import type { Change } from "./change.ts";
import { forgetOperation, type RestorePlan, TargetJournal } from "./journal.ts";
import type { RestoreSnapshotOptions } from "./options.ts";
import { restoredOutcome, withTarget } from "./outcome.ts";
import { driverOptions, type PlannedRestore, type RestoreStep } from "./plan_restore.ts";
import { newSnapshotId } from "./snapshot_id.ts";
import { takeBack } from "./take_back.ts";
import { callTarget, targetCall } from "./target_context.ts";

/** Sets what became of one step of the report. */
export function setStep(change: Change, index: number, set: Partial<StepReport>): void {
  const steps = change.report.steps.map((step, i) => i === index ? { ...step, ...set } : step);
  change.report = { ...change.report, steps };
}

/** Does a step of the report: tells of its begin and end, and how long it took. */
export async function doStep<T>(change: Change, index: number, work: () => Promise<T>): Promise<T> {
  const { scope } = change.workspace;
  const { steps } = change.report;
  const description = steps[index]?.description ?? "";
  const told = { step: index + 1, steps: steps.length, description };
  const began = performance.now();
  scope.emit({ event: "step_started", time: scope.now().toISOString(), ...told });
  try {
    const result = await work();
    setStep(change, index, { status: "done", seconds: seconds(began) });
    scope.emit({
      event: "step_finished",
      time: scope.now().toISOString(),
      ...told,
      seconds: seconds(began),
    });
    return result;
  } catch (error) {
    setStep(change, index, { status: "failed", seconds: seconds(began) });
    throw error;
  }
}

/** Writes the plan down, keeps the state before, and restores. Everything is restored when it returns. */
export async function executeRestore(
  change: Change,
  options: RestoreSnapshotOptions,
  planned: PlannedRestore,
): Promise<TargetJournal> {
  const { scope } = change.workspace;
  const plan = journalPlan(change, options, planned);
  const journal = await withReserve(scope, () => TargetJournal.create(scope, plan));
  try {
    await prepare(change, planned, journal);
  } catch (error) {
    change.afterRecord = () => forgetOperation(scope, plan.id); // nothing was touched
    throw error;
  }
  try {
    for (const [index, step] of planned.steps.entries()) {
      throwIfStopped(scope.signal);
      journal.append({ record: "begin", step: index });
      await doStep(change, index + 1, () => restoreOne(change, options, step));
      journal.append({ record: "end", step: index });
    }
    await new Promise((resolve) => setTimeout(resolve, 0)); // small targets give a signal no other turn to be seen
    throwIfStopped(scope.signal);
  } catch (error) {
    throw await backOut(change, journal, asStop(error, scope));
  }
  return journal;
}

function journalPlan(
  change: Change,
  options: RestoreSnapshotOptions,
  planned: PlannedRestore,
): RestorePlan {
  const { scope } = change.workspace;
  const hooks = options.around?.hooks[change.report.operation] ?? {};
  const { paths, discardChanges } = driverOptions(options);
  return {
    format: 1,
    id: change.id,
    title: planned.wording?.noun ?? `restore of ${planned.snapshot.id}`,
    snapshot: planned.snapshot.id,
    safety: newSnapshotId(),
    targets: planned.steps.map(({ saved: { name, type, undo }, plan }) => ({
      name,
      type,
      undo,
      summary: plan.summary,
    })),
    paths,
    discard_changes: discardChanges,
    rollback_on_failure: options.rollbackOnFailure ?? false,
    confirm_within_ms: options.confirmWithinMs ?? null,
    checks: options.checks.map(({ type, name }) => name ?? type),
    hooks: {
      before: (hooks.before ?? []).map(({ command }) => command[0] ?? ""),
      after: (hooks.after ?? []).map(({ command }) => command[0] ?? ""),
    },
    machine_id: scope.machineId,
    host: scope.host,
    by: scope.by,
    report: change.report,
    signing_key_file: scope.signingKeyFile ?? null,
  };
}

async function prepare(change: Change, planned: PlannedRestore, journal: TargetJournal): Promise<void> {
  const { plan } = journal.state;
  if (plan.hooks.before.length + plan.hooks.after.length > 0) journal.append({ record: "hooks" });
  await change.hooks.before(change.report);
  throwIfStopped(change.workspace.scope.signal);
  const safety = await doStep(change, 0, () =>
    captureSnapshot(change, {
      id: plan.safety,
      targets: planned.steps.map(({ bound }) => bound),
      origin: "safety",
      description: `before the ${plan.title}`,
      tolerateMissing: true,
    }));
  journal.append({ record: "kept", targets: safety.targets.map(({ name }) => name) });
  const { snapshot } = change.report;
  if (snapshot === undefined || safety.targets.length === 0) return;
  change.report = {
    ...change.report,
    backup_created: true,
    snapshot: { ...snapshot, safety_id: plan.safety },
    undo: `backout snapshot restore ${plan.safety}`,
  };
}

async function restoreOne(change: Change, options: RestoreSnapshotOptions, step: RestoreStep): Promise<void> {
  const { workspace } = change;
  const { saved, bound: { spec, driver } } = step;
  const store = await workspace.store();
  const began = performance.now();
  const call = targetCall(change, spec, "restoring");
  try {
    const restored = await callTarget(
      call,
      (context) => driver.restore(spec, saved, { ...context, store, options: driverOptions(options) }),
    );
    restored.warnings.forEach((warning) => change.warn(`${spec.name}: ${warning}`));
    change.report = withTarget(
      change.report,
      spec.name,
      (target) => restoredOutcome(target, restored, seconds(began)),
    );
  } catch (error) {
    change.report = withTarget(change.report, spec.name, (target) => ({ ...target, status: "failed" }));
    throw error;
  }
}

/**
 * Takes back what was begun.
 * @returns the error that says so
 */
export async function backOut(change: Change, journal: TargetJournal, cause: unknown): Promise<Error> {
  const { scope } = change.workspace;
  const { plan, begun } = journal.state;
  const world = { workspace: change.workspace, scratch: change.scratch, warn: change.warn };
  try {
    const { restored, remains } = await takeBack(world, journal, messageOf(cause));
    noteTakenBack(change, restored);
    const { snapshot } = change.report;
    if (begun.length === 0 && snapshot !== undefined) {
      change.report = { ...change.report, snapshot: { ...snapshot, safety_id: null } };
    }
    change.afterRecord = () => forgetOperation(scope, plan.id);
    if (remains.length > 0) return cannotUndo(plan, cause, remains);
  } catch (error) {
    return error instanceof UnfinishedOperationError ? error : stillThere(plan, error);
  }
  if (stopReason(scope.signal) !== undefined && cause instanceof RollbackError) return cause;
  const what = begun.length === 0 ? "nothing was changed" : "it was taken back: all is as before";
  const how = cause instanceof VerificationError ? "did not pass its checks" : "failed";
  return new RollbackAtomicError(`The ${plan.title} ${how} (${messageOf(cause)}); ${what}`, {
    hint: cause instanceof RollbackError && cause.hint !== undefined
      ? cause.hint
      : "Mend the cause, then run the command again.",
    context: {
      snapshot: plan.snapshot,
      safety: plan.safety,
      ...(cause instanceof RollbackError ? { cause: cause.kind, cause_code: cause.code } : {}),
    },
    cause,
  });
}

/** What the report says of targets that are as before again. */
export function noteTakenBack(change: Change, names: readonly string[]): void {
  for (const name of names) {
    change.report = withTarget(change.report, name, (target) => ({ ...target, status: "taken_back" }));
  }
  const steps = change.report.steps.map((step): StepReport =>
    step.kind === "restore_target" && step.status === "done" ? { ...step, status: "taken_back" } : step
  );
  change.report = { ...change.report, steps };
}

function cannotUndo(plan: RestorePlan, cause: unknown, remains: readonly string[]): UnfinishedOperationError {
  return new UnfinishedOperationError(
    `The ${plan.title} failed (${messageOf(cause)}), and not all of it could be taken back: ${
      remains.join("; ")
    }`,
    {
      hint: `Look at these yourself; everything else is as before. The snapshot is ${plan.snapshot}.`,
      context: { operation: plan.id, remains },
      cause,
    },
  );
}

function stillThere(plan: RestorePlan, cause: unknown): UnfinishedOperationError {
  return new UnfinishedOperationError(
    `The ${plan.title} failed, and it could not be taken back: ${messageOf(cause)}`,
    {
      hint: `Mend the cause, then run \`backout recover\`. The state before is the snapshot ${plan.safety}.`,
      context: { operation: plan.id, safety: plan.safety },
      cause,
    },
  );
}

/** Looks at every target that was restored: is it as the snapshot has it? */
export async function verifyRestored(
  change: Change,
  options: RestoreSnapshotOptions,
  steps: readonly RestoreStep[],
): Promise<readonly VerificationResult[]> {
  const store = await change.workspace.store();
  const results: VerificationResult[] = [];
  for (const { saved, bound: { spec, driver } } of steps) {
    const call = targetCall(change, spec, "verifying");
    const passed = await callTarget(call, async (context) => {
      if ((options.paths ?? []).length === 0) {
        return await driver.fingerprint(spec, context) === saved.fingerprint;
      }
      const again = await driver.plan(spec, saved, { ...context, store, options: driverOptions(options) });
      return again.changes.length === 0;
    });
    const detail = passed
      ? `${spec.name} is as the snapshot has it`
      : `${spec.name} differs from the snapshot after its restore`;
    results.push({ check: `fingerprint of ${spec.name}`, passed, detail });
  }
  return results;
}

/** Why a restore is taken back that happened and is not as it should be. */
export function refusedByChecks(wrong: readonly string[]): VerificationError {
  return new VerificationError(wrong.join("; "), {
    hint: "Mend what failed, or restore without --rollback-on-failure and mend it then.",
    context: { failed: wrong },
  });
}

/** The error of a restore that happened and is not as it should be. */
export function notAsItShouldBe(wrong: readonly string[]): VerificationError {
  return new VerificationError(`Restored, but not as it should be: ${wrong.join("; ")}`, {
    hint: "Look at what failed. The restore stands; the command that takes it back is in this report.",
    context: { failed: wrong },
  });
}
