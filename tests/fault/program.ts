/** Runs the program as a child, with a fault in it. Bundled once, so that thousands of runs are affordable. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleProgram } from "../../scripts/bundle.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const PRELOAD = "tests/support/faulty_main.ts";

/** A bundle of the program and of the faults. */
export interface Program {
  readonly folder: string;
}

/** Bundles the program into `folder`. @throws {Error} when it cannot be bundled */
export function buildProgram(folder: string): Program {
  if (!bundleProgram(root, ["main.ts", PRELOAD], folder)) throw new Error("the program cannot be bundled");
  return { folder };
}

export interface Run {
  readonly code: number;
  readonly killed: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end; `fault` as in `tests/support/faulty_main.ts`. */
export function runProgram(program: Program, argv: readonly string[], fault = ""): Run {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-prompt", "--no-config", "--cached-only"],
      ...["--preload", join(program.folder, PRELOAD.replace(".ts", ".js"))],
      join(program.folder, "main.js"),
      ...argv,
    ],
    env: { BACKOUT_FAULT: fault, NO_COLOR: "1" },
    stdin: "null",
  });
  const result = child.outputSync();
  return {
    code: result.code,
    killed: result.signal === "SIGKILL",
    stdout: new TextDecoder().decode(result.stdout),
    stderr: new TextDecoder().decode(result.stderr),
  };
}

/** The names of the changing calls of a run that finished, in order. */
export function readCalls(file: string): readonly string[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return text.split("\n").filter((line) => line !== "").map((line) => line.split(" ")[1]!);
}

/**
 * The calls before which a kill leaves a state of its own. An fsync changes nothing that survives a kill, so the state
 * before the call after it is the one before it.
 */
export function killPoints(calls: readonly string[]): readonly number[] {
  return calls.flatMap((_call, i) => i > 0 && calls[i - 1] === "fsync" ? [] : [i + 1]);
}
