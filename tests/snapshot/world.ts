/** A workspace with three targets of the engine's own test kind, and the operations on it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { CreateOptions, RestoreSnapshotOptions, WorkspaceOptions } from "#/snapshot/mod.ts";
import { createSnapshot, restoreSnapshot } from "#/snapshot/mod.ts";
import type { OperationReport } from "#/report/model.ts";
import type { TargetDriver, TargetSpec } from "#/target/target.ts";
import type { UndoClass } from "#/store/model.ts";
import { driver } from "./text_driver.ts";

export interface TextTarget {
  readonly undo?: UndoClass;
  readonly after?: readonly string[];
  readonly unsaved?: string;
  readonly timeoutMs?: number;
}

export const NAMES = ["one", "two", "three"];

/** The workspace's files hold `<name> v1`. */
export function makeWorld(
  folder: string,
  targets: Readonly<Record<string, TextTarget>> = threeTargets(),
): WorkspaceOptions {
  Deno.mkdirSync(join(folder, "ws"), { recursive: true });
  Deno.mkdirSync(join(folder, "data"), { recursive: true });
  for (const name of Object.keys(targets)) write(folder, name, `${name} v1`);
  return optionsOf(folder, targets);
}

export function threeTargets(): Readonly<Record<string, TextTarget>> {
  return { one: {}, two: { undo: "compensating" }, three: { undo: "compensating", after: ["two"] } };
}

export function optionsOf(
  folder: string,
  targets: Readonly<Record<string, TextTarget>> = threeTargets(),
): WorkspaceOptions {
  return {
    folder: join(folder, "ws"),
    store: { location: join(folder, "store") },
    targets: Object.entries(targets).map(([name, target]) => specOf(folder, name, target)),
    checks: [],
    env: (name) => Deno.env.get(name),
    drivers: { text: driver as unknown as TargetDriver },
    by: "tester",
  };
}

function specOf(folder: string, name: string, target: TextTarget): TargetSpec {
  const written = {
    path: pathOf(folder, name),
    undo: target.undo ?? "exact",
    ...(target.unsaved === undefined ? {} : { unsaved: target.unsaved }),
  };
  return {
    name,
    type: "text",
    config: written,
    written,
    after: target.after ?? [],
    ...(target.timeoutMs === undefined ? {} : { timeoutMs: target.timeoutMs }),
  };
}

export function pathOf(folder: string, name: string): string {
  return join(folder, "data", `${name}.txt`);
}

export function write(folder: string, name: string, text: string): void {
  Deno.writeTextFileSync(pathOf(folder, name), text);
}

/** What the targets hold, without what a crash may leave beside them. */
export function look(folder: string, names: readonly string[] = NAMES): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => {
    try {
      return [name, Deno.readTextFileSync(pathOf(folder, name))];
    } catch {
      return [name, "absent"];
    }
  }));
}

export function versions(
  version: string,
  names: readonly string[] = NAMES,
): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [name, `${name} ${version}`]));
}

export function changeAll(folder: string, version: string, names: readonly string[] = NAMES): void {
  for (const name of names) write(folder, name, `${name} ${version}`);
}

/** Takes a snapshot that must succeed. @returns its id */
export async function taken(options: CreateOptions): Promise<string> {
  const report = await createSnapshot(options);
  assert.equal(report.exit_code, 0, report.summary);
  return report.version;
}

export function restoring(
  options: WorkspaceOptions,
  snapshot: string,
  more: Partial<RestoreSnapshotOptions> = {},
): Promise<OperationReport> {
  return restoreSnapshot({ ...options, snapshot, ...more });
}

/** Ids of journals that were left. */
export function journals(folder: string): readonly string[] {
  try {
    return [...Deno.readDirSync(join(folder, "ws", ".backout", "target-operations"))].map(({ name }) => name);
  } catch {
    return [];
  }
}
