/** One psql for many statements: a session on a PostgreSQL server. */
import type { ProgramRequest } from "#/target/run_program.ts";
import type { TargetContext } from "#/target/target.ts";
import type { Connection } from "./connection.ts";
import { ClientSession } from "./session.ts";

export const POSTGRES_PACKAGE = "postgresql-client";

/** Options of a connection string, and the environment variables that carry them to libpq. */
const OPTION_VARIABLES: Readonly<Record<string, string>> = {
  application_name: "PGAPPNAME",
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
  sslcrl: "PGSSLCRL",
  channel_binding: "PGCHANNELBINDING",
  gssencmode: "PGGSSENCMODE",
  connect_timeout: "PGCONNECT_TIMEOUT",
  target_session_attrs: "PGTARGETSESSIONATTRS",
  require_auth: "PGREQUIREAUTH",
};

/** Values read the same everywhere, so that digests of rows can be compared. Like pg_dump's own. */
const SESSION_SETTINGS = `SET search_path = ''; SET datestyle = ISO; SET intervalstyle = postgres;
SET extra_float_digits = 3; SET timezone = 'UTC'; SET bytea_output = 'hex'; SET xmloption = content;
SET row_security = off; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
SET client_min_messages = warning; SET lc_monetary = 'C';`;

/** How to reach a database with any client of PostgreSQL: nothing of it stands on a command line. */
export function postgresEnvironment(
  connection: Connection,
  context: Pick<TargetContext, "env">,
  database = connection.database,
): Record<string, string> {
  const env: Record<string, string> = {
    LC_ALL: "C.UTF-8",
    PGDATABASE: database,
    PGCLIENTENCODING: "UTF8",
    PGAPPNAME: "backout",
    PGCONNECT_TIMEOUT: "15",
  };
  const host = connection.socket ?? connection.host;
  if (host !== undefined) env.PGHOST = host;
  if (connection.port !== undefined) env.PGPORT = String(connection.port);
  if (connection.user !== undefined) env.PGUSER = connection.user;
  if (connection.password !== undefined) env.PGPASSWORD = connection.password;
  for (const [name, value] of Object.entries(connection.options)) {
    const variable = Object.hasOwn(OPTION_VARIABLES, name) ? OPTION_VARIABLES[name] : undefined;
    if (variable !== undefined) env[variable] = value;
  }
  const passFile = context.env("PGPASSFILE");
  return passFile === undefined ? env : { ...env, PGPASSFILE: passFile };
}

/** A client of PostgreSQL that connects to a database of the server. */
export function postgresRequest(
  program: string,
  args: readonly string[],
  connection: Connection,
  context: TargetContext,
  database = connection.database,
): ProgramRequest {
  return {
    program,
    package: POSTGRES_PACKAGE,
    args,
    context,
    env: postgresEnvironment(connection, context, database),
    secrets: connection.password === undefined ? [] : [connection.password],
  };
}

/** "name" as SQL writes an identifier. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as a value in SQL, whatever is in it and however the session reads constants. */
export function nameLiteral(text: string): string {
  return `pg_catalog.convert_from('\\x${hex(text)}'::bytea, 'UTF8')`;
}

/** 'text' where only a constant may stand. */
export function quoteText(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes("\\") ? `E${quoted.replaceAll("\\", "\\\\")}` : quoted;
}

function hex(text: string): string {
  return [...new TextEncoder().encode(text)].map((it) => it.toString(16).padStart(2, "0")).join("");
}

/** A psql child that answers one statement after the other. */
export class PostgresSession implements AsyncDisposable {
  readonly #client: ClientSession;
  #count = 0;

  private constructor(client: ClientSession) {
    this.#client = client;
  }

  /** Connects. @throws {ProgramError} what psql said */
  static async open(
    connection: Connection,
    context: TargetContext,
    database: string,
  ): Promise<PostgresSession> {
    const args = ["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1"];
    const request = postgresRequest("psql", args, connection, context, database);
    const session = new PostgresSession(new ClientSession(request));
    try {
      await session.run(SESSION_SETTINGS);
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
    return session;
  }

  /** Runs statements. After an error the session is over. @throws {ProgramError} */
  async run(sql: string): Promise<string> {
    const marker = `backout-end-${this.#count++}`;
    return await this.#client.ask(`${sql}\n;\n\\echo ${marker}\n`, marker);
  }

  /** Rows of one query, as values. @throws {ProgramError} */
  async rows<Row>(query: string): Promise<readonly Row[]> {
    return JSON.parse(await this.run(`SELECT coalesce(json_agg(q), '[]') FROM (${query}) q`)) as Row[];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client[Symbol.asyncDispose]();
  }
}
