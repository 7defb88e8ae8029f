/** Retention on object storage: what goes is gone from the bucket, and nothing else is. */
import assert from "node:assert/strict";
import type { RetainedBackup } from "#/repository/views.ts";
import { publishThree } from "../cli/release_scenarios.ts";
import { BUCKET_WORLDS } from "../support/bucket_world.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

for (const kind of BUCKET_WORLDS) {
  testRequiring(kind.needs, `retention on ${kind.name}`, async () => {
    await using world = await kind.start();
    await withTempDir(async (cwd) => {
      const repository = world.repository(cwd);
      const { json, list } = repository;
      await publishThree(repository);
      const old = (await json(0, "release", "rollback", "v1.0.2")).backup[0].id;
      const newest = (await json(0, "release", "rollback", "v1.0.1")).backup[0].id;
      const rules = ["--keep-last", "1", "--min-free", "1GiB"];
      const plan = await json(0, "retention", "plan", ...rules);
      const planned = plan.backups.map(({ id, action }: RetainedBackup) => [id, action]);
      assert.deepEqual(planned, [[newest, "keep"], [old, "delete"]]);
      assert.match(plan.warnings.join(), /min_free 1 GiB deletes nothing: the free space .* is not known/);
      const isOf = (backup: string) => (key: string) => key.startsWith(`.rollback-backups/${backup}/`);
      const before = await list();
      assert.ok(before.some(isOf(old)));

      const report = await json(0, "retention", "apply", "--yes", ...rules);
      assert.equal(report.bytes_reclaimed, plan.delete.bytes);
      const after = await list();
      assert.ok(!after.some(isOf(old)));
      assert.deepEqual(after.filter(isOf(newest)), before.filter(isOf(newest)));
      assert.deepEqual(after.filter((key) => key.startsWith("v1.0.0/")).length > 0, true);
      assert.deepEqual(after.filter((key) => key.startsWith(".backout/operations/")), []);

      const idle = await json(0, "retention", "apply", "--yes", ...rules);
      assert.equal(idle.summary, "Nothing to delete: 1 backup stays");
      assert.deepEqual(await list(), after, "no trace");
      await json(45, "release", "restore", "v1.0.2");
      await json(0, "release", "restore", "v1.0.1");
      assert.deepEqual((await json(0, "audit", "verify")).problems, []);
    });
  });
}
