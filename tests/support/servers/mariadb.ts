/** A MariaDB server on a unix socket in a folder of the test's own. */
import { setTimeout as sleep } from "node:timers/promises";
import { tempDir } from "../temp.ts";
import { makeServerFolder, runUnprivileged, startUnprivileged } from "./unprivileged.ts";

const START_TIMEOUT_MS = 30_000;

export interface MariadbServer extends AsyncDisposable {
  readonly socket: string;
  url(database: string, user?: string): string;
  /** Runs SQL as root; each row is a line. */
  sql(database: string, statements: string): string;
}

/** Starts it. */
export async function startMariadb(): Promise<MariadbServer> {
  const stack = new AsyncDisposableStack();
  try {
    const root = stack.use(tempDir("backout-my-")).path;
    Deno.chmodSync(root, 0o755);
    const folder = makeServerFolder(`${root}/s`);
    const socket = `${folder}/m.sock`;
    const quick = [
      "--innodb-buffer-pool-size=16M",
      "--innodb-log-file-size=8M",
      "--innodb-flush-log-at-trx-commit=0",
    ];
    const data = ["--no-defaults", `--datadir=${folder}/data`, ...quick];
    const how = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"];
    runUnprivileged(["mariadb-install-db", ...data, ...how], folder);
    const serving = [
      `--socket=${socket}`,
      "--skip-networking",
      `--pid-file=${folder}/pid`,
      "--event-scheduler=ON",
    ];
    stack.use(startUnprivileged(["mariadbd", ...data, ...serving], folder));
    const server: MariadbServer = {
      socket,
      url: (database, user = "root") =>
        `mysql://${user}@localhost/${encodeURIComponent(database)}?socket=${socket}`,
      sql: (database, statements) => client(socket, database, statements),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
    await answers(server);
    return server;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function answers(server: MariadbServer): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      server.sql("mysql", "SELECT 1");
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(30);
    }
  }
}

function client(socket: string, database: string, statements: string): string {
  const { success, stdout, stderr } = new Deno.Command("mariadb", {
    args: [
      "--no-defaults",
      `--socket=${socket}`,
      "--user=root",
      "--default-character-set=utf8mb4",
      "--batch",
      "--skip-column-names",
      "-e",
      statements,
      database,
    ],
    stdin: "null",
  }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
