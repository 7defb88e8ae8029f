/** SQLite: the contract of all targets, and what is its own: logs, locks, damaged files, owners. */
import assert from "node:assert/strict";
import { chownSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { RollbackBackupError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import { requires, testRequiring } from "../support/require.ts";
import { type ContractWorld, inWorld, targetContract, type TargetFixture } from "./target_contract.ts";

/** Runs statements, and closes the file again. */
function sql(file: string, statements: string): void {
  using database = new DatabaseSync(file);
  database.exec(statements);
}

/** Everything that can be read of it. */
function look(file: string): unknown {
  using database = new DatabaseSync(file);
  const objects = database.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY name").all();
  const tables = objects.filter((it) => it.type === "table").map((it) => String(it.name));
  const rows = tables.map((name) => database.prepare(`SELECT * FROM "${name.replaceAll('"', '""')}"`).all());
  const { mode, uid } = Deno.statSync(file);
  return { objects, rows, user_version: database.prepare("PRAGMA user_version").get(), mode, uid };
}

const FILL = `CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, photo BLOB, height REAL);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
  INSERT INTO people SELECT i, 'person ' || i, zeroblob(i % 50), i * 0.1 FROM n;
  CREATE TABLE "odd ""name" (a, b); INSERT INTO "odd ""name" VALUES (1, 'x''y'), (NULL, x'00ff');
  CREATE INDEX by_name ON people (name); CREATE VIEW tall AS SELECT * FROM people WHERE height > 100;
  CREATE VIRTUAL TABLE words USING fts5(word); INSERT INTO words VALUES ('hello'), ('world'); PRAGMA user_version = 7;`;

const changes: TargetFixture["changes"] = {
  "rows were changed": (world) =>
    sql(`${world}/app data.db`, "UPDATE people SET name = 'x' WHERE id % 7 = 0"),
  "tables came and went": (world) =>
    sql(`${world}/app data.db`, `DROP TABLE "odd ""name"; CREATE TABLE later (a); DELETE FROM words; VACUUM`),
};

function fixture(name: string, first: string, more: Partial<TargetFixture> = {}): TargetFixture {
  return {
    name: `database: SQLite ${name}`,
    type: "database",
    needs: ["posix"],
    setUp: (world) => {
      sql(`${world}/app data.db`, first + FILL);
      Deno.chmodSync(`${world}/app data.db`, 0o640);
      return { connection_string: "sqlite://app%20data.db" };
    },
    changes,
    look: (world) => look(`${world}/app data.db`),
    exported: (world, folder) => {
      assert.deepEqual([...Deno.readDirSync(folder)].map((it) => it.name), ["app data.db"]);
      using exported = new DatabaseSync(`${folder}/app data.db`, { readOnly: true });
      assert.equal(exported.prepare("SELECT count(*) AS n FROM people").get()!.n, 2000);
      assert.ok(Deno.statSync(`${world}/app data.db`).size > 0);
    },
    ...more,
  };
}

const WAL = fixture("with a write-ahead log", "PRAGMA journal_mode = WAL;", { sweep: false });
targetContract(fixture("with a rollback journal", "PRAGMA page_size = 1024;"));
targetContract(WAL);

/** A target whose file is made by `first`. */
function sqliteTest(name: string, body: (world: ContractWorld, file: string) => Promise<void>): void {
  const { ignore } = requires("posix");
  Deno.test({
    name: `database: SQLite: ${name}`,
    ignore,
    fn: () => inWorld(WAL, (world) => body(world, `${world.folder}/app data.db`)),
  });
}

sqliteTest(
  "a capture sees what is only in the log of a program that goes on writing",
  async (world, file) => {
    using app = new DatabaseSync(file);
    app.exec("PRAGMA wal_autocheckpoint = 0; INSERT INTO people (id, name) VALUES (9001, 'only in the log')");
    const saved = await world.capture();
    app.exec("DELETE FROM people WHERE id > 1000");
    await world.driver.restore(world.target, saved, world.context());
    // The program that had it open all the time sees the restored rows, and can write.
    assert.equal(app.prepare("SELECT name FROM people WHERE id = 9001").get()!.name, "only in the log");
    assert.equal(app.prepare("SELECT count(*) AS n FROM people").get()!.n, 2001);
    app.exec("INSERT INTO people (name) VALUES ('after')");
    assert.equal(app.prepare("PRAGMA integrity_check").get()!.integrity_check, "ok");
  },
);

sqliteTest(
  "an open transaction of somebody else is waited for, and the restore happens after it",
  async (world, file) => {
    const saved = await world.capture();
    sql(file, "DELETE FROM people");
    const writer = new Deno.Command(Deno.execPath(), {
      args: ["eval", WRITER, file],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const reader = writer.stdout.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value).trim(), "writing");
    await world.driver.restore(world.target, saved, world.context());
    await reader.cancel();
    await writer.status;
    assert.equal(await world.driver.fingerprint(world.target, world.context()), saved.fingerprint);
  },
);

const WRITER = `import { DatabaseSync } from "node:sqlite"; const db = new DatabaseSync(Deno.args[0]);
  db.exec("BEGIN IMMEDIATE; INSERT INTO people (name) VALUES ('late')"); console.log("writing");
  setTimeout(() => { db.exec("COMMIT"); db.close(); }, 400);`;

sqliteTest(
  "a file that is no database any more is replaced, and its old log does not come back",
  async (world, file) => {
    const saved = await world.capture();
    const before = await world.look();
    Deno.writeTextFileSync(file, "garbage, not a database. ".repeat(400));
    Deno.writeTextFileSync(`${file}-wal`, "garbage");
    await assert.rejects(world.capture(), RollbackBackupError);
    await assert.rejects(world.driver.fingerprint(world.target, world.context()), RollbackBackupError);
    const { warnings } = await world.driver.restore(world.target, saved, world.context());
    assert.match(warnings[0]!, /restart the programs/);
    assert.deepEqual(await world.look(), before);
  },
);

sqliteTest("a file that is gone comes back with its mode", async (world, file) => {
  const saved = await world.capture();
  const before = await world.look();
  Deno.removeSync(file);
  await assert.rejects(world.capture(), RollbackVersionNotFoundError);
  const plan = await world.driver.plan(world.target, saved, world.context());
  assert.deepEqual(plan.changes.map((it) => it.action), ["create"]);
  await world.driver.restore(world.target, saved, world.context());
  assert.deepEqual(await world.look(), before);
  assert.deepEqual([...Deno.readDirSync(world.folder)].map((it) => it.name), ["app data.db"]);
});

sqliteTest("a database with another page size and a log is replaced too", async (world, file) => {
  const saved = await world.capture();
  Deno.removeSync(file);
  sql(file, "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; CREATE TABLE other (a)");
  await world.driver.restore(world.target, saved, world.context());
  assert.equal(await world.driver.fingerprint(world.target, world.context()), saved.fingerprint);
});

sqliteTest("damaged content in the store never reaches the live file", async (world, file) => {
  const saved = await world.capture();
  sql(file, "DELETE FROM people");
  const before = await world.look();
  for (const [id, bytes] of world.store.chunks) {
    world.store.chunks.set(id, bytes.map((it, at) => at > 5000 && at < 5400 ? it ^ 0x55 : it));
  }
  await assert.rejects(world.driver.restore(world.target, saved, world.context()));
  assert.deepEqual(await world.look(), before);
  assert.deepEqual([...Deno.readDirSync(world.folder)].map((it) => it.name), ["app data.db"]);
});

testRequiring(
  ["root"],
  "database: SQLite: a file that is replaced keeps the owner and mode of the live one",
  () =>
    inWorld(WAL, async (world) => {
      const file = `${world.folder}/app data.db`;
      const saved = await world.capture();
      Deno.writeTextFileSync(file, "garbage, not a database. ".repeat(400));
      chownSync(file, 65534, 65534);
      Deno.chmodSync(file, 0o604);
      await world.driver.restore(world.target, saved, world.context());
      const { uid, gid, mode } = Deno.statSync(file);
      assert.deepEqual([uid, gid, mode! & 0o777], [65534, 65534, 0o604]);
    }),
);
