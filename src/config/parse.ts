/** Reads the text of `backout.yaml`: every mistake with line, column and what was meant. */
import { dirname, resolve } from "node:path";
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
} from "yaml";
import type { z } from "zod";
import { messageOf, UsageError } from "#/core/errors.ts";
import { fillIn } from "#/config/environment.ts";
import type { Config, ReadEnv } from "#/config/load.ts";
import { nearest } from "#/core/nearest.ts";
import { configSchemaDefinition, knownKeys, type ParsedConfig } from "#/config/schema.ts";

export interface ConfigText {
  readonly path: string;
  readonly text: string;
  readonly env: ReadEnv;
}

/** One mistake in the file. Line and column count from 1. */
export interface ConfigProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint: string | null;
}

/** More than anybody needs in a file like this, and far from what an alias bomb needs. */
const MOST_ALIASES = 50;

/** @throws {UsageError} that names every mistake */
export function parseConfig(source: ConfigText): Config {
  const result = readConfig(source);
  if (result.config !== undefined) return result.config;
  throw configError(source.path, result.problems);
}

export type ReadConfigResult =
  | { readonly config: Config; readonly problems: readonly [] }
  | { readonly config: undefined; readonly problems: readonly ConfigProblem[] };

/** The configuration, or all that is wrong with it, in the order of the file. */
export function readConfig({ path, text, env }: ConfigText): ReadConfigResult {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    version: "1.2",
    logLevel: "error",
  });
  const at = (offset: number, message: string, hint: string | null): ConfigProblem => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col), message, hint };
  };
  const failed = (problems: ConfigProblem[]): ReadConfigResult => ({
    config: undefined,
    problems: problems.sort((a, b) => a.line - b.line || a.column - b.column),
  });

  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) return failed(broken.map((it) => at(it.pos[0], yamlMessage(it), yamlHint(it.code))));
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    return failed([at(0, "the file is empty", "Write at least `version: 1`, or see `backout config init`.")]);
  }
  const missing = fillIn(document, env);
  if (missing.length > 0) return failed(missing.map((it) => at(it.offset, it.message, it.hint)));

  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MOST_ALIASES });
  } catch (error) {
    return failed([at(0, `its aliases cannot be followed: ${messageOf(error)}`, "Write the values out.")]);
  }
  const parsed = configSchemaDefinition.safeParse(value);
  if (!parsed.success) {
    return failed(parsed.error.issues.flatMap((issue) => describeIssue(issue, document, at)));
  }
  return { config: resolvePaths(parsed.data, path), problems: [] };
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

type At = (offset: number, message: string, hint: string | null) => ConfigProblem;

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

/** Where the value at `path` stands, undefined when there is none. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number | undefined {
  let node: unknown = document.contents;
  for (const key of path) {
    const container = follow(node, document);
    if (!isCollection(container)) return undefined;
    node = container.get(key, true);
  }
  return isNode(node) ? node.range?.[0] : undefined;
}

function keyOffset(document: Document, parent: readonly PropertyKey[], key: string): number | undefined {
  let node: unknown = document.contents;
  for (const part of parent) {
    const container = follow(node, document);
    if (!isCollection(container)) return undefined;
    node = container.get(part, true);
  }
  const map = follow(node, document);
  if (!isMap(map)) return undefined;
  const pair = map.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
  return (pair?.key as Node | undefined)?.range?.[0];
}

function follow(node: unknown, document: Document): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

function yamlMessage({ code, message }: { readonly code: string; readonly message: string }): string {
  return code === "DUPLICATE_KEY" ? "this key stands here a second time" : message;
}

function yamlHint(code: string): string | null {
  switch (code) {
    case "DUPLICATE_KEY":
      return "Remove one of the two.";
    case "TAB_AS_INDENT":
      return "Indent with spaces.";
    case "MULTIPLE_DOCS":
      return "Keep one document: remove what follows `---`.";
    default:
      return null;
  }
}

function resolvePaths(parsed: ParsedConfig, path: string): Config {
  const folder = dirname(resolve(path));
  const { version, repository, state_dir, policy, audit } = parsed;
  return {
    path,
    version,
    ...(repository === undefined ? {} : { repository: resolveLocation(folder, repository) }),
    ...(state_dir === undefined ? {} : { state_dir: resolveLocation(folder, state_dir) }),
    ...(policy === undefined ? {} : { policy: policy.mode === undefined ? {} : { mode: policy.mode } }),
    ...(audit === undefined ? {} : { audit: resolveAudit(folder, audit) }),
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
