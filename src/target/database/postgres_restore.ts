/**
 * Takes a PostgreSQL database back: the dump goes into a database beside it, is compared with what was saved, and is
 * then given the name, in one transaction. The live database stays as it is until that moment.
 */
import { join } from "node:path";
import { RollbackError } from "#/core/errors.ts";
import { lstat, unlink } from "#/core/posix.ts";
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
import { type DatabaseProperties, readParts, type SequenceValue } from "./postgres_parts.ts";
import { adminSession, closeDatabase, databaseNames, dropDatabase, openDatabase } from "./postgres_server.ts";
import { nameLiteral, postgresRequest, PostgresSession, quoteName, quoteText } from "./postgres_session.ts";

/** Bytes of a name in PostgreSQL. */
const MAX_NAME = 63;

/** Names of the databases that a restore makes beside the live one. */
interface Names {
  readonly live: string;
  /** The restored one, before it is live. */
  readonly staging: string;
  /** The one that was live, kept until the operation is committed. */
  readonly old: string;
  /** One that was live in between: dropped at once. */
  readonly away: string;
}

function namesOf({ connection, tag }: Database): Names {
  const beside = (what: "backout" | "old" | "away") => besideName(connection.database, what, tag, MAX_NAME);
  return { live: connection.database, staging: beside("backout"), old: beside("old"), away: beside("away") };
}

export async function restorePostgres(
  given: Database,
  state: DatabaseState,
  context: RestoreContext,
): Promise<EngineRestored> {
  const database = asRestorer(given);
  const names = namesOf(database);
  const { label } = database.connection;
  await using admin = await adminSession(database.connection, context);
  await endEarlierRestore(admin);
  const there = await databaseNames(admin);
  const again = there.has(names.old) || there.has(names.staging) || there.has(names.away);
  // A restore that was killed may have left it closed.
  if (again && there.has(names.live)) await openDatabase(admin, names.live);
  if (there.has(names.live) && await isSaved(database, names.live, state.parts, context)) {
    for (const name of [names.staging, names.old, names.away]) await dropDatabase(admin, name);
    return { changed: false, details: {}, warnings: [] };
  }
  if (there.has(names.old)) await openDatabase(admin, names.old);
  if (there.has(names.old) && await isSaved(database, names.old, state.parts, context)) {
    // This operation replaced it: it goes back as it was, without a dump.
    await swap(admin, names, names.old, names.away);
    for (const name of [names.staging, names.away]) await dropDatabase(admin, name);
    return { changed: true, details: { database: names.live, renamed_back: true }, warnings: [] };
  }
  await dropDatabase(admin, names.staging);
  await dropDatabase(admin, names.away);
  const warnings: string[] = [];
  try {
    const properties = state.details.properties as unknown as DatabaseProperties;
    await createDatabase(admin, names.staging, properties);
    await load(database, names.staging, state, context);
    await setSequences(database, names.staging, state, context);
    const restored = await partsOf(database, names.staging, context, true);
    const differs = compareRestored(label, withoutSettings(state.parts), withoutSettings(restored));
    if (differs !== undefined) warnings.push(differs);
    await applyProperties(admin, names.staging, properties);
    await swap(admin, names, names.staging, there.has(names.old) ? names.away : names.old);
  } catch (error) {
    if (!context.signal.aborted) await dropAfterFailure(database, names, context);
    throw error;
  }
  if (again) { for (const name of [names.old, names.away]) await dropDatabase(admin, name); }
  return { changed: true, details: { database: names.live }, warnings };
}

/** Its sessions carry a name of their own, so that the next restore finds those of one that was killed. */
function asRestorer(database: Database): Database {
  const { connection, tag } = database;
  const options = { ...connection.options, application_name: `backout restore ${tag}` };
  return { ...database, connection: { ...connection, options } };
}

/** What a killed restore had begun may go on in the server: it ends before this one looks. */
async function endEarlierRestore(admin: PostgresSession): Promise<void> {
  for (let round = 0; round < 200; round++) {
    const [left] = await admin.rows<{ n: number }>(`SELECT count(pg_catalog.pg_terminate_backend(pid)) AS n
      FROM pg_catalog.pg_stat_activity WHERE application_name = current_setting('application_name')
        AND pid <> pg_catalog.pg_backend_pid()`);
    if (left!.n === 0) return;
    await admin.run("SELECT pg_catalog.pg_sleep(0.05)");
  }
}

/** The session that failed is over, so this takes one of its own. */
async function dropAfterFailure(database: Database, names: Names, context: TargetContext): Promise<void> {
  try {
    await using admin = await adminSession(database.connection, context);
    await dropDatabase(admin, names.staging);
    if ((await databaseNames(admin)).has(names.live)) await openDatabase(admin, names.live);
  } catch {
    context.warn(`The database ${names.staging} may be left on the server: drop it`);
  }
}

/** After the commit: what was live before is not needed any more. */
export async function finishPostgres(database: Database, context: TargetContext): Promise<void> {
  const names = namesOf(database);
  await using admin = await adminSession(database.connection, context);
  for (const name of [names.old, names.staging, names.away]) await dropDatabase(admin, name);
}

async function isSaved(
  database: Database,
  name: string,
  saved: Parts,
  context: TargetContext,
): Promise<boolean> {
  return differingParts(saved, await partsOf(database, name, context, false)).length === 0;
}

/** @param fresh rows have just been loaded: the planner's statistics are made too */
async function partsOf(
  { connection }: Database,
  name: string,
  context: TargetContext,
  fresh: boolean,
): Promise<Parts> {
  await using session = await PostgresSession.open(connection, context, name);
  if (fresh) await session.run("ANALYZE");
  return (await readParts(session, connection, context, name)).parts;
}

