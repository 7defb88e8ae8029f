/** What the policy says of an operation on a snapshot. */
import { policyOf } from "#/policy/compile.ts";
import { type Decision, denialError, evaluate } from "#/policy/evaluate.ts";
import { NO_SNAPSHOT, type SnapshotFacts, snapshotPolicyFacts } from "#/policy/view.ts";
import type { SnapshotManifest } from "#/store/model.ts";
import type { OperationKind } from "#/report/model.ts";
import type { Change } from "./change.ts";
import { freeSpace } from "./free_space.ts";
import type { Workspace } from "./workspace.ts";

/** Asks the policy. */
export async function askPolicy(
  { options, scope, folder }: Workspace,
  kind: OperationKind,
  facts: Partial<SnapshotFacts>,
): Promise<Decision> {
  const policy = await policyOf(options.policy);
  const question = snapshotPolicyFacts({
    operation: {
      kind,
      mode: options.policyMode ?? "strict",
      forced: options.force ?? false,
      dry_run: options.dryRun ?? false,
      signed: scope.signer !== undefined,
      reason: options.reason ?? "",
    },
    workspace: folder,
    snapshot: { ...NO_SNAPSHOT, ...facts },
    ...freeSpace(options),
    user: { name: scope.by, host: scope.host },
    now: scope.now(),
  });
  return evaluate(policy, question);
}

/**
 * Asks the policy, and notes in the report what it says.
 * @throws {RollbackPolicyViolationError} it denies
 */
export async function judgeChange(
  change: Change,
  title: string,
  facts: Partial<SnapshotFacts>,
): Promise<void> {
  const { workspace, report } = change;
  const { scope } = workspace;
  const decision = await askPolicy(workspace, report.operation, facts);
  for (const rule of decision.results) scope.emit({ event: "policy", time: scope.now().toISOString(), rule });
  change.report = {
    ...change.report,
    policy: decision.results,
    policy_passed: decision.denied.length === 0,
    dependencies_satisfied: true,
    warnings: [...change.report.warnings, ...decision.warnings],
  };
  const denial = denialError(decision, title);
  if (denial !== undefined) throw denial;
}

/** What rules may ask of a snapshot that exists. */
export function manifestFacts(manifest: SnapshotManifest): Partial<SnapshotFacts> {
  const { id, description, created_at, origin, pinned, mark, labels } = manifest;
  return { id, description, created_at, origin, pinned, mark, labels };
}
