/** Defects of release operations that were found by attacking them; each fails without its fix. */
import assert from "node:assert/strict";
import {
  applyPlan,
  deleteBackup,
  listHistory,
  planRollback,
  publishRelease,
  recoverRepository,
  restoreRelease,
  rollbackChannel,
  rollbackRelease,
  setChannel,
  verifyAudit,
} from "#/mod.ts";
import { type MutatingCall, setFaultHook } from "#/core/posix.ts";
import { discard } from "#/operation/phases.ts";
import type { Journal } from "#/operation/journal.ts";
import { openLock, openStore } from "#/storage/registry.ts";
import { withTempDir } from "../support/temp.ts";

interface Entry {
  readonly version: string;
  readonly artifacts: readonly string[];
  readonly [field: string]: unknown;
}

/** A repository as another tool would leave it; every artifact's content is its own path unless given. */
function makeRepository(
  root: string,
  releases: readonly Entry[],
  extra: Record<string, unknown> = {},
): string {
  const repository = `${root}/releases`;
  for (const path of releases.flatMap((release) => release.artifacts)) write(repository, path, path);
  write(repository, "index.json", JSON.stringify({ total_releases: releases.length, releases, ...extra }));
  return repository;
}

function write(root: string, path: string, text: string): void {
  const file = `${root}/${path}`;
  Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
  Deno.writeTextFileSync(file, text);
}

// deno-lint-ignore no-explicit-any -- a JSON document, looked into freely
function readIndex(repository: string): any {
  return JSON.parse(Deno.readTextFileSync(`${repository}/index.json`));
}

function versions(repository: string): readonly string[] {
  return readIndex(repository).releases.map((entry: Entry) => entry.version);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Fails the calls that `when` names while `work` runs. */
async function withFailing<T>(
  when: (call: MutatingCall, path: string) => boolean,
  work: () => Promise<T>,
): Promise<T> {
  setFaultHook((call, path) => {
    if (when(call, path)) throw Object.assign(new Error("EIO: injected"), { code: "EIO" });
  });
  try {
    return await work();
  } finally {
    setFaultHook(undefined);
  }
}

const V1: Entry = { version: "v1", artifacts: ["v1/a"] };
const V2: Entry = { version: "v2", artifacts: ["v2/a", "v2/b"] };
const V3: Entry = { version: "v3", artifacts: ["v3/a"] };
const STABLE = { stable: { version: "v2", since: "2026-01-01T00:00:00Z", previous: "v1" } };

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
    await discard(openStore(repository), journal);
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
    const lock = openLock(repository);
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
