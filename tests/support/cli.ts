/**
 * Runs command lines. With `BACKOUT_BIN` the program of that name is started for each; otherwise they run in this
 * process, which is much faster (`runCli`), or as `deno run main.ts` where a real process matters (`runProgram`).
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { ProcessIo } from "#/command/io.ts";
import { run } from "#/command/run.ts";

export interface CliOptions {
  /** @default the repository's checkout */
  readonly cwd?: string;
  /** The only variables the program sees. */
  readonly env?: Readonly<Record<string, string>>;
  /** What a person types, where `terminal` is set; otherwise the bytes of standard input. */
  readonly stdin?: string;
}

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The executable under test, undefined when the tests run from source. */
export const binary: string | undefined = Deno.env.get("BACKOUT_BIN");

const root = fileURLToPath(new URL("../../", import.meta.url));
const decoder = new TextDecoder();

/** Runs `backout ARGS`, without a terminal. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return binary === undefined ? await runInProcess(args, options) : await runProgram(args, options);
}

export interface InProcessOptions extends CliOptions {
  /** All three streams are terminals, and `stdin` is what the person types. */
  readonly terminal?: boolean;
  readonly signal?: AbortSignal;
}

/** Runs `backout ARGS` in this process, always from source: for terminals and signals that a test makes up. */
export async function runInProcess(
  args: readonly string[],
  options: InProcessOptions = {},
): Promise<CliResult> {
  const written = { stdout: "", stderr: "" };
  const terminal = options.terminal === true;
  const lines = (options.stdin ?? "").split("\n");
  const io: ProcessIo = {
    stdout: { write: (text) => void (written.stdout += text), isTerminal: terminal, width: 100 },
    stderr: { write: (text) => void (written.stderr += text), isTerminal: terminal, width: 100 },
    stdinIsTerminal: terminal,
    readLine: () => Promise.resolve(lines.shift()),
    env: (name) => options.env?.[name],
    cwd: options.cwd ?? root,
    signal: options.signal ?? new AbortController().signal,
  };
  const code = await run(args, io);
  return { code, ...written };
}

export interface ProgramOptions extends CliOptions {
  /** A module to load first, when the program runs from source. */
  readonly preload?: string;
}

/** The words that start the program as a process of its own. */
export function programWords(args: readonly string[], options: ProgramOptions = {}): readonly string[] {
  if (binary !== undefined) return [resolve(binary), ...args];
  const flags = ["--no-check", "--quiet", "--no-prompt", "--cached-only", "--allow-all"];
  const preload = options.preload === undefined ? [] : ["--preload", options.preload];
  const config = ["--config", resolve(root, "deno.json")];
  return [Deno.execPath(), "run", ...flags, ...config, ...preload, resolve(root, "main.ts"), ...args];
}

/** The command that starts the program as a process of its own. */
export function programCommand(args: readonly string[], options: ProgramOptions = {}): Deno.Command {
  const [program, ...words] = programWords(args, options);
  return new Deno.Command(program!, {
    args: words,
    cwd: options.cwd ?? root,
    clearEnv: true,
    env: { ...inheritedEnvironment(), ...options.env },
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs `backout ARGS` as a process of its own, to its end. */
export async function runProgram(args: readonly string[], options: ProgramOptions = {}): Promise<CliResult> {
  const child = programCommand(args, options).spawn();
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** What a process needs to start; Deno's cache is the one these tests use. */
export function inheritedEnvironment(): Record<string, string> {
  const names = ["PATH", "HOME", "TMPDIR", "DENO_DIR"];
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}

/** Output with what changes from run to run replaced: ids, times, durations, ages, and the given folders. */
export function normalize(text: string, folders: Readonly<Record<string, string>> = {}): string {
  let result = text;
  for (const [name, folder] of Object.entries(folders)) result = result.replaceAll(folder, `<${name}>`);
  return result
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<id>")
    .replace(/-\d{8}_\d{6}-[0-9a-f]{8}/g, "-<stamp>")
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "<time>")
    .replace(/\b[0-9a-f]{64}\b/g, "<sha256>")
    .replace(/\b\d+(\.\d+)? m?s( ago)?\b|\bjust now\b/g, "<span>");
}
