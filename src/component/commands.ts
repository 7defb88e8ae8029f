/** The commands of a component, as its manifest has them. */
import { RollbackManifestError } from "#/core/errors.ts";
import { isJsonObject, type JsonValue } from "#/core/json.ts";
import { type Component, MANIFEST_PATH } from "./model.ts";

/** In the order in which they run. */
export const STEP_NAMES = ["install", "build", "test"] as const;
export type StepName = typeof STEP_NAMES[number];

export interface ComponentStep {
  readonly name: StepName;
  /** Program and arguments. */
  readonly argv: readonly string[];
}

/**
 * What a component runs: text is a line for the shell, a list is program and arguments. `install`, `build` and `test`
 * stand with the component's other fields, or below `commands`.
 * @throws {RollbackManifestError} 48: one of them is neither
 */
export function stepsOf(component: Component): readonly ComponentStep[] {
  return STEP_NAMES.flatMap((name) => {
    const argv = commandOf(component, name);
    return argv === undefined ? [] : [{ name, argv }];
  });
}

/** One of them; undefined where the component has none. @throws {RollbackManifestError} 48 */
export function commandOf(component: Component, name: StepName): readonly string[] | undefined {
  const { fields } = component;
  const block = isJsonObject(fields.commands) ? fields.commands : {};
  const value = (Object.hasOwn(fields, name) ? fields[name] : undefined) ??
    (Object.hasOwn(block, name) ? block[name] : undefined) ?? null;
  if (value === null || value === "") return undefined;
  if (typeof value === "string") return shellCommand(value);
  const words = listOf(value);
  if (words !== undefined && words.length > 0) return words;
  throw wrong(component, name, "is neither a line for the shell nor a list of program and arguments");
}

export function shellCommand(line: string): readonly string[] {
  return ["/bin/sh", "-c", line];
}

/** A list of texts among a component's fields, or below its `cache`. @throws {RollbackManifestError} 48 */
export function textsOf(component: Component, name: string): readonly string[] {
  const { fields } = component;
  const block = isJsonObject(fields.cache) ? fields.cache : {};
  const value = (Object.hasOwn(block, name) ? block[name] : undefined) ??
    (Object.hasOwn(fields, name) ? fields[name] : undefined) ?? null;
  if (value === null) return [];
  const list = typeof value === "string" ? [value] : listOf(value);
  if (list === undefined) throw wrong(component, name, "is no list of texts");
  return list;
}

function listOf(value: JsonValue): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items: readonly JsonValue[] = value;
  return items.every((item) => typeof item === "string") ? items as readonly string[] : undefined;
}

function wrong(component: Component, name: string, why: string): RollbackManifestError {
  return new RollbackManifestError(
    `Cannot use ${MANIFEST_PATH}: components.${component.name}.${name} ${why}`,
    {
      hint: "For example `build: npm run build`, or `build: [npm, run, build]`.",
      context: { component: component.name, field: name },
    },
  );
}
