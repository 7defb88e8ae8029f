/** An engine that does not answer, or may not be asked; and a backout that dies while it holds services. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { RollbackError } from "#/core/errors.ts";
import type { SavedTarget } from "#/store/model.ts";
import { readHeld } from "#/target/held.ts";
import { EngineError } from "#/target/container/engine_error.ts";
import { newOperationId } from "#/core/ids.ts";
import { runCli } from "../support/cli.ts";
import { until } from "../support/servers/container_engine.ts";
import { startServer } from "../support/servers/started_server.ts";
import { testRequiring } from "../support/require.ts";
import { engineOf, idsOf, rejection, runHere, stackFixture, stackOf } from "./container_support.ts";
import { type ContractWorld, inWorld } from "./target_contract.ts";

const base = stackFixture("docker");
const needs = base.needs;

testRequiring([...needs, "setpriv"], "container: no engine, and no right to ask it", async () => {
  await inWorld(base, async (world) => {
    const { folder } = world;
    await asWhom(
      world,
      `exec setpriv --reuid=65534 --regid=65534 --clear-groups -- "$docker" "$@"`,
      (error) => {
        assert.ok(error instanceof EngineError && error.problem === "no_permission", error.message);
        assert.match(error.hint!, /group/);
      },
    );
    await engineOf(folder).kill();
    const error = await rejection(world.driver.plan(world.target, await emptySaved(), world.context()));
    assert.ok(error instanceof EngineError && error.problem === "unreachable", error.message);
    assert.match(error.hint!, /DOCKER_HOST/);
    assert.equal((await rejection(world.capture())).code, 45);
  });
});

testRequiring(needs, "container: services go on when backout is killed while it holds them", async () => {
  await inWorld(base, async ({ folder }) => {
    for (const how of ["pause", "stop"]) {
      await using held = await holdServices(folder, how, `${folder}/scratch`);
      await held.die();
      await until(async () => await held.areRunning(), () => `after ${how} they do not run`);
      // Who stops them later has them stopped.
      await until(() => readHeld(`${folder}/scratch`) === undefined, () => `after ${how} the note is left`);
    }
  });
});

testRequiring(
  needs,
  "container: where everything was killed that would let services go on, the next command does",
  async () => {
    await inWorld(base, async ({ folder }) => {
      const shop = stackOf(folder);
      Deno.writeTextFileSync(
        `${shop}/backout.yaml`,
        "version: 1\ntargets: {stack: {type: container, path: .}}\n",
      );
      const env = { ...engineOf(folder).env, PATH: Deno.env.get("PATH")!, HOME: folder };
      for (const how of ["pause", "stop"]) {
        const operation = `${shop}/.backout/target-operations/${newOperationId(new Date())}`;
        await using held = await holdServices(folder, how, `${operation}/scratch/stack`);
        await runHere("pkill", "-KILL", "-x", "-P", String(held.pid), "sh");
        await held.die();
        const { code, stdout, stderr } = await runCli(["recover", "--json"], { cwd: shop, env });
        assert.equal(code, 0, stderr);
        assert.match(stdout, /Started again: .*an operation that was cut off had held it still/);
        assert.ok(await held.areRunning(), how);
        assert.throws(() => Deno.lstatSync(operation), Deno.errors.NotFound);
        const again = await runCli(["recover", "--json"], { cwd: shop, env });
        assert.doesNotMatch(again.stdout, /Started again/);
      }
    });
  },
);

/** A process that holds the stack's services. */
async function holdServices(folder: string, how: string, scratch: string) {
  const ids = (await idsOf(folder, "shop_web_1", "shop_db_1")).split("\n");
  Deno.mkdirSync(scratch, { recursive: true });
  const main = fileURLToPath(new URL("./container_hold_child.ts", import.meta.url));
  const log = `${folder}.${how}`;
  const child = startServer([Deno.execPath(), "run", "-A", "--no-check", main, how, ...ids], {
    log,
    env: { ...engineOf(folder).env, PATH: Deno.env.get("PATH")!, SCRATCH: scratch },
  });
  const areRunning = async () =>
    await engineOf(folder).docker("inspect", "--format", "{{.State.Status}}", ...ids) === "running\nrunning";
  await until(() => textOf(log).includes("held"), () => textOf(log));
  assert.ok(!await areRunning());
  return {
    pid: child.pid,
    areRunning,
    die: async () => {
      Deno.kill(child.pid, "SIGKILL");
      await child.ended;
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

function textOf(file: string): string {
  try {
    return Deno.readTextFileSync(file);
  } catch {
    return "";
  }
}

/** Runs a capture with another `docker` in front of the real one. */
async function asWhom(
  { driver, target, context, folder }: ContractWorld,
  script: string,
  expect: (error: RollbackError) => void,
): Promise<void> {
  const bin = `${folder}.bin`;
  Deno.mkdirSync(bin);
  const docker = await runHere("sh", "-c", "command -v docker");
  Deno.writeTextFileSync(`${bin}/docker`, `#!/bin/sh\ndocker=${docker}\n${script}\n`, { mode: 0o755 });
  const plain = context();
  const env = (name: string) => name === "PATH" ? `${bin}:${Deno.env.get("PATH")}` : plain.env(name);
  expect(await rejection(driver.fingerprint(target, { ...plain, env })));
}

function emptySaved(): SavedTarget {
  const sha = "0".repeat(64);
  const empty = { size: 0, chunks: [] };
  const state = {
    ...{ format: 1, engine: "docker", compose: "", project: "shop", folder: "/x", compose_files: [] },
    ...{ env_files: [], profiles: [], host: "", git_commit: "", scope: null, services: [], networks: [] },
    ...{ config: { tree: empty, roots: [] }, resolved: null, records: empty, data: [], images: [] },
  };
  const facts = {
    name: "it",
    type: "container",
    undo: "exact" as const,
    config: {},
    method: "",
    metadata: {},
  };
  return {
    ...facts,
    ...{ state, roots: [], fingerprint: sha, files: 0, bytes: 0, stored_bytes: 0, seconds: 0, warnings: [] },
  };
}
