/** A PostgreSQL server on a unix socket in a folder of the test's own. */
import { setTimeout as sleep } from "node:timers/promises";
import { tempDir } from "../temp.ts";
import { makeServerFolder, runUnprivileged, startUnprivileged } from "./unprivileged.ts";

const START_TIMEOUT_MS = 30_000;

export interface PostgresServer extends AsyncDisposable {
  /** The folder of its socket. */
  readonly socket: string;
  /** A connection string for a database. */
  url(database: string, user?: string): string;
  /** Runs SQL in a database as the superuser; each row is a line. */
  sql(database: string, statements: string): string;
}

/** Its programs are not on PATH in Debian. Undefined when it is not installed. */
export function postgresBin(): string | undefined {
  const folder = "/usr/lib/postgresql";
  try {
    const versions = [...Deno.readDirSync(folder)].map((it) => it.name).sort((a, b) => Number(b) - Number(a));
    return versions.map((it) => `${folder}/${it}/bin`).find((it) => exists(`${it}/postgres`));
  } catch {
    return undefined;
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Starts it. */
export async function startPostgres(): Promise<PostgresServer> {
  const stack = new AsyncDisposableStack();
  try {
    const root = stack.use(tempDir("backout-pg-")).path;
    Deno.chmodSync(root, 0o755);
    const folder = makeServerFolder(`${root}/s`);
    const bin = postgresBin()!;
    const how = ["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"];
    runUnprivileged([`${bin}/initdb`, "-D", `${folder}/data`, ...how], folder);
    const settings = ["listen_addresses=", "fsync=off", "max_prepared_transactions=4", "autovacuum=off"];
    const server = [
      `${bin}/postgres`,
      "-D",
      `${folder}/data`,
      "-k",
      folder,
      ...settings.flatMap((it) => ["-c", it]),
    ];
    stack.use(startUnprivileged(server, folder));
    const postgres: PostgresServer = {
      socket: folder,
      url: (database, user = "postgres") =>
        `postgresql://${user}@/${encodeURIComponent(database)}?host=${folder}`,
      sql: (database, statements) => psql(folder, database, statements),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
    await answers(postgres);
    return postgres;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function answers(server: PostgresServer): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      server.sql("postgres", "SELECT 1");
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(30);
    }
  }
}

function psql(socket: string, database: string, statements: string): string {
  const { success, stdout, stderr } = new Deno.Command("psql", {
    args: ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statements],
    env: { PGHOST: socket, PGDATABASE: database, PGUSER: "postgres" },
    stdin: "null",
  }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
