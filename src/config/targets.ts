/** The `targets:` block: what can be captured and taken back. Each kind reads its own keys. */
import { isAbsolute, resolve } from "node:path";
import * as z from "zod";
import { schemaProblems } from "#/config/issues.ts";
import { readTimeout } from "#/config/program_words.ts";
import { orderProblems, overlapProblems } from "#/config/target_relations.ts";
import { withoutPasswords } from "#/config/written.ts";
import { nearest } from "#/core/nearest.ts";
import { placeOf, realPath } from "#/core/real_path.ts";
import { isBlock, own, type Path, type Problems } from "#/policy/problem.ts";
import { isTargetType, targetTypes } from "#/target/registry.ts";
import type { TargetDriver, TargetSpec } from "#/target/target.ts";
import { targetNameProblem } from "#/target/target_name.ts";

/** The keys that every target may have besides those of its kind. */
export const COMMON_TARGET_KEYS = ["type", "after", "timeout"] as const;
const LONGEST = { ms: 604_800_000, text: "7d" };
const TYPES = Object.keys(targetTypes);

/** Keys whose values are paths: relative ones start at the folder of the file. */
const PATH_KEYS: ReadonlySet<string> = new Set([
  "path",
  "paths",
  "repo_path",
  "config_files",
  "compose_files",
  "env_files",
  "bind_mounts",
  "backup_location",
  "backup_file",
  "password_file",
]);

export interface TargetSource {
  readonly name: string;
  /** The block with `${NAME}` filled in. */
  readonly value: unknown;
  /** The same as it was written. */
  readonly written: unknown;
}

/** A target that was read, with the paths that it covers as far as they are known here. */
export interface ReadTarget {
  readonly spec: TargetSpec;
  /** The block with its paths made absolute. */
  readonly input: Readonly<Record<string, unknown>>;
}

/**
 * The targets, in the order of the file; what is wrong with them goes to `problems`.
 * @param folder where relative paths start
 * @param own folders of backout itself (`.backout`, the store), in which no target may lie
 */
export async function readTargets(
  value: unknown,
  written: unknown,
  folder: string,
  own: readonly string[],
  problems: Problems,
): Promise<readonly TargetSpec[]> {
  const path = ["targets"];
  if (!isBlock(value)) {
    problems.value(
      path,
      "must be a block of names",
      "For example targets: {app: {type: git_commit, repo_path: /app}}",
    );
    return [];
  }
  const before = problems.found.length;
  const originals = isBlock(written) ? written : {};
  const read: ReadTarget[] = [];
  for (const [name, block] of Object.entries(value)) {
    const wrong = targetNameProblem(name);
    if (wrong !== undefined) {
      const message = `targets.${name} cannot be the name of a target: ${wrong}`;
      problems.add({
        path: [...path, name],
        key: true,
        message,
        hint: "It becomes a part of paths: for example app-config.",
      });
      continue;
    }
    const target = await readTarget(
      { name, value: block, written: originals[name] },
      [...path, name],
      folder,
      problems,
    );
    if (target !== undefined) read.push(target);
  }
  for (const problem of twins(Object.keys(value))) problems.add(problem);
  if (problems.found.length === before) {
    for (const problem of orderProblems(read.map(({ spec }) => spec))) problems.add(problem);
    for (const problem of overlapProblems(read, own, { placeOf, realPath })) problems.add(problem);
  }
  return read.map(({ spec }) => spec);
}

/** Names become folders, also where capitals make no difference. */
function twins(names: readonly string[]) {
  const seen = new Map<string, string>();
  return names.flatMap((name) => {
    const other = seen.get(name.toLowerCase());
    seen.set(name.toLowerCase(), name);
    if (other === undefined) return [];
    const message = `targets.${name} differs from targets.${other} in capitals only`;
    return [{ path: ["targets", name], key: true as const, message, hint: "Rename one of the two." }];
  });
}

