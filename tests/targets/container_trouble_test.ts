/** What goes wrong with a stack, on a real dockerd: each is told in words of its own, and nothing is lost by it. */
import assert from "node:assert/strict";
import type { JsonObject } from "#/core/json.ts";
import { EngineError } from "#/target/container/engine_error.ts";
import { type Capability, testRequiring } from "../support/require.ts";
import {
  COMPOSE,
  deployBadVersion,
  engineOf,
  idsOf,
  lookAtStack,
  mountpoint,
  rejection,
  runHere,
  setUpStack,
  stackFixture,
  stackOf,
} from "./container_support.ts";
import { inWorld, type TargetFixture } from "./target_contract.ts";

const base = stackFixture("docker");
const needs: readonly Capability[] = base.needs;

function withMore(more: JsonObject): TargetFixture {
  return { ...base, setUp: (world) => setUpStack(world, "docker", more) };
}

testRequiring(needs, "container: files that were edited before the snapshot do not matter", async () => {
  await inWorld(base, async ({ folder, driver, target, context, capture }) => {
    // As people do it: the file is edited, then guard takes its snapshot, and then compose runs.
    Deno.writeTextFileSync(`${stackOf(folder)}/docker-compose.yml`, COMPOSE.replaceAll("app:1", "app:2"));
    const before = await lookAtStack(folder);
    const saved = await capture();
    await engineOf(folder).compose(stackOf(folder), "up", "-d");
    assert.notDeepEqual(await lookAtStack(folder), before);
    await driver.restore(target, saved, context());
    assert.deepEqual(await lookAtStack(folder), before);
  });
});

testRequiring(
  needs,
  "container: a tag that moved before the snapshot, also when its image is gone",
  async () => {
    await inWorld(base, async ({ folder, driver, target, context, capture }) => {
      const engine = engineOf(folder);
      const v1 = await engine.docker("image", "inspect", "--format", "{{.Id}}", "app:1");
      await engine.docker("tag", "app:2", "app:1");
      const before = await lookAtStack(folder);
      const saved = await capture();
      assert.match(saved.warnings.join("\n"), /but app:1 is another image by now/);
      await engine.compose(stackOf(folder), "up", "-d");
      await driver.restore(target, saved, context());
      assert.deepEqual(await lookAtStack(folder), before);
      await engine.docker("tag", v1, "app:1");
      await engine.docker("rmi", "app:2");
      await driver.restore(target, saved, context());
      assert.equal(await driver.fingerprint(target, context()), saved.fingerprint);
      assert.equal(await engine.docker("images", "-q", "app:1"), "", "compose would go on with it");
      assert.equal(await engine.docker("inspect", "--format", "{{.Image}}", "shop_web_1"), v1);
    });
  },
);

testRequiring(
  needs,
  "container: what is not concerned runs on, and a tag that moved comes back",
  async () => {
    await inWorld(base, async ({ folder, driver, target, context, capture }) => {
      const engine = engineOf(folder);
      const saved = await capture();
      const before = await lookAtStack(folder);
      await engine.docker("stop", "shop_db_1");
      await driver.restore(target, saved, context());
      assert.deepEqual(await lookAtStack(folder), before);
      const [web, db] = [await idsOf(folder, "shop_web_1"), await idsOf(folder, "shop_db_1")];
      await engine.docker("tag", "app:2", "app:1");
      Deno.writeTextFileSync(`${await mountpoint(folder, "shop_data")}/one`, "broken");
      const plan = await driver.plan(target, saved, context());
      assert.deepEqual(plan.changes.map((it) => [it.action, it.path]), [
        ["run", "shop_web_1"],
        ["replace", "shop_data"],
        ["run", "shop_web_1"],
        ["replace", "app:1"],
      ]);
      await driver.restore(target, saved, context());
      assert.deepEqual(await lookAtStack(folder), before);
      assert.deepEqual([await idsOf(folder, "shop_web_1"), await idsOf(folder, "shop_db_1")], [web, db]);
      const kept = `${await mountpoint(folder, "shop_data")}/../.backout-kept`;
      assert.equal(Deno.readTextFileSync(`${kept}/one`), "broken", "the old content is not kept");
      await driver.finish!(target, saved, context());
      assert.throws(() => Deno.lstatSync(kept), Deno.errors.NotFound);
      // compose thinks so too: nothing is to be made again.
      await engine.compose(stackOf(folder), "up", "-d");
      assert.equal(await idsOf(folder, "shop_web_1"), web);
    });
  },
);

testRequiring(needs, "container: the whole stack, its network, volumes and image are gone", async () => {
  await inWorld(withMore({ include_images: true }), async (world) => {
    const { folder, driver, target, context, capture } = world;
    const engine = engineOf(folder);
    const before = await lookAtStack(folder);
    const saved = await capture();
    await engine.compose(stackOf(folder), "down", "-v");
    await engine.docker("rmi", "app:1");
    const plan = await driver.plan(target, saved, context());
    assert.deepEqual(plan.problems, []);
    assert.match(plan.changes[0]!.detail!, /load the image/);
    await driver.restore(target, saved, context());
    assert.deepEqual(await lookAtStack(folder), before);
    assert.equal(await driver.fingerprint(target, context()), saved.fingerprint);
    // Without its images the same is refused by name, before anything is touched.
    const bare = { ...saved, state: { ...saved.state, images: [] } };
    await engine.compose(stackOf(folder), "down", "-v");
    await engine.docker("rmi", "app:1");
    const gone = await driver.plan(target, bare, context());
    assert.match(gone.problems.join(), /the image app:1 of db, app:1 of web \(sha256:[0-9a-f]{12}\) is gone/);
    assert.match((await rejection(driver.restore(target, bare, context()))).message, /app:1.* is gone/);
  });
});

