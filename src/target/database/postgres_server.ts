/** What is done on a PostgreSQL server from beside a database: it exists, is created, renamed, dropped. */
import { ProgramError } from "#/target/run_program.ts";
import type { TargetContext } from "#/target/target.ts";
import type { Connection } from "./connection.ts";
import { nameLiteral, PostgresSession, quoteName } from "./postgres_session.ts";

/** Databases that every server has, to work from beside the target. */
const MAINTENANCE = ["postgres", "template1"];

/** A session that is not in the target's database. @throws {ProgramError} */
export async function adminSession(connection: Connection, context: TargetContext): Promise<PostgresSession> {
  let failure: unknown;
  for (const name of MAINTENANCE.filter((it) => it !== connection.database)) {
    try {
      return await PostgresSession.open(connection, context, name);
    } catch (error) {
      if (!(error instanceof ProgramError) || error.end === "missing") throw error;
      failure ??= error;
    }
  }
  throw failure;
}

/** Undefined where the server does not tell. */
export async function databaseExists(
  connection: Connection,
  context: TargetContext,
): Promise<boolean | undefined> {
  try {
    await using admin = await adminSession(connection, context);
    return (await databaseNames(admin)).has(connection.database);
  } catch (error) {
    if (error instanceof ProgramError) return undefined;
    throw error;
  }
}

export async function databaseNames(admin: PostgresSession): Promise<ReadonlySet<string>> {
  const rows = await admin.rows<{ name: string }>("SELECT datname AS name FROM pg_catalog.pg_database");
  return new Set(rows.map((it) => it.name));
}

/** Ends who is connected, then drops. No error when it is not there. */
export async function dropDatabase(admin: PostgresSession, name: string): Promise<void> {
  if (!(await databaseNames(admin)).has(name)) return;
  await closeDatabase(admin, name);
  await admin.run(`DROP DATABASE IF EXISTS ${quoteName(name)}`);
}

/** Nobody can connect any more, and who was connected is gone. */
export async function closeDatabase(admin: PostgresSession, name: string): Promise<void> {
  await admin.run(`ALTER DATABASE ${quoteName(name)} WITH ALLOW_CONNECTIONS false`);
  for (let round = 0; round < 100; round++) {
    const [left] = await admin.rows<{ n: number }>(`SELECT count(pg_catalog.pg_terminate_backend(a.pid)) AS n
      FROM pg_catalog.pg_stat_activity a WHERE a.datname = ${nameLiteral(name)}`);
    if (left!.n === 0) return;
    await admin.run("SELECT pg_catalog.pg_sleep(0.05)");
  }
}

export async function openDatabase(admin: PostgresSession, name: string): Promise<void> {
  await admin.run(`ALTER DATABASE ${quoteName(name)} WITH ALLOW_CONNECTIONS true`);
}
