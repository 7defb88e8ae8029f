/**
 * Takes a schema of MariaDB or MySQL back. A schema cannot be renamed: the tables are loaded into a schema beside it,
 * compared with what was saved, and swapped with the live ones by one RENAME TABLE. What cannot move with a table
 * (triggers, views, routines, events) is dropped right before, and made anew right after.
 */
import { RollbackError } from "#/core/errors.ts";
import { runProgram } from "#/target/run_program.ts";
import type { RestoreContext, TargetContext } from "#/target/target.ts";
import {
  besideName,
  compareRestored,
  type Database,
  type DatabaseState,
  differingParts,
  type EngineRestored,
  type Parts,
} from "./engine.ts";
import { listObjects, readObjectParts, readTableParts } from "./mariadb_parts.ts";
import { mariadbRequest, MariadbSession, quoteName } from "./mariadb_session.ts";
import { clientArguments, endSessions, type Names, swapTables } from "./mariadb_swap.ts";

/** Bytes that are safe for a name of 64 characters. */
const MAX_NAME = 64;
/** How long a restore that was killed is waited for, in seconds. */
const LOCK_SECONDS = 60;

function namesOf({ connection, tag }: Database): Names {
  const beside = (what: "backout" | "old" | "away") => besideName(connection.database, what, tag, MAX_NAME);
  return { live: connection.database, staging: beside("backout"), old: beside("old"), away: beside("away") };
}

/** As bytes: names of schemas are compared as they are written. */
export async function schemaExists(session: MariadbSession, name: string): Promise<boolean> {
  const all = await session.rows<[string]>("SELECT JSON_ARRAY(SCHEMA_NAME) FROM information_schema.SCHEMATA");
  return all.some(([it]) => it === name);
}

export async function restoreMariadb(
  database: Database,
  state: DatabaseState,
  context: RestoreContext,
): Promise<EngineRestored> {
  const names = namesOf(database);
  const { connection } = database;
  await using session = await MariadbSession.open(connection, context);
  await lockOut(session, database, names, context);
  const beside = [names.staging, names.old, names.away];
  const again = await anyExists(session, beside);
  if (await schemaExists(session, names.live) && await isSaved(session, names.live, state.parts)) {
    for (const name of beside) await dropSchema(session, name);
    return { changed: false, details: {}, warnings: [] };
  }
  const { charset, collation } = wordsOf(state);
  const create = (name: string) =>
    session.run(
      `CREATE DATABASE IF NOT EXISTS ${quoteName(name)} CHARACTER SET ${charset} COLLATE ${collation}`,
    );
  await dropSchema(session, names.staging);
  await dropSchema(session, names.away);
  const back = await schemaExists(session, names.old) && await hasTables(session, names.old, state.parts);
  const from = back ? names.old : names.staging;
  const keep = await schemaExists(session, names.old) ? names.away : names.old;
  const warnings: string[] = [];
  try {
    if (!back) {
      await create(names.staging);
      await load(names.staging, state, database, context);
      await setCounters(session, names.staging, state.parts);
      const { parts } = await partsIn(session, names.staging);
      const differs = compareRestored(connection.label, tableParts(state.parts), parts);
      if (differs !== undefined) warnings.push(differs);
    }
    await create(names.live);
    await create(keep);
    await swapTables(database, names, { from, keep }, context);
  } catch (error) {
    if (!context.signal.aborted) await dropStaging(database, names, context);
    throw error;
  }
  await session.run(`ALTER DATABASE ${quoteName(names.live)} CHARACTER SET ${charset} COLLATE ${collation}`);
  await removeLaterRoutines(session, names.live, state.parts);
  await makeObjects(state, database, context);
  await dropSchema(session, names.staging);
  if (again || back) { for (const name of [names.old, names.away]) await dropSchema(session, name); }
  return { changed: true, details: { database: names.live, renamed_back: back }, warnings };
}

/** After the commit: what was live before is not needed any more. */
export async function finishMariadb(database: Database, context: TargetContext): Promise<void> {
  const names = namesOf(database);
  await using session = await MariadbSession.open(database.connection, context);
  for (const name of [names.old, names.staging, names.away]) await dropSchema(session, name);
}

/** Words of a manifest that stand in statements without quotes. */
function wordsOf(state: DatabaseState): { readonly charset: string; readonly collation: string } {
  const { charset, collation } = state.details as { charset?: unknown; collation?: unknown };
  const word = (it: unknown) => typeof it === "string" && /^\w+$/.test(it) ? it : undefined;
  const found = { charset: word(charset), collation: word(collation) };
  if (found.charset === undefined || found.collation === undefined) {
    throw new RollbackError("The snapshot does not say which character set the schema had");
  }
  return { charset: found.charset, collation: found.collation };
}

