/** PostgreSQL: the contract of all targets on a real server, and what is its own. */
import assert from "node:assert/strict";
import { RollbackBackupError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import { type PostgresServer, startPostgres } from "../support/servers/postgres.ts";
import { atLevel } from "../support/sweep_level.ts";
import { recordCommandLines } from "../support/command_lines.ts";
import { testRequiring } from "../support/require.ts";
import { killedAtMoments } from "./database_moments.ts";
import { type ContractWorld, inWorld, targetContract, type TargetFixture } from "./target_contract.ts";

const NAME = "Odd 'n\"ame\\ =ü";
const QUOTED = `"Odd 'n""ame\\ =ü"`;
const PASSWORD = "s3cret-pass#word";
const FILL = `
  CREATE ROLE "app role" LOGIN; CREATE SCHEMA "odd "" schema" AUTHORIZATION "app role";
  CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL, x text, weight float8, born timestamptz, doc jsonb,
    photo bytea, tags text[], span interval, CHECK (weight > 0));
  INSERT INTO people (name, x, weight, born, doc, photo, tags, span) SELECT 'pérson ' || i, E'a\\tb\\n', i * 0.1,
    '2024-01-02 03:04:05.678+01', '{"a": [1, null]}', decode(md5(i::text), 'hex'), ARRAY['x', NULL], '1 day 2 hours'
    FROM generate_series(1, 500) i;
  CREATE TABLE pets (owner int REFERENCES people, name text) PARTITION BY LIST (name);
  CREATE TABLE pets_a PARTITION OF pets FOR VALUES IN ('a'); INSERT INTO pets VALUES (1, 'a');
  CREATE TABLE "odd "" schema"."t'able" (); ALTER TABLE people OWNER TO "app role";
  CREATE VIEW owners AS SELECT p.name FROM people p JOIN pets ON owner = id;
  CREATE MATERIALIZED VIEW heavy AS SELECT count(*) AS n FROM people;
  CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.x := 'stamped'; RETURN NEW; END $$;
  CREATE TRIGGER stamp BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION stamp();
  CREATE INDEX by_name ON people (lower(name)); COMMENT ON TABLE people IS 'it''s people';
  GRANT SELECT ON people TO PUBLIC; SELECT lo_from_bytea(0, 'a large object');
  ALTER DATABASE ${QUOTED} SET search_path = "$user", public, "odd "" schema"; ALTER DATABASE ${QUOTED} SET work_mem = '8MB';
  ALTER ROLE "app role" IN DATABASE ${QUOTED} SET datestyle = 'German'; ALTER DATABASE ${QUOTED} OWNER TO "app role";
  REVOKE CONNECT ON DATABASE ${QUOTED} FROM PUBLIC; GRANT CONNECT ON DATABASE ${QUOTED} TO "app role" WITH GRANT OPTION;
  COMMENT ON DATABASE ${QUOTED} IS 'a comment'; ALTER DATABASE ${QUOTED} CONNECTION LIMIT 17`;

/** Of the test that kills by the clock. */
const MOMENTS = atLevel({ sample: 3, wide: 3, full: 16 });

const servers = new Map<string, PostgresServer>();
const at = (world: string) => servers.get(world)!;
const CUT_COPY =
  "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND application_name = 'backout'";
const DATABASES = "SELECT datname FROM pg_database ORDER BY 1";

/** Everything that can be read of it, by pg_dump -C: also what belongs to the database itself. */
function look(world: string): unknown {
  const { success, stdout, stderr } = new Deno.Command("pg_dump", {
    args: ["--create"],
    env: { PGHOST: at(world).socket, PGUSER: "postgres", PGDATABASE: NAME },
    stdin: "null",
  }).outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).split("\n").filter((it) => !/^\\(un)?restrict/.test(it));
}

function passwordFile(world: string): string {
  Deno.writeTextFileSync(`${world}/password`, `${PASSWORD}\n`);
  return `${world}/password`;
}

