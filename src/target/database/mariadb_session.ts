/** How MariaDB and MySQL are reached: a file with the credentials, one client for many statements. */
import { join } from "node:path";
import { lstat, unlink, writeNewFile } from "#/core/posix.ts";
import type { ProgramRequest } from "#/target/run_program.ts";
import type { TargetContext } from "#/target/target.ts";
import type { Connection } from "./connection.ts";
import { ClientSession, isInstalled } from "./session.ts";

export const MARIADB_PACKAGE = "mariadb-client";

/** Options of a connection string that the clients know too. */
const OPTIONS = new Set([
  "ssl",
  "ssl-ca",
  "ssl-capath",
  "ssl-cert",
  "ssl-key",
  "ssl-verify-server-cert",
  "connect-timeout",
]);

/** Values read the same everywhere, so that digests of rows can be compared; waits end. */
const SESSION_SETTINGS = `SET SESSION sql_mode = '', time_zone = '+00:00', group_concat_max_len = 1000000000,
  lock_wait_timeout = 60, wait_timeout = 86400, net_write_timeout = 3600`;

/** `mariadb` and `mariadb-dump`, or where those are missing the names that MySQL has for them. */
export function clientName(program: "mariadb" | "mariadb-dump", context: Pick<TargetContext, "env">): string {
  const other = program === "mariadb" ? "mysql" : "mysqldump";
  return !isInstalled(program, context.env) && isInstalled(other, context.env) ? other : program;
}

/** The file that tells a client where to connect and as whom: readable for this user only, and gone with the scratch folder. */
function credentialsFile(connection: Connection, context: TargetContext): string {
  const path = join(context.scratch, "mariadb.cnf");
  const { host, socket, port, user, password } = connection;
  const lines = Object.entries({
    host: socket === undefined ? host : undefined,
    socket,
    port,
    user,
    password,
  })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${optionValue(String(value))}`);
  for (const [name, value] of Object.entries(connection.options)) {
    const option = name.replaceAll("_", "-");
    if (OPTIONS.has(option)) lines.push(`${option}=${optionValue(value)}`);
  }
  const text = `[client]\n${lines.join("\n")}\n`;
  if (lstat(path) !== undefined) {
    if (Deno.readTextFileSync(path) === text) return path;
    unlink(path); // of before a crash, with a password of then
  }
  writeNewFile(path, new TextEncoder().encode(text), 0o600, {});
  return path;
}

function optionValue(value: string): string {
  const escapes: Record<string, string> = { "\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t" };
  return `"${value.replace(/[\\"\n\r\t]/g, (it) => escapes[it]!)}"`;
}

/** A client that is told where to connect by a file. */
export function mariadbRequest(
  program: "mariadb" | "mariadb-dump",
  args: readonly string[],
  connection: Connection,
  context: TargetContext,
): ProgramRequest {
  return {
    program: clientName(program, context),
    package: MARIADB_PACKAGE,
    args: [
      `--defaults-extra-file=${credentialsFile(connection, context)}`,
      "--default-character-set=utf8mb4",
      ...args,
    ],
    context,
    env: { LC_ALL: "C.UTF-8" },
    secrets: connection.password === undefined ? [] : [connection.password],
  };
}

/** `name` as SQL writes an identifier. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

/** A text as a value, whatever is in it. */
export function textValue(text: string): string {
  const hex = [...new TextEncoder().encode(text)].map((it) => it.toString(16).padStart(2, "0")).join("");
  return hex === "" ? "''" : `_utf8mb4 0x${hex}`;
}

/** A client child that answers one statement after the other. */
export class MariadbSession implements AsyncDisposable {
  readonly #client: ClientSession;
  #count = 0;

  private constructor(client: ClientSession) {
    this.#client = client;
  }

  /** Connects; without a database where none is given. @throws {ProgramError} what the client said */
  static async open(
    connection: Connection,
    context: TargetContext,
    database?: string,
  ): Promise<MariadbSession> {
    const args = [
      "--batch",
      "--skip-column-names",
      "--unbuffered",
      "--no-auto-rehash",
      "--max-allowed-packet=1G",
    ];
    const session = new MariadbSession(
      new ClientSession(mariadbRequest("mariadb", args, connection, context)),
    );
    try {
      await session.run(SESSION_SETTINGS);
      if (database !== undefined) await session.run(`USE ${quoteName(database)}`);
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
    return session;
  }

  /** Runs one statement; its rows as lines. After an error the session is over. @throws {ProgramError} */
  async run(sql: string): Promise<readonly string[]> {
    const marker = `backout-end-${this.#count++}`;
    const text = await this.#client.ask(`${sql}\n;\nSELECT '${marker}';\n`, marker);
    return text.split("\n").slice(0, -1);
  }

  /** Rows of a query whose only column is a `JSON_ARRAY` or `JSON_OBJECT`. @throws {ProgramError} */
  async rows<Row>(sql: string): Promise<readonly Row[]> {
    return (await this.run(sql)).map((line) => JSON.parse(unescape(line)) as Row);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client[Symbol.asyncDispose]();
  }
}

/** The client's batch format writes line breaks, tabs, NUL and backslashes as escapes. */
function unescape(line: string): string {
  const characters: Record<string, string> = { n: "\n", t: "\t", "0": "\0", "\\": "\\" };
  return line.replace(/\\([nt0\\])/g, (_, it: string) => characters[it]!);
}
