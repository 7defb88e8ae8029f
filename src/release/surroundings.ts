/** What stands around an operation: the hooks before and after it, and those who are told how it ended. */
import type { Hook, HookLists } from "#/core/hook.ts";
import { ExitCode } from "#/core/errors.ts";
import { flushSpool } from "#/notify/flush.ts";
import { announce } from "#/notify/notify.ts";
import { type SpoolPlace, spoolPlace } from "#/notify/spool_place.ts";
import { realTools } from "#/notify/tools.ts";
import { type HookFacts, type HookTools, runAfterHooks, runBeforeHooks } from "#/operation/hook.ts";
import { lastLines } from "#/operation/hook_output.ts";
import { type BroughtHooks, NO_HOOKS } from "#/release/release_hooks.ts";
import type { Scope } from "#/release/scope.ts";
import type { RepositoryOptions, Surroundings } from "#/repository/options.ts";
import type { OperationKind, OperationReport } from "#/report/model.ts";
import type { HeldLock } from "#/storage/lock.ts";

/** What hooks are told of an operation that was recovered. */
interface RecoveredVersions {
  readonly journal: { readonly report: Pick<OperationReport, "versions"> } | undefined;
}

/** The hooks of one operation. */
export class OperationHooks {
  readonly #scope: Scope;
  readonly #around: Surroundings | undefined;
  readonly #id: string;
  #brought: BroughtHooks = NO_HOOKS;
  #hasBegun: boolean;

  /** @param hasBegun true for an operation whose hooks before it ran in a process that is gone */
  constructor(scope: Scope, around: Surroundings | undefined, id: string, hasBegun = false) {
    this.#scope = scope;
    this.#around = around;
    this.#id = id;
    this.#hasBegun = hasBegun;
  }

  /**
   * Runs those before the operation, once: a lost race does not run them again. The configuration's come first, then
   * those that the releases bring along; after the operation it is the other way round.
   * @throws {RollbackPolicyViolationError} one of them failed
   */
  async before(report: OperationReport, brought: BroughtHooks = NO_HOOKS): Promise<void> {
    if (this.#around === undefined || this.#hasBegun) return;
    this.#hasBegun = true;
    this.#brought = brought;
    const before = [...listsOf(this.#around, report.operation).before ?? [], ...brought.before ?? []];
    if (before.length === 0) return;
    announceHooks(this.#scope, "before", before);
    const { status: _unknown, exit_code: _yet, ...facts } = factsOf(report, this.#id);
    await runBeforeHooks(before, facts, toolsOf(this.#scope, this.#around));
  }

  /**
   * Runs those after the operation, whatever came of it, where it came to those before it: what they have stopped must
   * be started again.
   * @returns warnings
   */
  async after(report: OperationReport): Promise<readonly string[]> {
    if (this.#around === undefined || !this.#hasBegun) return [];
    return await runAfter(this.#scope, this.#around, factsOf(report, this.#id), this.#brought.after);
  }
}

/**
 * Runs the hooks after a recovery: the hooks after the operation that was interrupted have not run. Also where only its
 * lock was left: then it died in its hooks, before its first write or after its last.
 * @param id of the operation that recovered
 * @returns warnings
 */
export async function afterRecovery(
  scope: Scope,
  around: Surroundings | undefined,
  id: string,
  { takenFrom }: Pick<HeldLock, "takenFrom">,
  recoveries: readonly RecoveredVersions[],
): Promise<readonly string[]> {
  if (around === undefined || (recoveries.length === 0 && takenFrom === undefined)) return [];
  const versions = recoveries.flatMap(({ journal }) => journal?.report.versions ?? []);
  return await runAfter(scope, around, {
    operation: "recover",
    version: [...new Set(versions)].join(","),
    id,
    repository: scope.store.location,
    dry_run: false,
    reason: "",
    status: "success",
    exit_code: ExitCode.done,
  });
}

async function runAfter(
  scope: Scope,
  around: Surroundings,
  facts: Omit<HookFacts, "phase" | "operation"> & { readonly operation: OperationKind },
  brought: readonly Hook[] = [],
): Promise<readonly string[]> {
  const after = [...brought, ...listsOf(around, facts.operation).after ?? []];
  if (after.length === 0) return [];
  announceHooks(scope, "after", after);
  return (await runAfterHooks(after, facts, toolsOf(scope, around))).warnings;
}

function listsOf(around: Surroundings, operation: OperationKind): HookLists {
  return around.hooks[operation] ?? {};
}

function toolsOf(scope: Scope, { env, folder }: Surroundings): HookTools {
  return { env, cwd: folder, ...(scope.signal === undefined ? {} : { signal: scope.signal }) };
}

function factsOf(
  report: OperationReport,
  id: string,
): Omit<HookFacts, "phase" | "operation"> & { readonly operation: OperationKind } {
  const { operation, version, versions, repository_location: repository, reason, status, exit_code } = report;
  return {
    operation,
    version: version === "" ? versions.join(",") : version,
    id,
    repository,
    dry_run: false,
    reason,
    status,
    exit_code,
  };
}

/** People who wait want to know what for. */
function announceHooks(scope: Scope, phase: "before" | "after", hooks: readonly Hook[]): void {
  scope.emit({ event: "hooks", time: scope.now().toISOString(), phase, programs: hooks.map(programOf) });
}

/** The program alone: its arguments may hold a secret. */
function programOf({ command }: Hook): string {
  return lastLines(command[0] ?? "", 1);
}

/** What a dry run says of the hooks that it does not run. */
export function hookNotes(
  around: Surroundings | undefined,
  operation: OperationKind,
  brought: BroughtHooks = NO_HOOKS,
): readonly string[] {
  if (around === undefined) return [];
  const lists = listsOf(around, operation);
  const before = [...lists.before ?? [], ...brought.before ?? []];
  const after = [...brought.after ?? [], ...lists.after ?? []];
  const note = (phase: string, hooks: readonly Hook[]) =>
    hooks.length === 0 ? [] : [`A real run runs ${hooks.map(programOf).join(", ")} ${phase} it`];
  return [...note("before", before), ...note("after", after)];
}

/** Where the messages of a repository wait; undefined where there is no place for them. */
export function spoolOf(
  { store }: Pick<Scope, "store">,
  { stateDir, around }: RepositoryOptions,
): SpoolPlace | undefined {
  const { type, location } = store;
  return spoolPlace({ type, location, stateDir, env: around?.env ?? (() => undefined) });
}

/**
 * Tells who wants to know how an operation ended, and sends what waits from earlier ones. The operation's signal does
 * not stop it. Never throws.
 * @param news false where nothing happened that anybody wants to hear of
 * @returns the report with the warnings of that
 */
export async function tell(
  scope: Scope,
  options: RepositoryOptions,
  report: OperationReport,
  news: boolean,
): Promise<OperationReport> {
  const { around } = options;
  if (around === undefined || around.notify.length === 0 || report.dry_run) return report;
  const { notify: targets, offline, folder: cwd, env } = around;
  const spool = spoolOf(scope, options);
  const tools = realTools(env);
  const warnings = news
    ? await announce({ targets, spool, offline, cwd }, report, tools)
    : spool === undefined
    ? []
    : (await flushSpool({ place: spool, targets, offline }, tools)).warnings;
  if (warnings.length === 0) return report;
  return { ...report, warnings: [...new Set([...report.warnings, ...warnings])] };
}
