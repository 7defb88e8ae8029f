/** The command that `guard` runs: on the user's terminal, with the user's environment, and the first to get ^C. */
import { delimiter, isAbsolute, resolve } from "node:path";
import { descendantsOf, type KnownProcess, stillRunning } from "#/core/descendants.ts";
import { RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";

/** Between the request to end and the end, where the time given by `--timeout` is over; in milliseconds. */
const TERM_GRACE_MS = 10_000;
/** How often it is looked whether what the command started has ended too, in milliseconds. */
const LOOK_EVERY_MS = 50;

export interface GuardedCommand {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly folder: string;
  /** Where its standard output goes: `stderr` where this process prints a document. @default "stdout" */
  readonly output?: "stdout" | "stderr";
  readonly env: (name: string) => string | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface GuardedEnd {
  readonly code: number;
  /** The signal that ended it; null when it ended by itself. */
  readonly signal: string | null;
  readonly seconds: number;
}

/**
 * Runs a command to its end, whatever happens meanwhile: what stops this process is passed on to it, and to what it
 * started, so that nothing of it goes on changing what is taken back then.
 * @throws {RollbackVersionNotFoundError} there is no such program
 * @throws {UsageError} it cannot be run
 */
export async function runGuarded(guarded: GuardedCommand): Promise<GuardedEnd> {
  const { signal } = guarded;
  const began = performance.now();
  const child = start(guarded);
  const below = new Map<number, KnownProcess>();
  let killer: ReturnType<typeof setTimeout> | undefined;
  const pass = (name: Deno.Signal) => {
    descendantsOf(child.pid).forEach((it) => below.set(it.pid, it));
    stillRunning([...below.values()]).forEach(({ pid }) => send(() => Deno.kill(pid, name)));
    send(() => child.kill(name));
  };
  const passOn = () => {
    const name = signalFor(signal?.reason);
    if (name !== undefined) pass(name);
    if (signal?.reason === "timeout") killer = setTimeout(() => pass("SIGKILL"), TERM_GRACE_MS);
  };
  if (signal?.aborted === true) passOn();
  signal?.addEventListener("abort", passOn);
  try {
    const status = await child.status;
    await ended([...below.values()]);
    const seconds = Math.round(performance.now() - began) / 1000;
    return { code: status.code, signal: status.signal, seconds };
  } finally {
    clearTimeout(killer);
    signal?.removeEventListener("abort", passOn);
  }
}

/** Waits for what was told to end with the command; not for ever, since it may be a service that stays. */
async function ended(processes: readonly KnownProcess[]): Promise<void> {
  const deadline = performance.now() + TERM_GRACE_MS;
  while (stillRunning(processes).length > 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function start({ command, folder, output = "stdout", env }: GuardedCommand): Deno.ChildProcess {
  const [program = ""] = command;
  try {
    const redirected = output === "stderr" && Deno.build.os !== "windows";
    if (redirected) assertProgram(program, folder, env);
    const [file = "", ...args] = redirected ? ["/bin/sh", "-c", 'exec "$@" >&2', "sh", ...command] : command;
    return new Deno.Command(file, {
      args,
      cwd: folder,
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

/** The shell that gives the command its other output would tell a missing program as the command's own failure. */
function assertProgram(program: string, folder: string, env: GuardedCommand["env"]): void {
  const places = program.includes("/") ? [folder] : (env("PATH") ?? "").split(delimiter);
  const files = places.map((place) => (isAbsolute(program) ? program : resolve(folder, place, program)));
  const modes = files.map(modeOfFile).filter((mode) => mode !== undefined);
  if (modes.length === 0) throw new Deno.errors.NotFound(program);
  if (!modes.some((mode) => (mode & 0o111) !== 0)) throw new Deno.errors.PermissionDenied(program);
}

function modeOfFile(path: string): number | undefined {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile ? mode ?? 0o777 : undefined;
  } catch {
    return undefined;
  }
}

/** A terminal sends ^C to the command too. */
function signalFor(reason: unknown): Deno.Signal | undefined {
  if (reason === "SIGHUP") return "SIGHUP";
  if (reason === "SIGINT") return Deno.stdin.isTerminal() ? undefined : "SIGINT";
  return "SIGTERM";
}

function send(kill: () => void): void {
  try {
    kill();
  } catch {
    // it has ended already
  }
}
