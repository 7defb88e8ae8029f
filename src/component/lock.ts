/** Lock files: which commit each component is at. */
import { isJsonObject } from "#/core/json.ts";
import { quoteShort } from "#/core/safe_path.ts";
import { parseYaml, readText, textField, unreadable } from "./document.ts";
import { componentNameProblem, type Lock, type LockedComponent } from "./model.ts";

const WHAT = "lock file";
/** SHA-1 or SHA-256, whole or the beginning. */
const COMMIT = /^[0-9a-f]{7,64}$/i;

/**
 * @param path absolute
 * @throws {RollbackVersionNotFoundError} 40: there is none
 * @throws {RollbackManifestError} 48: it is empty, or cannot be used
 */
export function readLock(path: string): Lock {
  const hint =
    "List what there is with `backout component targets`; write one with `backout component lock`.";
  return parseLock(readText(path, WHAT, hint), path);
}

/** @throws {RollbackManifestError} 48 */
export function parseLock(text: string, path: string): Lock {
  const { value } = parseYaml(text, path, WHAT);
  const block = Object.hasOwn(value, "components") ? value["components"] : undefined;
  if (!isJsonObject(block)) throw unreadable(path, WHAT, "`components:` is not a block of names");
  const components = new Map<string, LockedComponent>();
  for (const [name, fields] of Object.entries(block)) {
    const problem = componentNameProblem(name);
    if (problem !== undefined) {
      throw unreadable(path, WHAT, `${quoteShort(name)} cannot be the name of a component: ${problem}`);
    }
    if (!isJsonObject(fields)) throw unreadable(path, WHAT, `components.${name} is not a block of keys`);
    const commit = textField(fields, "commit");
    if (commit === undefined || !COMMIT.test(commit)) {
      const said = commit === undefined ? "no commit" : `the commit ${quoteShort(commit)}`;
      throw unreadable(path, WHAT, `components.${name} has ${said}: 7 to 64 hex digits are needed`);
    }
    components.set(name, {
      name,
      version: textField(fields, "version"),
      commit: commit.toLowerCase(),
      repo: textField(fields, "repo"),
      fields,
    });
  }
  if (components.size === 0) throw unreadable(path, WHAT, "it names no component");
  const generatedAt = textField(value, "generated_at");
  return { path, text, generatedAt, environment: textField(value, "environment"), components };
}
