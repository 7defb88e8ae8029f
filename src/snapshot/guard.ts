/** `guard`: a snapshot, a command, and back where the command fails, or what it made does not work. */
import {
  ExitCode,
  GuardedCommandError,
  RollbackError,
  UnfinishedOperationError,
  UsageError,
  VerificationError,
} from "#/core/errors.ts";
import { denialError } from "#/policy/evaluate.ts";
import { toError } from "#/release/report_base.ts";
import type { SnapshotRetentionSettings } from "#/policy/retention_snapshots.ts";
import type { OperationReport } from "#/report/model.ts";
import { runChange } from "./change.ts";
import { createSnapshot } from "./create.ts";
import { lookAfterCommand } from "./guard_checks.ts";
import { noteGuard } from "./guard_note.ts";
import { type GuardedEnd, runGuarded } from "./guarded_command.ts";
import { askPolicy } from "./judge.ts";
import type { WorkspaceOptions } from "./options.ts";
import { restoreSnapshot } from "./restore.ts";
import { inWorkspace } from "./workspace.ts";

export interface GuardOptions extends WorkspaceOptions {
  /** Program and arguments; no shell. Runs in the workspace's folder unless `cwd` says otherwise. */
  readonly command: readonly string[];
  readonly cwd?: string;
  /** Where the command's standard output goes: `stderr` where this process prints a document. @default "stdout" */
  readonly commandOutput?: "stdout" | "stderr";
  readonly description?: string;
  /** Names; empty: all targets. */
  readonly only?: readonly string[];
  readonly retention?: SnapshotRetentionSettings;
}

/** What waits for the lock when the command has ended must not give up, in milliseconds. */
const LOCK_TIMEOUT_MS = 600_000;

/**
 * Takes a snapshot, runs the command on this process's terminal, and restores the snapshot when the command fails, or
 * when a required check or a service of a stack does afterwards (56). The snapshot stays either way.
 * @throws {UsageError}
 */
export async function runGuard(options: GuardOptions): Promise<OperationReport> {
  const { command } = options;
  const program = command[0] ?? "";
  if (program === "" || command.some((word) => word.includes("\0"))) {
    throw new UsageError("guard needs a command to run", {
      hint: "For example: backout guard -- make install",
    });
  }
  const denial = await inWorkspace(
    options,
    async (workspace) => denialError(await askPolicy(workspace, "guard", {}), `guard ${program}`),
  );
  if (denial !== undefined) {
    const definition = { operation: "guard", title: `guard ${program}`, version: "" } as const;
    return await runChange(options, definition, () => Promise.reject(denial));
  }
  const created = await createSnapshot({
    ...quietly(options),
    origin: "guard",
    description: options.description ?? `before ${program}`,
  });
  if (created.error !== null || created.dry_run) return asGuard(created, program);
  const id = created.version;
  const noted = await noteOf(options, id, program);
  if (noted instanceof RollbackError) return await note(options, created, noted);
  using _note = noted;
  const ended = await run(options, id);
  // From here on nothing stops it: the command has changed what it changed.
  const { signal: _done, ...rest } = options;
  const later = { ...rest, lockTimeoutMs: Math.max(LOCK_TIMEOUT_MS, options.lockTimeoutMs ?? 0) };
  if (ended instanceof RollbackError) return await note(later, created, ended);
  if (ended.code !== 0 || ended.signal !== null) {
    return await goBack(later, created, `${program} ${howItEnded(ended)}`, ended);
  }
  const { checks, wrong, warnings } = await lookAfterCommand(later, id);
  const seen = {
    ...created,
    warnings: [...created.warnings, ...warnings],
    ...(created.snapshot === undefined ? {} : { snapshot: { ...created.snapshot, checks } }),
  };
  if (wrong.length === 0) return await note(later, seen, undefined);
  return await goBack(later, created, `${program} succeeded, but ${wrong.join("; ")}`, ended);
}

/** @param why what happened, as the beginning of a sentence */
async function goBack(
  options: GuardOptions,
  created: OperationReport,
  why: string,
  ended: GuardedEnd,
): Promise<OperationReport> {
  const id = created.version;
  const restored = await restoreSnapshot({ ...quietly(options), snapshot: id, discardChanges: true });
  return await note(options, { ...restored, version: id }, guardError(options, why, ended, restored));
}

