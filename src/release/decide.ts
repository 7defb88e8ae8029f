/** Inspect, policy, plan: everything that is decided before the first write. */
import { policyOf } from "#/policy/compile.ts";
import { type Decision, denialError, evaluate } from "#/policy/evaluate.ts";
import { lastSerial } from "#/operation/history.ts";
import type { Definition, Planned } from "#/release/definition.ts";
import { policyFacts } from "#/release/policy_facts.ts";
import type { RecordResult } from "#/release/record.ts";
import { NO_INTENTIONS } from "#/release/report_base.ts";
import { batch, isTolerant, type Scope } from "#/release/scope.ts";
import { applyChanges } from "#/repository/index_change.ts";
import type { ReleaseEntry, RepositoryIndex, Tombstone } from "#/repository/index_format.ts";
import { inspectRepository, type RepositoryView } from "#/repository/inspect.ts";
import type { ChangeOptions } from "#/repository/options.ts";
import type { OperationReport } from "#/report/model.ts";
import { type Binding, changesOf, describeStep, type Plan, SYMBOLIC } from "#/step/repository_step.ts";

const DEPENDENCY_RULES: ReadonlySet<string> = new Set(["dependents", "dependencies-published"]);

/** What the index says of the operation's versions, before and after it. */
export interface EntriesThatDiffer {
  readonly before: readonly (ReleaseEntry | Tombstone)[];
  readonly after: readonly (ReleaseEntry | Tombstone)[];
}

/** What an operation ended in: the report, and what only some callers need. */
export interface Outcome {
  readonly report: OperationReport;
  /** The plan in its comparable form, undefined when it did not come to one. */
  readonly plan: Plan | undefined;
  readonly entries: EntriesThatDiffer;
}

/** What a run has come to so far; it is filled in as the stages go, so that a failure can report all of it. */
export interface RunState {
  report: OperationReport;
  plan: Plan | undefined;
  /** Set when the outcome is in the log already. */
  recorded: RecordResult | undefined;
  auditHead: RepositoryIndex["audit_head"];
  entries: EntriesThatDiffer;
}

export interface RunOptions {
  /** Called with the plan before execution; throwing refuses (a saved plan that no longer matches). */
  readonly checkPlan?: (plan: Plan) => void;
  /** Called with what an operation ended in, before anybody is told of it: writes further files for the caller. */
  readonly complete?: (outcome: Outcome) => Promise<OperationReport>;
}

/** Inspect, policy, plan: pure from the view on. */
export async function decide<V extends RepositoryView>(
  scope: Scope,
  definition: Definition<V>,
  options: ChangeOptions,
  run: RunOptions,
  state: RunState,
  binding: Binding,
): Promise<Planned<V>> {
  const base = await withSerial(scope, await inspectRepository(scope.store));
  const serial = base.index.serial ?? 0;
  state.report = { ...state.report, serial_before: serial, serial_after: serial };
  state.auditHead = base.index.audit_head;
  const view = await definition.inspect(scope.store, base, batch(scope, "reading"));
  state.report = { ...state.report, version_exists: true };
  const comparable = definition.plan(view, SYMBOLIC);
  const decision = await judge(scope, definition, options, view, comparable);
  for (const rule of decision.results) scope.emit({ event: "policy", time: scope.now().toISOString(), rule });
  const refused = decision.denied.length > 0;
  state.report = {
    ...state.report,
    policy: decision.results,
    policy_passed: !refused,
    dependencies_satisfied: !decision.results.some((rule) =>
      DEPENDENCY_RULES.has(rule.id) && rule.outcome !== "pass"
    ),
    warnings: [
      ...state.report.warnings,
      ...decision.warnings,
      ...definition.warnings(view, isTolerant(options)),
    ],
  };
  const plan = definition.plan(view, binding);
  state.plan = comparable;
  const described = definition.describe(view, plan);
  state.entries = {
    before: entriesOf(view.index, plan.versions),
    after: entriesOf(applyChanges(view.index, changesOf(plan.steps)), plan.versions),
  };
  const intentions = state.report.dry_run ? {} : NO_INTENTIONS;
  state.report = {
    ...state.report,
    versions: plan.versions,
    ...described,
    ...intentions,
    steps: plannedSteps(plan),
  };
  const denial = denialError(decision, definition.title);
  if (denial !== undefined) throw denial;
  run.checkPlan?.(comparable);
  return { view, plan, report: state.report };
}

/**
 * What the policy says of a plan.
 * @throws {UsageError} when the settings cannot be used
 */
export async function judge<V extends RepositoryView>(
  scope: Scope,
  definition: Definition<V>,
  options: ChangeOptions,
  view: V,
  plan: Plan,
): Promise<Decision> {
  const policy = await policyOf(options.policy);
  return evaluate(policy, policyFacts(scope, options, view, definition.facts(view), plan));
}

/** The serial only grows, also when another tool wrote the index without it. */
async function withSerial(scope: Scope, view: RepositoryView): Promise<RepositoryView> {
  if (view.index.serial !== undefined) return view;
  const serial = await lastSerial(scope.store).catch(() => 0); // closed to other users, who may only look
  return serial === 0 ? view : { ...view, index: { ...view.index, serial } };
}

function entriesOf(
  index: RepositoryIndex,
  versions: readonly string[],
): readonly (ReleaseEntry | Tombstone)[] {
  return [...index.releases, ...index.rolled_back ?? []].filter(({ version }) => versions.includes(version));
}

function plannedSteps(plan: Plan): OperationReport["steps"] {
  return plan.steps.map((step) => ({
    kind: step.kind,
    description: describeStep(step),
    status: "planned",
    seconds: 0,
  }));
}
