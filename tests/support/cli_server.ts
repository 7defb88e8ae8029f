/**
 * Command lines in a process with an environment of its own, for tests of object storage: the SDKs read the process's
 * variables. One child serves many commands, so that each costs no start. With `BACKOUT_BIN` every command is a process
 * of the program under test.
 *
 *     await using server = startCliServer(ceph.environment());
 *     const { code } = await server.run(["release", "list", "-r", "s3://bucket/prefix"], { cwd });
 */
import { fileURLToPath } from "node:url";
import { binary, type CliOptions, type CliResult, inheritedEnvironment, runProgram } from "./cli.ts";

export interface CliServer extends AsyncDisposable {
  /** Like `runCli`; several may run at the same time. Standard input is empty. */
  readonly run: (args: readonly string[], options?: CliOptions) => Promise<CliResult>;
}

/** A command line as the child reads it. */
export interface CliQuestion {
  readonly id: number;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The child's answer to the question with the same id. */
export interface CliAnswer extends CliResult {
  readonly id: number;
}

/** @param env the variables of all commands, beside what a process needs to start */
export function startCliServer(env: Readonly<Record<string, string>>): CliServer {
  if (binary === undefined) return new ChildServer(env);
  return {
    run: (args, options = {}) => runProgram(args, { ...options, env: { ...env, ...options.env } }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const root = fileURLToPath(new URL("../../", import.meta.url));

class ChildServer implements CliServer {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  readonly #waiting = new Map<number, PromiseWithResolvers<CliResult>>();
  #questions = 0;

  constructor(env: Readonly<Record<string, string>>) {
    const main = fileURLToPath(new URL("./cli_server_main.ts", import.meta.url));
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--quiet", "--no-prompt", "--cached-only", "--allow-all", main],
      cwd: root,
      clearEnv: true,
      env: { ...inheritedEnvironment(), ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#reading = this.#read();
  }

  readonly run = async (args: readonly string[], options: CliOptions = {}): Promise<CliResult> => {
    const question: CliQuestion = {
      id: ++this.#questions,
      args,
      cwd: options.cwd ?? root,
      env: options.env ?? {},
    };
    const answered = Promise.withResolvers<CliResult>();
    this.#waiting.set(question.id, answered);
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(question)}\n`));
    return await answered.promise;
  };

  async #read(): Promise<void> {
    let rest = "";
    for await (const part of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + part).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const { id, ...result } = JSON.parse(line) as CliAnswer;
        this.#waiting.get(id)?.resolve(result);
        this.#waiting.delete(id);
      }
    }
    for (const { reject } of this.#waiting.values()) reject(new Error("the child that runs commands ended"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {}); // it ended before us: whoever waited was told
    await this.#reading;
    await this.#child.status;
  }
}
