/** What a restore of a stack must not lose on the way: files that are left out of volumes, and how networks were made. */
import assert from "node:assert/strict";
import { sha256Hex } from "#/core/sha256.ts";
import type { JsonObject } from "#/core/json.ts";
import { networkWords } from "#/target/container/create_network.ts";
import { podmanCreate } from "#/target/container/create_podman.ts";
import { CliEngine } from "#/target/container/engine.ts";
import { EngineError } from "#/target/container/engine_error.ts";
import { askOnce, servicesOf } from "#/target/container/know.ts";
import { openEngine, whoAnswers } from "#/target/container/open_engine.ts";
import { runProgram } from "#/target/run_program.ts";
import { containerOf } from "#/target/container/engine_parse.ts";
import { containerSchema } from "#/target/container/config.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import {
  COMPOSE,
  engineOf,
  mountpoint,
  rejection,
  setUpStack,
  stackFixture,
  stackOf,
} from "./container_support.ts";
import { inWorld } from "./target_contract.ts";

const base = stackFixture("docker");

/** With a network and an address of its own. */
const PARTICULAR =
  COMPOSE.replace("depends_on: [db]", 'depends_on: [db]\n    mac_address: "02:42:ac:11:00:99"') +
  "networks: {default: {driver_opts: {com.docker.network.driver.mtu: '1300'}}}\n";

testRequiring(
  base.needs,
  "container: what is left out of a volume stays, and so does how it is linked",
  async () => {
    const setUp = (world: string) => setUpStack(world, "docker", { exclude: ["*.tmp"] });
    await inWorld({ ...base, setUp }, async ({ folder, driver, target, context, capture }) => {
      const engine = engineOf(folder);
      const data = await mountpoint(folder, "shop_data");
      await engine.compose(stackOf(folder), "down");
      Deno.writeTextFileSync(`${stackOf(folder)}/docker-compose.yml`, PARTICULAR);
      await engine.compose(stackOf(folder), "up", "-d");
      const saved = await capture();
      Deno.writeTextFileSync(`${data}/one`, "broken");
      Deno.writeTextFileSync(`${data}/sub/session.tmp`, "nobody else has it");
      await engine.compose(stackOf(folder), "down");

      const stranger = await engine.docker("create", "--name", "shop_web_1", "app:1");
      const [problem, ...others] = (await driver.plan(target, saved, context())).problems;
      assert.match(
        problem!,
        /the name of the container shop_web_1 is taken by another container \([0-9a-f]{12}\)/,
      );
      assert.deepEqual(others, []);
      assert.match((await rejection(driver.restore(target, saved, context()))).message, /is taken by/);
      assert.equal(Deno.readTextFileSync(`${data}/one`), "broken", "something was changed");
      await engine.docker("rm", stranger);

      await driver.restore(target, saved, context());
      await driver.finish!(target, saved, context());
      assert.equal(Deno.readTextFileSync(`${data}/one`), "1".repeat(5000));
      assert.equal(Deno.readTextFileSync(`${data}/sub/session.tmp`), "nobody else has it");
      const said = (what: string, format: string) => engine.docker("inspect", "--format", format, what);
      assert.match(await said("shop_default", "{{json .Options}}"), /"com.docker.network.driver.mtu":"1300"/);
      assert.equal(await said("shop_web_1", "{{.Config.MacAddress}}"), "02:42:ac:11:00:99");
      const before = await said("shop_web_1", "{{.Id}}");
      await engine.compose(stackOf(folder), "up", "-d");
      assert.equal(await said("shop_web_1", "{{.Id}}"), before, "compose makes it anew");

      // A volume of somebody else's filesystem: an empty folder must not take its place.
      await engine.compose(stackOf(folder), "down", "-v");
      const options = "driver_opts: {type: tmpfs, device: tmpfs}";
      Deno.writeTextFileSync(
        `${stackOf(folder)}/docker-compose.yml`,
        PARTICULAR.replace("db: {}", `db: {${options}}`),
      );
      await engine.compose(stackOf(folder), "up", "-d");
      const bare = { ...target, config: { ...target.config as JsonObject, include_volumes: false } };
      const captured = await driver.capture(bare, { ...context(), previous: undefined });
      const without = { ...saved, ...captured };
      await engine.compose(stackOf(folder), "down", "-v");
      assert.match(
        (await driver.plan(bare, without, context())).problems.join(),
        /the volume shop_db is gone, and/,
      );
      await engine.compose(stackOf(folder), "up", "--no-start");
      await driver.restore(bare, without, context());
      assert.equal(await driver.fingerprint(bare, context()), captured.fingerprint);
    });
  },
);

testRequiring(
  ["docker"],
  "container: an engine that never answers is not waited for without end",
  async () => {
    await withTempDir(async (folder) => {
      const path = `${folder}/deaf.sock`;
      using listener = Deno.listen({ transport: "unix", path });
      const connections: Deno.Conn[] = [];
      const accepting = (async () => {
        for await (const connection of listener) connections.push(connection);
      })();
      const env = (name: string) => name === "DOCKER_HOST" ? `unix://${path}` : Deno.env.get(name);
      const context = { env, signal: new AbortController().signal };
      const engine = new CliEngine({ kind: "docker", context, answerMs: 500 });
      for (const ask of [() => engine.records(["a"]), () => engine.stop(["a"]), () => engine.tag("a", "b")]) {
        const error = await rejection(ask());
        assert.ok(error instanceof EngineError && error.problem === "hangs", error.message);
        assert.match(error.hint!, /start it again/);
      }
      // A program in a container may take as long as it was given: that says nothing of the engine.
      const slow = await rejection(engine.exec("a", ["true"], { timeoutMs: 300 }));
      assert.ok(!(slow instanceof EngineError), slow.message);
      connections.forEach((it) => it.close());
      listener.close();
      await accepting.catch(() => {});
    });
  },
);

