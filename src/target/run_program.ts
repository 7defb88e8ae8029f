/**
 * Programs that targets run (`git`, `pg_dump`, `terraform`, a command of the user's own): no shell, a clean environment
 * plus the given variables, a process group of its own that is ended and awaited as a whole, and messages without
 * secrets.
 *
 *     const { stdout } = await runProgram({ program: "git", args: ["rev-parse", "HEAD"], package: "git", context });
 *     const dump = streamProgram({ program: "pg_dump", args: ["-Fc"], package: "postgresql-client", context,
 *       env: { PGPASSFILE: file }, secrets: [password] });
 *     const content = await writer.addStream(dump);          // fails when pg_dump fails, also at its very end
 *     await runProgram({ program: "pg_restore", …, stdin: store.readStream(content) });
 */
import { Buffer } from "node:buffer";
import { lastLines, Tail } from "#/core/child_output.ts";
import { cleanEnvironment, endGroup, signalGroup, within } from "#/core/child_process.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { blot } from "./blot.ts";
import { failure, late, missing, notStarted, tooMuch } from "./program_error.ts";
import { feed, type Pump, pump } from "./program_pipes.ts";
import type { TargetContext } from "./target.ts";

/** Between the request to end (SIGTERM) and the end (SIGKILL), in milliseconds. */
const TERM_GRACE_MS = 2_000;
const DEFAULT_MAX_OUTPUT = 64 << 20;

export { ProgramError } from "./program_error.ts";

export interface ProgramRequest {
  /** Looked for in PATH unless it has a slash. */
  readonly program: string;
  /** As a list, no shell. Never a secret: `ps` shows them. */
  readonly args: readonly string[];
  /** The Debian package that has the program, for the message when it is missing. Empty: a program of the user's own. */
  readonly package: string;
  /** `env` gives PATH, HOME and LANG, nothing else of ours reaches the child; `signal` ends it. */
  readonly context: Pick<TargetContext, "env" | "signal">;
  /** Variables besides PATH, HOME and LANG. Secrets may be here. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Null device where not given. */
  readonly stdin?: Uint8Array | ReadableStream<Uint8Array>;
  /** Blotted out of everything that the program says. */
  readonly secrets?: readonly string[];
  /** @default none: the signal has the target's own time limit */
  readonly timeoutMs?: number;
  /** Exit codes that are no failure. @default [0] */
  readonly okCodes?: readonly number[];
  /** For the message: `dump the database app`. @default `run PROGRAM` */
  readonly doing?: string;
}

export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  /** The last lines, as one line that is safe to show, without secrets. */
  readonly stderr: string;
}

/**
 * Runs a program to its end and keeps what it prints (64 MiB at most, or `maxOutput` bytes).
 * @throws {ProgramError} it is missing, fails, is late, or prints too much
 * @throws {InterruptedError} or the signal's reason, when the signal was aborted; an error of the stdin stream as it is
 */
export async function runProgram(
  request: ProgramRequest & { readonly maxOutput?: number },
): Promise<ProgramResult> {
  const run = start(request);
  const chunks: Uint8Array[] = [];
  let size = 0;
  const limit = request.maxOutput ?? DEFAULT_MAX_OUTPUT;
  const out = pump(run.child.stdout, (chunk) => {
    size += chunk.length;
    if (size > limit) return run.fail(tooMuch(request, limit));
    chunks.push(chunk);
  });
  const { exitCode, stderr } = await run.end(out);
  return { exitCode, stdout: Buffer.concat(chunks), stderr };
}

/** As {@link runProgram}; standard output as text. Bytes that are not UTF-8 become U+FFFD. */
export async function programText(
  request: ProgramRequest & { readonly maxOutput?: number },
): Promise<string> {
  return new TextDecoder().decode((await runProgram(request)).stdout);
}

