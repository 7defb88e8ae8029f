/** The `checks:` block, and the files that `--checks` names. Each kind of check reads its own keys. */
import { resolve } from "node:path";
import { UsageError } from "#/core/errors.ts";
import { nearest } from "#/core/nearest.ts";
import { configError } from "#/config/config_error.ts";
import { readDocument } from "#/config/document.ts";
import { fillValue } from "#/config/environment.ts";
import { knownKeys, schemaProblems } from "#/config/issues.ts";
import { readConfigText, type ReadEnv } from "#/config/load.ts";
import { locate } from "#/config/position.ts";
import { readTimeout } from "#/config/program_words.ts";
import { withCommonKeys } from "#/config/targets.ts";
import { isBlock, own, type Path, Problems } from "#/policy/problem.ts";
import type { CheckCommon, CheckDriver, CheckSpec } from "#/verify/check.ts";
import { checkTypes, isCheckType } from "#/verify/registry.ts";

type Block = Readonly<Record<string, unknown>>;

/** The keys that every check may have besides those of its kind. */
const COMMON_KEYS = [
  "type",
  "name",
  "required",
  "retries",
  "interval",
  "start_delay",
  "timeout",
] as const;
const LONGEST = { ms: 3_600_000, text: "1h" };
const MOST_RETRIES = 1_000;
const TYPES = Object.keys(checkTypes);
const EXAMPLE = "For example checks: [{type: file_exists, path: /etc/app.yml}].";

/** The checks in their order; what is wrong with them goes to `problems`. */
export async function readChecks(
  value: unknown,
  path: Path,
  problems: Problems,
): Promise<readonly CheckSpec[]> {
  if (!Array.isArray(value)) {
    problems.value(path, "must be a list of checks", EXAMPLE);
    return [];
  }
  const checks = [];
  for (const [i, entry] of value.entries()) checks.push(await readCheck(entry, [...path, i], problems));
  return checks.flatMap((check) => check ?? []);
}

async function readCheck(value: unknown, path: Path, problems: Problems): Promise<CheckSpec | undefined> {
  if (!isBlock(value)) return problems.value(path, "must be a block of keys", EXAMPLE);
  const driver = await driverOf(own(value, "type"), path, problems);
  if (driver === undefined) return undefined;
  // A kind may have a use of its own for `name`.
  const ownKeys = knownKeys(driver.schema);
  const keys = COMMON_KEYS.filter((key) => !ownKeys.includes(key));
  const common = readCommon(pick(value, keys), path, problems);
  const others: readonly string[] = keys;
  const input = Object.fromEntries(Object.entries(value).filter(([key]) => !others.includes(key)));
  const parsed = driver.schema.safeParse(input);
  if (parsed.success) return { ...common, type: driver.type, config: parsed.data };
  const place = { schema: driver.schema, path, beside: keys };
  for (const problem of schemaProblems(parsed.error.issues, place)) problems.add(problem);
  return undefined;
}

function pick(block: Block, keys: readonly string[]): Block {
  return Object.fromEntries(keys.filter((key) => Object.hasOwn(block, key)).map((key) => [key, block[key]]));
}

async function driverOf(type: unknown, path: Path, problems: Problems): Promise<CheckDriver | undefined> {
  if (type === undefined) return problems.value(path, "lacks type", `Add it: one of ${TYPES.join(", ")}.`);
  if (typeof type === "string" && isCheckType(type)) {
    return (await checkTypes[type]()).driver;
  }
  const near = typeof type === "string" ? nearest(type, TYPES) : undefined;
  const hint = near === undefined
    ? `Known are ${TYPES.join(", ")}.`
    : `Did you mean ${JSON.stringify(near)}?`;
  return problems.value([...path, "type"], "is not a kind of check", hint);
}

