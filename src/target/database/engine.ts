/** What every database system does for the driver: a small interface, one implementation each. */
import { sha256Hex } from "#/core/sha256.ts";
import * as z from "zod";
import { IntegrityError, RollbackError } from "#/core/errors.ts";
import { canonicalJson, type JsonObject } from "#/core/json.ts";
import type { ContentRef, SavedTarget, UndoClass } from "#/store/model.ts";
import type { CaptureContext, PlanContext, RestoreContext, TargetContext } from "#/target/target.ts";
import type { Connection, EngineName } from "./connection.ts";

/** Each part of a database (a table's rows, an object's definition) and a digest of it: equal for equal contents. */
export type Parts = Readonly<Record<string, string>>;

/** The database of a target, and names for what a restore makes beside it. */
export interface Database {
  readonly connection: Connection;
  /** 8 hex digits of the workspace and the target: the same when a restore is tried again after a crash. */
  readonly tag: string;
  /** @default 1 */
  readonly jobs: number;
}

/** A dump in the store; several with one name are one file, in this order. */
export interface StoredDump {
  readonly name: string;
  readonly content: ContentRef;
}

/** What a capture keeps; `SavedTarget.state` holds it. */
export interface DatabaseState {
  readonly format: 1;
  readonly engine: EngineName;
  readonly parts: Parts;
  readonly dumps: readonly StoredDump[];
  /** What only the engine reads. */
  readonly details: JsonObject;
}

export interface EngineShot {
  readonly state: DatabaseState;
  readonly metadata: JsonObject;
  readonly warnings: readonly string[];
  /** Bytes of all dumps. */
  readonly bytes: number;
}

export interface EnginePlan {
  /** Facts for the summary: sizes, versions. */
  readonly facts: readonly string[];
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

export interface EngineRestored {
  /** False where it was so already. */
  readonly changed: boolean;
  readonly details: JsonObject;
  readonly warnings: readonly string[];
}

export interface Engine {
  readonly name: string;
  readonly undo: UndoClass;
  readonly programs: readonly { readonly program: string; readonly package: string }[];
  capture(database: Database, context: CaptureContext): Promise<EngineShot>;
  /** What is there now; undefined when there is no such database. */
  parts(database: Database, context: TargetContext): Promise<Parts | undefined>;
  /** Looks for what would make a restore fail. */
  plan(database: Database, state: DatabaseState, context: PlanContext): Promise<EnginePlan>;
  /** Convergent: may be called again after a crash at any point. */
  restore(database: Database, state: DatabaseState, context: RestoreContext): Promise<EngineRestored>;
  /** Removes what a restore kept. */
  finish?(database: Database, context: TargetContext): Promise<void>;
}

const contentSchema = z.object({
  size: z.number(),
  chunks: z.array(z.string()),
  sha256: z.string().optional(),
});

const stateSchema = z.object({
  format: z.literal(1),
  engine: z.enum(["postgresql", "mysql", "sqlite", "redis"]),
  parts: z.record(z.string(), z.string()),
  dumps: z.array(z.object({ name: z.string(), content: contentSchema })).min(1),
  details: z.record(z.string(), z.unknown()),
});

/** @throws {IntegrityError} the manifest does not hold what this version writes */
export function readState(saved: SavedTarget): DatabaseState {
  const parsed = stateSchema.safeParse(saved.state);
  if (!parsed.success) {
    throw new IntegrityError(`What the snapshot holds of target ${saved.name} is not a database dump`, {
      hint: "The snapshot was damaged, or written by a newer backout.",
      cause: parsed.error,
    });
  }
  return parsed.data as unknown as DatabaseState;
}

/** One digest for all parts. */
export function fingerprintOf(parts: Parts): string {
  return sha256Hex(canonicalJson(parts));
}

/** Names of the parts that are not equal, sorted. */
export function differingParts(from: Parts, to: Parts): readonly string[] {
  const names = new Set([...Object.keys(from), ...Object.keys(to)]);
  return [...names].filter((name) => from[name] !== to[name]).sort();
}

/** Parts that hold data; other parts are definitions, which a server may word differently after a restore. */
export function isDataPart(name: string): boolean {
  return /^(rows of|value of|data of|large objects)\b/.test(name);
}

/**
 * Compares what was restored with what was saved, before it goes live.
 * @returns a warning where only the wording of definitions differs
 * @throws {RollbackError} rows are missing or differ
 */
export function compareRestored(label: string, saved: Parts, restored: Parts): string | undefined {
  const differing = differingParts(saved, restored);
  const data = differing.filter(isDataPart);
  const missing = differing.filter((name) => restored[name] === undefined);
  const wrong = [...new Set([...data, ...missing])];
  if (wrong.length > 0) {
    throw new RollbackError(`What was restored for ${label} is not what was saved: ${someOf(wrong)}`, {
      hint: "The live database was left as it was. Verify the store (backout snapshot verify).",
    });
  }
  return differing.length === 0
    ? undefined
    : `${label}: the server words these definitions differently after the restore: ${someOf(differing)}`;
}

export function someOf(names: readonly string[]): string {
  return names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "");
}

/** A name that is not longer than a server allows: the database's (shortened where needed), and what it is for. */
export function besideName(
  database: string,
  what: "backout" | "old" | "away",
  tag: string,
  maxBytes: number,
): string {
  const ending = `_${what}_${tag}`;
  const encoder = new TextEncoder();
  let base = "";
  let bytes = ending.length;
  for (const character of database) {
    bytes += encoder.encode(character).length;
    if (bytes > maxBytes) break;
    base += character;
  }
  return base + ending;
}