testRequiring(needs, "container: a volume that another project uses is left alone", async () => {
  await inWorld(base, async ({ folder, driver, target, context, capture }) => {
    const saved = await capture();
    await deployBadVersion(folder);
    const label = "com.docker.compose.project=other";
    await engineOf(folder).docker(
      ...["run", "-d", "--init", "--name", "stranger", "--label", label, "-v", "shop_data:/d", "app:1"],
      ...["sleep", "1000"],
    );
    const before = await lookAtStack(folder);
    const plan = await driver.plan(target, saved, context());
    assert.deepEqual(plan.problems, ["the volume shop_data is in use by stranger of the project other"]);
    assert.match((await rejection(driver.restore(target, saved, context()))).message, /in use by stranger/);
    assert.deepEqual(await lookAtStack(folder), before);
  });
});

testRequiring(
  needs,
  "container: a port that is taken meanwhile is named, and the way back is open",
  async () => {
    const setUp = async (world: string) => {
      const config = await setUpStack(world, "docker");
      const file = `${stackOf(world)}/docker-compose.yml`;
      Deno.writeTextFileSync(
        file,
        COMPOSE.replace("    depends_on", '    ports: ["8123:80"]\n    depends_on'),
      );
      await engineOf(world).compose(stackOf(world), "up", "-d");
      return config;
    };
    await inWorld({ ...base, setUp }, async ({ folder, driver, target, context, capture }) => {
      const saved = await capture();
      const engine = engineOf(folder);
      await deployBadVersion(folder); // without the port
      await engine.docker(
        "run",
        "-d",
        "--init",
        "--name",
        "taker",
        "-p",
        "8123:80",
        "app:2",
        "sleep",
        "1000",
      );
      const safety = await capture(saved);
      const before = await lookAtStack(folder);
      const error = await rejection(driver.restore(target, saved, context()));
      assert.ok(error instanceof EngineError && error.problem === "port_taken", error.message);
      assert.match(error.message, /8123/);
      assert.match(error.hint!, /ss -ltnp/);
      await driver.restore(target, safety, context());
      assert.deepEqual(await lookAtStack(folder), before);
    });
  },
);

testRequiring([...needs, "loop"], "container: a disk that is full in the middle of a volume", async () => {
  await inWorld(base, async ({ folder, driver, target, context, capture }) => {
    const data = await mountpoint(folder, "shop_data");
    Deno.writeTextFileSync(`${data}/big`, "x".repeat(300_000));
    const saved = await capture();
    const volume = data.replace(/\/_data$/, "");
    // From here on the volume's folder is small, and has something else in it.
    await runHere("mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", volume);
    try {
      Deno.mkdirSync(data);
      Deno.writeTextFileSync(`${data}/one`, "broken");
      const running = await idsOf(folder, "shop_web_1");
      const error = await rejection(driver.restore(target, saved, context()));
      assert.match(error.message, /the disk is full|not enough space/);
      assert.equal(error.code, 45);
      assert.deepEqual([...Deno.readDirSync(volume)].map((it) => it.name), ["_data"], "something is left");
      assert.equal(Deno.readTextFileSync(`${data}/one`), "broken");
      const state = await engineOf(folder).docker("inspect", "--format", "{{.State.Running}}", running);
      assert.equal(state, "true", "it was stopped although nothing could be done");
    } finally {
      await runHere("umount", volume);
    }
  });
});

testRequiring(
  needs,
  "container: files that do not parse are kept, with a warning while something runs",
  async () => {
    await inWorld(base, async ({ folder, driver, target, context, capture }) => {
      const file = `${stackOf(folder)}/docker-compose.yml`;
      const good = await capture();
      Deno.writeTextFileSync(file, "services: [\n");
      const saved = await capture(good);
      assert.match(saved.warnings.join("\n"), /compose refuses the files/);
      await driver.restore(target, good, context());
      assert.equal(Deno.readTextFileSync(file), COMPOSE);
      await engineOf(folder).compose(stackOf(folder), "down");
      Deno.writeTextFileSync(file, "services: [\n");
      const error = await rejection(capture());
      assert.equal(error.code, 45);
      assert.match(error.message, /compose refuses its files/);
    });
  },
);

testRequiring(needs, "container: a stack that is half up comes back half up", async () => {
  // A service that cannot be asked must not stand in the way either.
  const unknown = { know_how: { db: { kind: "postgres", password_env: "BACKOUT_NOT_SET" } } };
  await inWorld(withMore(unknown), async ({ folder, driver, target, context, capture, warnings }) => {
    const engine = engineOf(folder);
    await engine.docker("kill", "shop_web_1");
    const before = await lookAtStack(folder);
    const saved = await capture();
    assert.match(warnings.join("\n"), /db could not be asked whether it works: .*password/i);
    assert.match(saved.warnings.join("\n"), /shop_web_1 does not run: it ended with code 137/);
    await deployBadVersion(folder);
    await driver.restore(target, saved, context());
    assert.deepEqual(await lookAtStack(folder), before);
  });
});
