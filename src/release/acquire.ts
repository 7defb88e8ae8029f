/** The lock of an operation, and which refusals come before "locked". */
import { ExitCode, LockedError, RollbackError } from "#/core/errors.ts";
import type { Definition } from "#/release/definition.ts";
import { type AcquiredLock, acquireLock, type Scope } from "#/release/scope.ts";
import { inspectRepository, type RepositoryView } from "#/repository/inspect.ts";
import type { ChangeOptions } from "#/repository/options.ts";

/** Where somebody else holds the lock, a refusal that comes first in the order of exit codes wins. */
export async function acquire<V extends RepositoryView>(
  scope: Scope,
  definition: Definition<V>,
  options: ChangeOptions,
  id: string,
): Promise<AcquiredLock> {
  try {
    return await acquireLock(scope, id, definition.title, options.reason ?? "");
  } catch (error) {
    if (error instanceof LockedError) throw await refusalBefore(scope, definition) ?? error;
    throw error;
  }
}

const BEFORE_LOCKED: ReadonlySet<unknown> = new Set([
  ExitCode.usage,
  ExitCode.storage,
  ExitCode.index,
  ExitCode.notFound,
  ExitCode.alreadyRolledBack,
]);

/** Why the operation would be refused even without the lock, where that comes before 50. */
async function refusalBefore<V extends RepositoryView>(
  scope: Scope,
  definition: Definition<V>,
): Promise<RollbackError | undefined> {
  try {
    await definition.inspect(scope.store, await inspectRepository(scope.store), {});
  } catch (error) {
    if (error instanceof RollbackError && BEFORE_LOCKED.has(error.code)) return error;
  }
  return undefined;
}
