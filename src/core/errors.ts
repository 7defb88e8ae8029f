/**
 * The error hierarchy. One class per exit code; only `main.ts` turns an error into a process exit.
 * Class names follow the T.A.R.S. release rollback, so that scripts and people recognise them.
 */
import type { JsonObject } from "#/core/json.ts";

/** What the process exits with. The meaning of each number is part of the public contract. */
export const ExitCode = {
  done: 0,
  usage: 2,
  notFound: 40,
  policyViolation: 41,
  dependency: 42,
  takenBack: 43,
  index: 44,
  backup: 45,
  alreadyRolledBack: 46,
  dryRun: 47,
  manifest: 48,
  rollback: 49,
  locked: 50,
  verification: 51,
  storage: 52,
  unfinished: 53,
  integrity: 54,
  planMismatch: 55,
  guard: 56,
  hangup: 129,
  interrupted: 130,
  terminated: 143,
} as const;
export type ExitCode = typeof ExitCode[keyof typeof ExitCode];

export interface RollbackErrorOptions {
  /** What the person should do next: one sentence. */
  readonly hint?: string;
  /** Facts for machines: paths, versions, counts. Never a secret. */
  readonly context?: JsonObject;
  readonly cause?: unknown;
}

/** Base of everything backout reports as a failure (exit 49 when nothing more exact applies). */
export class RollbackError extends Error {
  readonly code: ExitCode = ExitCode.rollback;
  /** A stable word for scripts, e.g. `version_not_found`. */
  readonly kind: string = "rollback_error";
  readonly hint: string | undefined;
  readonly context: JsonObject;

  constructor(message: string, options: RollbackErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.hint = options.hint;
    this.context = options.context ?? {};
  }
}

/** Wrong usage or wrong configuration; nothing was touched. */
export class UsageError extends RollbackError {
  override readonly code = ExitCode.usage;
  override readonly kind = "usage";
}
/** The version, snapshot, backup or component does not exist. */
export class RollbackVersionNotFoundError extends RollbackError {
  override readonly code = ExitCode.notFound;
  override readonly kind = "version_not_found";
}
/** A policy rule denied the operation. */
export class RollbackPolicyViolationError extends RollbackError {
  override readonly code = ExitCode.policyViolation;
  override readonly kind = "policy_violation";
}
/** Other releases depend on what would be removed. */
export class RollbackDependencyError extends RollbackError {
  override readonly code = ExitCode.dependency;
  override readonly kind = "dependency";
}
/** The operation failed and was taken back: the state is as before. */
export class RollbackAtomicError extends RollbackError {
  override readonly code = ExitCode.takenBack;
  override readonly kind = "taken_back";
}
/** The index could not be read, written or restored. */
export class RollbackIndexError extends RollbackError {
  override readonly code = ExitCode.index;
  override readonly kind = "index";
}
/** A backup could not be made, or is missing or damaged. */
export class RollbackBackupError extends RollbackError {
  override readonly code = ExitCode.backup;
  override readonly kind = "backup";
}
/** The version is already in the state that was asked for. */
export class RollbackAlreadyRolledBackError extends RollbackError {
  override readonly code = ExitCode.alreadyRolledBack;
  override readonly kind = "already_rolled_back";
}
/** The dry run found that execution would fail. */
export class RollbackDryRunError extends RollbackError {
  override readonly code = ExitCode.dryRun;
  override readonly kind = "dry_run";
}
/** A manifest (of a backup or of a rollback) could not be written or read. */
export class RollbackManifestError extends RollbackError {
  override readonly code = ExitCode.manifest;
  override readonly kind = "manifest";
}
/** Another operation holds the lock, or a confirmation is awaited. */
export class LockedError extends RollbackError {
  override readonly code = ExitCode.locked;
  override readonly kind = "locked";
}
/** The operation happened, but a check afterwards failed. */
export class VerificationError extends RollbackError {
  override readonly code = ExitCode.verification;
  override readonly kind = "verification";
}
/** The storage cannot be reached or refuses. */
export class StorageError extends RollbackError {
  override readonly code = ExitCode.storage;
  override readonly kind: string = "storage";
}
/** An unfinished operation that needs a person. The message names what remains. */
export class UnfinishedOperationError extends RollbackError {
  override readonly code = ExitCode.unfinished;
  override readonly kind = "unfinished_operation";
}
/** An audit log, backup or store does not verify. */
export class IntegrityError extends RollbackError {
  override readonly code = ExitCode.integrity;
  override readonly kind = "integrity";
}
/** `guard`: the command failed, and its change was rolled back. */
export class GuardedCommandError extends RollbackError {
  override readonly code = ExitCode.guard;
  override readonly kind = "guarded_command";
}
/** A saved plan no longer matches the world. */
export class PlanMismatchError extends RollbackError {
  override readonly code = ExitCode.planMismatch;
  override readonly kind = "plan_mismatch";
}

export type StopSignal = "SIGHUP" | "SIGINT" | "SIGTERM" | "timeout";

/** Stopped by a signal or a deadline before the commit, and taken back. */
export class InterruptedError extends RollbackError {
  override readonly code: ExitCode;
  override readonly kind = "interrupted";
  constructor(readonly signal: StopSignal, options: RollbackErrorOptions = {}) {
    super(
      signal === "timeout"
        ? "Stopped: the time given by --timeout ran out; nothing was changed"
        : `Stopped by ${signal}; nothing was changed`,
      options,
    );
    this.code = signalExitCode(signal);
  }
}

function signalExitCode(signal: StopSignal): ExitCode {
  switch (signal) {
    case "SIGHUP":
      return ExitCode.hangup;
    case "SIGINT":
      return ExitCode.interrupted;
    case "SIGTERM":
      return ExitCode.terminated;
    case "timeout":
      return ExitCode.takenBack;
    default:
      return signal satisfies never;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
