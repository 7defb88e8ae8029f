/** Shell text that runs in a container. Passwords get there by its environment, never on a command line. */
import { RollbackBackupError } from "#/core/errors.ts";
import type { Container, ExecOptions, ExecResult, ServiceAccess } from "../model.ts";

/** Longer than any answer of a server that works. */
const ASK_MS = 10_000;
/** Writing everything to disk may take its time. */
export const SAVE_MS = 600_000;

/** Where a password for the service comes from; else the variables of the container's own image are used. */
export interface PasswordFrom {
  /** A variable of backout's environment. */
  readonly password_env?: string | undefined;
}

/** Runs shell text in a container; `BACKOUT_PASSWORD` in it is the password, if one is configured. */
export async function shell(
  container: Container,
  script: string,
  from: PasswordFrom,
  access: ServiceAccess,
  timeoutMs: number = ASK_MS,
): Promise<ExecResult> {
  const password = from.password_env === undefined ? undefined : access.env(from.password_env);
  if (from.password_env !== undefined && password === undefined) {
    throw new RollbackBackupError(`The password of service ${container.service} is not there`, {
      hint: `Set the environment variable ${from.password_env}.`,
    });
  }
  const secret: ExecOptions = password === undefined
    ? {}
    : { env: { BACKOUT_PASSWORD: password }, secrets: [password] };
  return await access.exec(container, ["sh", "-c", script], { ...secret, timeoutMs });
}

/** Whether the program, or the shell itself, is not in the image. */
export function isMissing(result: ExecResult): boolean {
  return result.exitCode === 126 || result.exitCode === 127;
}

/** The last line of what was said, for a message. */
export function lastLine(result: ExecResult): string {
  const said = `${result.stdout.trim()}\n${result.stderr.trim()}`.trim();
  return said.split("\n").at(-1)?.trim().slice(0, 300) ?? "";
}

/** That a service could not be made to write down what it holds. */
export function notSaved(container: Container, what: string, said: string): RollbackBackupError {
  return new RollbackBackupError(
    `${what} failed in ${container.name}${said === "" ? "" : `: ${said}`}`,
    {
      hint: `Name its password (know_how: {${container.service}: {kind: …, password_env: NAME}}), ` +
        `or copy its files as they are: know_how: {${container.service}: none}.`,
    },
  );
}
