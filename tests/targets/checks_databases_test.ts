/** sql and redis_ping against real servers. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { testRequiring } from "../support/require.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import { withTempDir } from "../support/temp.ts";
import { look, sees, until } from "./checks_support.ts";

Deno.test("sql: SQLite", async () => {
  await withTempDir(async (folder) => {
    const database = new DatabaseSync(join(folder, "app.db"));
    database.exec("CREATE TABLE t (id INTEGER, name TEXT); INSERT INTO t VALUES (1, 'one'), (2, NULL)");
    database.close();
    const ask = (query: string, more = {}) => ({
      type: "sql",
      connection_string: "sqlite://app.db",
      query,
      ...more,
    });
    await sees(ask("SELECT count(*) FROM t;", { expected: 2 }), { folder }, "passes");
    await sees(ask("SELECT name FROM t WHERE id = 2", { expected: null }), { folder }, "passes");
    await sees(ask("SELECT name FROM t", { expected: "two" }), { folder }, /expected two, found one$/);
    await sees(ask("SELECT name FROM t WHERE id = 3", { expected: "x" }), { folder }, /found no row$/);
    await sees(ask("SELECT * FROM missing"), { folder }, /no such table: missing$/);
    await sees(ask("WITH x AS (SELECT 1) SELECT * FROM x"), { folder }, "passes");
    const gone = { type: "sql", connection_string: "sqlite://gone.db", query: "SELECT 1" };
    await sees(gone, { folder }, /there is no file \S+gone\.db$/);
    await assert.rejects(look(ask("DROP TABLE t"), { folder }), /must be a query that reads/);
  });
});

testRequiring(["postgresql"], "sql: PostgreSQL, read-only, without the password in the open", async () => {
  await using server = await startPostgres();
  server.sql("postgres", "CREATE TABLE t (id int, ok bool); INSERT INTO t VALUES (7, true)");
  const ask = (query: string, more = {}) => ({
    type: "sql",
    connection_string: server.url("postgres").replace("postgres@", "postgres:hunter2@"),
    query,
    ...more,
  });
  await sees(ask("SELECT id, 'x' FROM t", { expected: 7 }), {}, "passes");
  await sees(ask("SELECT ok FROM t", { expected: true }), {}, "passes");
  await sees(ask("SELECT ok FROM t", { expected: false }), {}, /expected false, found t$/);
  await sees(ask("SELECT id FROM t WHERE id = 0", { expected: 7 }), {}, /found no row$/);
  await sees(
    ask("WITH gone AS (DELETE FROM t RETURNING id) SELECT id FROM gone"),
    {},
    /read-only transaction/,
  );
  const failed = await sees(ask("SELECT * FROM missing"), {}, /relation "missing" does not exist/);
  assert.ok(!JSON.stringify(failed).includes("hunter2"));
  const away = {
    type: "sql",
    connection_string: "postgresql://u:hunter2@/d?host=/nowhere",
    query: "SELECT 1",
  };
  const result = await sees(away, {}, /No such file or directory/);
  assert.ok(!JSON.stringify(result).includes("hunter2"));
});

testRequiring(["mariadb"], "sql: MariaDB, read-only, without the password in the open", async () => {
  await using server = await startMariadb();
  server.sql(
    "mysql",
    "CREATE DATABASE app; CREATE USER ana@localhost IDENTIFIED BY 'hunter2'; GRANT ALL ON app.* TO ana@localhost",
  );
  server.sql("app", "CREATE TABLE t (id int); INSERT INTO t VALUES (7)");
  const ask = (query: string, more = {}, password = "hunter2") => ({
    type: "sql",
    connection_string: `mysql://ana:${password}@localhost/app?socket=${server.socket}`,
    query,
    ...more,
  });
  await sees(ask("SELECT id FROM t", { expected: 7 }), {}, "passes");
  await sees(ask("SELECT id FROM t WHERE id = 0", { expected: 7 }), {}, /found no row$/);
  await sees(ask("SELECT id FROM missing"), {}, /Table 'app\.missing' doesn't exist/);
  const refused = await sees(ask("SELECT 1", {}, "wr0ng"), {}, /Access denied/);
  assert.ok(!/hunter2|wr0ng/.test(JSON.stringify(refused)));
});

testRequiring(["redis"], "redis_ping: by socket and port, with and without the password", async () => {
  await withTempDir(async (folder) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    listener.close();
    const socket = join(folder, "r.sock");
    const server = new Deno.Command("redis-server", {
      args: [
        ...["--port", String(port), "--bind", "127.0.0.1", "--unixsocket", socket, "--dir", folder],
        ...["--save", "", "--requirepass", "hunter2"],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const ping = (url: string) => ({ type: "redis_ping", url });
    try {
      await until(() => exists(socket), "redis-server");
      await sees(ping(`redis://:hunter2@127.0.0.1:${port}`), {}, "passes");
      await sees(ping(`redis://default:hunter2@127.0.0.1:${port}/0`), {}, "passes");
      await sees(ping(`redis://:hunter2@localhost?socket=${socket}`), {}, "passes");
      await sees(ping(`redis:///${socket.slice(1)}`), { env: { REDISCLI_AUTH: "hunter2" } }, "passes");
      await sees(ping(`redis://127.0.0.1:${port}`), {}, /expected PONG, found NOAUTH/);
      const wrong = await sees(ping(`redis://:wr0ng@127.0.0.1:${port}`), {}, /AUTH was refused: WRONGPASS$/);
      assert.ok(!JSON.stringify(wrong).includes("wr0ng"));
    } finally {
      server.kill("SIGKILL");
      await server.status;
    }
    await sees(ping(`redis://127.0.0.1:${port}`), {}, /expected PONG, found connection refused$/);
  });
});

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
