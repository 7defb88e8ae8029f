/** What is measured: the executable where there is one, else the bundled program on `deno run`. */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleProgram } from "../../scripts/bundle.ts";
import { V8_FLAGS } from "../../scripts/permissions.ts";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

export interface Subject {
  /** One line for the report. */
  readonly description: string;
  /** The command, to be followed by its arguments. */
  readonly command: readonly string[];
  /** An empty program, started the same way. */
  readonly empty: readonly string[];
}

/** Finds or makes the executable. `folder` takes what has to be made. */
export function findSubject(folder: string): Subject {
  const given = Deno.env.get("BACKOUT_BIN");
  const empty = compileEmpty(folder);
  if (empty !== undefined) {
    const executable = given === undefined ? compileProgram() : resolve(given);
    if (executable !== undefined) {
      return { description: "the compiled executable", command: [executable], empty: [empty] };
    }
  }
  if (given !== undefined) {
    return {
      description: "the compiled executable; no empty one to compare with",
      command: [resolve(given)],
      empty: ["true"],
    };
  }
  return fromSource(folder);
}

/** An empty program, compiled as the real one is; undefined where nothing can be compiled here. */
function compileEmpty(folder: string): string | undefined {
  const source = join(folder, "empty.js");
  const out = join(folder, "empty");
  Deno.writeTextFileSync(source, "");
  const compiler = (Deno.env.get("DENO_COMPILE") ?? Deno.execPath()).split(" ");
  return succeeds([...compiler, "compile", "--quiet", "--no-config", "--no-check", "-o", out, source])
    ? out
    : undefined;
}

function compileProgram(): string | undefined {
  const script = join(root, "scripts", "compile.ts");
  const out = join(root, "dist", "backout");
  return succeeds([Deno.execPath(), "run", "-A", script, "--output", out]) ? out : undefined;
}

function fromSource(folder: string): Subject {
  const bundle = join(folder, "bundle");
  if (!bundleProgram(root, ["main.ts"], bundle)) throw new Error("the program cannot be bundled");
  const deno = [Deno.execPath(), "run", "-A", "--no-config", V8_FLAGS];
  return {
    description: "the bundled program on `deno run` (no executable could be compiled here)",
    command: [...deno, join(bundle, "main.js")],
    empty: [...deno, join(folder, "empty.js")],
  };
}

function succeeds(command: readonly string[]): boolean {
  const [program, ...args] = command;
  return new Deno.Command(program!, { args, cwd: root, stdin: "null", stdout: "null", stderr: "null" })
    .outputSync().success;
}
