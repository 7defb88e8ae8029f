/**
 * MariaDB and MySQL: tables and rows dumped by mariadb-dump in one transaction; triggers, routines, events and views as
 * dumps of their own, so that a restore can swap the tables first.
 */
import { RollbackBackupError, RollbackError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import type { ContentRef } from "#/store/model.ts";
import { ProgramError, programText, streamProgram } from "#/target/run_program.ts";
import type { CaptureContext, PlanContext, TargetContext } from "#/target/target.ts";
import type { Connection } from "./connection.ts";
import type { Database, DatabaseState, Engine, EnginePlan, EngineShot, Parts } from "./engine.ts";
import { listTables, readObjectParts, readTableParts, type TableFacts } from "./mariadb_parts.ts";
import { finishMariadb, restoreMariadb, schemaExists } from "./mariadb_restore.ts";
import { MARIADB_PACKAGE, mariadbRequest, MariadbSession } from "./mariadb_session.ts";
import { dumpObjects } from "./mariadb_swap.ts";
import { Watched } from "./watched.ts";

/** How long writers are held, at most, so that dump and digests are of one moment; in seconds. */
const HOLD_SECONDS = 3;
const TRANSACTIONAL = new Set(["InnoDB", "ROCKSDB", "TokuDB", "SEQUENCE"]);

export const mariadb: Engine = {
  name: "MariaDB",
  undo: "exact",
  programs: ["mariadb", "mariadb-dump"].map((program) => ({ program, package: MARIADB_PACKAGE })),
  capture,
  parts: currentParts,
  plan,
  restore: restoreMariadb,
  finish: finishMariadb,
};

async function capture(database: Database, context: CaptureContext): Promise<EngineShot> {
  const { connection } = database;
  if (/['"\\]/.test(connection.database)) {
    throw new RollbackBackupError(
      `Cannot dump ${connection.label}: mariadb-dump misreads a quote in a schema's name`,
      {
        hint: "Rename the schema, or leave the target out.",
      },
    );
  }
  try {
    await using session = await MariadbSession.open(connection, context, connection.database);
    const tables = await listTables(session);
    const warnings: string[] = [];
    const { content, held } = await dumpTables(session, tables, connection, context);
    if (!held) warnings.push(`${connection.label}: ${NOT_HELD}`);
    const others = tables.filter((it) => it.engine !== null && !TRANSACTIONAL.has(it.engine)).map((it) =>
      it.name
    );
    if (others.length > 0) {
      warnings.push(
        `${connection.label}: tables without transactions may be of a later moment: ${others.join(", ")}`,
      );
    }
    const versioned = tables.filter((it) => it.kind === "SYSTEM VERSIONED").map((it) => it.name);
    if (versioned.length > 0) {
      warnings.push(`${connection.label}: the history of ${versioned.join(", ")} is not dumped`);
    }
    const { parts, rows } = await readTableParts(session);
    await session.run("COMMIT");
    const objects = await readObjectParts(session);
    const definitions = await dumpObjects(connection, context);
    const contents = [content, await context.writer.addBytes(new TextEncoder().encode(definitions))];
    const details = await serverFacts(session);
    return {
      state: {
        format: 1,
        engine: "mysql",
        parts: { ...parts, ...objects },
        dumps: contents.map((it) => ({ name: `${connection.database}.sql`, content: it })),
        details: details as unknown as JsonObject,
      },
      metadata: {
        server_version: details.version,
        client_version:
          (await programText(mariadbRequest("mariadb-dump", ["--version"], connection, context))).trim(),
        encoding: details.charset,
        size_bytes: details.bytes,
        row_counts: rows,
      },
      warnings,
      bytes: contents.reduce((sum, it) => sum + it.size, 0),
    };
  } catch (error) {
    throw await failureOf("dump", database, context, error);
  }
}

const NOT_HELD =
  "writers could not be held for the moment in which the dump began (this needs the privilege RELOAD): " +
  "if something was written in that moment, the check after a restore says so";

/** The dump, and a transaction in the session that sees what the dump sees. */
async function dumpTables(
  session: MariadbSession,
  tables: readonly TableFacts[],
  connection: Connection,
  context: CaptureContext,
): Promise<{ readonly content: ContentRef; readonly held: boolean }> {
  const views = tables.filter((it) => it.kind === "VIEW").map((it) =>
    `--ignore-table=${connection.database}.${it.name}`
  );
  const args = [
    "--single-transaction",
    "--quick",
    "--hex-blob",
    "--skip-triggers",
    "--skip-dump-date",
    ...views,
  ];
  const request = {
    ...mariadbRequest(
      "mariadb-dump",
      [...args, "--max-allowed-packet=1G", "--", connection.database],
      connection,
      context,
    ),
    doing: `dump ${connection.label}`,
  };
  await using holder = await holdWriters(connection, context);
  const dump = new Watched(streamProgram(request));
  const stored = context.writer.addStream(dump.stream, { signal: context.signal });
  stored.catch(() => {});
  // The first of its output comes after its transaction has begun.
  await Promise.race([dump.first, stored]);
  await session.run("START TRANSACTION WITH CONSISTENT SNAPSHOT");
  await holder?.[Symbol.asyncDispose]();
  const content = await stored;
  if (!dump.tail().trimEnd().endsWith("-- Dump completed")) {
    throw new RollbackBackupError(`The dump of ${connection.label} is not whole: its last line is missing`, {
      hint: "Nothing was kept. Look at the server's log and try again.",
    });
  }
  return { content, held: holder !== undefined };
}

/** A session that holds all writers as long as it is open; undefined where that is not permitted or takes too long. */
async function holdWriters(
  connection: Connection,
  context: TargetContext,
): Promise<MariadbSession | undefined> {
  const holder = await MariadbSession.open(connection, context);
  try {
    await holder.run(`SET SESSION lock_wait_timeout = ${HOLD_SECONDS}`);
    await holder.run("FLUSH TABLES WITH READ LOCK");
    return holder;
  } catch (error) {
    await holder[Symbol.asyncDispose]();
    if (!(error instanceof ProgramError)) throw error;
    return undefined;
  }
}

interface ServerFacts {
  readonly version: string;
  readonly charset: string;
  readonly collation: string;
  readonly bytes: number;
}

async function serverFacts(session: MariadbSession): Promise<ServerFacts> {
  const [row] = await session.rows<ServerFacts>(`SELECT JSON_OBJECT('version', VERSION(),
    'charset', s.DEFAULT_CHARACTER_SET_NAME, 'collation', s.DEFAULT_COLLATION_NAME,
    'bytes', (SELECT COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) FROM information_schema.TABLES t
      WHERE t.TABLE_SCHEMA = DATABASE())) FROM information_schema.SCHEMATA s WHERE s.SCHEMA_NAME = DATABASE()`);
  return row!;
}

async function currentParts(database: Database, context: TargetContext): Promise<Parts | undefined> {
  const { connection } = database;
  try {
    await using session = await MariadbSession.open(connection, context);
    if (!await schemaExists(session, connection.database)) return undefined;
    await session.run(`USE ${quoted(connection)}`);
    await session.run("START TRANSACTION WITH CONSISTENT SNAPSHOT");
    const { parts } = await readTableParts(session);
    return { ...parts, ...await readObjectParts(session) };
  } catch (error) {
    throw await failureOf("read", database, context, error);
  }
}

function quoted(connection: Connection): string {
  return `\`${connection.database.replaceAll("`", "``")}\``;
}

async function failureOf(
  doing: "dump" | "read",
  { connection }: Database,
  context: TargetContext,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof ProgramError) || error.end === "missing") return error;
  context.signal.throwIfAborted();
  if (/ERROR 1049\b|Unknown database/.test(error.stderr)) {
    return new RollbackVersionNotFoundError(`There is no database ${connection.label}`, {
      hint: "Check the name in the connection string, or database_name.",
      cause: error,
    });
  }
  const Failure = doing === "dump" ? RollbackBackupError : RollbackError;
  return await Promise.resolve(
    new Failure(`Cannot ${doing} ${connection.label}: ${error.message}`, {
      hint: hintFor(error.stderr),
      cause: error,
    }),
  );
}