/** One target; undefined, with the problems noted, when it cannot be used. */
export async function readTarget(
  source: TargetSource,
  path: Path,
  folder: string,
  problems: Problems,
): Promise<ReadTarget | undefined> {
  const { name, value, written } = source;
  if (!isBlock(value)) {
    return problems.value(path, "must be a block of keys", `Say what it is: type: ${TYPES[0]}`);
  }
  const driver = await driverOf(own(value, "type"), path, problems);
  const after = readAfter(own(value, "after"), [...path, "after"], problems);
  const timeoutMs = readTimeout(own(value, "timeout"), [...path, "timeout"], LONGEST, problems);
  if (driver === undefined) return undefined;
  const input = withAbsolutePaths(withoutCommonKeys(value), folder);
  const parsed = driver.schema.safeParse(input);
  if (!parsed.success) {
    const place = { schema: driver.schema, path, beside: COMMON_TARGET_KEYS };
    for (const problem of schemaProblems(parsed.error.issues, place)) problems.add(problem);
    return undefined;
  }
  const spec: TargetSpec = {
    name,
    type: driver.type,
    config: parsed.data,
    written: withoutPasswords(withoutCommonKeys(isBlock(written) ? written : value)),
    after,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
  return { spec, input };
}

async function driverOf(type: unknown, path: Path, problems: Problems): Promise<TargetDriver | undefined> {
  if (type === undefined) return problems.value(path, "lacks type", `Add it: type: ${TYPES.join(", ")}.`);
  if (typeof type !== "string" || !isTargetType(type)) {
    const near = typeof type === "string" ? nearest(type, TYPES) : undefined;
    return problems.value(
      [...path, "type"],
      "is not a kind of target",
      near === undefined ? `Known are ${TYPES.join(", ")}.` : `Did you mean ${JSON.stringify(near)}?`,
    );
  }
  return (await targetTypes[type]()).driver;
}

function readAfter(value: unknown, path: Path, problems: Problems): readonly string[] {
  if (value === undefined) return [];
  const names: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (names.every((name): name is string => typeof name === "string" && name !== "")) {
    return [...new Set(names)];
  }
  problems.value(path, "must be a list of targets", "For example after: [config].");
  return [];
}

function withoutCommonKeys(block: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const common: readonly string[] = COMMON_TARGET_KEYS;
  return Object.fromEntries(Object.entries(block).filter(([key]) => !common.includes(key)));
}

function withAbsolutePaths(
  block: Readonly<Record<string, unknown>>,
  folder: string,
): Readonly<Record<string, unknown>> {
  const absolute = (path: unknown): unknown => {
    if (Array.isArray(path)) return path.map(absolute);
    if (typeof path !== "string" || path === "" || path.includes("\0")) return path;
    return isAbsolute(path) || /^[a-z][a-z0-9+.-]*:\/\//i.test(path) ? path : resolve(folder, path);
  };
  return Object.fromEntries(
    Object.entries(block).map(([key, value]) => [key, PATH_KEYS.has(key) ? absolute(value) : value]),
  );
}

/** The JSON Schema of the block, of all kinds. */
export async function targetsJsonSchema(): Promise<Record<string, unknown>> {
  const drivers = await Promise.all(Object.values(targetTypes).map(async (load) => (await load()).driver));
  return {
    description: "What rollback points are made of, by name.",
    type: "object",
    propertyNames: { pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" },
    additionalProperties: {
      oneOf: drivers.map(({ type, summary, schema }) => kindSchema(type, summary, schema)),
    },
  };
}

function kindSchema(type: string, summary: string, schema: z.ZodType): Record<string, unknown> {
  return withCommonKeys(type, summary, schema, {
    after: {
      anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
      description: "Targets that are captured and restored before this one.",
    },
    timeout: { type: "string", description: "How long it may take, for example 10m." },
  });
}

/** A kind's own schema with the keys that every kind has. */
export function withCommonKeys(
  type: string,
  summary: string,
  schema: z.ZodType,
  common: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const { $schema: _, ...own } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  const keys = { type: { const: type, description: summary } };
  return {
    ...own,
    properties: { ...keys, ...common, ...(own.properties ?? {}) },
    required: ["type", ...(own.required ?? [])],
  };
}