/** The parts tell nobody: who wants to know is told of the whole. */
function quietly<T extends WorkspaceOptions>(options: T): T {
  return options.around === undefined ? options : { ...options, around: { ...options.around, notify: [] } };
}

/** Without it nothing is run: a killed guard would leave no trace. */
async function noteOf(
  options: GuardOptions,
  id: string,
  program: string,
): Promise<Disposable | RollbackError> {
  try {
    return await inWorkspace(options, (workspace) => Promise.resolve(noteGuard(workspace, id, program)));
  } catch (error) {
    if (error instanceof RollbackError) return error;
    throw error;
  }
}

async function run(options: GuardOptions, id: string): Promise<GuardedEnd | RollbackError> {
  try {
    const { command, cwd, folder, commandOutput: output = "stdout", env, signal } = options;
    return await runGuarded({ command, folder: cwd ?? folder, output, env, signal });
  } catch (error) {
    if (error instanceof UsageError) {
      throw new UsageError(error.message, { hint: `The snapshot ${id} was taken already.`, cause: error });
    }
    if (error instanceof RollbackError) return error;
    throw error;
  }
}

function asGuard(report: OperationReport, program: string): OperationReport {
  const summary = report.error === null ? `${report.summary} and run ${program}` : report.summary;
  return { ...report, operation: "guard", summary };
}

function howItEnded({ code, signal }: GuardedEnd): string {
  return signal === null ? `failed with exit code ${code}` : `was ended by ${signal}`;
}

/** The program alone: its arguments may hold a secret. */
function guardError(
  { command }: GuardOptions,
  why: string,
  { code, signal }: GuardedEnd,
  restored: OperationReport,
): RollbackError {
  const context = { program: command[0] ?? "", exit_code: code, signal, restore: restored.rollback_id };
  if (restored.exit_code === ExitCode.done) {
    if (restored.steps.length > 0) {
      return new GuardedCommandError(`${why}; its change was rolled back: all is as before it`, { context });
    }
    const failed = code !== 0 || signal !== null;
    return new GuardedCommandError(
      `${why}; ${
        failed
          ? "it had changed nothing"
          : "nothing that the snapshot holds is different, so there is nothing to roll back"
      }`,
      failed ? { context } : {
        hint: `Look at what does not work: it may need a restart, or it hangs by itself. ` +
          `The snapshot is ${restored.version}.`,
        context,
      },
    );
  }
  const message = `${why}, and the rollback says: ${restored.summary}`;
  const hint = restored.error?.hint ?? `Restore it yourself: backout snapshot restore ${restored.version}.`;
  if (restored.exit_code === ExitCode.verification) return new VerificationError(message, { hint, context });
  return new UnfinishedOperationError(message, { hint, context });
}

/** The whole as an operation of its own in history and audit. */
function note(
  options: GuardOptions,
  part: OperationReport,
  error: RollbackError | undefined,
): Promise<OperationReport> {
  const id = part.version;
  const program = options.command[0] ?? "";
  const definition = {
    operation: "guard",
    title: `guard ${program}`,
    version: id,
    whileWaiting: true,
  } as const;
  return runChange(options, definition, (change) => {
    change.report = {
      ...change.report,
      versions: [id],
      version_exists: true,
      policy: part.policy,
      policy_passed: part.policy_passed,
      dependencies_satisfied: part.dependencies_satisfied,
      steps: part.steps,
      verification: part.verification,
      ...(part.snapshot === undefined ? {} : { snapshot: part.snapshot }),
      warnings: [...new Set([...change.report.warnings, ...part.warnings])],
      undo: error === undefined ? `backout snapshot restore ${id}` : part.undo,
      status: error === undefined ? "success" : "failed",
      error: error === undefined ? null : toError(error),
      errors: error === undefined ? [] : [error.message],
      exit_code: error?.code ?? ExitCode.done,
      summary: error?.message ?? `${program} succeeded; the snapshot ${id} of the state before is kept`,
    };
    return Promise.resolve();
  });
}