function hintFor(said: string): string {
  if (/Access denied for user .* \(using password/.test(said)) {
    return "Check user and password (connection string, MYSQL_PWD or password_file).";
  }
  if (/Can't connect|Lost connection|Unknown (MySQL )?server host/i.test(said)) {
    return "Is the server running, and are host, port or socket right?";
  }
  if (/denied/.test(said)) {
    return "The user needs SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES and reading routines on it.";
  }
  return "Nothing was changed. Look at the server's log for more.";
}

interface PlanFacts {
  readonly version: string;
  readonly sessions: number;
  readonly foreign: number;
}

async function plan(database: Database, state: DatabaseState, context: PlanContext): Promise<EnginePlan> {
  const { connection } = database;
  const saved = state.details as { version?: string };
  const problems: string[] = [];
  const warnings: string[] = [];
  let facts: PlanFacts;
  try {
    await using session = await MariadbSession.open(connection, context);
    facts = await planFacts(session, connection);
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    return { facts: [], problems: [`${error.message} (${error.hint ?? hintFor(error.stderr)})`], warnings };
  }
  const [before, now] = [saved.version ?? "", facts.version];
  if (isMariadb(before) !== isMariadb(now)) warnings.push(`the dump is of ${before}, the server is ${now}`);
  else if (majorOf(before) > majorOf(now)) {
    problems.push(`the dump is of version ${before}, the server is ${now}: an older server may not take it`);
  } else if (majorOf(before) !== majorOf(now)) {
    warnings.push(`the dump is of ${before}, the server is ${now}`);
  }
  if (facts.foreign > 0) {
    problems.push(
      `${facts.foreign} foreign keys of other schemas point to tables of it: drop them first, add them after`,
    );
  }
  if (facts.sessions > 0) {
    warnings.push(
      `${facts.sessions} connections are open; those that hold its tables for more than a few seconds are ended`,
    );
  }
  return { facts: [`server ${facts.version}`], problems, warnings };
}

async function planFacts(session: MariadbSession, connection: Connection): Promise<PlanFacts> {
  const name = `CONVERT(0x${hex(connection.database)} USING utf8mb4) COLLATE utf8mb4_bin`;
  const [row] = await session.rows<PlanFacts>(`SELECT JSON_OBJECT('version', VERSION(),
    'sessions', (SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = ${name} AND ID <> CONNECTION_ID()),
    'foreign', (SELECT COUNT(*) FROM information_schema.KEY_COLUMN_USAGE
      WHERE REFERENCED_TABLE_SCHEMA = ${name} AND TABLE_SCHEMA <> ${name}
        AND TABLE_SCHEMA NOT REGEXP '_(backout|old|away)_[0-9a-f]{8}$'))`);
  return row!;
}

function hex(text: string): string {
  return [...new TextEncoder().encode(text)].map((it) => it.toString(16).padStart(2, "0")).join("");
}

function isMariadb(version: string): boolean {
  return /mariadb/i.test(version);
}

/** Major and minor version as one number. */
function majorOf(version: string): number {
  const [, major = "0", minor = "0"] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) * 1000 + Number(minor);
}