const fixture: TargetFixture = {
  name: "database: PostgreSQL",
  type: "database",
  needs: ["postgresql"],
  setUp: async (world) => {
    const server = await startPostgres();
    servers.set(world, server);
    server.sql("postgres", `CREATE DATABASE ${QUOTED}`);
    server.sql(NAME, FILL);
    // The server asks for none; what matters is where it appears.
    return { connection_string: server.url(NAME), password_file: passwordFile(world) };
  },
  tearDown: async (world) => {
    await at(world)[Symbol.asyncDispose]();
    servers.delete(world);
  },
  secrets: [PASSWORD],
  changes: {
    "rows, tables, views, large objects and settings were changed": (world) => {
      at(world).sql(
        NAME,
        `UPDATE people SET name = 'x' WHERE id % 7 = 0; DROP VIEW owners; DROP TABLE pets; CREATE TABLE later (a int);
        DROP TRIGGER stamp ON people; SELECT lo_unlink(oid) FROM pg_largeobject_metadata; CREATE SCHEMA pets;
        ALTER DATABASE ${QUOTED} RESET ALL; ALTER DATABASE ${QUOTED} CONNECTION LIMIT -1; ALTER TABLE people OWNER TO postgres`,
      );
    },
  },
  look,
  exported: (world, folder) => {
    const [file] = [...Deno.readDirSync(folder)].map((it) => it.name);
    assert.match(file!, /\.dump$/);
    at(world).sql("postgres", "CREATE DATABASE elsewhere");
    const { success } = new Deno.Command("pg_restore", {
      args: [
        "--exit-on-error",
        "--host",
        at(world).socket,
        "-U",
        "postgres",
        "-d",
        "elsewhere",
        `${folder}/${file}`,
      ],
      stdin: "null",
    }).outputSync();
    assert.ok(success);
    assert.equal(at(world).sql("elsewhere", "SELECT count(*) FROM people"), "500\n");
  },
  killPoints: 4,
};
targetContract(fixture);

function postgresTest(
  name: string,
  body: (world: ContractWorld, server: PostgresServer) => Promise<void>,
): void {
  testRequiring(
    ["postgresql"],
    `database: PostgreSQL: ${name}`,
    () => inWorld(fixture, (world) => body(world, at(world.folder))),
  );
}

postgresTest("what goes wrong, in words", async (world, server) => {
  const { driver, target } = world;
  const saved = await world.capture();
  const other = (connection_string: string) => ({ ...target, config: { connection_string } });
  const capture = (url: string) => driver.capture(other(url), { ...world.context(), previous: undefined });
  await assert.rejects(capture(server.url("missing")), RollbackVersionNotFoundError);
  await assert.rejects(capture("postgresql://u:s3cret-word@/x?host=/nowhere"), (error: Error) => {
    assert.ok(error instanceof RollbackBackupError);
    assert.ok(!JSON.stringify([error.message, error.stack]).includes("s3cret-word"));
    return true;
  });
  server.sql("postgres", "CREATE ROLE weak LOGIN");
  const weak = await driver.plan(other(server.url(NAME, "weak")), saved, world.context());
  assert.match(weak.problems.join(), /may not create databases/);
  server.sql(
    NAME,
    `REASSIGN OWNED BY "app role" TO postgres; DROP OWNED BY "app role"; ALTER ROLE "app role" IN DATABASE
    ${QUOTED} RESET ALL; DROP ROLE "app role"`,
  );
  server.sql(NAME, "BEGIN; INSERT INTO people (name) VALUES ('x'); PREPARE TRANSACTION 'p'");
  const plan = await driver.plan(target, saved, world.context());
  assert.match(plan.problems.join("\n"), /roles .* do not exist: app role/);
  assert.match(plan.problems.join("\n"), /prepared transactions/);
  server.sql(NAME, "ROLLBACK PREPARED 'p'");
});