/**
 * Runs a program; its standard output as a stream that *fails* when the program does, also after its last byte. So what
 * reads the stream to its end without an error has everything. Cancelling the stream ends the program.
 * @throws {ProgramError} at once when it cannot be started; everything else comes through the stream
 */
export function streamProgram(request: ProgramRequest): ReadableStream<Uint8Array<ArrayBuffer>> {
  const run = start(request);
  const reader = run.child.stdout.getReader();
  // What it left behind in its group must not hold the pipe open.
  run.child.status.then(() => signalGroup(run.child, "SIGKILL"), () => {});
  const ended = run.end();
  ended.catch(() => {});
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read().catch(() => ({ done: true as const, value: undefined }));
      if (!done && !run.failed()) return controller.enqueue(value);
      await reader.cancel().catch(() => {});
      await ended; // throws what the program's end says
      controller.close();
    },
    async cancel() {
      run.fail(new DOMException("nobody reads it", "AbortError"));
      await ended.catch(() => {});
      await reader.cancel().catch(() => {});
    },
  }, { highWaterMark: 0 });
}

interface Run {
  readonly child: Deno.ChildProcess;
  /** Ends the program; `end` throws this. */
  readonly fail: (error: unknown) => void;
  readonly failed: () => boolean;
  readonly end: (out?: Pump) => Promise<{ readonly exitCode: number; readonly stderr: string }>;
}

function start(request: ProgramRequest): Run {
  const { context, secrets = [] } = request;
  throwIfStopped(context.signal);
  const child = spawn(request);
  const stop = new AbortController();
  const tail = new Tail();
  const said = () => lastLines(blot(tail.text(), secrets));
  const err = pump(child.stderr, (chunk) => tail.push(chunk));
  const fail = (error: unknown) => stop.signal.aborted ? undefined : stop.abort(error);
  const input = request.stdin === undefined ? undefined : feed(child.stdin, request.stdin, fail);
  const end = async (out?: Pump) => {
    const signal = AbortSignal.any([context.signal, stop.signal]);
    const how = await within(child.status, request.timeoutMs, signal);
    if (how !== "ended") await endGroup(child, TERM_GRACE_MS);
    for (const pipe of out === undefined ? [err] : [out, err]) await pipe.settle();
    await input?.stop();
    if (stop.signal.aborted) throw stop.signal.reason;
    if (how === "aborted") throwIfStopped(context.signal);
    if (how === "late") throw late(request, said());
    const status = await child.status;
    if (status.signal !== null || !(request.okCodes ?? [0]).includes(status.code)) {
      throw failure(request, status, said());
    }
    return { exitCode: status.code, stderr: said() };
  };
  return { child, fail, failed: () => stop.signal.aborted, end };
}

function spawn(request: ProgramRequest): Deno.ChildProcess {
  const { program, args, cwd, env, context } = request;
  if (program === "" || [program, ...args].some((word) => word.includes("\0"))) {
    throw notStarted(request, "a word of its command line is empty or has a NUL byte");
  }
  // A call without the permission would ask on a terminal.
  if (Deno.permissions.querySync({ name: "run", command: program }).state !== "granted") {
    throw notStarted(request, "this process was not given the permission to run it");
  }
  if (cwd !== undefined && !isFolder(cwd)) throw notStarted(request, `there is no folder ${cwd}`);
  try {
    return new Deno.Command(program, {
      args: [...args],
      env: { ...cleanEnvironment(context.env), ...env },
      clearEnv: true,
      stdin: request.stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      // A session, and so a process group, of its own: it is ended as a whole, and a terminal's ^C is ours to handle.
      detached: Deno.build.os !== "windows",
      ...(cwd === undefined ? {} : { cwd }),
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw missing(request);
    if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
      throw notStarted(request, "permission denied (is it executable?)");
    }
    // The system's message may quote the arguments; its code does not.
    throw notStarted(request, String((error as { code?: unknown }).code ?? "the system refuses"));
  }
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
