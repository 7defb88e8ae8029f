/** What a restore would do: looked at and decided before anything is touched. */
import { isAbsolute } from "node:path";
import { RollbackPolicyViolationError, RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import type { StepReport } from "#/report/model.ts";
import { count } from "#/report/units.ts";
import type { SavedTarget, SnapshotManifest } from "#/store/model.ts";
import { mapLimited } from "#/storage/limit.ts";
import type { RestoreOptions, TargetPlan } from "#/target/target.ts";
import { bindSaved, type BoundTarget, chosenSaved } from "./bind_target.ts";
import type { Change } from "./change.ts";
import type { RestoreSnapshotOptions } from "./options.ts";
import { refuseSeveralFinal, restoreOrder } from "./order.ts";
import { findSnapshot, isOwnSnapshot } from "./snapshot_id.ts";
import { callTarget, targetCall } from "./target_context.ts";

const PLANS_AT_ONCE = 4;

/** Kinds that are restored as a whole: `--path` leaves them alone. */
const WITHOUT_PATHS: ReadonlySet<string> = new Set(["database", "infrastructure", "command"]);

/** One target of a restore. */
export interface RestoreStep {
  readonly saved: SavedTarget;
  readonly bound: BoundTarget;
  readonly plan: TargetPlan;
}

export interface PlannedRestore {
  readonly snapshot: SnapshotManifest;
  /** What it is called where no snapshot is restored, but a state that was worked out. */
  readonly wording?: RestoreWording;
  /** All targets that were asked for, in the order in which they are restored. */
  readonly all: readonly RestoreStep[];
  /** Those that differ from the snapshot. */
  readonly steps: readonly RestoreStep[];
}

/** Sentences about a change that is carried out like a restore. */
export interface RestoreWording {
  /** `roll api back to v1.0.0`: after "cannot". */
  readonly title: string;
  /** A noun, for the journal: `rollback of api to v1.0.0`. */
  readonly noun: string;
  /** `Rolled api back to v1.0.0`. */
  readonly done: string;
  /** `Would roll api back to v1.0.0`. */
  readonly intended: string;
}

/** The options of a restore as drivers take them. */
export function driverOptions(options: RestoreSnapshotOptions): RestoreOptions {
  return {
    paths: options.paths ?? [],
    discardChanges: (options.discardChanges ?? false) || (options.force ?? false),
  };
}

/**
 * Looks at the targets.
 * @throws {RollbackVersionNotFoundError} no such snapshot, target or path
 * @throws {IntegrityError} the snapshot is damaged
 * @throws {UsageError} the targets cannot be ordered
 */
export async function planRestore(change: Change, options: RestoreSnapshotOptions): Promise<PlannedRestore> {
  refuseRelativePaths(options.paths ?? []);
  const snapshot = options.manifest ?? await findSnapshot(change.workspace, options.snapshot);
  change.report = { ...change.report, version: snapshot.id, versions: [snapshot.id], version_exists: true };
  if (!isOwnSnapshot(change.workspace, snapshot)) {
    change.warn(
      `${snapshot.id} was taken of ${snapshot.workspace} on ${snapshot.host}, not of this workspace`,
    );
  }
  const saved = withPaths(chosenSaved(snapshot, options.only), options);
  const bound = await Promise.all(
    saved.map(async (one) => ({ saved: one, bound: await bindSaved(options, one) })),
  );
  const ordered = restoreOrder(bound.map((one) => ({
    ...one,
    name: one.saved.name,
    undo: one.saved.undo,
    after: one.bound.spec.after,
  })));
  const planned = await mapLimited(ordered, PLANS_AT_ONCE, (one) => planOne(change, options, one));
  const all = planned.filter((step): step is RestoreStep => "plan" in step);
  const missing = planned.find((step): step is { missing: unknown } => "missing" in step);
  if (all.length === 0 && missing !== undefined) throw missing.missing;
  const steps = all.filter(({ plan }) => plan.changes.length > 0);
  refuseSeveralFinal(steps.map(({ saved: { name, undo } }) => ({ name, undo, after: [] })));
  return { snapshot, all, steps };
}

function refuseRelativePaths(paths: readonly string[]): void {
  const relative = paths.find((path) => !isAbsolute(path) || path.split("/").includes(".."));
  if (relative === undefined) return;
  throw new UsageError(`Cannot restore the path ${JSON.stringify(relative)}: it is not absolute and plain`, {
    hint: "Give the whole path, as `backout snapshot diff` shows it.",
  });
}

function withPaths(saved: readonly SavedTarget[], options: RestoreSnapshotOptions): readonly SavedTarget[] {
  if ((options.paths ?? []).length === 0) return saved;
  const able = saved.filter(({ type }) => !WITHOUT_PATHS.has(type));
  if (able.length > 0) return able;
  throw new UsageError(`Cannot restore single paths of ${saved.map(({ name }) => name).join(", ")}`, {
    hint: "Leave --path out: these are restored as a whole.",
  });
}

/** With `--path`, a target that does not hold the path is left alone. */
async function planOne(
  change: Change,
  options: RestoreSnapshotOptions,
  { saved, bound }: { readonly saved: SavedTarget; readonly bound: BoundTarget },
): Promise<RestoreStep | { readonly missing: unknown }> {
  const { workspace } = change;
  const store = await workspace.store();
  const { spec, driver } = bound;
  const call = targetCall(change, spec, "comparing");
  try {
    const plan = await callTarget(
      call,
      (context) => driver.plan(spec, saved, { ...context, store, options: driverOptions(options) }),
    );
    plan.warnings.forEach((warning) => change.warn(`${spec.name}: ${warning}`));
    return { saved, bound, plan };
  } catch (error) {
    const byPath = (options.paths ?? []).length > 0 && error instanceof RollbackVersionNotFoundError;
    if (byPath) return { missing: error };
    throw error;
  }
}

/** Work that is not in the snapshot is not destroyed unless that was said. @throws {RollbackPolicyViolationError} */
export function refuseUncommitted(planned: PlannedRestore, options: RestoreSnapshotOptions): void {
  if (driverOptions(options).discardChanges) return;
  const lost = planned.steps.filter(({ plan }) => plan.uncommitted.length > 0);
  if (lost.length === 0) return;
  const what = lost.map(({ saved, plan }) => {
    const shown = plan.uncommitted.slice(0, 3).join(", ");
    const more = plan.uncommitted.length > 3 ? ` and ${plan.uncommitted.length - 3} more` : "";
    return `${saved.name}: ${shown}${more}`;
  });
  throw new RollbackPolicyViolationError(
    `Refused to restore ${planned.snapshot.id}: work that is not in the snapshot would be lost (${
      what.join("; ")
    })`,
    {
      hint: "Commit or stash it, or say --discard-changes: then it is kept in the safety snapshot only.",
      context: { targets: lost.map(({ saved }) => saved.name) },
    },
  );
}

/** What cannot be taken back must not be promised to be. @throws {UsageError} */
export function refuseEmptyPromise(planned: PlannedRestore, options: RestoreSnapshotOptions): void {
  const final = planned.steps.find(({ saved }) => saved.undo === "none");
  if (final === undefined) return;
  const flag = options.rollbackOnFailure === true
    ? "--rollback-on-failure"
    : options.confirmWithinMs !== undefined
    ? "--confirm-within"
    : undefined;
  if (flag === undefined) return;
  throw new UsageError(`Cannot promise ${flag}: a restore of ${final.saved.name} cannot be taken back`, {
    hint: `Leave ${flag} out, or restore the other targets alone with --target.`,
  });
}

/** The steps as the report and the dry run show them, in the order in which they run. */
export function plannedSteps(
  planned: PlannedRestore,
  options: RestoreSnapshotOptions,
): readonly StepReport[] {
  const step = (kind: string, description: string): StepReport => ({
    kind,
    description,
    status: "planned",
    seconds: 0,
  });
  if (planned.steps.length === 0) return [];
  const names = planned.steps.map(({ saved }) => saved.name).join(", ");
  const { checks, confirmWithinMs } = options;
  return [
    step("safety_snapshot", `keep the state of ${names} in a safety snapshot`),
    ...planned.steps.map(({ saved, plan }) => step("restore_target", `${saved.name}: ${plan.summary}`)),
    ...checks.length === 0 ? [] : [step("run_checks", `run ${count(checks.length, "check")}`)],
    ...confirmWithinMs === undefined ? [] : [
      step("await_confirmation", `take it back unless it is confirmed within ${confirmWithinMs / 1000} s`),
    ],
  ];
}
