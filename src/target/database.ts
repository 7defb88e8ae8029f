/** Databases: PostgreSQL, MariaDB and MySQL, SQLite, Redis, each by its own tools. The connection string says which. */
import { sha256Hex } from "#/core/sha256.ts";
import { basename, isAbsolute, join } from "node:path";
import * as z from "zod";
import { RollbackBackupError, RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import { lstat } from "#/core/posix.ts";
import type { SavedTarget } from "#/store/model.ts";
import { type DatabaseConfig, engineOf, parseConnection } from "./database/connection.ts";
import {
  type Database,
  type DatabaseState,
  differingParts,
  type Engine,
  type EngineShot,
  fingerprintOf,
  type Parts,
  readState,
} from "./database/engine.ts";
import { copyingWriter, ExportedCopy } from "./database/exported_copy.ts";
import { engines } from "./database/engines.ts";
import type {
  CaptureContext,
  Captured,
  PlanContext,
  RestoreContext,
  Restored,
  TargetChange,
  TargetContext,
  TargetDriver,
  TargetPlan,
  TargetSpec,
} from "./target.ts";

const schema: z.ZodType<DatabaseConfig> = z.strictObject({
  connection_string: z.string().refine((it) => engineOf(it) !== undefined, {
    message:
      "must begin with postgresql://, postgres://, mysql://, mariadb://, sqlite://, redis:// or rediss://",
  }).describe("For example postgresql://user@host/database, sqlite:///path, redis://host:6379"),
  database_name: z.string().min(1).optional().describe("Where the connection string names none"),
  password_file: z.string().min(1).optional().describe(
    "A file with the password",
  ),
  backup_file: z.string().min(1).optional().describe("A file that gets a further copy of each dump"),
  jobs: z.number().int().min(1).max(64).optional().describe(
    "Tables that PostgreSQL restores at the same time. Default: 1",
  ),
});

type Target = TargetSpec<DatabaseConfig>;

export const driver: TargetDriver<DatabaseConfig> = {
  type: "database",
  summary: "A database: PostgreSQL, MariaDB or MySQL, SQLite, or a Redis server",
  schema,
  restoreMethod: "database_restore",
  undo: (config) => engineFor(config).undo,
  programs: (config) => engineFor(config).programs,
  capture,
  plan,
  restore,
  fingerprint,
  diff,
  exportTo,
  finish,
};

function engineFor(config: DatabaseConfig): Engine {
  const name = engineOf(config.connection_string);
  if (name === undefined) throw new UsageError("The connection string is of no database that backout knows");
  return engines[name];
}

/** The tag is the same for every restore of this target: what a killed one left behind is found by the next. */
function open(target: Target, context: TargetContext): Database {
  return {
    connection: parseConnection(target.config, context.folder, context.env),
    tag: sha256Hex(`${context.folder}\0${target.name}`).slice(0, 8),
    jobs: target.config.jobs ?? 1,
  };
}

async function capture(target: Target, context: CaptureContext): Promise<Captured> {
  const database = open(target, context);
  const engine = engineFor(target.config);
  const { backup_file: file, database_name: name } = target.config;
  const shot = file === undefined
    ? await engine.capture(database, context)
    : await captureWithCopy(engine, database, context, isAbsolute(file) ? file : join(context.folder, file));
  return {
    method: "database_backup",
    metadata: {
      database_name: name ?? (database.connection.database || null),
      engine: engine.name,
      location: database.connection.label,
      ...shot.metadata,
      ...(file === undefined ? {} : { backup_file: file }),
    },
    state: shot.state as unknown as JsonObject,
    roots: shot.state.dumps.map(({ content }) => ({ kind: "content", content })),
    fingerprint: fingerprintOf(shot.state.parts),
    files: shot.state.dumps.length,
    bytes: shot.bytes,
    warnings: shot.warnings,
  };
}

async function captureWithCopy(
  engine: Engine,
  database: Database,
  context: CaptureContext,
  path: string,
): Promise<EngineShot> {
  using copy = new ExportedCopy(path);
  const shot = await engine.capture(database, { ...context, writer: copyingWriter(context.writer, copy) });
  copy.finish();
  return shot;
}

async function plan(target: Target, saved: SavedTarget, context: PlanContext): Promise<TargetPlan> {
  const state = stateFor(target, saved);
  const database = open(target, context);
  const { label } = database.connection;
  const checked = await engineFor(target.config).plan(database, state, context);
  const nothing = { uncommitted: [], problems: checked.problems };
  if (checked.problems.length > 0) {
    const changes: TargetChange[] = [{ action: "replace", path: label, bytes: saved.bytes }];
    return { ...nothing, changes, summary: `restore ${label}`, warnings: checked.warnings };
  }
  let now: Parts | undefined;
  const warnings = [...checked.warnings];
  try {
    now = await engineFor(target.config).parts(database, context);
  } catch (error) {
    if (!(error instanceof RollbackBackupError)) throw error;
    warnings.push(`${error.message}: it is replaced whole`);
  }
  const changes = now === undefined ? wholeChange(label, saved) : changesOf(now, state.parts, label);
  if (changes.length === 0) {
    return { ...nothing, changes, summary: `${label} is as it was saved`, warnings: [] };
  }
  const facts = [`${saved.bytes} bytes of dump`, ...checked.facts].join(", ");
  return {
    ...nothing,
    changes,
    summary: `restore ${label}: ${changes.length} ${
      changes.length === 1 ? "difference" : "differences"
    } (${facts})`,
    warnings,
  };
}

function wholeChange(label: string, saved: SavedTarget): readonly TargetChange[] {
  return [{ action: "create", path: label, bytes: saved.bytes }];
}

/** From what is there to what is wanted. */
function changesOf(from: Parts, to: Parts, label: string): readonly TargetChange[] {
  return differingParts(from, to).map((name) => ({
    action: from[name] === undefined ? "create" : to[name] === undefined ? "remove" : "replace",
    path: `${label}: ${name}`,
    ...(isCount(from[name]) || isCount(to[name])
      ? { detail: `${countOf(from[name])} to ${countOf(to[name])}` }
      : {}),
  }));
}

function isCount(value: string | undefined): boolean {
  return /^\d+ \w+,/.test(value ?? "");
}

function countOf(value: string | undefined): string {
  return value === undefined ? "none" : value.split(",")[0]!.replace(/^1 rows$/, "1 row");
}

async function restore(target: Target, saved: SavedTarget, context: RestoreContext): Promise<Restored> {
  const state = stateFor(target, saved);
  const database = open(target, context);
  if (context.options.paths.length > 0) {
    throw new UsageError(
      `Target ${target.name} is a database: it has no paths that could be restored alone`,
      {
        hint: "Leave --path away, or export the dump with --to and take from it what you need.",
      },
    );
  }
  const { changed, details, warnings } = await engineFor(target.config).restore(database, state, context);
  return {
    method: "database_restore",
    changed: changed ? 1 : 0,
    removed: 0,
    bytes: changed ? saved.bytes : 0,
    details,
    warnings,
  };
}

async function fingerprint(target: Target, context: TargetContext): Promise<string> {
  const database = open(target, context);
  const parts = await engineFor(target.config).parts(database, context);
  if (parts === undefined) {
    throw new RollbackVersionNotFoundError(`There is no database ${database.connection.label}`);
  }
  return fingerprintOf(parts);
}

async function diff(
  target: Target,
  from: SavedTarget,
  to: SavedTarget | undefined,
  context: PlanContext,
): Promise<readonly TargetChange[]> {
  const database = open(target, context);
  const after = to === undefined
    ? await engineFor(target.config).parts(database, context)
    : stateFor(target, to).parts;
  const before = stateFor(target, from).parts;
  return changesOf(before, after ?? {}, database.connection.label);
}

async function finish(target: Target, _saved: SavedTarget, context: TargetContext): Promise<void> {
  await engineFor(target.config).finish?.(open(target, context), context);
}

/** @throws {UsageError} the snapshot is of another database system than the configuration names now */
function stateFor(target: Target, saved: SavedTarget): DatabaseState {
  const state = readState(saved);
  if (state.engine !== engineOf(target.config.connection_string)) {
    throw new UsageError(`The snapshot of target ${target.name} is of a ${state.engine} database`, {
      hint: "The connection string names another kind of database now. Export the dump with --to instead.",
    });
  }
  return state;
}

async function exportTo(saved: SavedTarget, folder: string, context: PlanContext): Promise<Restored> {
  const state = readState(saved);
  const name = fileName(state.dumps[0]!.name);
  const path = join(folder, name);
  if (lstat(path) !== undefined) throw new UsageError(`Cannot export to ${path}: it is already there`);
  using copy = new ExportedCopy(path);
  for (const { content } of state.dumps) {
    for await (const chunk of context.store.readStream(content)) copy.write(chunk);
  }
  copy.finish();
  return {
    method: "database_export",
    changed: 1,
    removed: 0,
    bytes: saved.bytes,
    details: { file: name },
    warnings: [],
  };
}

/** The name of a database can be anything; that of a file cannot. */
function fileName(name: string): string {
  const plain = basename(name.replaceAll("\0", "").replaceAll("/", "_"));
  return plain === "" || plain === "." || plain === ".." ? "database.dump" : plain;
}
