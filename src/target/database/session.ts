/** A client that stays connected and answers one request after the other on its standard input and output. */
import { lastLines, Tail } from "#/core/child_output.ts";
import { cleanEnvironment, endGroup } from "#/core/child_process.ts";
import { RollbackError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { blot } from "#/target/blot.ts";
import { ProgramError, type ProgramRequest } from "#/target/run_program.ts";

const TERM_GRACE_MS = 2_000;

/** What a session runs: no input of its own. */
export type SessionRequest = Omit<ProgramRequest, "stdin" | "okCodes" | "timeoutMs">;

/** A child that is asked, and prints a line of our own after each answer. */
export class ClientSession implements AsyncDisposable {
  readonly #request: SessionRequest;
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #said: Promise<string>;
  readonly #decoder = new TextDecoder();
  readonly #onAbort: () => void;
  #pending = "";
  #disposed: Promise<void> | undefined;

  /** @throws {ProgramError} it is not installed or cannot be started */
  constructor(request: SessionRequest) {
    throwIfStopped(request.context.signal);
    this.#request = request;
    this.#child = spawn(request);
    this.#writer = this.#child.stdin.getWriter();
    this.#writer.closed.catch(() => {});
    this.#reader = this.#child.stdout.getReader();
    this.#said = collect(this.#child.stderr);
    this.#onAbort = () => void endGroup(this.#child, TERM_GRACE_MS);
    request.context.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /**
   * Sends text and reads up to the line `marker`, which the client was told to print.
   * @throws {ProgramError} the client ended: with what it said
   */
  async ask(text: string, marker: string): Promise<string> {
    await this.#writer.write(new TextEncoder().encode(text)).catch(() => {}); // it has ended: its exit says why
    let searched = 0;
    for (;;) {
      const at = this.#pending.indexOf(`${marker}\n`, Math.max(0, searched - marker.length - 1));
      if (at >= 0) {
        const answer = this.#pending.slice(0, at);
        this.#pending = this.#pending.slice(at + marker.length + 1);
        return answer;
      }
      searched = this.#pending.length;
      const { done, value } = await this.#reader.read();
      if (done) throw await this.#failure();
      this.#pending += this.#decoder.decode(value, { stream: true });
    }
  }

  async #failure(): Promise<Error> {
    const [status, said] = await Promise.all([this.#child.status, this.#said]);
    try {
      throwIfStopped(this.#request.context.signal);
    } catch (stopped) {
      return stopped as Error;
    }
    const { program, doing, secrets = [] } = this.#request;
    const reason = lastLines(blot(said, secrets)) || `it ended with code ${status.code}`;
    return new ProgramError(`Cannot ${doing ?? `run ${program}`}: ${reason}`, program, "failed", {
      exitCode: status.code,
      stderr: reason,
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    this.#request.context.signal.removeEventListener("abort", this.#onAbort);
    await this.#writer.close().catch(() => {});
    await this.#reader.cancel().catch(() => {});
    await endGroup(this.#child, TERM_GRACE_MS);
    await Promise.all([this.#child.status, this.#said]);
  }
}

function spawn(
  { program, args, env, context, package: debianPackage, cwd }: SessionRequest,
): Deno.ChildProcess {
  try {
    return new Deno.Command(program, {
      args: [...args],
      env: { ...cleanEnvironment(context.env), ...env },
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      detached: Deno.build.os !== "windows",
      ...(cwd === undefined ? {} : { cwd }),
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw missingProgram(program, debianPackage);
    throw new RollbackError(`Cannot run ${program}: the system refuses (is it executable?)`);
  }
}

/** The error for a client that is not installed. */
export function missingProgram(program: string, debianPackage: string): ProgramError {
  return new ProgramError(`Cannot run ${program}: it is not installed`, program, "missing", {
    hint: `Install it (Debian: apt-get install ${debianPackage}), or add its folder to PATH.`,
  });
}

/** Whether a program can be found on PATH. */
export function isInstalled(program: string, env: (name: string) => string | undefined): boolean {
  return cleanEnvironment(env).PATH!.split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${program}`).isFile;
    } catch {
      return false; // not in this folder
    }
  });
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<string> {
  const tail = new Tail();
  for await (const chunk of stream) tail.push(chunk);
  return tail.text();
}
