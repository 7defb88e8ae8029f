/** Backups that the storage does not let go of, and deletions that fail in other ways. */
import assert from "node:assert/strict";
import { applyRetention, listBackups, listHistory, recoverRepository, verifyAudit } from "#/mod.ts";
import { type MutatingCall, setFaultHook } from "#/core/posix.ts";
import { deleteBackup } from "#/operation/delete_backup.ts";
import { BucketStore } from "#/storage/bucket/store.ts";
import { BucketError, type BucketFailure } from "#/storage/bucket/bucket_error.ts";
import type { RemoveRequest } from "#/storage/bucket/bucket.ts";
import { type DatedRepository, datedRepository } from "../support/dated_repository.ts";
import { MemoryBucket } from "../support/memory_bucket.ts";
import { withTempDir } from "../support/temp.ts";

/** Two rollbacks that go and one that stays; each unlink in the first one's backup fails with `errno`. */
async function withOneFailing(
  errno: string,
  body: (repository: DatedRepository, failing: string, mend: () => void) => Promise<void>,
): Promise<void> {
  await withTempDir(async (cwd) => {
    const repository = await datedRepository(cwd);
    const failing = await repository.rolledBack("v1.0.0", "2026-02-01T10:00:00Z");
    await repository.rolledBack("v1.0.1", "2026-03-01T10:00:00Z");
    await repository.rolledBack("v1.0.2", "2026-04-01T10:00:00Z");
    setFaultHook((call: MutatingCall, path: string) => {
      if (call !== "unlink" || !path.includes(failing)) return;
      throw Object.assign(new Error(`${errno}: ${call} '${path}'`), { code: errno, syscall: call, path });
    });
    try {
      await body(repository, failing, () => setFaultHook(undefined));
    } finally {
      setFaultHook(undefined);
    }
  });
}

const RULES = { rules: { keepLast: 1 } };

Deno.test("retention: what may not be deleted stays and is listed, the rest goes; 51 and the reason", async () => {
  await withOneFailing("EACCES", async ({ path: repository, backups, json, read }, failing, mend) => {
    const report = await applyRetention({ repository, ...RULES });
    assert.deepEqual([report.exit_code, report.status], [51, "partial"], report.summary);
    assert.equal(report.error?.message, `Done, but not as it should be: still there: ${failing}`);
    const [warning] = report.warnings;
    assert.match(
      warning!,
      new RegExp(`^The backup ${failing} could not be deleted, and stays: .*permission`),
    );
    assert.deepEqual(
      report.steps.map(({ kind, status }) => [kind, status]),
      [["commit_index", "done"], ["delete_backup", "failed"], ["delete_backup", "done"]],
    );
    assert.equal(report.bytes_reclaimed, 10, "what stays is not counted as free");
    assert.equal(backups().length, 2);
    assert.ok((await listBackups({ repository })).some(({ id }) => id === failing), "backup list shows it");
    const index = JSON.parse((await read("index.json"))!);
    assert.ok(!JSON.stringify(index.rolled_back).includes(failing), "the index does not count on it");
    assert.deepEqual((await recoverRepository({ repository })).recovered, [], "nothing is left unfinished");
    assert.equal((await listHistory({ repository }))[0]?.exit_code, 51);

    mend();
    const restored = await json(45, "release", "restore", "v1.0.0");
    assert.match(restored.error.hint, new RegExp(`release restore ${failing}`));
    const again = await applyRetention({ repository, ...RULES });
    assert.equal(again.exit_code, 0, again.summary);
    assert.equal(backups().length, 1);
    assert.deepEqual((await verifyAudit({ repository })).problems, []);
  });
});

Deno.test("retention: a disk that fails leaves it unfinished, and recovery goes on", async () => {
  await withOneFailing("EIO", async ({ path: repository, backups }, failing, mend) => {
    const report = await applyRetention({ repository, ...RULES });
    assert.equal(report.exit_code, 53, report.summary);
    assert.ok(backups().includes(failing));
    mend();
    const { recovered } = await recoverRepository({ repository });
    assert.deepEqual(recovered.map(({ operation, direction }) => [operation, direction]), [
      ["retention", "forward"],
    ]);
    assert.equal(backups().length, 1);
  });
});

Deno.test("retention: a refusal that recovery meets is told, and does not block it", async () => {
  await withOneFailing("EIO", async ({ path: repository, backups }, failing) => {
    assert.equal((await applyRetention({ repository, ...RULES })).exit_code, 53);
    setFaultHook((call, path) => {
      if (call !== "unlink" || !path.includes(failing)) return;
      throw Object.assign(new Error("EPERM"), { code: "EPERM", syscall: call, path });
    });
    assert.equal((await recoverRepository({ repository })).recovered.length, 1);
    assert.deepEqual(backups().length, 2);
    const [, recovered] = (await listHistory({ repository })).toSorted((a, b) => b.exit_code - a.exit_code);
    assert.deepEqual([recovered?.operation, recovered?.exit_code], ["retention", 51]);
    assert.deepEqual((await recoverRepository({ repository })).recovered, []);
  });
});

/** Object lock on everything below one folder. */
class LockedBucket extends MemoryBucket {
  constructor(readonly locked: string, readonly failure: BucketFailure) {
    super();
  }

  override async remove(requests: readonly RemoveRequest[]) {
    const isLocked = ({ key }: RemoveRequest) => key.startsWith(this.locked);
    const failures = await super.remove(requests.filter((request) => !isLocked(request)));
    const refused = requests.filter(isLocked).map(({ key }) => ({
      key,
      error: new BucketError({ failure: this.failure, action: `remove ${key}`, location: this.location }),
    }));
    return [...failures, ...refused];
  }
}

Deno.test("retention on object storage: object lock is a refusal with its reason, a broken connection is not", async () => {
  for (const [failure, reason] of [["retained", /object lock or retention/], ["denied", /denied/]] as const) {
    const bucket = new LockedBucket(".rollback-backups/locked/", failure);
    const store = new BucketStore(bucket, { jobs: 4 });
    for (const name of ["locked", "free"]) {
      await store.create(`.rollback-backups/${name}/manifest.json`, new TextEncoder().encode("{}"));
    }
    const refusal = await deleteBackup(store, "locked");
    assert.equal(refusal?.backup, "locked");
    assert.match(refusal!.why, reason);
    assert.equal(await deleteBackup(store, "free"), undefined);
    assert.deepEqual(await store.listNames(".rollback-backups"), ["locked"]);
  }
  const broken = new LockedBucket(".rollback-backups/", "network");
  const store = new BucketStore(broken, { jobs: 4 });
  await store.create(".rollback-backups/b/manifest.json", new TextEncoder().encode("{}"));
  await assert.rejects(deleteBackup(store, "b"), /the connection could not be made/);
});
