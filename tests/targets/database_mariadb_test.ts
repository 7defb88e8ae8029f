/** MariaDB: the contract of all targets on a real server, and what is its own. */
import assert from "node:assert/strict";
import { RollbackBackupError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import { type MariadbServer, startMariadb } from "../support/servers/mariadb.ts";
import { atLevel } from "../support/sweep_level.ts";
import { recordCommandLines } from "../support/command_lines.ts";
import { testRequiring } from "../support/require.ts";
import { killedAtMoments } from "./database_moments.ts";
import { type ContractWorld, inWorld, targetContract, type TargetFixture } from "./target_contract.ts";

const NAME = "Odd `name-ü";
const QUOTED = "`Odd ``name-ü`";
const FILL = `
  CREATE TABLE people (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50), photo BLOB, weight DOUBLE, born DATETIME(3),
    at TIMESTAMP DEFAULT '2024-01-01 00:00:00', flags BIT(5), doc JSON, double_weight DOUBLE AS (weight * 2)) CHARSET utf8mb4;
  INSERT INTO people (name, photo, weight, born, flags, doc) SELECT CONCAT('pérson ', seq), UNHEX(MD5(seq)), seq * 0.1,
    '2024-02-03 04:05:06.789', b'101', '{"a": 1}' FROM seq_1_to_500;
  INSERT INTO people (name) VALUES (NULL), ('it''s "quoted" \\\\ and\\nbroken');
  CREATE TABLE pets (id INT PRIMARY KEY, owner INT, CONSTRAINT of_owner FOREIGN KEY (owner) REFERENCES people (id));
  INSERT INTO pets VALUES (1, 1), (2, 500);
  CREATE TABLE \`odd \`\`name\` (a INT) ENGINE = MyISAM; INSERT INTO \`odd \`\`name\` VALUES (1);
  CREATE SEQUENCE numbers START WITH 10; DO NEXTVAL(numbers);
  CREATE FUNCTION how_many() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM people);
  CREATE PROCEDURE clear_pets(IN which INT) DELETE FROM pets WHERE id = which;
  CREATE VIEW owners AS SELECT people.name, how_many() AS n FROM people JOIN pets ON owner = people.id;
  CREATE TRIGGER stamp BEFORE INSERT ON people FOR EACH ROW SET NEW.weight = COALESCE(NEW.weight, 1);
  CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2036-01-01 00:00:00' DO DELETE FROM pets WHERE id > 1000;`;

/** Of the test that kills by the clock. */
const MOMENTS = atLevel({ sample: 3, wide: 3, full: 16 });

const servers = new Map<string, MariadbServer>();
const at = (world: string) => servers.get(world)!;

/** Everything that can be read of it. */
function look(world: string): unknown {
  const { sql } = at(world);
  const tables = sql(NAME, "SHOW FULL TABLES").trim().split("\n");
  const names = tables.map((it) => it.split("\t")[0]!);
  return {
    tables: tables.map((
      it,
      i,
    ) => [it, sql(NAME, `SHOW CREATE TABLE \`${names[i]!.replaceAll("`", "``")}\``)]),
    rows: names.map((it) => sql(NAME, `SELECT * FROM \`${it.replaceAll("`", "``")}\``)),
    triggers: sql(NAME, "SHOW TRIGGERS").replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d\d/g, ""),
    events: sql(NAME, "SHOW EVENTS"),
    routines: sql(
      NAME,
      "SELECT ROUTINE_NAME, ROUTINE_DEFINITION FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()",
    ),
    charset: sql(NAME, "SELECT @@collation_database"),
  };
}

const fixture: TargetFixture = {
  name: "database: MariaDB",
  type: "database",
  needs: ["mariadb"],
  setUp: async (world) => {
    const server = await startMariadb();
    servers.set(world, server);
    server.sql("mysql", `CREATE DATABASE ${QUOTED} CHARACTER SET latin1`);
    server.sql(NAME, FILL);
    server.sql(
      "mysql",
      "CREATE USER app@localhost IDENTIFIED BY 's3cret pass\\\"w#rd'; GRANT ALL ON *.* TO app@localhost",
    );
    return { connection_string: server.url(NAME, "app") };
  },
  tearDown: async (world) => {
    await at(world)[Symbol.asyncDispose]();
    servers.delete(world);
  },
  env: () => ({ MYSQL_PWD: 's3cret pass"w#rd' }),
  secrets: ["s3cret"],
  changes: {
    "rows, a trigger and a view were changed, tables and routines came and went": (world) => {
      at(world).sql(
        NAME,
        `UPDATE people SET name = 'x' WHERE id % 7 = 0; DROP TRIGGER stamp; DROP VIEW owners; DROP TABLE pets;
        CREATE TABLE later (a INT); CREATE TRIGGER after_all AFTER INSERT ON people FOR EACH ROW INSERT INTO later VALUES (1);
        CREATE VIEW pets AS SELECT * FROM later; DROP FUNCTION how_many; CREATE PROCEDURE new_one() SELECT 1;
        DROP EVENT nightly; ALTER DATABASE CHARACTER SET utf8mb4; DO NEXTVAL(numbers)`,
      );
    },
  },
  look,
  exported: (world, folder) => {
    const [file] = [...Deno.readDirSync(folder)].map((it) => it.name);
    assert.equal(file, `${NAME}.sql`);
    at(world).sql("mysql", "CREATE DATABASE elsewhere");
    at(world).sql("elsewhere", `source ${folder}/${file}`);
    assert.equal(at(world).sql("elsewhere", "SELECT how_many(), COUNT(*) FROM owners"), "502\t2\n");
  },
  killPoints: 4,
};
targetContract(fixture);

function mariadbTest(
  name: string,
  body: (world: ContractWorld, server: MariadbServer) => Promise<void>,
): void {
  testRequiring(
    ["mariadb"],
    `database: MariaDB: ${name}`,
    () => inWorld(fixture, (world) => body(world, at(world.folder))),
  );
}

mariadbTest("what goes wrong, in words and without the password", async (world, server) => {
  const { driver, target } = world;
  const saved = await world.capture();
  const other = (connection_string: string) => ({ ...target, config: { connection_string } });
  const capture = (url: string) => driver.capture(other(url), { ...world.context(), previous: undefined });
  await assert.rejects(capture(server.url("missing", "app")), RollbackVersionNotFoundError);
  const wrong = server.url(NAME, "app:wr0ng-word");
  await assert.rejects(capture(wrong), (error: Error) => {
    assert.ok(error instanceof RollbackBackupError);
    assert.match(error.message, /Access denied/);
    assert.ok(!JSON.stringify([error.message, error.hint, error.cause]).includes("wr0ng-word"));
    return true;
  });
  const plan = await driver.plan(other(wrong), saved, world.context());
  assert.equal(plan.problems.length, 1);
  await assert.rejects(capture("mysql://app@localhost/x?socket=/nowhere/m.sock"), RollbackBackupError);
});

mariadbTest("open transactions are ended, and finish leaves nothing behind", async (world, server) => {
  const { driver, target } = world;
  using commands = recordCommandLines();
  const before = await world.look();
  const saved = await world.capture();
  server.sql(NAME, "DELETE FROM pets");
  const holder = new Deno.Command("mariadb", {
    args: ["--no-defaults", `--socket=${server.socket}`, "--user=root", "--unbuffered", "--batch", NAME],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const input = holder.stdin.getWriter();
  await input.write(new TextEncoder().encode("BEGIN; SELECT COUNT(*) FROM people;\n"));
  const output = holder.stdout.getReader();
  await output.read();
  await driver.restore(target, saved, world.context());
  await input.close().catch(() => {});
  await output.cancel();
  await holder.status;
  assert.deepEqual(await world.look(), before);
  assert.ok(commands.lines.some((it) => it.startsWith("mariadb-dump")));
  assert.deepEqual(commands.lines.filter((it) => it.includes("s3cret")), []);
  assert.match(server.sql("mysql", "SHOW DATABASES"), /_old_/);
  await driver.finish!(target, saved, world.context());
  assert.doesNotMatch(server.sql("mysql", "SHOW DATABASES"), /_old_|_backout_|_away_/);
});

mariadbTest("a dump that is cut in the store leaves the live schema as it is", async (world, server) => {
  const saved = await world.capture();
  server.sql(NAME, "DELETE FROM pets");
  const before = await world.look();
  for (const [id, bytes] of world.store.chunks) {
    if (bytes.length > 20_000) world.store.chunks.set(id, bytes.slice(0, 16_000));
  }
  await assert.rejects(world.driver.restore(world.target, saved, world.context()));
  assert.deepEqual(await world.look(), before);
  assert.doesNotMatch(server.sql("mysql", "SHOW DATABASES"), /_old_|_backout_|_away_/);
});

mariadbTest(
  "killed at moments of its run, the next restore ends it and leaves nothing behind",
  (world, server) =>
    killedAtMoments(world, {
      change: () =>
        void server.sql(NAME, "DROP TABLE pets; DROP VIEW owners; DROP TRIGGER stamp; DROP EVENT nightly"),
      env: fixture.env!(world.folder),
      count: MOMENTS,
      leftovers: () => server.sql("mysql", "SHOW DATABASES"),
    }),
);

mariadbTest("a dump that is taken while somebody writes is of one moment", async (world, server) => {
  server.sql(NAME, "CREATE TABLE log (id INT PRIMARY KEY AUTO_INCREMENT, text TEXT)");
  const file = `${world.folder}/writes.sql`;
  Deno.writeTextFileSync(file, "INSERT INTO log (text) VALUES ('x');\n".repeat(200_000));
  const writer = new Deno.Command("mariadb", {
    args: ["--no-defaults", `--socket=${server.socket}`, "--user=root", `--execute=source ${file}`, NAME],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const saved = await world.capture();
  writer.kill("SIGKILL");
  await writer.status;
  assert.deepEqual(saved.warnings.filter((it) => it.includes("writers")), []);
  await world.driver.restore(world.target, saved, world.context());
  assert.equal(await world.driver.fingerprint(world.target, world.context()), saved.fingerprint);
  server.sql(NAME, "INSERT INTO log (text) VALUES ('the next number is free')");
});