postgresTest(
  "open connections are ended, the live one is kept until finish, several jobs",
  async (world, server) => {
    const { driver } = world;
    const target = { ...world.target, config: { ...(world.target.config as object), jobs: 2 } };
    const before = await world.look();
    const saved = await world.capture();
    server.sql(NAME, "DROP TABLE pets CASCADE");
    const holder = new Deno.Command("psql", {
      args: ["-X", "-q", "-A", "-t"],
      env: { PGHOST: server.socket, PGUSER: "postgres", PGDATABASE: NAME },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const input = holder.stdin.getWriter();
    await input.write(new TextEncoder().encode("BEGIN; SELECT count(*) FROM people;\n"));
    const output = holder.stdout.getReader();
    await output.read();
    const plan = await driver.plan(target, saved, world.context());
    assert.match(plan.warnings.join(), /1 open connections/);
    await driver.restore(target, saved, world.context());
    await input.close().catch(() => {});
    await output.cancel();
    await holder.status;
    assert.deepEqual(await world.look(), before);
    assert.match(server.sql("postgres", DATABASES), /_old_/);
    await driver.finish!(target, saved, world.context());
    assert.doesNotMatch(server.sql("postgres", DATABASES), /_old_|_backout_|_away_/);
  },
);

postgresTest(
  "a dump that is damaged in the store leaves the live database as it is",
  async (world, server) => {
    const saved = await world.capture();
    server.sql(NAME, "DELETE FROM pets");
    const before = await world.look();
    for (const [id, bytes] of world.store.chunks) {
      world.store.chunks.set(
        id,
        bytes.slice(0, bytes.length * 0.6),
      );
    }
    await assert.rejects(world.driver.restore(world.target, saved, world.context()));
    assert.deepEqual(await world.look(), before);
    assert.doesNotMatch(server.sql("postgres", DATABASES), /_old_|_backout_|_away_/);
  },
);

postgresTest(
  "a database that was dropped comes back; a capture whose connection is cut fails",
  async (world, server) => {
    using commands = recordCommandLines();
    const before = await world.look();
    const saved = await world.capture();
    server.sql("postgres", `DROP DATABASE ${QUOTED}`);
    await world.driver.restore(world.target, saved, world.context());
    assert.deepEqual(await world.look(), before);
    assert.ok(commands.lines.some((it) => it.startsWith("pg_restore")));
    assert.deepEqual(commands.lines.filter((it) => it.includes(PASSWORD)), []);
    server.sql(NAME, "CREATE TABLE big AS SELECT i, repeat('x', 500) FROM generate_series(1, 100000) i");
    const cutting = new AbortController();
    const cut = (async () => {
      while (!cutting.signal.aborted && server.sql("postgres", CUT_COPY) === "0\n") {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    try {
      await assert.rejects(world.capture(), RollbackBackupError);
    } finally {
      cutting.abort();
      await cut;
    }
  },
);

postgresTest(
  "killed at moments of its run, the next restore ends it and leaves nothing behind",
  (world, server) =>
    killedAtMoments(world, {
      change: () => void server.sql(NAME, "DROP TABLE pets CASCADE; DELETE FROM people WHERE id > 100"),
      env: {},
      count: MOMENTS,
      leftovers: () => server.sql("postgres", "SELECT datname, datallowconn FROM pg_database ORDER BY 1"),
    }),
);

postgresTest("a dump that is taken while somebody writes is of one moment", async (world, server) => {
  server.sql(NAME, "CREATE TABLE log (id serial, text text)");
  const writer = new Deno.Command("psql", {
    args: [
      "-X",
      "-q",
      "-c",
      "DO $$ BEGIN LOOP INSERT INTO log (text) VALUES ('x'); COMMIT; END LOOP; END $$",
    ],
    env: { PGHOST: server.socket, PGUSER: "postgres", PGDATABASE: NAME },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const saved = await world.capture();
  await world.driver.restore(world.target, saved, world.context()); // ends the writer's connection
  await writer.status;
  assert.equal(await world.driver.fingerprint(world.target, world.context()), saved.fingerprint);
  server.sql(NAME, "INSERT INTO log (text) VALUES ('the next number is free')");
});
