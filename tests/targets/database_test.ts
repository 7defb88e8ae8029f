/** What is the same for all databases: clients that are missing, other kinds of database, copies of the dump. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { RollbackError, UsageError } from "#/core/errors.ts";
import { driver } from "#/target/database.ts";
import { inWorld, type TargetFixture } from "./target_contract.ts";

const fixture: TargetFixture = {
  name: "database",
  type: "database",
  needs: [],
  setUp: (world) => {
    using database = new DatabaseSync(`${world}/a.db`);
    database.exec("CREATE TABLE t (i); INSERT INTO t VALUES (1), (2)");
    return { connection_string: "sqlite://a.db", backup_file: "copies/a copy.db" };
  },
  changes: {},
  look: () => undefined,
};

Deno.test("database: a client that is missing is named, with the package that has it", () =>
  inWorld(fixture, async ({ context }) => {
    const packages = {
      "postgresql://u@h/db": "postgresql-client",
      "mysql://u@h/db": "mariadb-client",
      "redis://h": "redis-tools",
    };
    for (const [connection_string, wanted] of Object.entries(packages)) {
      const target = { name: "it", type: "database", config: { connection_string }, written: {}, after: [] };
      const around = { ...context(), env: () => "/nowhere", previous: undefined };
      await assert.rejects(driver.capture(target, around), (error: RollbackError) => {
        assert.ok(error instanceof RollbackError);
        assert.ok(error.hint?.includes(wanted), `${error.message}: ${error.hint}`);
        return true;
      });
      assert.ok(driver.programs({ connection_string }).some((it) => it.package === wanted));
    }
  }));

Deno.test("database: backup_file gets a copy of the dump, also where there is one of before", () =>
  inWorld(fixture, async ({ folder, capture }) => {
    Deno.mkdirSync(`${folder}/copies`);
    Deno.writeTextFileSync(`${folder}/copies/a copy.db`, "an older one");
    const saved = await capture();
    using copy = new DatabaseSync(`${folder}/copies/a copy.db`, { readOnly: true });
    assert.equal(copy.prepare("SELECT sum(i) AS sum FROM t").get()!.sum, 3);
    assert.equal(saved.metadata.backup_file, "copies/a copy.db");
    assert.deepEqual([...Deno.readDirSync(`${folder}/copies`)].map((it) => it.name), ["a copy.db"]);
    assert.equal(Deno.statSync(`${folder}/copies/a copy.db`).mode! & 0o777, 0o600);
  }));

Deno.test("database: a snapshot of one kind of database is not restored into another, nor a path of it", () =>
  inWorld(fixture, async ({ capture, context, target }) => {
    const saved = await capture();
    const other = { ...target, config: { connection_string: "redis://h" } };
    await assert.rejects(driver.restore(other, saved, context()), UsageError);
    await assert.rejects(driver.restore(target as never, saved, context(["/some/path"])), UsageError);
    await assert.rejects(
      driver.plan(target as never, { ...saved, state: { format: 9 } }, context()),
      RollbackError,
    );
  }));

Deno.test("database: the configuration is strict", () => {
  const { schema } = driver;
  assert.ok(schema.safeParse({ connection_string: "postgres://h/db", database_name: "x", jobs: 2 }).success);
  assert.ok(!schema.safeParse({ connection_string: "oracle://h/db" }).success);
  assert.ok(!schema.safeParse({ connection_string: "redis://h", unknown: 1 }).success);
  assert.ok(!schema.safeParse({ connection_string: "redis://h", jobs: 0 }).success);
});
