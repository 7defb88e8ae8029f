/** Reads the text of `backout.yaml`: every mistake with line, column and what was meant. */
import { dirname, resolve } from "node:path";
import { readAround } from "#/config/around.ts";
import { configError } from "#/config/config_error.ts";
import { readDocument } from "#/config/document.ts";
import { schemaProblems } from "#/config/issues.ts";
import type { Config, ReadEnv } from "#/config/load.ts";
import { type ConfigProblem, locate } from "#/config/position.ts";
import { retentionSettings } from "#/config/retention.ts";
import { configSchemaDefinition, type ParsedConfig } from "#/config/schema.ts";
import { readWorkspace, resolveLocation, workspaceSettings } from "#/config/workspace.ts";
import { durationMs } from "#/core/quantity.ts";
import { compilePolicy } from "#/policy/compile.ts";
import { isBlock, nameOf, own, type PolicyProblem, Problems } from "#/policy/problem.ts";
import type { AutomaticSetting, PolicySettings } from "#/policy/settings.ts";

export { configError } from "#/config/config_error.ts";
export type { ConfigProblem } from "#/config/position.ts";

export interface ConfigText {
  readonly path: string;
  readonly text: string;
  readonly env: ReadEnv;
}

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
  const read = readDocument(text, env, "Write at least `version: 1`, or see `backout config init`.");
  if ("problems" in read) return failed([...read.problems]);
  const { value, written, file } = read;
  const parsed = configSchemaDefinition.safeParse(value);
  const folder = dirname(resolve(path));
  const problems = new Problems();
  for (
    const problem of schemaProblems(parsed.error?.issues ?? [], { schema: configSchemaDefinition, path: [] })
  ) {
    problems.add(withoutVersion(value, problem));
  }
  const around = readAround(value, folder);
  const workspace = await readWorkspace(value, written, folder, problems);
  const found = [...problems.found, ...around.problems, ...await policyProblems(value)];
  if (!parsed.success || found.length > 0) return failed(found.map((problem) => locate(problem, file)));
  const config = { ...resolvePaths(parsed.data, path), ...around.settings, ...workspace };
  return { config: withWrittenTests(config, written), problems: [] };
}

/** The tests of `policy.automatic` are handed to other programs: as they were written, without what `${NAME}` stands for. */
function withWrittenTests(config: Config, written: unknown): Config {
  if (config.policy?.automatic === undefined || !isBlock(written)) return config;
  const policy = own(written, "policy");
  const originals = [isBlock(policy) ? own(policy, "automatic") : undefined].flat();
  const automatic = [config.policy.automatic].flat().map((setting, i): AutomaticSetting => {
    const original: unknown = originals[i];
    const tests = isBlock(original) ? own(original, "tests") : undefined;
    return { when: setting.when, ...(Array.isArray(tests) ? { tests } : {}) };
  });
  return { ...config, policy: { ...config.policy, automatic } };
}

/** The first line of every file. */
function withoutVersion(value: unknown, problem: PolicyProblem): PolicyProblem {
  if (nameOf(problem.path) !== "version" || isBlock(value) && own(value, "version") !== undefined) {
    return problem;
  }
  return { path: [], message: "version is missing", hint: "Write `version: 1`." };
}

/** What the policy finds in its block; the shape of the block itself is the schema's. */
async function policyProblems(value: unknown): Promise<readonly PolicyProblem[]> {
  const policy = isBlock(value) ? own(value, "policy") : undefined;
  if (!isBlock(policy)) return [];
  const parts = Object.fromEntries(["rules", "custom", "waivers", "automatic"].flatMap((key) => {
    const part = own(policy, key);
    return part === undefined ? [] : [[key, part]];
  }));
  const { problems } = await compilePolicy(parts, ["policy"]);
  return problems;
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
    ...workspaceSettings(parsed, folder),
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
