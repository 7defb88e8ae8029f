/** Reads the text of `backout.yaml`: every mistake with line, column and what was meant. */
import { dirname, resolve } from "node:path";
import type { Document } from "yaml";
import type { z } from "zod";
import { messageOf, UsageError } from "#/core/errors.ts";
import { readAround } from "#/config/around.ts";
import { fillIn } from "#/config/environment.ts";
import type { Config, ReadEnv } from "#/config/load.ts";
import { nearest } from "#/core/nearest.ts";
import { durationMs } from "#/core/quantity.ts";
import {
  type At,
  type ConfigProblem,
  keyOffset,
  locate,
  offsetOf,
  readYaml,
  type YamlFile,
} from "#/config/position.ts";
import { retentionSettings } from "#/config/retention.ts";
import { configSchemaDefinition, knownKeys, type ParsedConfig } from "#/config/schema.ts";
import { compilePolicy } from "#/policy/compile.ts";
import { isBlock, own } from "#/policy/problem.ts";
import type { PolicySettings } from "#/policy/settings.ts";

export type { ConfigProblem } from "#/config/position.ts";

export interface ConfigText {
  readonly path: string;
  readonly text: string;
  readonly env: ReadEnv;
}

/** More than anybody needs in a file like this, and far from what an alias bomb needs. */
const MOST_ALIASES = 50;

/** @throws {UsageError} that names every mistake */
export async function parseConfig(source: ConfigText): Promise<Config> {
  const result = await readConfig(source);
  if (result.config !== undefined) return result.config;
  throw configError(source.path, result.problems);
}

export type ReadConfigResult =
  | { readonly config: Config; readonly problems: readonly [] }
  | { readonly config: undefined; readonly problems: readonly ConfigProblem[] };

/** The configuration, or all that is wrong with it, in the order of the file. */
export async function readConfig({ path, text, env }: ConfigText): Promise<ReadConfigResult> {
  const failed = (problems: ConfigProblem[]): ReadConfigResult => ({
    config: undefined,
    problems: problems.sort((a, b) => a.line - b.line || a.column - b.column),
  });
  const read = readYaml(text, "Write at least `version: 1`, or see `backout config init`.");
  if ("problems" in read) return failed([...read.problems]);
  const { document, at } = read;
  const missing = fillIn(document, env);
  if (missing.length > 0) return failed(missing.map((it) => at(it.offset, it.message, it.hint)));

  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MOST_ALIASES });
  } catch (error) {
    return failed([at(0, `its aliases cannot be followed: ${messageOf(error)}`, "Write the values out.")]);
  }
  const parsed = configSchemaDefinition.safeParse(value);
  const issues = parsed.error?.issues.flatMap((issue) => describeIssue(issue, document, at)) ?? [];
  const around = readAround(value, dirname(resolve(path)));
  const wrongAround = around.problems.map((problem) => locate(problem, read));
  const found = [...issues, ...await policyProblems(value, read), ...wrongAround];
  if (!parsed.success || found.length > 0) return failed(found);
  return { config: { ...resolvePaths(parsed.data, path), ...around.settings }, problems: [] };
}

/** What the policy finds in its block; the shape of the block itself is the schema's. */
async function policyProblems(value: unknown, file: YamlFile): Promise<readonly ConfigProblem[]> {
  const policy = isBlock(value) ? own(value, "policy") : undefined;
  if (!isBlock(policy)) return [];
  const parts = Object.fromEntries(["rules", "custom", "waivers"].flatMap((key) => {
    const part = own(policy, key);
    return part === undefined ? [] : [[key, part]];
  }));
  const { problems } = await compilePolicy(parts, ["policy"]);
  return problems.map((problem) => locate(problem, file));
}

/** One error for all mistakes: `<file>:<line>:<column>: <what>`, a line each. */
export function configError(path: string, problems: readonly ConfigProblem[]): UsageError {
  const [first] = problems;
  const message = problems.map((it) => `${path}:${it.line}:${it.column}: ${it.message}`).join("\n");
  const hints = new Set(problems.flatMap((it) => it.hint === null ? [] : [it.hint]));
  return new UsageError(message, {
    ...(hints.size === 0 ? {} : { hint: [...hints].join("\n") }),
    context: { path, line: first?.line ?? 1, column: first?.column ?? 1, problems: problems.length },
  });
}

