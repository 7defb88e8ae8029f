/** The moment in which a restored schema becomes the live one, and what is dropped and made anew around it. */
import { RollbackError } from "#/core/errors.ts";
import { ProgramError, programText, runProgram } from "#/target/run_program.ts";
import type { RestoreContext, TargetContext } from "#/target/target.ts";
import type { Connection } from "./connection.ts";
import type { Database } from "./engine.ts";
import { listObjects, listTables } from "./mariadb_parts.ts";
import { mariadbRequest, MariadbSession, quoteName } from "./mariadb_session.ts";

/** How long others may hold the tables before they are ended, in seconds. */
const PATIENCE_SECONDS = 2;
const LOCK_SECONDS = 60;

/** Names of the schemas that a restore makes beside the live one. */
export interface Names {
  readonly live: string;
  readonly staging: string;
  readonly old: string;
  readonly away: string;
}

export interface Swap {
  readonly from: string;
  readonly keep: string;
}

/** All tables of `from` become live and those that were live go to `keep`, in one statement. */
export async function swapTables(
  database: Database,
  names: Names,
  swap: Swap,
  context: RestoreContext,
): Promise<void> {
  const before = await dumpObjects(database.connection, context);
  try {
    if (await tryToSwap(database, names, swap, PATIENCE_SECONDS, context)) return;
    {
      await using session = await MariadbSession.open(database.connection, context);
      await endSessions(session, names.live, database.connection, context);
    }
    if (await tryToSwap(database, names, swap, LOCK_SECONDS, context)) return;
    throw new RollbackError(`Cannot swap the tables of ${database.connection.label}: somebody holds them`, {
      hint: "See SHOW PROCESSLIST for long transactions; end them, then restore again.",
    });
  } catch (error) {
    // The tables are the live ones still: so are their triggers and views again.
    if (!context.signal.aborted) await putObjectsBack(before, database, context);
    throw error;
  }
}

async function putObjectsBack(
  statements: string,
  database: Database,
  context: RestoreContext,
): Promise<void> {
  await runProgram({
    ...mariadbRequest("mariadb", clientArguments(database.connection.database), database.connection, context),
    stdin: new TextEncoder().encode(statements),
  });
}

/** False where somebody holds a table for too long. */
async function tryToSwap(
  database: Database,
  names: Names,
  { from, keep }: Swap,
  seconds: number,
  context: RestoreContext,
): Promise<boolean> {
  await using session = await MariadbSession.open(database.connection, context, names.live);
  await session.run(`SET SESSION lock_wait_timeout = ${seconds}`);
  const live = await tablesOf(session, names.live);
  const restored = await tablesOf(session, from);
  await session.run(`USE ${quoteName(names.live)}`);
  const { events, triggers, views } = await listObjects(session);
  const move = (table: string, source: string, target: string) =>
    `${quoteName(source)}.${quoteName(table)} TO ${quoteName(target)}.${quoteName(table)}`;
  const moves = [
    ...live.map((it) => move(it, names.live, keep)),
    ...restored.map((it) => move(it, from, names.live)),
  ];
  try {
    for (const name of events) await session.run(`DROP EVENT IF EXISTS ${quoteName(name)}`);
    for (const name of triggers) await session.run(`DROP TRIGGER IF EXISTS ${quoteName(name)}`);
    for (const name of views) await session.run(`DROP VIEW IF EXISTS ${quoteName(name)}`);
    if (moves.length > 0) await session.run(`RENAME TABLE ${moves.join(", ")}`);
    return true;
  } catch (error) {
    if (error instanceof ProgramError && /ERROR 1205\b|Lock wait timeout/.test(error.stderr)) return false;
    throw error;
  }
}

async function tablesOf(session: MariadbSession, schema: string): Promise<readonly string[]> {
  await session.run(`USE ${quoteName(schema)}`);
  return (await listTables(session)).filter((it) => it.kind !== "VIEW").map((it) => it.name);
}

/** Routines, triggers, events, then views: statements that replace what is there. */
export async function dumpObjects(connection: Connection, context: TargetContext): Promise<string> {
  await using session = await MariadbSession.open(connection, context, connection.database);
  const all = await listTables(session);
  const common = ["--no-data", "--set-charset", "--skip-dump-date", "--add-drop-table"];
  const dump = (args: readonly string[]) =>
    programText({
      ...mariadbRequest("mariadb-dump", [...common, ...args], connection, context),
      doing: `dump the definitions of ${connection.label}`,
    });
  const kinds = [
    "--no-create-info",
    "--routines",
    "--triggers",
    "--events",
    "--add-drop-trigger",
    "--skip-lock-tables",
  ];
  const objects = await dump([...kinds, "--", connection.database]);
  if (all.every((it) => it.kind !== "VIEW")) return objects;
  // Views by leaving out the rest: mariadb-dump reads a quote in the schema's name wrongly where tables are named.
  const others = all.filter((it) => it.kind !== "VIEW").map((it) =>
    `--ignore-table=${connection.database}.${it.name}`
  );
  return objects +
    await dump(["--skip-triggers", "--skip-lock-tables", ...others, "--", connection.database]);
}

/** Ends everybody else who works in a schema, and waits until they are gone. */
export async function endSessions(
  session: MariadbSession,
  schema: string,
  connection: Connection,
  context: TargetContext,
): Promise<void> {
  for (let round = 0; round < 100; round++) {
    const open = await session.rows<[number, string | null]>(
      "SELECT JSON_ARRAY(ID, DB) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID()",
    );
    const theirs = open.filter(([, db]) => db === schema).map(([id]) => `KILL ${Math.trunc(id)}`);
    if (theirs.length === 0) return;
    // Some may have ended by themselves just now: that is no failure.
    const args = ["--batch", "--force", `--execute=${theirs.join("; ")}`];
    await runProgram({ ...mariadbRequest("mariadb", args, connection, context), okCodes: [0, 1] });
    await session.run("DO SLEEP(0.05)");
  }
}

/** No events, triggers or foreign keys at work while it loads: those of the dump itself say so. */
export function clientArguments(schema: string): readonly string[] {
  return ["--batch", "--max-allowed-packet=1G", `--database=${schema}`];
}
