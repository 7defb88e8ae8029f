/** The policy sees what an operation on rollback points is about. */
import assert from "node:assert/strict";
import { createSnapshot } from "#/snapshot/mod.ts";
import { withTempDir } from "../support/temp.ts";
import { changeAll, look, makeWorld, restoring, taken } from "./world.ts";

Deno.test("policy: free space, retention's min_free and expressions know the disk and the targets", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const full = { rules: { "free-space": { minimum: "4000TiB" } } };
    const refused = await createSnapshot({ ...options, policy: full });
    assert.equal(refused.exit_code, 41);
    assert.match(refused.error?.message ?? "", /bytes would stay free/);
    const roomy = { rules: { "free-space": { minimum: "1KiB" } } };
    const report = await createSnapshot({
      ...options,
      id: "first",
      policy: roomy,
      retention: { keepLast: 1, minFreeBytes: 1 },
    });
    assert.equal(report.exit_code, 0);
    assert.deepEqual(report.warnings, []);

    changeAll(folder, "v2");
    const before = look(folder);
    const custom = [{
      id: "few",
      when: "snapshot.targets.filter(t, t.changes > 0).size() > 2",
      message: "too much at once",
    }];
    const denied = await restoring({ ...options, policy: { custom } }, "first");
    assert.equal(denied.exit_code, 41);
    assert.match(denied.error?.message ?? "", /too much at once/);
    assert.deepEqual(look(folder), before);
    assert.equal(
      (await restoring({ ...options, policy: { custom } }, "first", { only: ["one"] })).exit_code,
      0,
    );
  }));

Deno.test("policy: an old point is told, or refused", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken({ ...options, now: () => new Date("2026-01-01T00:00:00Z") });
    changeAll(folder, "v2");
    const at = { ...options, now: () => new Date("2026-01-31T00:00:00Z") };
    const policy = { rules: { "snapshot-age": { max_age: "7d", severity: "deny" } } } as const;
    assert.equal((await restoring({ ...at, policy }, id)).exit_code, 41);
    const milder = { rules: { "snapshot-age": { max_age: "7d" } } };
    const report = await restoring({ ...at, policy: milder }, id);
    assert.equal(report.exit_code, 0);
    assert.ok(report.warnings.some((warning) => /was made 30d ago/.test(warning)), report.warnings.join());
  }));
