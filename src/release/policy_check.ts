/** `policy check`: what a rollback would be told, without an operation: nothing is recorded. */
import { ExitCode } from "#/core/errors.ts";
import { denialError } from "#/policy/evaluate.ts";
import { judge } from "#/release/decide.ts";
import { existingIndex } from "#/release/read_releases.ts";
import { rollbackDefinition } from "#/release/rollback.ts";
import { batch, openScope } from "#/release/scope.ts";
import { inspectRepository } from "#/repository/inspect.ts";
import type { RollbackOptions } from "#/repository/options.ts";
import type { PolicyCheck } from "#/repository/views.ts";
import { SYMBOLIC } from "#/step/repository_step.ts";

/**
 * Judges a rollback as a run would be judged now.
 * @throws {RollbackError} 40, 44 or 46: what is refused whatever the policy says
 * @throws {UsageError} when the options or the policy make no sense
 */
export async function checkPolicy(options: RollbackOptions): Promise<PolicyCheck> {
  const definition = rollbackDefinition(options);
  const scope = await openScope(options);
  await existingIndex(scope.store);
  const base = await inspectRepository(scope.store);
  const view = await definition.inspect(scope.store, base, batch(scope, "reading"));
  const plan = definition.plan(view, SYMBOLIC);
  const decision = await judge(scope, definition, options, view, plan);
  const denial = denialError(decision, definition.title);
  return {
    repository: scope.store.location,
    operation: definition.title,
    versions: plan.versions,
    policy_mode: options.policyMode ?? "strict",
    forced: options.force ?? false,
    allowed: denial === undefined,
    exit_code: denial?.code ?? ExitCode.done,
    rules: decision.results,
    warnings: decision.warnings,
    message: denial?.message ?? null,
    hint: denial?.hint ?? null,
  };
}