Deno.test("container: a snapshot's own engine is meant, also while another one answers", async () => {
  const context = { env: () => undefined, signal: new AbortController().signal };
  assert.equal((await openEngine(undefined, context, "podman")).kind, "podman");
  // The state before is looked at without the snapshot.
  assert.equal((await openEngine(undefined, context)).kind, "podman");
  assert.equal((await openEngine(undefined, context, "docker")).kind, "docker");
});

Deno.test("container: a network is made again with its options and addresses", () => {
  const record: JsonObject = {
    ...{ Name: "n", Driver: "bridge", EnableIPv6: true, Attachable: true, Options: { mtu: "1300" } },
    IPAM: { Config: [{ Subnet: "10.9.0.0/16", IPRange: "10.9.4.0/24", Gateway: "10.9.0.1" }] },
  };
  const { words, addresses } = networkWords(record);
  assert.deepEqual(words, ["--driver", "bridge", "--opt", "mtu=1300", "--ipv6", "--attachable"]);
  assert.deepEqual(addresses, [
    ...["--subnet", "10.9.0.0/16", "--ip-range", "10.9.4.0/24", "--gateway", "10.9.0.1"],
  ]);
});

Deno.test("container: no password stands on podman's command line, whatever it is called", () => {
  const names = ["DOCKER_PASSWORD", "CONTAINER_TOKEN", "REGISTRY_PASSWORD", "STORAGE_KEY", "BUILDAH_SECRET"];
  const record: JsonObject = {
    ImageName: "localhost/app:1",
    Config: {
      CreateCommand: ["podman", "run", "-d", "-e", "DOCKER_PASSWORD=s3cret", "localhost/app:1"],
      Env: [...names.map((it) => `${it}=s3cret`), "DOCKER_HOST=unix:///x", "PATH=/bin"],
    },
  };
  const { args, env } = podmanCreate(record, new Map());
  assert.ok(!args.join(" ").includes("s3cret"), args.join(" "));
  for (const name of names) assert.equal(env[name], "s3cret");
  // It would lead podman itself elsewhere.
  assert.equal(env["DOCKER_HOST"], undefined);
  assert.ok(args.includes("DOCKER_HOST=unix:///x"));
});

testRequiring(["posix"], "container: a service that hangs does not work, and is asked again", async () => {
  const labels = { "com.docker.compose.service": "cache" };
  const record: JsonObject = { Config: { Image: "redis:7", Labels: labels }, State: { Running: true } };
  const [service] = servicesOf([containerOf(record, "docker")]);
  const context = { env: (name: string) => Deno.env.get(name), signal: new AbortController().signal };
  const never = () => Promise.reject(new Error("not asked"));
  const verdict = await askOnce(service!, containerSchema.parse({ path: "/" }), {
    ...{ ...context, sleep: never, kill: never, look: never },
    exec: async () => {
      await runProgram({ program: "sleep", args: ["600"], package: "coreutils", context, timeoutMs: 200 });
      throw new Error("it ended");
    },
  });
  assert.deepEqual(verdict, {
    healthy: false,
    message: "cache hangs: it was asked, and gave no answer in time",
  });
});

testRequiring(
  ["podman"],
  "container: while docker is down, podman is meant only if it has containers",
  async () => {
    await withTempDir(async (folder) => {
      const conf = `[storage]\ndriver = "vfs"\ngraphroot = "${folder}/root"\nrunroot = "${folder}/run"\n`;
      Deno.writeTextFileSync(`${folder}/storage.conf`, conf);
      // Docker's client is told nothing by a variable that backout would take for the user's word.
      Deno.mkdirSync(`${folder}/.docker`);
      Deno.writeTextFileSync(`${folder}/.docker/config.json`, '{"currentContext": "none"}');
      const metadata = `${folder}/.docker/contexts/meta/${sha256Hex("none")}`;
      Deno.mkdirSync(metadata, { recursive: true });
      const endpoints = { docker: { Host: `unix://${folder}/none.sock`, SkipTLSVerify: false } };
      Deno.writeTextFileSync(
        `${metadata}/meta.json`,
        JSON.stringify({ Name: "none", Metadata: {}, Endpoints: endpoints }),
      );
      const variables: Record<string, string> = {
        PATH: Deno.env.get("PATH")!,
        HOME: folder,
        DOCKER_CONFIG: `${folder}/.docker`,
        CONTAINERS_STORAGE_CONF: `${folder}/storage.conf`,
      };
      const context = { env: (name: string) => variables[name], signal: new AbortController().signal };
      const error = await rejection(whoAnswers(context));
      assert.ok(error instanceof EngineError && error.problem === "unreachable", String(error));
      assert.match(error.hint!, /say which engine is meant by `engine:`/);
      const podman = (...args: readonly string[]) => {
        const options = { args: [...args], env: variables, clearEnv: true };
        const { success, stderr } = new Deno.Command("podman", options).outputSync();
        assert.ok(success, new TextDecoder().decode(stderr));
      };
      new Deno.Command("tar", { args: ["-cf", `${folder}/base.tar`, "-C", folder, "storage.conf"] })
        .outputSync();
      podman("import", "--quiet", `${folder}/base.tar`, "base:1");
      podman("create", "--quiet", "--name", "one", "base:1", "true");
      assert.equal(await whoAnswers(context), "podman");
      podman("rm", "-f", "one");
    });
  },
);
