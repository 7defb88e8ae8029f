/** Git where it changes a component: several git commands in one child, under a lock that ends with them. */
import { runProgram } from "../run_program.ts";
import { ProgramError } from "../program_error.ts";
import type { TargetContext } from "../target.ts";

/** As in `git/git.ts`, by environment: every git of the child has them. */
const SETTINGS: Readonly<Record<string, string>> = {
  "core.hooksPath": "/dev/null",
  "core.fsmonitor": "false",
  "core.quotePath": "false",
  "protocol.allow": "never",
  "submodule.recurse": "false",
  "gc.auto": "0",
  "maintenance.auto": "false",
  "advice.detachedHead": "false",
};

export function gitEnvironment(index?: string): Record<string, string> {
  const entries = Object.entries(SETTINGS);
  const settings = entries.flatMap(([key, value], i) => [
    [`GIT_CONFIG_KEY_${i}`, key],
    [`GIT_CONFIG_VALUE_${i}`, value],
  ]);
  return {
    LC_ALL: "C",
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_NO_LAZY_FETCH: "1",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_ALLOW_PROTOCOL: "none",
    GIT_CONFIG_COUNT: String(entries.length),
    ...Object.fromEntries(settings),
    ...(index === undefined ? {} : { GIT_INDEX_FILE: index }),
  };
}

/** Those that git may use where it talks to others; `ext::` and other helpers run programs. */
const PROTOCOLS = "file:git:http:https:ssh";
const PASSED = [
  "SSH_AUTH_SOCK",
  ..."HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy".split(" "),
];

/** For git commands that talk to another repository. */
export function networkEnvironment({ env }: Pick<TargetContext, "env">): Record<string, string> {
  const passed = PASSED.flatMap((name) => {
    const value = env(name);
    return value === undefined || value === "" ? [] : [[name, value] as const];
  });
  return {
    ...gitEnvironment(),
    GIT_ALLOW_PROTOCOL: PROTOCOLS,
    GIT_PROTOCOL_FROM_USER: "0",
    ...Object.fromEntries(passed),
  };
}

export interface ChildRequest {
  /** POSIX shell; its words are in `$1`, `$2`, …: nothing from outside is ever a part of it. */
  readonly script: string;
  readonly words: readonly string[];
  /** The work tree: where it runs. */
  readonly cwd: string;
  /** What is locked. */
  readonly gitDir: string;
  readonly index?: string;
  readonly stdin?: string;
  /** @default without a network */
  readonly env?: Readonly<Record<string, string>>;
  readonly doing: string;
  readonly context: Pick<TargetContext, "env" | "signal">;
}

/**
 * Runs the script under a lock on the git folder that the system gives up when the last of its processes has ended: what
 * a killed backout left running is waited for.
 * @returns what it printed
 * @throws {ProgramError}
 */
export async function gitChild(request: ChildRequest): Promise<string> {
  const { script, words, cwd, gitDir, index, stdin, doing, context, env } = request;
  const shell = ["sh", "-c", script, "sh", ...words];
  const common = {
    cwd,
    context,
    doing,
    env: env ?? gitEnvironment(index),
    ...(stdin === undefined ? {} : { stdin: new TextEncoder().encode(stdin) }),
  };
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  try {
    const locked = { ...common, program: "flock", args: [gitDir, ...shell], package: "util-linux" };
    return decode((await runProgram(locked)).stdout);
  } catch (error) {
    if (!(error instanceof ProgramError) || error.end !== "missing") throw error;
    const plain = { ...common, program: "sh", args: shell.slice(1), package: "dash" };
    return decode((await runProgram(plain)).stdout);
  }
}
