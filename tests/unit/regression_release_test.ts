/** Defects of release operations that were found by attacking them; each fails without its fix. */
import assert from "node:assert/strict";
import { publishRelease, recoverRepository, restoreRelease, rollbackRelease, yankRelease } from "#/mod.ts";
import type { Journal } from "#/operation/journal.ts";
import { discard } from "#/operation/phases.ts";
import { openStorage } from "#/storage/registry.ts";
import { withTempDir } from "../support/temp.ts";
import {
  exists,
  makeRepository,
  readIndex,
  STABLE,
  V1,
  V2,
  V3,
  versions,
  write,
} from "./regression_support.ts";

Deno.test("regression: two releases that share an artifact leave in one operation, and its undo brings both back", async () => {
  await withTempDir(async (root) => {
    const shared = [
      { ...V3, artifacts: ["v3/a", "shared/x"] },
      { ...V2, artifacts: ["v2/a", "shared/x"] },
      V1,
    ];
    const repository = makeRepository(root, shared);
    const report = await rollbackRelease({ repository, to: "v1" });
    assert.equal(report.exit_code, 0, report.summary);
    assert.deepEqual([...report.artifacts_removed].sort(), ["shared/x", "v2/a", "v3/a"]);
    assert.equal(exists(`${repository}/shared`), false);

    const back = await restoreRelease({ repository, target: report.rollback_id! });
    assert.equal(back.exit_code, 0, back.summary);
    assert.deepEqual(versions(repository), ["v3", "v2", "v1"]);
    for (const path of ["v3/a", "v2/a", "shared/x"]) {
      assert.equal(Deno.readTextFileSync(`${repository}/${path}`), path);
    }
  });
});

Deno.test("regression: the undo of `--to` restores every version, whatever the type", async () => {
  for (const type of ["artifacts_only", "index_only"] as const) {
    await withTempDir(async (root) => {
      const repository = makeRepository(root, [V3, V2, V1]);
      const report = await rollbackRelease({ repository, to: "v1", type });
      const back = await restoreRelease({ repository, target: report.rollback_id! });
      assert.equal(back.exit_code, 0, back.summary);
      assert.deepEqual([...back.versions].sort(), ["v2", "v3"]);
      assert.deepEqual(versions(repository), ["v3", "v2", "v1"]);
      assert.equal(readIndex(repository).rolled_back, undefined);
    });
  }
});

Deno.test("regression: an index_only rollback without a backup is undone by its id, and that by its own undo", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [V2, V1]);
    const report = await rollbackRelease({ repository, version: "v2", type: "index_only", noBackup: true });
    assert.equal(report.undo, `backout release restore ${report.rollback_id}`);
    const back = await restoreRelease({ repository, target: report.rollback_id! });
    assert.equal(back.exit_code, 0, back.summary);
    assert.equal(back.undo, "backout release rollback v2 --type index_only");
  });
});

Deno.test("regression: the undo of a first publish into a new channel says that it needs force", async () => {
  await withTempDir(async (root) => {
    write(root, "source/a", "1");
    const repository = `${root}/new`;
    const options = { repository, version: "v1", directory: `${root}/source`, channels: ["stable"] };
    const report = await publishRelease(options);
    assert.equal(report.undo, "backout release rollback v1 --force --reason TEXT");
    const back = await rollbackRelease({ repository, version: "v1", force: true, reason: "TEXT" });
    assert.equal(back.exit_code, 0, back.summary);
  });
});

Deno.test("regression: a restore does not take other bytes of the same size for the artifact", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [V2, V1]);
    await rollbackRelease({ repository, version: "v2" });
    write(repository, "v2/a", "XXXX"); // as long as "v2/a"
    const report = await restoreRelease({ repository, target: "v2" });
    assert.equal(report.exit_code, 45, report.summary);
    assert.equal(Deno.readTextFileSync(`${repository}/v2/a`), "XXXX");
  });
});

Deno.test("regression: discarding a publish leaves a file of the same size that somebody else put there", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [V1]);
    write(repository, "v9/a", "theirs");
    const sha256 = "0".repeat(64);
    const journal = {
      id: "00000000-0000-7000-8000-000000000000",
      title: "publish of v9",
      moves: [],
      added: [{ path: "v9/a", size: 6, sha256, mode: 0o644 }],
      created: [],
      backups: [],
    } as unknown as Journal;
    await discard((await openStorage(repository)).store, journal);
    assert.equal(Deno.readTextFileSync(`${repository}/v9/a`), "theirs");
  });
});

Deno.test("regression: an artifact named like a backup's manifest is refused before anything is touched", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [{ version: "v2", artifacts: ["v2/a", "Manifest.json"] }]);
    const report = await rollbackRelease({ repository, version: "v2" });
    assert.equal(report.exit_code, 44, report.summary);
    assert.equal(exists(`${repository}/v2/a`), true);
    assert.deepEqual((await recoverRepository({ repository })).recovered, []);
  });
});

Deno.test("regression: force cannot point a channel at a version that is absent or leaves too", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [V2, V1], { channels: STABLE });
    const forced = { repository, version: "v2", force: true, reason: "test" };
    assert.equal((await rollbackRelease({ ...forced, channelTo: "v9" })).exit_code, 40);
    assert.equal((await rollbackRelease({ ...forced, channelTo: "v2" })).exit_code, 41);
    assert.deepEqual(readIndex(repository).channels, STABLE);
  });
});

Deno.test("regression: publishing the same bytes again does not point a channel at a yanked version", async () => {
  await withTempDir(async (root) => {
    write(root, "source/a", "1");
    const options = { repository: `${root}/new`, version: "v1", directory: `${root}/source` };
    await publishRelease(options);
    await yankRelease({ repository: options.repository, version: "v1", reason: "test" });
    assert.equal((await publishRelease(options)).exit_code, 0);
    assert.equal((await publishRelease({ ...options, channels: ["beta"] })).exit_code, 41);
    assert.equal(readIndex(options.repository).channels, undefined);
  });
});

Deno.test("regression: restore --at says which version it cannot bring back to what it was", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [V2, V1]);
    let hour = 0;
    const now = () => new Date(Date.UTC(2030, 0, 1, hour));
    await rollbackRelease({ repository, version: "v2", type: "index_only", now });
    hour = 2;
    await rollbackRelease({ repository, version: "v2", now });
    hour = 3;
    const at = "2030-01-01T01:00:00Z";
    const report = await restoreRelease({ repository, at, now });
    assert.equal(report.exit_code, 49, report.summary);
    assert.match(report.summary, /v2 was hidden at that time and is removed now/);
  });
});