function describeIssue(issue: z.core.$ZodIssue, document: Document, at: At): readonly ConfigProblem[] {
  const name = issue.path.map(String).join(".");
  const offset = offsetOf(document, issue.path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownKey(key, issue.path, document, at));
    case "invalid_type":
      if (name === "version" && offset === undefined) {
        return [at(0, "version is missing", "Write `version: 1`.")];
      }
      return [at(offset ?? 0, wrongType(name, issue.expected), null)];
    case "invalid_value":
      return [invalidValue(name, issue.values, offset, at)];
    case "too_small":
      if (issue.origin === "number") {
        return [at(offset ?? 0, `${name} must be at least ${issue.minimum}`, null)];
      }
      return [at(offset ?? 0, `${name} is empty`, `Give ${name} a value, or leave the line out.`)];
    default:
      return [at(offset ?? 0, `${name}: ${issue.message}`, null)];
  }
}

function unknownKey(
  key: string,
  parent: readonly PropertyKey[],
  document: Document,
  at: At,
): ConfigProblem {
  const known = knownKeys(parent);
  const near = nearest(key, known);
  const where = parent.length === 0 ? "" : ` in ${parent.map(String).join(".")}`;
  return at(
    keyOffset(document, parent, key) ?? 0,
    `${JSON.stringify(key)} is not a known key${where}`,
    near === undefined ? `Known keys${where}: ${known.join(", ")}.` : `Did you mean ${JSON.stringify(near)}?`,
  );
}

function invalidValue(
  name: string,
  values: readonly unknown[],
  offset: number | undefined,
  at: At,
): ConfigProblem {
  const choices = values.map(String).join(" or ");
  if (name === "version" && offset === undefined) return at(0, "version is missing", "Write `version: 1`.");
  return at(offset ?? 0, `${name} must be ${choices}`, null);
}

function wrongType(name: string, expected: string): string {
  const meant: Record<string, string> = {
    string: "text",
    boolean: "true or false",
    object: "a block of keys",
    number: "a number",
  };
  return `${name === "" ? "the file" : name} must be ${meant[expected] ?? expected}`;
}

function resolvePaths(parsed: ParsedConfig, path: string): Config {
  const folder = dirname(resolve(path));
  const { version, repository, state_dir, storage, policy, retention, audit, trusted_keys, metrics_file } =
    parsed;
  return {
    path,
    version,
    ...(repository === undefined ? {} : { repository: resolveLocation(folder, repository) }),
    ...(state_dir === undefined ? {} : { state_dir: resolveLocation(folder, state_dir) }),
    ...(storage === undefined ? {} : { storage: resolveStorage(storage) }),
    ...(policy === undefined ? {} : { policy: policy as PolicySettings }), // the policy has read it
    ...(retention === undefined ? {} : { retention: retentionSettings(retention) }),
    ...(audit === undefined ? {} : { audit: resolveAudit(folder, audit) }),
    ...(trusted_keys === undefined ? {} : { trusted_keys: trusted_keys.map((key) => resolve(folder, key)) }),
    ...(metrics_file === undefined ? {} : { metrics_file: resolve(folder, metrics_file) }),
  };
}

function resolveStorage(
  { jobs, lease, allow_unsafe }: NonNullable<ParsedConfig["storage"]>,
): NonNullable<Config["storage"]> {
  const lease_ms = lease === undefined ? undefined : durationMs(lease);
  return {
    ...(jobs === undefined ? {} : { jobs }),
    ...(lease_ms === undefined ? {} : { lease_ms }),
    ...(allow_unsafe === undefined ? {} : { allow_unsafe }),
  };
}

function resolveAudit(
  folder: string,
  audit: NonNullable<ParsedConfig["audit"]>,
): NonNullable<Config["audit"]> {
  return {
    ...(audit.sign === undefined ? {} : { sign: audit.sign }),
    ...(audit.signing_key === undefined ? {} : { signing_key: resolve(folder, audit.signing_key) }),
  };
}

/** URLs (`s3://`, `gs://`, `file://`) stay; paths are relative to the file's folder. */
function resolveLocation(folder: string, location: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(location) ? location : resolve(folder, location);
}
