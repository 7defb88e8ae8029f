/** Why a program of a target could not be run, in sentences that are safe to show. */
import { RollbackBackupError, RollbackError } from "#/core/errors.ts";
import type { ProgramRequest } from "./run_program.ts";

export type ProgramEnd = "missing" | "not_started" | "failed" | "killed" | "timed_out" | "too_much_output";

/** A program could not be run, or failed. The message is safe to show. */
export class ProgramError extends RollbackError {
  override readonly kind: string = "program";
  constructor(
    message: string,
    readonly program: string,
    readonly end: ProgramEnd,
    options: { readonly hint?: string; readonly exitCode?: number; readonly stderr?: string },
  ) {
    super(message, {
      ...(options.hint === undefined ? {} : { hint: options.hint }),
      context: { program, end, exit_code: options.exitCode ?? null },
    });
    this.exitCode = options.exitCode;
    this.stderr = options.stderr ?? "";
  }
  /** Undefined where it did not exit by itself. */
  readonly exitCode: number | undefined;
  /** Its last lines, safe to show. */
  readonly stderr: string;
}

function doing(request: ProgramRequest): string {
  return request.doing ?? `run ${request.program}`;
}

export function missing(request: ProgramRequest): ProgramError {
  const { program, package: debian } = request;
  return new ProgramError(`Cannot ${doing(request)}: ${program} was not found`, program, "missing", {
    hint: debian === ""
      ? "Give its path, or install it."
      : `Install it (Debian: apt-get install ${debian}), or put it on PATH.`,
  });
}

export function notStarted(request: ProgramRequest, reason: string): ProgramError {
  const { program } = request;
  return new ProgramError(
    `Cannot ${doing(request)}: ${program} cannot be started: ${reason}`,
    program,
    "not_started",
    {},
  );
}

export function failure(request: ProgramRequest, status: Deno.CommandStatus, said: string): ProgramError {
  const { program } = request;
  const how = status.signal === null
    ? `failed with exit code ${status.code}`
    : `was ended by ${status.signal}`;
  const options = status.signal === null ? { exitCode: status.code, stderr: said } : { stderr: said };
  return new ProgramError(
    `Cannot ${doing(request)}: ${program} ${how}${said === "" ? "" : `: ${said}`}`,
    program,
    status.signal === null ? "failed" : "killed",
    options,
  );
}

export function late(request: ProgramRequest, said: string): ProgramError {
  const { program, timeoutMs = 0 } = request;
  const text = `Cannot ${doing(request)}: ${program} did not end within ${timeoutMs / 1000} s and was killed`;
  return new ProgramError(said === "" ? text : `${text}: ${said}`, program, "timed_out", { stderr: said });
}

export function tooMuch(request: ProgramRequest, limit: number): ProgramError {
  const text = `Cannot ${doing(request)}: ${request.program} printed more than ${limit} bytes`;
  return new ProgramError(text, request.program, "too_much_output", {});
}

/** What went wrong while a target was read is a backup that could not be made (exit 45); other errors stay. */
export function backupError(error: unknown): unknown {
  if (!(error instanceof ProgramError)) return error;
  const { message, hint, context } = error;
  return new RollbackBackupError(message, { ...(hint === undefined ? {} : { hint }), context, cause: error });
}