/** One restore at a time, also of one that was killed and goes on in the server for a moment. */
async function lockOut(
  session: MariadbSession,
  { connection, tag }: Database,
  names: Names,
  context: TargetContext,
): Promise<void> {
  const [got] = await session.run(`SELECT GET_LOCK('backout_restore_${tag}', ${LOCK_SECONDS})`);
  if (got !== "1") {
    throw new RollbackError(`Another restore of ${connection.label} is at work in the server`, {
      hint: "Wait until it has ended (SHOW PROCESSLIST), then try again.",
    });
  }
  await endSessions(session, names.staging, connection, context);
}

async function anyExists(session: MariadbSession, names: readonly string[]): Promise<boolean> {
  for (const name of names) if (await schemaExists(session, name)) return true;
  return false;
}

/** What a restore that failed had loaded. The session may be over, so this takes one of its own. */
async function dropStaging(database: Database, names: Names, context: TargetContext): Promise<void> {
  try {
    await using session = await MariadbSession.open(database.connection, context);
    await dropSchema(session, names.staging);
  } catch {
    context.warn(`The schema ${names.staging} may be left on the server: drop it`);
  }
}

async function dropSchema(session: MariadbSession, name: string): Promise<void> {
  if (!await schemaExists(session, name)) return;
  await session.run("SET SESSION foreign_key_checks = 0");
  await session.run(`DROP DATABASE IF EXISTS ${quoteName(name)}`);
}

async function partsIn(session: MariadbSession, schema: string): Promise<{ readonly parts: Parts }> {
  await session.run(`USE ${quoteName(schema)}`);
  return await readTableParts(session);
}

async function isSaved(session: MariadbSession, schema: string, saved: Parts): Promise<boolean> {
  const { parts } = await partsIn(session, schema);
  return differingParts(saved, { ...parts, ...await readObjectParts(session) }).length === 0;
}

async function hasTables(session: MariadbSession, schema: string, saved: Parts): Promise<boolean> {
  return differingParts(tableParts(saved), (await partsIn(session, schema)).parts).length === 0;
}

/**
 * Counters are of no transaction: a dump and a look right after it may see other values. They are set to those of the
 * look, which are never behind, so that no number is given twice.
 */
async function setCounters(session: MariadbSession, schema: string, saved: Parts): Promise<void> {
  await session.run(`USE ${quoteName(schema)}`);
  for (const [part, value] of Object.entries(saved)) {
    const [, sequence, table] = /^counter of (?:sequence (.*)|(.*))$/s.exec(part) ?? [];
    if (!/^\d+$/.test(value)) continue;
    if (sequence !== undefined) await session.run(`DO SETVAL(${quoteName(sequence)}, ${value}, 0)`);
    if (table !== undefined) await session.run(`ALTER TABLE ${quoteName(table)} AUTO_INCREMENT = ${value}`);
  }
}

/** Parts that move with the tables. */
function tableParts(parts: Parts): Parts {
  return Object.fromEntries(
    Object.entries(parts).filter(([name]) => /^(table|rows of|counter of) /.test(name)),
  );
}

async function load(
  schema: string,
  state: DatabaseState,
  database: Database,
  context: RestoreContext,
): Promise<void> {
  await runProgram({
    ...mariadbRequest("mariadb", clientArguments(schema), database.connection, context),
    stdin: context.store.readStream(state.dumps[0]!.content),
    doing: `restore ${database.connection.label} into ${schema}`,
  });
}

async function makeObjects(state: DatabaseState, database: Database, context: RestoreContext): Promise<void> {
  for (const { content } of state.dumps.slice(1)) {
    await runProgram({
      ...mariadbRequest(
        "mariadb",
        clientArguments(database.connection.database),
        database.connection,
        context,
      ),
      stdin: context.store.readStream(content),
      doing: `make the views, triggers, routines and events of ${database.connection.label}`,
    });
  }
}

async function removeLaterRoutines(session: MariadbSession, schema: string, saved: Parts): Promise<void> {
  await session.run(`USE ${quoteName(schema)}`);
  const { procedures, functions } = await listObjects(session);
  const drop = async (kind: "procedure" | "function", all: readonly string[]) => {
    for (const name of all.filter((it) => saved[`${kind} ${it}`] === undefined)) {
      await session.run(`DROP ${kind.toUpperCase()} IF EXISTS ${quoteName(name)}`);
    }
  };
  await drop("procedure", procedures);
  await drop("function", functions);
}
