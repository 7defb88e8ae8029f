/** Defects of journal, recovery and record that were found by attacking them; each fails without its fix. */
import assert from "node:assert/strict";
import {
  applyPlan,
  deleteBackup,
  listHistory,
  planRollback,
  recoverRepository,
  restoreRelease,
  rollbackChannel,
  rollbackRelease,
  setChannel,
  verifyAudit,
} from "#/mod.ts";
import { type MutatingCall, setFaultHook } from "#/core/posix.ts";
import { openStorage } from "#/storage/registry.ts";
import { withTempDir } from "../support/temp.ts";
import {
  type Entry,
  exists,
  makeRepository,
  readIndex,
  V1,
  V2,
  V3,
  versions,
  withFailing,
  write,
} from "./regression_support.ts";

Deno.test("regression: an operation that was taken back is in the audit log once", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [V2, V1]);
    const report = await withFailing(
      (call, path) => call === "rename" && path.endsWith("/releases/v2"),
      () => rollbackRelease({ repository, version: "v2" }),
    );
    assert.equal(report.exit_code, 43, report.summary);
    assert.equal(report.serial_after, readIndex(repository).serial);
    assert.equal((await verifyAudit({ repository })).entries, 1);
  });
});

Deno.test("regression: a half deleted backup is not listed as whole again; recovery finishes and records it", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [V2, V1]);
    const { backup } = await rollbackRelease({ repository, version: "v2" });
    const id = backup[0]!.id;
    const report = await withFailing(
      (call, path) => call === "unlink" && path.endsWith("/v2/b"),
      () => deleteBackup({ repository, backup: id }),
    );
    assert.equal(report.exit_code, 53, report.summary);
    assert.deepEqual(readIndex(repository).rolled_back[0].backups, []);
    const { recovered } = await recoverRepository({ repository });
    assert.deepEqual(recovered.map((it) => it.direction), ["forward"]);
    assert.equal(exists(`${repository}/.rollback-backups/${id}`), false);
    const [newest] = (await listHistory({ repository })).filter((it) => it.status === "success");
    assert.equal(newest?.operation, "backup_delete");
    assert.deepEqual((await verifyAudit({ repository })).problems, []);
  });
});

Deno.test("regression: a process that slept while somebody recovered its operation does not go on with it", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [V2, V1]);
    const commit = (call: MutatingCall, path: string) => call === "rename" && path.endsWith("index.new.json");
    // What a recovery in another process does between the last look and the commit.
    setFaultHook((call, path) => {
      if (!commit(call, path)) return;
      setFaultHook(undefined);
      Deno.removeSync(path.slice(0, path.indexOf("/scratch/")), { recursive: true });
      Deno.removeSync(`${repository}/.rollback-backups`, { recursive: true });
    });
    const report = await rollbackRelease({ repository, version: "v2" }).finally(() =>
      setFaultHook(undefined)
    );
    assert.equal(report.exit_code, 53, report.summary);
    assert.equal(exists(`${repository}/v2/a`) && exists(`${repository}/v2/b`), true);
    assert.deepEqual(versions(repository), ["v2", "v1"]);
  });
});

Deno.test("regression: a plan with options that backout never writes is refused as usage", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [V2, V1]);
    const { plan } = await planRollback({ repository, version: "v2" });
    const bad: readonly (readonly [string, unknown])[] = [
      ["version", 5],
      ["type", "weird"],
      ["artifacts", "v2/a"],
      ["noBackup", "x"],
      ["force", "yes"],
      ["policyMode", "none"],
      ["channelTo", {}],
    ];
    for (const [name, value] of bad) {
      const tampered = { ...plan, options: { ...plan!.options, [name]: value } };
      await assert.rejects(applyPlan({ repository, plan: tampered }), { code: 2 }, name);
    }
    assert.deepEqual(versions(repository), ["v2", "v1"]);
  });
});

Deno.test("regression: a lock comes before a denial, and after a version that is not there", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [V1], {
      channels: { stable: { version: "v1", since: "2026-01-01T00:00:00Z", previous: null } },
    });
    const { lock } = await openStorage(repository);
    const now = () => new Date();
    await using _held = await lock.acquire({
      id: "x",
      operation: "test",
      by: "t",
      reason: "",
      now,
      timeoutMs: 0,
    });
    assert.equal((await rollbackChannel({ repository, channel: "stable" })).exit_code, 50);
    assert.equal((await rollbackChannel({ repository, channel: "beta" })).exit_code, 40);
  });
});

