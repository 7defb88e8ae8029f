/** PostgreSQL: dumps by pg_dump in its custom format, uncompressed so that the store finds what did not change. */
import { statfsSync } from "node:fs";
import { RollbackBackupError, RollbackError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import type { ContentRef } from "#/store/model.ts";
import { ProgramError, programText, runProgram, streamProgram } from "#/target/run_program.ts";
import type { CaptureContext, PlanContext, TargetContext } from "#/target/target.ts";
import type { Database, DatabaseState, Engine, EnginePlan, EngineShot, Parts } from "./engine.ts";
import { readParts, readProperties } from "./postgres_parts.ts";
import { nameLiteral, POSTGRES_PACKAGE, postgresRequest, PostgresSession } from "./postgres_session.ts";
import { adminSession, databaseExists } from "./postgres_server.ts";
import type { Connection } from "./connection.ts";
import { Watched } from "./watched.ts";
import { finishPostgres, restorePostgres } from "./postgres_restore.ts";

/** Roles that must exist for a restore: owners, and whoever was granted something. */
const ROLES = `SELECT DISTINCT r.rolname AS name FROM pg_catalog.pg_roles r WHERE r.oid IN (
    SELECT refobjid FROM pg_catalog.pg_shdepend WHERE refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
      AND dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    UNION SELECT relowner FROM pg_catalog.pg_class WHERE relowner <> 10
    UNION SELECT datdba FROM pg_catalog.pg_database WHERE datname = current_database()) ORDER BY 1`;

const FACTS =
  `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
  pg_catalog.pg_database_size(current_database())::bigint AS bytes,
  (SELECT coalesce(json_agg(extname || ' ' || extversion ORDER BY extname), '[]')
    FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql') AS extensions`;

interface Facts {
  readonly version: string;
  readonly number: number;
  readonly bytes: number;
  readonly extensions: readonly string[];
}

export const postgres: Engine = {
  name: "PostgreSQL",
  undo: "exact",
  programs: ["pg_dump", "pg_restore", "psql"].map((program) => ({ program, package: POSTGRES_PACKAGE })),
  capture,
  parts: currentParts,
  plan,
  restore: restorePostgres,
  finish: finishPostgres,
};

async function capture(database: Database, context: CaptureContext): Promise<EngineShot> {
  const { connection } = database;
  try {
    await using session = await PostgresSession.open(connection, context, connection.database);
    // pg_dump and the digests of the rows see the same moment.
    await session.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    const [held] = await session.rows<{ id: string }>("SELECT pg_catalog.pg_export_snapshot() AS id");
    const content = await dump(held!.id, connection, context);
    const { parts, rows, sequences } = await readParts(
      session,
      connection,
      context,
      connection.database,
      held!.id,
    );
    const [facts] = await session.rows<Facts>(FACTS);
    const roles = (await session.rows<{ name: string }>(ROLES)).map((it) => it.name);
    const properties = await readProperties(session, connection.database);
    const details = {
      version: facts!.version,
      number: facts!.number,
      bytes: facts!.bytes,
      roles,
      properties,
      sequences,
    };
    return {
      state: {
        format: 1,
        engine: "postgresql",
        parts,
        dumps: [{ name: `${connection.database}.dump`, content }],
        details: details as unknown as JsonObject,
      },
      metadata: {
        server_version: facts!.version,
        client_version: (await programText(postgresRequest("pg_dump", ["--version"], connection, context)))
          .trim(),
        encoding: properties!.encoding,
        size_bytes: facts!.bytes,
        extensions: facts!.extensions,
        row_counts: rows,
      },
      warnings: [],
      bytes: content.size,
    };
  } catch (error) {
    throw await captureError(database, context, error);
  }
}

/**
 * Dumps into the store. On its way pg_restore reads all of it, so that a dump that is not whole is none.
 * Large objects, owners and grants are in it; nothing is asked for on a terminal.
 */
async function dump(snapshot: string, connection: Connection, context: CaptureContext): Promise<ContentRef> {
  const args = ["--format=custom", "--compress=0", "--blobs", "--no-password", `--snapshot=${snapshot}`];
  const doing = `dump ${connection.label}`;
  const copy = new TransformStream<Uint8Array, Uint8Array>();
  const checked = runProgram({
    program: "pg_restore",
    args: ["--file=/dev/null"],
    package: POSTGRES_PACKAGE,
    context,
    stdin: copy.readable,
    doing: "read the dump again",
  });
  checked.catch(() => {}); // when the dump itself fails, that is what counts
  const watched = new Watched(
    streamProgram({ ...postgresRequest("pg_dump", args, connection, context), doing }),
    copy.writable,
  );
  const content = await context.writer.addStream(watched.stream, { signal: context.signal });
  await checked;
  return content;
}

async function captureError(database: Database, context: CaptureContext, error: unknown): Promise<unknown> {
  if (!(error instanceof ProgramError) || error.end === "missing") return error;
  context.signal.throwIfAborted();
  const { connection } = database;
  if (await databaseExists(connection, context) === false) {
    return new RollbackVersionNotFoundError(`There is no database ${connection.label}`, {
      hint: "Check the name in the connection string, or database_name.",
      cause: error,
    });
  }
  return new RollbackBackupError(`Cannot dump ${connection.label}: ${error.message}`, {
    hint: hintFor(error.stderr),
    cause: error,
  });
}

/** What a person does about the usual refusals. */
export function hintFor(said: string): string {
  if (/password authentication failed|no password supplied/.test(said)) {
    return "Check user and password (connection string, PGPASSWORD, password_file or ~/.pgpass).";
  }
  if (/server version mismatch/.test(said)) {
    return "The server is newer than pg_dump here: install the client of its version (postgresql-client-NN).";
  }
  if (/No such file|Connection refused|could not connect|timeout/i.test(said)) {
    return "Is the server running, and are host and port right?";
  }
  if (/permission denied/.test(said)) {
    return "The user needs to read all of it: the database's owner or a superuser.";
  }
  return "Nothing was changed. Look at the server's log for more.";
}

async function currentParts(database: Database, context: TargetContext): Promise<Parts | undefined> {
  const { connection } = database;
  try {
    await using session = await PostgresSession.open(connection, context, connection.database);
    await session.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    const [held] = await session.rows<{ id: string }>("SELECT pg_catalog.pg_export_snapshot() AS id");
    return (await readParts(session, connection, context, connection.database, held!.id)).parts;
  } catch (error) {
    if (!(error instanceof ProgramError) || error.end === "missing") throw error;
    context.signal.throwIfAborted();
    if (await databaseExists(connection, context) === false) return undefined;
    throw new RollbackError(`Cannot read ${connection.label}: ${error.message}`, {
      hint: hintFor(error.stderr),
      cause: error,
    });
  }
}

interface ServerFacts {
  readonly number: number;
  readonly version: string;
  readonly may_create: boolean;
  readonly superuser: boolean;
  readonly roles: readonly string[];
  readonly prepared: number;
  readonly sessions: number;
  readonly slots: number;
  readonly beside: readonly string[];
  readonly folder: string | null;
}

async function plan(database: Database, state: DatabaseState, context: PlanContext): Promise<EnginePlan> {
  const { connection } = database;
  const problems: string[] = [];
  const warnings: string[] = [];
  let facts: ServerFacts;
  try {
    await using admin = await adminSession(connection, context);
    facts = await serverFacts(admin, database);
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    return { facts: [], problems: [`${error.message} (${error.hint ?? hintFor(error.stderr)})`], warnings };
  }
  const saved = state.details as {
    number?: number;
    version?: string;
    roles?: readonly string[];
    bytes?: number;
  };
  if (!facts.may_create) {
    problems.push(`the user may not create databases: ALTER ROLE ${connection.user ?? "…"} CREATEDB`);
  }
  const missing = (saved.roles ?? []).filter((role) => !facts.roles.includes(role));
  if (missing.length > 0) {
    problems.push(`roles that own parts of it do not exist: ${missing.join(", ")} (CREATE ROLE first)`);
  }
  if (facts.prepared > 0) {
    problems.push(
      `${facts.prepared} prepared transactions hold the database (COMMIT PREPARED or ROLLBACK PREPARED first)`,
    );
  }
  const before = Math.floor((saved.number ?? 0) / 10000);
  const now = Math.floor(facts.number / 10000);
  if (before > now) {
    problems.push(
      `the dump is of PostgreSQL ${saved.version}, the server is ${facts.version}: an older server cannot take it`,
    );
  } else if (before !== now) {
    warnings.push(`the dump is of PostgreSQL ${saved.version}, the server is ${facts.version}`);
  }
  if (facts.sessions > 0) {
    warnings.push(`${facts.sessions} open connections to ${connection.database} will be ended`);
  }
  if (facts.slots > 0) {
    warnings.push(`${facts.slots} logical replication slots stay with the replaced database and are lost`);
  }
  if (facts.beside.length > 0) warnings.push(`an earlier restore left ${facts.beside.join(", ")}`);
  problems.push(...spaceProblem(facts.folder, saved.bytes ?? 0));
  return { facts: [`PostgreSQL ${facts.version}`], problems, warnings };
}

async function serverFacts(admin: PostgresSession, database: Database): Promise<ServerFacts> {
  const name = database.connection.database;
  const [row] = await admin.rows<ServerFacts>(`WITH target AS (SELECT ${nameLiteral(name)} AS name)
    SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
      r.rolcreatedb OR r.rolsuper AS may_create, r.rolsuper AS superuser,
      (SELECT json_agg(rolname) FROM pg_catalog.pg_roles) AS roles,
      (SELECT count(*) FROM pg_catalog.pg_prepared_xacts x WHERE x.database = t.name) AS prepared,
      (SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a.datname = t.name) AS sessions,
      (SELECT count(*) FROM pg_catalog.pg_replication_slots s WHERE s.database = t.name) AS slots,
      (SELECT coalesce(json_agg(datname), '[]') FROM pg_catalog.pg_database
        WHERE datname ~ '_(backout|old|away)_[0-9a-f]{8}$' AND starts_with(datname, t.name || '_')
          AND NOT right(datname, 8) = '${database.tag}') AS beside,
      CASE WHEN r.rolsuper THEN current_setting('data_directory') END AS folder
    FROM pg_catalog.pg_roles r, target t WHERE r.rolname = current_user`);
  return row!;
}

/** Only where the server's folder is on this machine and may be looked at. */
function spaceProblem(folder: string | null, needed: number): readonly string[] {
  if (folder === null) return [];
  try {
    const { bavail, bsize } = statfsSync(folder);
    const free = bavail * bsize;
    return free >= needed
      ? []
      : [`the server's disk has ${free} bytes free, the database needs about ${needed}`];
  } catch {
    return []; // the server is elsewhere
  }
}
