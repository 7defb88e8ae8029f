/** From names and saved configurations to targets that can be worked on: a specification and its driver. */
import { readTarget } from "#/config/targets.ts";
import { withoutPasswords } from "#/config/written.ts";
import { RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import { canonicalJson, type JsonObject, type JsonValue } from "#/core/json.ts";
import { Problems } from "#/policy/problem.ts";
import type { SavedTarget } from "#/store/model.ts";
import { isTargetType, targetTypes } from "#/target/registry.ts";
import type { TargetDriver, TargetSpec } from "#/target/target.ts";
import type { CreateOptions, WorkspaceOptions } from "./options.ts";

/** What stands for a password in a manifest. */
const HIDDEN = "***";

/** A target with what works on it. */
export interface BoundTarget {
  readonly spec: TargetSpec;
  readonly driver: TargetDriver;
}

/** @throws {UsageError} there is no such kind */
export async function loadDriver(options: WorkspaceOptions, type: string): Promise<TargetDriver> {
  const own = options.drivers;
  if (own !== undefined && Object.hasOwn(own, type)) return own[type]!;
  if (!isTargetType(type)) {
    throw new UsageError(`${JSON.stringify(type)} is no kind of target that this program knows`, {
      hint: `Kinds: ${Object.keys(targetTypes).join(", ")}. A newer backout may know it.`,
    });
  }
  const { driver } = await targetTypes[type]();
  return driver as unknown as TargetDriver; // its own schema made the configuration that it is given
}

export async function bindSpec(options: WorkspaceOptions, spec: TargetSpec): Promise<BoundTarget> {
  return { spec, driver: await loadDriver(options, spec.type) };
}

/** What a snapshot is asked to hold. @throws {RollbackVersionNotFoundError} a name is none of the configuration */
export function chosenSpecs(options: CreateOptions): readonly TargetSpec[] {
  if (options.adHoc !== undefined) return [options.adHoc];
  const { targets, only = [] } = options;
  if (targets.length === 0) {
    throw new UsageError("There is nothing to take a snapshot of: no targets are configured", {
      hint: "Add `targets:` to backout.yaml, or give one with --type and --set.",
    });
  }
  const unknown = only.filter((name) => !targets.some((target) => target.name === name));
  if (unknown.length > 0) {
    throw new RollbackVersionNotFoundError(`There is no target ${unknown.map(quoted).join(", ")}`, {
      hint: `Targets: ${targets.map(({ name }) => name).join(", ")}.`,
      context: { targets: unknown },
    });
  }
  return only.length === 0 ? targets : targets.filter(({ name }) => only.includes(name));
}

/** Targets of a snapshot by name. @throws {RollbackVersionNotFoundError} a name is none of it */
export function chosenSaved(
  snapshot: { readonly id: string; readonly targets: readonly SavedTarget[] },
  only: readonly string[] = [],
): readonly SavedTarget[] {
  const unknown = only.filter((name) => !snapshot.targets.some((target) => target.name === name));
  if (unknown.length > 0) {
    throw new RollbackVersionNotFoundError(
      `The snapshot ${snapshot.id} has no target ${unknown.map(quoted).join(", ")}`,
      {
        hint: `It has ${snapshot.targets.map(({ name }) => name).join(", ")}.`,
        context: { snapshot: snapshot.id, targets: unknown },
      },
    );
  }
  return only.length === 0 ? snapshot.targets : snapshot.targets.filter(({ name }) => only.includes(name));
}

function quoted(name: string): string {
  return JSON.stringify(name);
}

/**
 * The target that a snapshot is of: as the configuration has it where that is the same (with its credentials), else as
 * it was when the snapshot was taken. What is restored is what was saved, wherever the configuration points today.
 * @throws {UsageError} it cannot be understood any more
 */
export async function bindSaved(options: WorkspaceOptions, saved: SavedTarget): Promise<BoundTarget> {
  const driver = await loadDriver(options, saved.type);
  const current = options.targets.find(({ name, type }) => name === saved.name && type === saved.type);
  if (current !== undefined && sameConfig(current.written, saved.config)) return { spec: current, driver };
  const config = await readSavedConfig(options, driver, saved);
  const timeout = current?.timeoutMs;
  const spec: TargetSpec = {
    name: saved.name,
    type: saved.type,
    config,
    written: saved.config,
    after: current?.after ?? [],
    ...(timeout === undefined ? {} : { timeoutMs: timeout }),
  };
  return { spec, driver };
}

function sameConfig(a: JsonObject, b: JsonObject): boolean {
  return canonicalJson(withoutPasswords(a)) === canonicalJson(b);
}

async function readSavedConfig(
  options: WorkspaceOptions,
  driver: TargetDriver,
  saved: SavedTarget,
): Promise<unknown> {
  const { name, type, config } = saved;
  if (JSON.stringify(config).includes(HIDDEN)) {
    throw notUnderstood(name, "its password was not kept");
  }
  const value = fillIn(config, options.env, name) as JsonObject;
  if (!isTargetType(type)) {
    const parsed = driver.schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw notUnderstood(name, parsed.error.issues.map(({ message }) => message).join("; "));
  }
  const problems = new Problems();
  const source = { name, value: { type, ...value }, written: config };
  const read = await readTarget(source, ["targets", name], options.folder, problems);
  if (read !== undefined) return read.spec.config;
  throw notUnderstood(name, problems.found.map(({ message }) => message).join("; "));
}

function notUnderstood(name: string, why: string): UsageError {
  return new UsageError(`The target ${name} cannot be used as it was saved: ${why}`, {
    hint: "Put the target into backout.yaml as it was when the snapshot was taken.",
  });
}

function mapTexts(value: JsonValue, change: (text: string) => string): JsonValue {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item as JsonValue, change));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value as JsonObject);
  return Object.fromEntries(entries.map(([key, item]) => [key, mapTexts(item as JsonValue, change)]));
}

function fillIn(config: JsonObject, env: WorkspaceOptions["env"], target: string): JsonValue {
  return mapTexts(config, (text) =>
    text.replace(/\$?\$\{([^}]*)\}/g, (whole, name: string) => {
      if (whole.startsWith("$$")) return whole.slice(1);
      const value = env(name);
      if (value !== undefined) return value;
      throw new UsageError(`The target ${target} needs the environment variable ${name}, which is not set`, {
        hint: `Set ${name} as it was when the snapshot was taken.`,
      });
    }));
}
