/** Redis: the contract of all targets on a real server, and what is its own. */
import assert from "node:assert/strict";
import { RollbackBackupError } from "#/core/errors.ts";
import { type RedisServer, startRedis } from "../support/servers/redis.ts";
import { atLevel } from "../support/sweep_level.ts";
import { recordCommandLines } from "../support/command_lines.ts";
import { testRequiring } from "../support/require.ts";
import { killedAtMoments } from "./database_moments.ts";
import { type ContractWorld, inWorld, targetContract, type TargetFixture } from "./target_contract.ts";

const PASSWORD = "s3cret-pass#word";
/** Of the test that kills by the clock. */
const MOMENTS = atLevel({ sample: 3, wide: 3, full: 16 });

const servers = new Map<string, RedisServer>();
const at = (world: string) => servers.get(world)!;
const FUNCTION = "#!lua name=mine\nredis.register_function('one',function()return(1)end)";

const fixture: TargetFixture = {
  name: "database: Redis",
  type: "database",
  needs: ["redis"],
  setUp: async (world) => {
    const server = await startRedis(PASSWORD);
    servers.set(world, server);
    server.run(
      "MSET a 1 b 2 c 3",
      "LPUSH list x y z",
      "SADD set 1 2 3",
      "HSET hash f v g w",
      "ZADD sorted 1 a 2 b",
      "XADD stream * f v",
      "DEBUG POPULATE 2000 key 100",
      "EVAL redis.call('select',3);redis.call('set','other','database') 0",
    );
    const { success } = new Deno.Command("redis-cli", {
      args: ["-s", server.url.split("socket=")[1]!, "FUNCTION", "LOAD", FUNCTION],
      env: { REDISCLI_AUTH: PASSWORD },
      stdout: "null",
    }).outputSync();
    assert.ok(success);
    return { connection_string: server.url };
  },
  tearDown: async (world) => {
    await at(world)[Symbol.asyncDispose]();
    servers.delete(world);
  },
  env: () => ({ REDISCLI_AUTH: PASSWORD }),
  secrets: [PASSWORD],
  changes: {
    "keys were changed": (world) => void at(world).run("SET a 2", "LPOP list"),
    "keys came and went": (world) =>
      void at(world).run(
        "DEL a set",
        "SET later 1",
        "FUNCTION FLUSH",
        "EVAL redis.call('select',5);redis.call('set','z','1') 0",
      ),
  },
  look: (world) => ({
    digest: at(world).run("DEBUG DIGEST"),
    keyspace: at(world).run("INFO keyspace").replaceAll(/avg_ttl=\d+/g, ""),
    functions: at(world).run("FUNCTION LIST"),
    role: at(world).run("ROLE").split("\n")[0],
    master: at(world).run("CONFIG GET masterauth", "CONFIG GET masteruser"),
  }),
  exported: (_world, folder) => {
    const { success } = new Deno.Command("redis-check-rdb", {
      args: [`${folder}/dump.rdb`],
      stdin: "null",
      stdout: "null",
    }).outputSync();
    assert.ok(success);
  },
  killPoints: 4,
};
targetContract(fixture);

function redisTest(name: string, body: (world: ContractWorld, server: RedisServer) => Promise<void>): void {
  testRequiring(
    ["redis"],
    `database: Redis: ${name}`,
    () => inWorld(fixture, (world) => body(world, at(world.folder))),
  );
}

redisTest("what goes wrong, in words and without the password", async (world, server) => {
  const { driver, target } = world;
  const saved = await world.capture();
  const other = (connection_string: string) => ({ ...target, config: { connection_string } });
  const capture = (url: string) => driver.capture(other(url), { ...world.context(), previous: undefined });
  const wrong = server.url.replace("redis://", "redis://:wr0ng-word@");
  await assert.rejects(capture(wrong), (error: Error) => {
    assert.ok(error instanceof RollbackBackupError);
    assert.ok(!JSON.stringify([error.message, error.hint, error.stack]).includes("wr0ng-word"));
    return true;
  });
  await assert.rejects(capture("redis:///0?socket=/nowhere/r.sock"), RollbackBackupError);
  const plan = await driver.plan(other(wrong), saved, world.context());
  assert.ok(plan.problems.length > 0);
  server.run("REPLICAOF 127.0.0.1 1");
  const replica = await driver.plan(target, saved, world.context());
  assert.match(replica.problems.join(), /replica/);
});

redisTest("keys with a time limit keep it; those that are over are not restored", async (world, server) => {
  using commands = recordCommandLines();
  server.run("SET long 1 EX 10000", "SET short 1 PX 6000"); // the capture may take a while
  const saved = await world.capture();
  server.run("DEL long");
  while (server.run("EXISTS short").trim() !== "0") await new Promise((resolve) => setTimeout(resolve, 100));
  const { warnings } = await world.driver.restore(world.target, saved, world.context());
  assert.match(warnings.join(), /time was over/);
  assert.ok(commands.lines.some((it) => it.includes("REPLICAOF")));
  assert.deepEqual(commands.lines.filter((it) => it.includes(PASSWORD)), []);
  assert.equal(server.run("EXISTS long", "EXISTS short"), "1\n0\n");
  assert.ok(Number(server.run("TTL long")) > 9000);
});

redisTest("a dump that is damaged in the store leaves the live server as it is", async (world, server) => {
  const saved = await world.capture();
  server.run("DEL a");
  const before = await world.look();
  for (const [id, bytes] of world.store.chunks) {
    world.store.chunks.set(id, bytes.slice(0, bytes.length * 0.6));
  }
  await assert.rejects(world.driver.restore(world.target, saved, world.context()), RollbackBackupError);
  assert.deepEqual(await world.look(), before);
});

redisTest(
  "killed at moments of its run, the next restore ends it and leaves nothing behind",
  (world, server) =>
    killedAtMoments(world, {
      change: () => void server.run("DEL a key:1 key:2", "SET later 1"),
      env: fixture.env!(world.folder),
      count: MOMENTS,
      leftovers: () =>
        server.run("CONFIG GET masterauth", "CONFIG GET masteruser", "ROLE").split("\n").slice(0, 5).join(),
    }),
);
