/**
 * What a build is made from, and the key that names it: SHA-256 of these lines, each ended by a line feed.
 *
 *     backout cache 1
 *     component "NAME"
 *     version "VERSION"             or: version -
 *     command ["PROGRAM", …]        or: command -
 *     env NAME SHA256               of the value; - where it is not set; sorted by name
 *     output "PATH"                 sorted
 *     source HASH                   the hash of an entry of the source (see `entry_tree.ts`), where of all modes only
 *                                   whether a file may be run counts: the umask of a checkout is no input
 */
import { join, resolve } from "node:path";
import { UsageError } from "#/core/errors.ts";
import { sha256Hex } from "#/core/sha256.ts";
import { treeOfSource } from "../entry/add_entry.ts";
import { entryPathProblem } from "../entry/entry_path.ts";
import { entryHash, type EntryItem, type EntryTree } from "../entry/entry_tree.ts";
import { scanSource, type Source } from "../entry/scan_source.ts";
import { commandOf, textsOf } from "../commands.ts";
import { assertComponentName, checkoutPath, type Component } from "../model.ts";
import { leavingOut } from "../store/add.ts";
import { componentIfNamed } from "../store/facts.ts";

export interface InputOptions {
  /** The meta repository's root; absolute. */
  readonly folder: string;
  readonly component: string;
  /** @default the component's checkout */
  readonly source?: string;
  /** What the command makes, below the source. @default what the manifest says; without a command the source itself */
  readonly outputs?: readonly string[];
  /** Globs of paths that are no input, beside the outputs. */
  readonly exclude?: readonly string[];
  /** Names of variables that the build depends on, beside those of the manifest. */
  readonly variables?: readonly string[];
  /** @default the manifest's */
  readonly version?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface BuildInputs {
  readonly key: string;
  readonly component: string;
  readonly version: string | undefined;
  /** Undefined: the source is kept as it is. */
  readonly command: readonly string[] | undefined;
  /** Absolute. */
  readonly source: string;
  /** Below the source; empty without a command. */
  readonly outputs: readonly string[];
  readonly leaveOut: (path: string) => boolean;
  /** What was looked at. */
  readonly scanned: Source;
  readonly tree: EntryTree;
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Reads everything that a build depends on.
 * @throws {RollbackVersionNotFoundError} 40: there is no source
 * @throws {UsageError} the component has a command, and nobody says what it makes
 */
export async function readInputs(options: InputOptions): Promise<BuildInputs> {
  const { folder, component, signal } = options;
  assertComponentName(component);
  const named = componentIfNamed(folder, component);
  const source = options.source === undefined
    ? checkoutPath(folder, component)
    : resolve(folder, options.source);
  const command = named === undefined ? undefined : commandOf(named, "build");
  if (command === undefined) assertNoOutputs(options);
  const outputs = command === undefined ? [] : outputsOf(options, named);
  const exclude = [...options.exclude ?? [], ...named === undefined ? [] : textsOf(named, "exclude")];
  const matches = leavingOut(exclude);
  const leaveOut = (path: string) =>
    matches(path) || outputs.some((it) => path === it || path.startsWith(`${it}/`));
  const scanned = await scanSource(source, { leaveOut, signal });
  const tree = await treeOfSource(scanned, signal);
  const variables = [...options.variables ?? [], ...named === undefined ? [] : textsOf(named, "env")];
  const version = options.version ?? named?.version;
  const lines = [
    "backout cache 1",
    `component ${JSON.stringify(component)}`,
    `version ${version === undefined ? "-" : JSON.stringify(version)}`,
    `command ${command === undefined ? "-" : JSON.stringify(command)}`,
    ...await variableLines(variables),
    ...outputs.toSorted().map((it) => `output ${JSON.stringify(it)}`),
    `source ${entryHash(withPlainModes(tree))}`,
  ];
  const key = sha256Hex(lines.map((line) => `${line}\n`).join(""));
  return { key, component, version, command, source, outputs, leaveOut, scanned, tree };
}

/** Keeping the whole source is not what somebody meant who says what a build makes. */
function assertNoOutputs({ component, outputs: [first] = [] }: InputOptions): void {
  if (first === undefined) return;
  throw new UsageError(`${component} has no build command, so nothing makes ${JSON.stringify(first)}`, {
    hint: "Write `build: …` into manifests/components.yaml; or keep a folder as it is: --source PATH.",
  });
}

function outputsOf(
  { outputs = [], component }: InputOptions,
  named: Component | undefined,
): readonly string[] {
  const given = outputs.length > 0 ? outputs : named === undefined ? [] : textsOf(named, "outputs");
  if (given.length === 0) {
    throw new UsageError(`${component} has a build command, and nothing says what it makes`, {
      hint: "Add --produces dist, or write `outputs: [dist]` into the manifest.",
    });
  }
  return [...new Set(given.map((path) => path.replace(/\/+$/, "").replace(/^\.\//, "")))].map((path) => {
    const problem = entryPathProblem(path);
    if (problem === undefined) return path;
    throw new UsageError(`Cannot use ${JSON.stringify(path)} as an output of ${component}: ${problem}`, {
      hint: "Give a path below the source.",
    });
  });
}

/** Their values by digest alone. The environment is asked of a child: this process may not see all of it. */
async function variableLines(names: readonly string[]): Promise<readonly string[]> {
  const sorted = [...new Set(names)].sort();
  const wrong = sorted.find((name) => !VARIABLE.test(name));
  if (wrong !== undefined) {
    throw new UsageError(`Cannot use ${JSON.stringify(wrong)} as the name of a variable`);
  }
  if (sorted.length === 0) return [];
  const values = await environment();
  return sorted.map((name) => `env ${name} ${values.has(name) ? sha256Hex(values.get(name)!) : "-"}`);
}

async function environment(): Promise<ReadonlyMap<string, string>> {
  const { success, stdout } = await new Deno.Command("/bin/sh", {
    args: ["-c", "exec env -0"],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  if (!success) {
    throw new UsageError("Cannot read the environment for the key of a build: `env -0` fails here");
  }
  const pairs = new TextDecoder().decode(stdout).split("\0").filter((it) => it.includes("="));
  return new Map(pairs.map((it) => [it.slice(0, it.indexOf("=")), it.slice(it.indexOf("=") + 1)]));
}

function withPlainModes({ shape, items }: EntryTree): EntryTree {
  return {
    shape,
    items: items.map((item): EntryItem => {
      if (item.type === "folder") return { ...item, mode: 0o755 };
      return item.type === "file" ? { ...item, mode: (item.mode & 0o111) === 0 ? 0o644 : 0o755 } : item;
    }),
  };
}

/** An output's place. */
export function outputPath({ source }: Pick<BuildInputs, "source">, output: string): string {
  return join(source, output);
}
