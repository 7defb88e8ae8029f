/** From a version that works over one that does not and back, as a person would do it, on real engines. */
import assert from "node:assert/strict";
import { SWEEP_LEVEL } from "../support/sweep_level.ts";
import { testRequiring } from "../support/require.ts";
import { Shop } from "./shop.ts";

for (const kind of ["docker", "podman"] as const) {
  testRequiring(
    ["root", kind, "redis", "postgresql"],
    `a stack on ${kind}: a broken version is taken back with its configuration, images and data`,
    async (t) => {
      await using shop = await Shop.open(kind);
      const good = await shop.look();
      assert.equal(good.page, "one");
      assert.equal(good.rows, "orders 2");

      await t.step("snapshot create needs nothing but the compose file", async () => {
        const point = await shop.json(
          0,
          "snapshot",
          "create",
          "before v2",
          "--include-volumes",
          "--id",
          "good",
        );
        assert.deepEqual(point.warnings, []);
        const list = await shop.cli("snapshot", "list");
        assert.match(list.stdout, /good .* stack: cache, db, web \(2 volumes\)/);
        const shown = (await shop.cli("snapshot", "show", "latest")).stdout;
        assert.match(shown, /cache +\S*redis:7 +sha256:[0-9a-f]{12} +1 +healthy/);
        assert.match(shown, /Volumes: shop_cache, shop_db/);
        assert.deepEqual(await shop.look(), good, "taking it changes nothing");
      });

      await t.step("snapshot restore latest brings it back", async () => {
        await shop.deployBroken();
        const broken = await shop.look();
        assert.deepEqual([broken.page, broken.redis, broken.rows], ["two", "99", "later"]);
        const plan = await shop.json(0, "snapshot", "restore", "latest", "--dry-run");
        assert.equal(plan.dry_run, true);
        assert.ok(plan.steps.length >= 2, JSON.stringify(plan.steps));
        assert.deepEqual(await shop.look(), broken, "a dry run changes nothing");
        assert.equal((await shop.cli("snapshot", "restore", "latest")).code, 2, "nobody was asked");
        const report = await shop.json(0, "snapshot", "restore", "latest", "--auto-confirm");
        assert.ok(report.verification.every((it: { passed: boolean }) => it.passed));
        assert.deepEqual(await shop.look(), good);
      });

      // Podman goes the same way from here on.
      const isWhole = kind === "docker" || SWEEP_LEVEL === "full";

      await t.step({
        name: "and can itself be taken back",
        ignore: !isWhole,
        fn: async () => {
          const { snapshots } = await shop.json(0, "snapshot", "list");
          const safety = snapshots.find((it: { origin: string }) => it.origin === "safety");
          await shop.json(0, "snapshot", "restore", safety.id, "--yes");
          const again = await shop.look();
          assert.deepEqual([again.page, again.redis, again.rows], ["two", "99", "later"]);
        },
      });

      await t.step({
        name: "service rollback takes one service back, and only that",
        ignore: !isWhole,
        fn: () => oneService(shop),
      });

      await t.step("guard does all of it by itself", async () => {
        if (isWhole) await shop.json(0, "snapshot", "restore", "good", "--yes");
        configure(shop);
        const script = `
docker exec shop_cache_1 redis-cli set price 99 && docker exec shop_cache_1 redis-cli save
docker exec shop_db_1 psql -h 127.0.0.1 -U postgres -q -c 'drop table orders'
sed -i 's/web:1/web:2/' docker-compose.yml && echo MODE=two >.env
exec docker-compose up -d >/dev/null 2>&1`;
        const env = Object.entries(shop.engine.env).map(([name, value]) => `${name}=${value}`);
        const guard = ["guard", "--include-volumes", "--json", "--", "env", ...env, "sh", "-c", script];
        const { code, stdout, stderr } = await shop.cli(...guard);
        assert.equal(code, 56, stderr + stdout);
        const report = JSON.parse(stdout);
        assert.match(report.summary, /^env succeeded, but .*web.*its change was rolled back/);
        assert.deepEqual(await shop.look(), good);
      });

      if (kind === "docker") {
        await t.step("an image that is gone comes from the snapshot that has it", () => goneImage(shop));
      }
    },
  );
}

async function oneService(shop: Shop): Promise<void> {
  const ids = await shop.engine.docker("inspect", "-f", "{{.Id}}", "shop_cache_1", "shop_db_1");
  const dry = await shop.json(0, "service", "rollback", "web", "--dry-run");
  assert.match(dry.summary, /^Would roll web to .*web:1 \(sha256:/);
  assert.equal((await shop.look()).page, "two");
  const report = await shop.json(0, "service", "rollback", "web", "--yes");
  assert.match(report.summary, /^Rolled web to .*web:1 \(sha256:.*back/);
  const now = await shop.look();
  assert.deepEqual([now.page, now.redis, now.rows], ["one", "99", "later"]);
  assert.equal(await shop.engine.docker("inspect", "-f", "{{.Id}}", "shop_cache_1", "shop_db_1"), ids);
  assert.equal(await shop.run("web", "sh", "-c", "echo $TWO$MODE"), "two", "no variable of the other image");
  configure(shop);
  // One that does not work is taken back by itself.
  const failed = await shop.json(43, "service", "rollback", "web", "2", "--yes");
  assert.match(failed.error.message, /web/);
  assert.equal((await shop.look()).page, "one");
  assert.equal((await shop.cli("service", "rollback", "web", "nosuch", "--yes")).code, 40);
  assert.equal((await shop.cli("service", "rollback", "nosuch", "--yes")).code, 40);
  assert.match((await shop.json(0, "service", "rollback", "web", "--yes")).summary, /^Nothing to do/);
  const { snapshots } = await shop.json(0, "snapshot", "list");
  assert.ok(snapshots.every((it: { id: string }) => !it.id.startsWith("service-")), "nothing is left of it");
}

/** A web server that does not answer shall not be waited for long. */
function configure(shop: Shop): void {
  const text = "version: 1\ntargets: {stack: {type: container, path: ., health_timeout: 4s}}\n";
  Deno.writeTextFileSync(`${shop.folder}/backout.yaml`, text);
}

async function goneImage(shop: Shop): Promise<void> {
  await shop.json(0, "snapshot", "create", "--id", "whole", "--include-images", "--services", "web");
  await shop.json(0, "snapshot", "create", "--id", "bare", "--services", "web");
  shop.writeFiles("web:2", "one");
  await shop.up();
  await shop.engine.docker("rmi", "web:1");
  const plan = await shop.json(0, "snapshot", "restore", "bare", "--dry-run");
  assert.match(JSON.stringify(plan), /load the image from whole/);
  await shop.json(0, "snapshot", "restore", "bare", "--yes");
  assert.equal((await shop.look()).page, "one");
  await shop.json(0, "snapshot", "delete", "whole", "--yes");
  shop.writeFiles("web:2", "one");
  await shop.up();
  await shop.engine.docker("rmi", "web:1");
  const { code, stdout, stderr } = await shop.cli("snapshot", "restore", "bare", "--yes", "--json");
  assert.equal(code, 45, stderr + stdout);
  assert.match(stdout, /web:1 of web \(sha256:[0-9a-f]{12}\) is gone/);
  assert.equal((await shop.look()).page, "two", "nothing was touched");
}