Deno.test("regression: the rollback manifest names the real backup and all entries that differ", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [V3, V2, V1]);
    const manifestOutputDir = `${root}/out`;
    const report = await rollbackRelease({ repository, to: "v1", type: "artifacts_only", manifestOutputDir });
    const manifest = JSON.parse(
      Deno.readTextFileSync(`${manifestOutputDir}/v3-and-newer.rollback-manifest.json`),
    );
    assert.equal(manifest.index_state_before.entries.length, 2);
    assert.deepEqual(
      manifest.index_state_after.entries.map((entry: Entry) => [entry.status, entry.backups]),
      report.backup.map((backup) => ["emptied", [backup.id]]),
    );
  });
});

Deno.test("regression: channels that a hidden partial release lost come back with it", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [V2, V1]);
    const forced = { force: true, reason: "test" };
    await rollbackRelease({ repository, version: "v2", artifacts: ["a"] });
    await setChannel({ repository, channel: "beta", version: "v2", ...forced });
    await rollbackRelease({ repository, version: "v2", type: "index_only", ...forced });
    await rollbackRelease({ repository, version: "v2" });
    const report = await restoreRelease({ repository, target: "v2" });
    assert.equal(report.exit_code, 0, report.summary);
    assert.equal(readIndex(repository).channels.beta.version, "v2");
  });
});

Deno.test("regression: an index.md that is no file, or cannot be written, does not leave the operation unfinished", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [V2, V1]);
    Deno.writeTextFileSync(`${root}/theirs.md`, "theirs");
    Deno.symlinkSync(`${root}/theirs.md`, `${repository}/index.md`);
    const linked = await rollbackRelease({ repository, version: "v2" });
    assert.equal(linked.exit_code, 0, linked.summary);
    assert.equal(Deno.readTextFileSync(`${root}/theirs.md`), "theirs");

    Deno.removeSync(`${repository}/index.md`);
    write(repository, "index.md", "old");
    const isMarkdown = (path: string) => path.endsWith(".tmp") && Deno.readTextFileSync(path).startsWith("#");
    const report = await withFailing(
      (call, path) => call === "rename" && isMarkdown(path),
      () => restoreRelease({ repository, target: "v2" }),
    );
    assert.equal(report.exit_code, 43, report.summary);
    assert.deepEqual(versions(repository), ["v1"]);
    assert.deepEqual((await recoverRepository({ repository })).recovered, []);
  });
});

Deno.test("regression: a backup folder behind a symlink is refused before anything is touched", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [V2, V1]);
    Deno.mkdirSync(`${root}/elsewhere`);
    Deno.symlinkSync(`${root}/elsewhere`, `${repository}/.rollback-backups`);
    assert.equal((await rollbackRelease({ repository, version: "v2", dryRun: true })).exit_code, 47);
    const report = await rollbackRelease({ repository, version: "v2" });
    assert.equal(report.exit_code, 45, report.summary);
    assert.deepEqual((await recoverRepository({ repository })).recovered, []);
    assert.deepEqual([...Deno.readDirSync(`${root}/elsewhere`)], []);
  });
});

Deno.test("regression: the serial goes on growing when another tool writes the index without it", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [V3, V2, V1]);
    await rollbackRelease({ repository, version: "v3" });
    await rollbackRelease({ repository, version: "v2" });
    const { releases, rolled_back } = readIndex(repository);
    write(
      repository,
      "index.json",
      JSON.stringify({ releases, rolled_back, total_releases: releases.length }),
    );
    const report = await restoreRelease({ repository, target: "v2" });
    assert.deepEqual([report.serial_before, report.serial_after, readIndex(repository).serial], [2, 3, 3]);
  });
});

Deno.test("regression: an operation whose history cannot be written stays in the journal until it is", async () => {
  await withTempDir(async (root) => {
    const repository = makeRepository(root, [V2, V1]);
    const report = await withFailing(
      (call, path) => call === "mkdir" && path.endsWith("/.backout/history"),
      () => rollbackRelease({ repository, version: "v2" }),
    );
    assert.equal(report.exit_code, 0, report.summary);
    assert.match(report.warnings.join(), /history/);
    assert.equal((await recoverRepository({ repository })).recovered.length, 1);
    assert.deepEqual((await listHistory({ repository })).map((it) => it.status), ["success"]);
    assert.equal((await verifyAudit({ repository })).entries, 1);
  });
});