/** To where they were when the digests were made: never behind the dump, so no number is given twice. */
async function setSequences(
  { connection }: Database,
  name: string,
  state: DatabaseState,
  context: TargetContext,
): Promise<void> {
  const saved = (state.details.sequences ?? []) as unknown as readonly SequenceValue[];
  await using session = await PostgresSession.open(connection, context, name);
  for (const { schema, name: sequence, last, called } of saved) {
    const which = nameLiteral(`${quoteName(schema)}.${quoteName(sequence)}`);
    await session.run(
      `SELECT pg_catalog.setval(${which}::pg_catalog.regclass, ${BigInt(last)}, ${called === true})`,
    );
  }
}

function withoutSettings(parts: Parts): Parts {
  const { "database settings": _, ...rest } = parts;
  return rest;
}

async function createDatabase(
  admin: PostgresSession,
  name: string,
  saved: DatabaseProperties,
): Promise<void> {
  const words = [`ENCODING ${quoteText(saved.encoding)}`];
  if (saved.provider === "i") words.push("LOCALE_PROVIDER icu");
  if (saved.provider === "b") words.push("LOCALE_PROVIDER builtin");
  if (saved.icu_locale) {
    words.push(`${saved.provider === "b" ? "BUILTIN" : "ICU"}_LOCALE ${quoteText(saved.icu_locale)}`);
  }
  words.push(`LC_COLLATE ${quoteText(saved.collate)}`, `LC_CTYPE ${quoteText(saved.ctype)}`);
  await admin.run(`CREATE DATABASE ${quoteName(name)} TEMPLATE template0 ${words.join(" ")}`);
  await admin.run(`ALTER DATABASE ${quoteName(name)} OWNER TO ${quoteName(saved.owner)}`);
}

/** A stream where one connection is enough; several need a file that each of them can seek in. */
async function load(
  database: Database,
  name: string,
  state: DatabaseState,
  context: RestoreContext,
): Promise<void> {
  const { connection, jobs } = database;
  const content = state.dumps[0]!.content;
  const request = (args: readonly string[]) => ({
    ...postgresRequest(
      "pg_restore",
      [...args, "--exit-on-error", "--no-password", `--dbname=${dsn(name)}`],
      connection,
      context,
    ),
    doing: `restore ${connection.label} into ${name}`,
  });
  if (jobs <= 1) {
    await runProgram({ ...request([]), stdin: context.store.readStream(content) });
    return;
  }
  const path = join(context.scratch, "restore.dump");
  if (lstat(path) !== undefined) unlink(path);
  await context.store.writeFiles([{ content, path }], { signal: context.signal });
  try {
    await runProgram(request([`--jobs=${jobs}`, path]));
  } finally {
    unlink(path);
  }
}

/** A name for `--dbname`, which reads a name with an equals sign in it as a connection string. */
function dsn(name: string): string {
  return `dbname='${name.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** What belongs to the database itself: limit, comment, grants, settings. */
async function applyProperties(
  admin: PostgresSession,
  name: string,
  saved: DatabaseProperties,
): Promise<void> {
  const target = quoteName(name);
  const statements = [`ALTER DATABASE ${target} CONNECTION LIMIT ${Math.trunc(saved.connection_limit)}`];
  if (saved.comment !== null) statements.push(`COMMENT ON DATABASE ${target} IS ${quoteText(saved.comment)}`);
  if (saved.grants !== null) {
    statements.push(
      `REVOKE ALL ON DATABASE ${target} FROM PUBLIC`,
      `REVOKE ALL ON DATABASE ${target} FROM ${quoteName(saved.owner)}`,
    );
    for (
      const { grantee, privilege, grantable } of saved.grants.filter((it) => /^[A-Z]+$/.test(it.privilege))
    ) {
      const to = grantee === "" ? "PUBLIC" : quoteName(grantee);
      statements.push(
        `GRANT ${privilege} ON DATABASE ${target} TO ${to}${grantable ? " WITH GRANT OPTION" : ""}`,
      );
    }
  }
  for (const { role, setting } of saved.settings) {
    const at = setting.indexOf("=");
    const who = role === null ? `DATABASE ${target}` : `ROLE ${quoteName(role)} IN DATABASE ${target}`;
    statements.push(`ALTER ${who} SET ${settingValue(setting.slice(0, at), setting.slice(at + 1))}`);
  }
  for (const statement of statements) await admin.run(statement);
}

/** Settings that hold a list of names are stored as the list is written, already quoted. */
const LIST_SETTINGS =
  /^(search_path|temp_tablespaces|(local|session|shared)_preload_libraries|unix_socket_directories)$/i;

function settingValue(name: string, value: string): string {
  const quoted = name.split(".").map(quoteName).join(".");
  if (LIST_SETTINGS.test(name) && /^[\w$", ./-]+$/.test(value)) return `${quoted} TO ${value}`;
  return `${quoted} TO ${quoteText(value)}`;
}

/** `from` becomes the live database, and what was live gets the name `keep`: both or none. */
async function swap(admin: PostgresSession, names: Names, from: string, keep: string): Promise<void> {
  const there = (await databaseNames(admin)).has(names.live);
  if (there) await closeDatabase(admin, names.live);
  await closeDatabase(admin, from);
  const away = there ? `ALTER DATABASE ${quoteName(names.live)} RENAME TO ${quoteName(keep)};` : "";
  await admin.run(`BEGIN; ${away} ALTER DATABASE ${quoteName(from)} RENAME TO ${quoteName(names.live)};
    ALTER DATABASE ${quoteName(names.live)} WITH ALLOW_CONNECTIONS true; COMMIT`);
  if (!(await databaseNames(admin)).has(names.live)) {
    throw new RollbackError(`The database ${names.live} is not there after it was renamed`);
  }
}
