/**
 * Rollbacks, restores and retentions as a pipeline and cron do them: nothing grows but what the rules keep, and the audit
 * log. Here 100 rounds; 1,000 with `BACKOUT_SWEEP=wide` or `full`.
 */
import assert from "node:assert/strict";
import {
  applyRetention,
  publishRelease,
  restoreRelease,
  rollbackRelease,
  setChannel,
  verifyAudit,
  verifyBackups,
  verifyReleases,
} from "#/mod.ts";
import { type DatedRepository, datedRepository, done, namesIn } from "../support/dated_repository.ts";
import { atLevel } from "../support/sweep_level.ts";
import { tempDir } from "../support/temp.ts";

const ROUNDS = atLevel({ sample: 100, wide: 1000, full: 1000 });
const RETENTION_EVERY = 10;
const HOUR = 3_600_000;
const RULES = { keepLast: 3, keepDaily: 2, history: { keepLast: 60 } };

Deno.test(`retention: ${ROUNDS} rollbacks and restores leave no growth but what the rules keep`, async () => {
  await using temp = tempDir("backout-loop-");
  const repository = await datedRepository(temp.path);
  const { path } = repository;
  let time = Date.parse("2026-02-01T00:00:00Z");
  const now = () => new Date(time);
  const directory = `${temp.path}/source-v0.9.0`;
  done(await publishRelease({ repository: path, version: "v1.0.0", directory, now }));
  done(await setChannel({ repository: path, channel: "stable", version: "v0.9.0", now }));
  done(await setChannel({ repository: path, channel: "stable", version: "v1.0.0", now }));
  let operations = 4;
  const sizes: Sizes[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    for (
      const run of [
        () => rollbackRelease({ repository: path, version: "v1.0.0", now, reason: "loop" }),
        () => restoreRelease({ repository: path, target: "v1.0.0", now }),
      ]
    ) {
      time += HOUR;
      done(await run());
      operations++;
    }
    if (round % RETENTION_EVERY !== 0) continue;
    time += HOUR;
    done(await applyRetention({ repository: path, now, rules: RULES }));
    operations++;
    sizes.push(sizesOf(repository));
  }
  // The first few retentions still find room under the rules.
  const steady = sizes.slice(4);
  assert.ok(steady.length >= 5);
  for (const later of steady) {
    assert.ok(later.backups >= RULES.keepLast && later.backups <= RULES.keepLast + RULES.keepDaily);
    const { otherFiles, history, operations: left } = later;
    const first = steady[0]!;
    assert.deepEqual({ otherFiles, history, left }, {
      otherFiles: first.otherFiles,
      history: RULES.history.keepLast + 1,
      left: 0,
    });
    assert.ok(Math.abs(later.indexBytes - first.indexBytes) < 20, "the serial has more digits, no more");
  }
  assert.equal(sizes.at(-1)!.audit, operations, "the audit log has every operation");
  await assertSound(path);
});

interface Sizes {
  /** All but backups, audit log and history. */
  readonly otherFiles: number;
  readonly backups: number;
  readonly history: number;
  readonly operations: number;
  readonly audit: number;
  readonly indexBytes: number;
}

function sizesOf({ path, backups }: DatedRepository): Sizes {
  const counted = /\/\.(rollback-backups|backout\/(audit|history))$/;
  return {
    otherFiles: filesBelow(path, counted),
    backups: backups().length,
    history: namesIn(`${path}/.backout/history`).length,
    operations: namesIn(`${path}/.backout/operations`).length,
    audit: namesIn(`${path}/.backout/audit`).length,
    indexBytes: Deno.statSync(`${path}/index.json`).size,
  };
}

/** How many files there are; `skipped` folders are not looked into. */
function filesBelow(folder: string, skipped: RegExp): number {
  let files = 0;
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (!isDirectory) files += 1;
    else if (!skipped.test(path)) files += filesBelow(path, skipped);
  }
  return files;
}

async function assertSound(repository: string): Promise<void> {
  assert.deepEqual((await verifyReleases({ repository })).problems, []);
  assert.deepEqual((await verifyAudit({ repository })).problems, []);
  const backups = await verifyBackups({ repository, readData: true });
  assert.ok(backups.length > 0);
  assert.deepEqual(backups.flatMap(({ problems }) => problems), []);
}
