/** A target that no configuration names: from the words of a command line, or from a request. */
import { sha256Hex } from "#/core/sha256.ts";
import { hiddenNames } from "#/config/environment.ts";
import { readTarget } from "#/config/targets.ts";
import { withoutPasswords } from "#/config/written.ts";
import { messageOf, UsageError } from "#/core/errors.ts";
import type { JsonObject, JsonValue } from "#/core/json.ts";
import { canonicalJson, isJsonObject, parseJson } from "#/core/json.ts";
import { quoteShort } from "#/core/safe_path.ts";
import { Problems } from "#/policy/problem.ts";
import { isTargetType, targetTypes } from "#/target/registry.ts";
import type { TargetSpec } from "#/target/target.ts";

export interface AdHocRequest {
  readonly type: string;
  /** @default the type, and a digest of what was given: two targets of a type are never taken for one */
  readonly name?: string;
  /** `key=value` each; what is given twice is a list, what begins with [ or { is JSON. */
  readonly settings?: readonly string[];
  /** The same as a value. */
  readonly config?: JsonObject;
  /** Where relative paths start. */
  readonly folder: string;
  readonly env: (name: string) => string | undefined;
}

/**
 * Reads a target as the configuration would.
 * @throws {UsageError} there is no such type, or its keys are wrong
 */
export async function adHocTarget(request: AdHocRequest): Promise<TargetSpec> {
  const { type, folder, env } = request;
  const written = await shaped(type, request.config ?? readSettings(request.settings ?? []));
  const name = request.name ?? nameOf(type, written);
  const value = fillIn(written, env);
  const problems = new Problems();
  const read = await readTarget({ name, value: { type, ...value }, written }, [name], folder, problems);
  if (read === undefined || problems.found.length > 0) throw wrongTarget(type, name, problems);
  const { spec, input } = read;
  return { ...spec, written: withAbsolutePaths(spec.written, written, value, input) };
}

/** Without passwords: the name stands in manifests, and a password may be another one tomorrow. */
function nameOf(type: string, written: JsonObject): string {
  const digest = sha256Hex(canonicalJson(withoutPasswords(written)));
  return `${isTargetType(type) ? type : "target"}-${digest.slice(0, 8)}`;
}

function wrongTarget(type: string, name: string, { found }: Problems): UsageError {
  const own = new RegExp(`^${name.replace(/[^\w]/g, "\\$&")}[. ]`);
  const messages = found.map(({ message }) => message.replace(own, ""));
  const hints = [...new Set(found.flatMap(({ hint }) => hint === null ? [] : [hint]))];
  const unknown = !isTargetType(type);
  return new UsageError(
    unknown
      ? `${quoteShort(type)} is no kind of target`
      : `Cannot use this target of type ${type}: ${messages.join("; ")}`,
    {
      ...(hints.length === 0 ? {} : { hint: hints.join(" ") }),
      context: { type, problems: messages },
    },
  );
}

/** The keys of a target from words `key=value`. @throws {UsageError} */
export function readSettings(settings: readonly string[]): JsonObject {
  const found = new Map<string, JsonValue[]>();
  for (const setting of settings) {
    const at = setting.indexOf("=");
    const key = setting.slice(0, at);
    if (at < 1) {
      throw new UsageError("One of --set is not KEY=VALUE", {
        hint: "For example --set repo_path=/app/source",
      });
    }
    found.set(key, [...found.get(key) ?? [], readValue(key, setting.slice(at + 1))]);
  }
  return Object.fromEntries(
    [...found].map(([key, values]) => [key, values.length === 1 ? values[0]! : values]),
  );
}

function readValue(key: string, text: string): JsonValue {
  if (text === "true" || text === "false") return text === "true";
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return parseJson(text) as JsonValue;
  } catch (cause) {
    // The text may hold a secret: it is not repeated.
    throw new UsageError(`The value of --set ${key} begins like JSON, and is none: ${messageOf(cause)}`, {
      hint: "Give the key several times for a list.",
    });
  }
}

/** One text where a list is wanted is a list of one; a text where a number is wanted is that number. */
async function shaped(type: string, config: JsonObject): Promise<JsonObject> {
  if (!isTargetType(type)) return config;
  const { driver } = await targetTypes[type]();
  const parsed = driver.schema.safeParse(config);
  if (parsed.success) return config;
  const changed: Record<string, JsonValue | undefined> = { ...config };
  for (const issue of parsed.error.issues) {
    const [key] = issue.path;
    if (issue.path.length !== 1 || typeof key !== "string") continue;
    const value = config[key];
    if (typeof value !== "string") continue;
    const expected = issue.code === "invalid_type" ? issue.expected : undefined;
    if (expected === "array") changed[key] = [value];
    if ((expected === "number" || expected === "int") && /^-?\d{1,15}$/.test(value)) {
      changed[key] = Number(value);
    }
  }
  return changed;
}

/** @throws {UsageError} a variable is not set */
function fillIn(config: JsonObject, env: AdHocRequest["env"]): JsonObject {
  return mapTexts(
    config,
    (text) =>
      text.replace(/\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (whole, name: string) => {
        if (whole.startsWith("$$")) return whole.slice(1);
        const value = env(name);
        if (value !== undefined) return value;
        throw new UsageError(`The environment variable ${name} is not set`, {
          hint: `Set ${name}.${hiddenNames(name)}`,
        });
      }),
  ) as JsonObject;
}

function mapTexts(value: JsonValue, change: (text: string) => string): JsonValue {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item: JsonValue) => mapTexts(item, change));
  if (!isJsonObject(value)) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [key, mapTexts(item!, change)]));
}

/** What is kept must be found again from any folder; references to the environment stay what they are. */
function withAbsolutePaths(
  kept: JsonObject,
  written: JsonObject,
  filled: JsonObject,
  absolute: Readonly<Record<string, unknown>>,
): JsonObject {
  return Object.fromEntries(
    Object.entries(kept).map(([key, value]) => {
      const untouched = JSON.stringify(value) === JSON.stringify(written[key]) &&
        JSON.stringify(written[key]) === JSON.stringify(filled[key]);
      return [key, untouched ? absolute[key] as JsonValue : value];
    }),
  );
}
