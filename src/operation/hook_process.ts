/**
 * One child with a time limit: no shell, a given environment and nothing else, its output kept, and everything that it
 * started in its process group gone when it is late.
 */
import { Tail } from "#/core/child_output.ts";
import { endGroup, within } from "#/core/child_process.ts";

/** Between the request to end (SIGTERM) and the end (SIGKILL), in milliseconds. */
const TERM_GRACE_MS = 2_000;
/** How long output is awaited when the child has ended but somebody holds its pipes, in milliseconds. */
const OUTPUT_GRACE_MS = 250;

export interface ProcessRequest {
  /** Program and arguments. The program is looked for in `env.PATH` unless it has a slash. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
  /** The whole environment of the child. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Empty where not given. */
  readonly stdin?: string;
  /** Ends the child when it is aborted. */
  readonly signal?: AbortSignal;
  /** @default 2000 */
  readonly termGraceMs?: number;
}

/** How a child ended, or why it never began. */
export type ProcessEnd =
  | { readonly end: "exited"; readonly exit_code: number }
  | { readonly end: "signaled"; readonly signal: string }
  | { readonly end: "timed_out"; readonly timeout_ms: number }
  /** The `signal` of the request ended it. */
  | { readonly end: "stopped" }
  | { readonly end: "not_found" }
  /** There, but it cannot be run; `reason` is a part of a sentence. */
  | { readonly end: "not_started"; readonly reason: string };

export type ProcessResult = ProcessEnd & {
  /** How long it ran, to the millisecond. */
  readonly seconds: number;
  /** The last 64 KiB of what it printed on standard output and standard error, as it came. */
  readonly output: string;
  readonly output_cut: boolean;
};

/** Runs a child to its end. Never throws for anything that the child does or is. */
export async function runProcess(request: ProcessRequest): Promise<ProcessResult> {
  const began = performance.now();
  const output = new Tail();
  const result = (end: ProcessEnd): ProcessResult => ({
    ...end,
    seconds: Math.round(performance.now() - began) / 1000,
    output: output.text(),
    output_cut: output.isCut,
  });
  const problem = startProblem(request);
  if (problem !== undefined) return result(problem);
  let child: Deno.ChildProcess;
  try {
    child = spawn(request);
  } catch (error) {
    return result(notStarted(error));
  }
  const readers = [collect(child.stdout, output), collect(child.stderr, output)];
  const input = feed(child.stdin, request.stdin ?? "");
  const end = await endOf(child, request);
  await settled(readers.map((it) => it.ended), OUTPUT_GRACE_MS);
  for (const reader of readers) await reader.stop();
  await input.stop();
  return result(end);
}

function startProblem({ command, cwd, signal }: ProcessRequest): ProcessEnd | undefined {
  if (signal?.aborted === true) return { end: "stopped" };
  if (command.length === 0 || command[0] === "") return { end: "not_started", reason: "names no program" };
  if (command.some((word) => word.includes("\0"))) {
    return { end: "not_started", reason: "has a NUL byte in a word" };
  }
  // A call without the permission would ask on a terminal.
  if (Deno.permissions.querySync({ name: "run", command: command[0]! }).state !== "granted") {
    return {
      end: "not_started",
      reason: "cannot run: this process was not given the permission to run programs",
    };
  }
  if (cwd !== undefined && !isFolder(cwd)) {
    return { end: "not_started", reason: `cannot run in ${cwd}: there is no such folder` };
  }
  return undefined;
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function spawn({ command, env, cwd }: ProcessRequest): Deno.ChildProcess {
  const [program, ...args] = command;
  return new Deno.Command(program!, {
    args,
    env: { ...env },
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    // A session, and so a process group, of its own: it is ended as a whole, and a terminal's ^C is ours to handle.
    detached: Deno.build.os !== "windows",
    ...(cwd === undefined ? {} : { cwd }),
  }).spawn();
}

function notStarted(error: unknown): ProcessEnd {
  if (error instanceof Deno.errors.NotFound) return { end: "not_found" };
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
    return { end: "not_started", reason: "cannot run: permission denied (is it executable?)" };
  }
  // The system's message may quote the arguments; its code does not.
  const code = (error as { code?: unknown }).code;
  return { end: "not_started", reason: `cannot run${typeof code === "string" ? `: ${code}` : ""}` };
}

async function endOf(child: Deno.ChildProcess, request: ProcessRequest): Promise<ProcessEnd> {
  let status: Deno.CommandStatus | undefined;
  const ended = child.status.then((it) => {
    status = it;
  });
  const stopped = await within(ended, request.timeoutMs, request.signal);
  if (status === undefined) {
    await endGroup(child, request.termGraceMs ?? TERM_GRACE_MS);
    return stopped === "aborted" ? { end: "stopped" } : { end: "timed_out", timeout_ms: request.timeoutMs };
  }
  return status.signal === null
    ? { end: "exited", exit_code: status.code }
    : { end: "signaled", signal: status.signal };
}

async function settled(promises: readonly Promise<unknown>[], ms: number): Promise<void> {
  await within(Promise.all(promises), ms);
}

interface Pump {
  readonly ended: Promise<void>;
  /** Gives the pipe up. */
  readonly stop: () => Promise<void>;
}

function collect(stream: ReadableStream<Uint8Array>, tail: Tail): Pump {
  const reader = stream.getReader();
  const read = async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      tail.push(value);
    }
  };
  const ended = read().catch(() => {});
  return { ended, stop: () => reader.cancel().catch(() => {}) };
}

/** Most programs never read their input; that is no failure. */
function feed(stream: WritableStream<Uint8Array>, text: string): Pump {
  const writer = stream.getWriter();
  writer.closed.catch(() => {});
  const write = async () => {
    if (text !== "") await writer.write(new TextEncoder().encode(text));
    await writer.close();
  };
  const ended = write().catch(() => {});
  return { ended, stop: () => writer.abort().catch(() => {}) };
}
