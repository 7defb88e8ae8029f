/** The command that `guard` runs: on the user's terminal, with the user's environment, and the first to get ^C. */
import { RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";

/** Between the request to end and the end, where the time given by `--timeout` is over; in milliseconds. */
const TERM_GRACE_MS = 10_000;

export interface GuardedEnd {
  readonly code: number;
  /** The signal that ended it; null when it ended by itself. */
  readonly signal: string | null;
  readonly seconds: number;
}

/**
 * Runs a command to its end, whatever happens meanwhile: what stops this process is passed on to it.
 * @throws {RollbackVersionNotFoundError} there is no such program
 * @throws {UsageError} it cannot be run
 */
export async function runGuarded(
  command: readonly string[],
  folder: string,
  signal: AbortSignal | undefined,
): Promise<GuardedEnd> {
  const began = performance.now();
  const child = start(command, folder);
  let killer: ReturnType<typeof setTimeout> | undefined;
  const passOn = () => {
    const name = signalFor(signal?.reason);
    if (name !== undefined) send(child, name);
    if (signal?.reason === "timeout") killer = setTimeout(() => send(child, "SIGKILL"), TERM_GRACE_MS);
  };
  if (signal?.aborted === true) passOn();
  signal?.addEventListener("abort", passOn);
  try {
    const status = await child.status;
    const seconds = Math.round(performance.now() - began) / 1000;
    return { code: status.code, signal: status.signal, seconds };
  } finally {
    clearTimeout(killer);
    signal?.removeEventListener("abort", passOn);
  }
}

function start([program = "", ...args]: readonly string[], cwd: string): Deno.ChildProcess {
  try {
    return new Deno.Command(program, {
      args,
      cwd,
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new RollbackVersionNotFoundError(`The command ${program} was not found, so nothing was run`, {
        hint: "Give a program of PATH, or its whole path.",
        cause: error,
      });
    }
    const why = error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable
      ? "permission denied (is it executable?)"
      : "it cannot be started"; // the system's message may quote the arguments
    throw new UsageError(`Cannot run ${program}: ${why}`, { cause: error });
  }
}

/** A terminal sends ^C to the command too. */
function signalFor(reason: unknown): Deno.Signal | undefined {
  if (reason === "SIGHUP") return "SIGHUP";
  if (reason === "SIGINT") return Deno.stdin.isTerminal() ? undefined : "SIGINT";
  return "SIGTERM";
}

function send(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // it has ended already
  }
}