function readCommon(block: Block, path: Path, problems: Problems): Omit<CheckCommon, "type"> {
  const name = own(block, "name");
  if (name !== undefined && (typeof name !== "string" || name.trim() === "")) {
    problems.value([...path, "name"], "must be text");
  }
  const required = own(block, "required");
  if (required !== undefined && typeof required !== "boolean") {
    problems.value([...path, "required"], "must be true or false");
  }
  const given = {
    name,
    required,
    retries: readRetries(own(block, "retries"), [...path, "retries"], problems),
    intervalMs: readTime(block, "interval", path, problems),
    startDelayMs: readTime(block, "start_delay", path, problems),
    timeoutMs: readTime(block, "timeout", path, problems),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function readRetries(value: unknown, path: Path, problems: Problems): number | undefined {
  if (value === undefined) return undefined;
  if (Number.isSafeInteger(value) && value as number >= 0 && value as number <= MOST_RETRIES) {
    return value as number;
  }
  return problems.value(path, `must be a whole number from 0 to ${MOST_RETRIES}`);
}

/** A duration; a plain number is seconds, as other tools write it. */
function readTime(block: Block, key: string, path: Path, problems: Problems): number | undefined {
  const value = own(block, key);
  const text = typeof value === "number" ? `${value}s` : value;
  if (key !== "timeout" && (value === 0 || value === "0s")) return 0;
  return readTimeout(text, [...path, key], LONGEST, problems);
}

/** Where a file or a document has its checks: a list, `checks:`, or `validation: {tests: …}`. */
function listIn(value: unknown): { readonly value: unknown; readonly path: Path } {
  if (!isBlock(value)) return { value, path: [] };
  const validation = own(value, "validation");
  if (isBlock(validation)) return { value: own(validation, "tests"), path: ["validation", "tests"] };
  return { value: own(value, "checks"), path: ["checks"] };
}

/**
 * Checks that are there as values: a request of another program, or the tests of `policy.automatic`. `${NAME}` is filled
 * in.
 * @param value a list, `{checks: […]}`, or `{validation: {tests: […]}}`
 * @throws {UsageError} that names every mistake
 */
export async function checksFromValue(
  value: unknown,
  env: ReadEnv = (name) => Deno.env.get(name),
): Promise<readonly CheckSpec[]> {
  const problems = new Problems();
  const filled = fillValue(value, env, ({ message, hint }) => problems.add({ path: [], message, hint }));
  const list = listIn(filled);
  const path = list.path.length === 0 ? ["checks"] : list.path;
  const checks = list.value === undefined
    ? missing(problems, path)
    : await readChecks(list.value, path, problems);
  const [first] = problems.found;
  if (first === undefined) return checks;
  throw new UsageError(problems.found.map(({ message }) => message).join("; "), {
    ...(first.hint === null ? {} : { hint: first.hint }),
    context: { problems: problems.found.length },
  });
}

function missing(problems: Problems, path: Path): readonly CheckSpec[] {
  problems.add({ path: [], message: `there are no checks: ${path.join(".")} is missing`, hint: EXAMPLE });
  return [];
}

export interface ChecksText {
  readonly path: string;
  readonly text: string;
  readonly env: ReadEnv;
}

/**
 * The checks of a file (YAML or JSON): a list, `{checks: […]}`, or `{validation: {tests: […]}}`. `${NAME}` is filled in.
 * @throws {UsageError} that names every mistake with its line and column
 */
export async function parseChecks({ path, text, env }: ChecksText): Promise<readonly CheckSpec[]> {
  const read = readDocument(text, env, "Write a list of checks: - {type: file_exists, path: /etc/app.yml}");
  if ("problems" in read) throw configError(path, read.problems);
  const problems = new Problems();
  const list = listIn(read.value);
  const checks = list.value === undefined
    ? missing(problems, list.path)
    : await readChecks(list.value, list.path, problems);
  if (problems.found.length === 0) return checks;
  throw configError(path, problems.found.map((problem) => locate(problem, read.file)));
}

/**
 * Reads the file of checks that `--checks` names.
 * @param cwd where a relative name starts
 */
export async function loadChecks(file: string, cwd: string, env: ReadEnv): Promise<readonly CheckSpec[]> {
  const path = resolve(cwd, file);
  return await parseChecks({ path: file, text: readConfigText(path, "checks"), env });
}

/** The JSON Schema of the block, of all kinds. */
export async function checksJsonSchema(): Promise<Record<string, unknown>> {
  const drivers = await Promise.all(Object.values(checkTypes).map(async (load) => (await load()).driver));
  const time = (description: string) => ({ type: ["string", "number"], description });
  const common = {
    name: { type: "string", description: "For people; by default the type and what it looks at." },
    required: { type: "boolean", description: "false: a failure is a warning (true)." },
    retries: {
      type: "integer",
      minimum: 0,
      maximum: MOST_RETRIES,
      description: "Tries after the first (0).",
    },
    interval: time("Between tries, for example 1s (1s)."),
    start_delay: time("Before the first try (0s)."),
    timeout: time("For one try (10s)."),
  };
  return {
    description: "What is tested after a restore, and by `backout check run`.",
    type: "array",
    items: {
      oneOf: drivers.map(({ type, summary, schema }) => withCommonKeys(type, summary, schema, common)),
    },
  };
}
