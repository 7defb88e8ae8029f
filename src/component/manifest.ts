/** `manifests/components.yaml`, read. */
import { join } from "node:path";
import { isJsonObject, type JsonObject, type JsonValue } from "#/core/json.ts";
import { quoteShort } from "#/core/safe_path.ts";
import { parseYaml, readText, textField, unreadable } from "./document.ts";
import {
  type Component,
  componentNameProblem,
  type Dependency,
  type Manifest,
  MANIFEST_PATH,
} from "./model.ts";

const WHAT = "manifest";

/**
 * The manifest below a meta repository's root.
 * @throws {RollbackVersionNotFoundError} 40: there is none
 * @throws {RollbackManifestError} 48: it cannot be used
 */
export function readManifest(root: string): Manifest {
  const path = join(root, MANIFEST_PATH);
  const text = readText(path, WHAT, "Run it in the folder that has `manifests/` and `components/`.");
  return parseManifest(text, path);
}

/** @throws {RollbackManifestError} 48 */
export function parseManifest(text: string, path: string): Manifest {
  const { value } = parseYaml(text, path, WHAT);
  const block = Object.hasOwn(value, "components") ? value["components"] : undefined;
  if (!isJsonObject(block)) throw unreadable(path, WHAT, "`components:` is not a block of names");
  const components = new Map<string, Component>();
  for (const [name, fields] of Object.entries(block)) {
    const problem = componentNameProblem(name);
    if (problem !== undefined) {
      throw unreadable(path, WHAT, `${quoteShort(name)} cannot be the name of a component: ${problem}`);
    }
    if (fields !== null && !isJsonObject(fields)) {
      throw unreadable(path, WHAT, `components.${name} is not a block of keys`);
    }
    components.set(name, componentOf(name, fields ?? {}, path));
  }
  for (const { name, dependsOn } of components.values()) {
    const missing = dependsOn.find((it) => !components.has(it.name));
    if (missing === undefined) continue;
    throw unreadable(path, WHAT, `${name} depends on ${quoteShort(missing.name)}, which it does not name`);
  }
  return { path, text, components };
}

function componentOf(name: string, fields: JsonObject, path: string): Component {
  return {
    name,
    repo: textField(fields, "repo"),
    version: textField(fields, "version"),
    type: textField(fields, "type"),
    dependsOn: dependenciesOf(name, fields["depends_on"] ?? null, path),
    fields,
  };
}

/**
 * `[a, "b@^1.2", "c:>=2", {name: d, version: ~1.0}, {e: ^3}]`, or `{a: "*", b: ^1.2}`.
 */
function dependenciesOf(name: string, value: JsonValue, path: string): readonly Dependency[] {
  if (value === null) return [];
  if (typeof value === "string") return [dependencyOf(value)];
  if (isJsonObject(value)) {
    return Object.entries(value).map(([key, range]) => ({ name: key, range: rangeOf(range ?? null) }));
  }
  if (!Array.isArray(value)) throw unreadable(path, WHAT, `components.${name}.depends_on is no list`);
  return value.flatMap((item: JsonValue) => {
    if (typeof item === "string") return [dependencyOf(item)];
    if (!isJsonObject(item)) {
      throw unreadable(path, WHAT, `components.${name}.depends_on has an item that is no name`);
    }
    const named = textField(item, "name") ?? textField(item, "component");
    if (named !== undefined) {
      return [{ name: named, range: rangeOf(item["version"] ?? item["range"] ?? null) }];
    }
    return Object.entries(item).map(([key, range]) => ({ name: key, range: rangeOf(range ?? null) }));
  });
}

function dependencyOf(text: string): Dependency {
  const match = /^\s*([A-Za-z0-9_][A-Za-z0-9._-]*)\s*[@:\s]?\s*(.*?)\s*$/s.exec(text);
  return match === null ? { name: text, range: undefined } : { name: match[1]!, range: rangeOf(match[2]!) };
}

function rangeOf(value: JsonValue): string | undefined {
  const text = typeof value === "number" ? String(value) : typeof value === "string" ? value.trim() : "";
  return text === "" || text === "*" || text === "latest" ? undefined : text;
}
