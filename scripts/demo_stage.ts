/** What the demo plays on: it types commands, shows what they print, and explains each with a line. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ansiStyle, plainStyle, type Styler, wrap } from "#/report/mod.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const COLUMNS = 78;

export interface Play {
  /** The exit code it must have. @default 0 */
  readonly exit?: number;
  /** One sentence: what just happened. */
  readonly note: string;
  /** Show the whole report where standard output is no terminal; otherwise only its telling sections. */
  readonly whole?: boolean;
}

export interface Outcome {
  readonly code: number;
  readonly signal: Deno.Signal | null;
}

/** Something went another way than the demo says. */
export class DemoError extends Error {}

export class Stage {
  readonly #style: Styler;
  readonly #isTerminal = Deno.stdout.isTerminal();
  #chapter = 0;

  /** @param cwd where the commands run */
  constructor(readonly cwd: string) {
    this.#style = this.#isTerminal && !Deno.env.get("NO_COLOR") ? ansiStyle : plainStyle;
  }

  /** Whether commands print their whole reports, as they do where no person looks on. */
  get shortens(): boolean {
    return !this.#isTerminal;
  }

  /** Plain text. */
  say(text: string): void {
    for (const line of wrap(text, COLUMNS)) console.log(line);
  }

  /** A new part of the story. */
  chapter(title: string): void {
    this.#chapter++;
    const { bold, cyan } = this.#style;
    console.log(
      `\n${cyan(bold(`── ${this.#chapter}. ${title} ${"─".repeat(Math.max(3, 70 - title.length))}`))}`,
    );
  }

  /** Types a `backout` command, shows what it prints, and says what happened. */
  backout(words: readonly string[], play: Play): void {
    this.#type(["backout", ...words]);
    const { code } = this.#spawn(backoutCommand(), words, play.whole ?? false);
    const wanted = play.exit ?? 0;
    if (code !== 0) console.log(this.#style.dim(`[exit code ${code}]`));
    if (code !== wanted) throw new DemoError(`That should have ended with exit code ${wanted}, not ${code}.`);
    this.note(play.note);
  }

  /** A command that is killed before its changing call number `call`. */
  killed(words: readonly string[], call: number, note: string): void {
    this.#type(["backout", ...words]);
    const { signal } = this.#spawn(faultyCommand(), words, false, { BACKOUT_FAULT: `kill:${call}` });
    if (signal !== "SIGKILL") throw new DemoError("That should have been killed, but it ended.");
    // On a terminal the progress bar is still there: nobody was left to clear it.
    console.log(this.#isTerminal ? "\r\u001b[KKilled" : "Killed");
    this.note(note);
  }

  /** Shows a file as `cat` would, or only its first lines. */
  cat(path: string, note: string, lines = Infinity): void {
    this.#type(lines === Infinity ? ["cat", path] : ["head", "-n", String(lines), path]);
    const text = Deno.readTextFileSync(join(this.cwd, path)).trimEnd().split("\n");
    console.log(text.slice(0, lines).join("\n"));
    this.note(note);
  }

  note(text: string): void {
    for (const line of wrap(text, COLUMNS - 2)) console.log(this.#style.green(`# ${line}`));
  }

  #type(words: readonly string[]): void {
    const { bold, dim } = this.#style;
    console.log(`\n${dim("$")} ${bold(words.map(quote).join(" "))}`);
  }

  /** A terminal is handed on, so that the command shows what it would show a person. */
  #spawn(
    command: readonly string[],
    words: readonly string[],
    whole: boolean,
    env: Readonly<Record<string, string>> = {},
  ): Outcome {
    const [program, ...first] = command;
    const stream = this.#isTerminal ? "inherit" : "piped";
    const child = new Deno.Command(program!, {
      args: [...first, ...words],
      cwd: this.cwd,
      env: { ...cleanEnvironment(), ...env },
      clearEnv: true,
      stdin: "null",
      stdout: stream,
      stderr: stream,
    });
    const result = child.outputSync();
    if (!this.#isTerminal) {
      const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
      const [out, err] = [decode(result.stdout), decode(result.stderr)];
      // A refusal is a whole report for scripts, and a few lines for people on standard error.
      const shown = err !== "" && isReport(out) ? err : (whole ? out : shortened(out)) + err;
      if (shown !== "") console.log(shown.trimEnd());
    }
    return { code: result.code, signal: result.signal };
  }
}

/**
 * Counts the changing calls of a command in a copy of the folder.
 * @returns one line per call: `<number> <call> "<path>"`
 */
export function countCalls(cwd: string, words: readonly string[], file: string): readonly string[] {
  const [program, ...first] = faultyCommand();
  const { success, stderr } = new Deno.Command(program!, {
    args: [...first, ...words],
    cwd,
    env: { ...cleanEnvironment(), BACKOUT_FAULT: `count:${file}` },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).outputSync();
  if (!success) throw new DemoError(`The rehearsal failed:\n${new TextDecoder().decode(stderr)}`);
  return Deno.readTextFileSync(file).trimEnd().split("\n");
}

function backoutCommand(): readonly string[] {
  const binary = Deno.env.get("BACKOUT_BIN");
  return binary === undefined || binary === "" ? fromSource([]) : [Deno.realPathSync(binary)];
}

/** Only the source has a place to put a fault into. */
function faultyCommand(): readonly string[] {
  return fromSource(["--allow-run", "--preload", join(ROOT, "tests/support/faulty_main.ts")]);
}

function fromSource(flags: readonly string[]): readonly string[] {
  const permissions = ["--allow-read", "--allow-write", "--allow-env", "--allow-sys", "--no-prompt"];
  const config = ["--quiet", "--no-check", "--config", join(ROOT, "deno.json")];
  return [Deno.execPath(), "run", ...config, ...permissions, ...flags, join(ROOT, "main.ts")];
}

/** The environment without what would point backout elsewhere. */
function cleanEnvironment(): Record<string, string> {
  const entries = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("BACKOUT_"));
  return Object.fromEntries(entries);
}

function isReport(text: string): boolean {
  return /^[A-Z ]+ REPORT\n=+\n/.test(text);
}

/** A whole report is a page long. The parts that tell the story stay, `[…]` stands for the rest. */
function shortened(text: string): string {
  if (!isReport(text)) return text;
  const [head = "", ...sections] = text.split(/\n\n(?=\S[^\n]*\n-+\n)/);
  const kept = sections.filter((section) => /^(Plan|Summary)/.test(section));
  return [...head.split("\n").slice(0, 2), "[…]", ...kept].join("\n");
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
