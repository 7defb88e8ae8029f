/** Pruning of the history, and what still has to hold without the old records. */
import assert from "node:assert/strict";
import {
  applyRetention,
  planRetention,
  releaseHold,
  restoreRelease,
  rollbackRelease,
  setHold,
  verifyAudit,
} from "#/mod.ts";
import { idTime, newOperationId } from "#/core/ids.ts";
import { readJournal, writeJournal } from "#/operation/journal.ts";
import { openStorage } from "#/storage/registry.ts";
import { type DatedRepository, datedRepository, done, namesIn } from "../support/dated_repository.ts";
import { withTempDir } from "../support/temp.ts";

const DAY = 86_400_000;
const START = Date.parse("2026-02-01T00:00:00Z");
const day = (n: number) => () => new Date(START + n * DAY);
const records = ({ path }: DatedRepository) => namesIn(`${path}/.backout/history`);

/** A hold set or released every day for 170 days, from February on. */
async function withHistory(body: (repository: DatedRepository) => Promise<void>): Promise<void> {
  await withTempDir(async (cwd) => {
    const repository = await datedRepository(cwd);
    for (let n = 0; n < 170; n++) {
      const change = n % 2 === 0 ? setHold : releaseHold;
      done(await change({ repository: repository.path, hold: "incident", reason: "test", now: day(n) }));
    }
    await body(repository);
  });
}

const rules = (keepWithinDays: number) => ({ rules: { history: { keepWithin: keepWithinDays * DAY } } });

Deno.test("history: the oldest records go in one operation, the index says where it begins, audit still verifies", async () => {
  await withHistory(async (repository) => {
    const at = { repository: repository.path, now: day(170) };
    const before = records(repository);
    assert.equal(before.length, 171);
    const plan = await planRetention({ ...at, ...rules(60) });
    assert.deepEqual([plan.history.records, plan.history.delete], [171, 112]);
    const report = await applyRetention({ ...at, ...rules(60) });
    assert.equal(report.summary, "Deleted 112 history records; 0 backups stay");
    assert.deepEqual(records(repository).slice(0, -1), before.slice(112));
    const { history_cut } = JSON.parse((await repository.read("index.json"))!);
    assert.deepEqual(history_cut, { operation: plan.history.up_to!.operation, at: day(110)().toISOString() });
    assert.deepEqual((await verifyAudit(at)).problems, []);
    assert.deepEqual(namesIn(`${repository.path}/.backout/operations`), []);
  });
});

Deno.test("history: a few records are not worth an operation of their own, but go with a backup", async () => {
  await withHistory(async (repository) => {
    const at = { repository: repository.path, now: day(170) };
    const idle = await applyRetention({ ...at, ...rules(120) });
    assert.equal(idle.summary, "Nothing to delete: 0 backups stay");
    assert.equal(records(repository).length, 171);
    await repository.rolledBack("v1.0.0", day(168)().toISOString());
    await repository.rolledBack("v1.0.1", day(169)().toISOString());
    const report = await applyRetention({ ...at, rules: { keepLast: 1, ...rules(120).rules } });
    assert.equal(report.summary, "Deleted 1 backup (10 B) and 52 history records; 1 backup stays");
  });
});

Deno.test("history: the 50 newest stay whatever the rules say", async () => {
  await withHistory(async (repository) => {
    const report = await applyRetention({
      repository: repository.path,
      now: day(170),
      rules: { history: { keepLast: 1 } },
    });
    assert.equal(report.retention?.history_records_to_delete, 121);
    assert.equal(records(repository).length, 51, "and the record of the operation itself");
  });
});

Deno.test("history: restore --at refuses a time that was pruned, and takes one that was not", async () => {
  await withHistory(async (repository) => {
    const { path } = repository;
    done(
      await rollbackRelease({ repository: path, version: "v0.9.0", now: day(165), policyMode: "lenient" }),
    );
    done(await applyRetention({ repository: path, now: day(170), ...rules(60) }));
    const early = await restoreRelease({ repository: path, at: day(100)().toISOString(), now: day(171) });
    assert.equal(early.exit_code, 44);
    assert.match(early.error!.message, /^Cannot work out what the index was at .*: retention deleted/);
    const late = await restoreRelease({ repository: path, at: day(160)().toISOString(), now: day(171) });
    assert.equal(late.exit_code, 0, late.summary);
    assert.deepEqual(repository.versions(), ["v0.9.0"]);
  });
});

Deno.test("history: a journal that would delete its own or later records is refused", async () => {
  await withHistory(async ({ path }) => {
    const { store } = await openStorage(path);
    const id = newOperationId(day(171)());
    const base = { format: 1, id, title: "retention", moves: [], added: [], created: [], backups: [] };
    for (
      const [upTo, isRefused] of [[id, true], ["../../x", true], [newOperationId(day(1)()), false]] as const
    ) {
      await store.removeTree(`.backout/operations/${id}`);
      const steps = [{ kind: "prune_history", up_to: upTo, records: 1 }];
      const journal = { ...base, steps, index: { undo: [] } } as unknown as Parameters<
        typeof writeJournal
      >[1];
      await writeJournal(store, journal);
      const read = readJournal(store, id);
      if (isRefused) await assert.rejects(read, /it would delete history that it may not/);
      else assert.equal((await read)?.id, id);
    }
  });
});

Deno.test("history: an id carries its time", () => {
  const at = new Date("2026-11-20T18:30:00.123Z");
  assert.equal(idTime(newOperationId(at)), at.toISOString());
  assert.equal(idTime("0b5f1c1e-1111-4222-8333-444455556666"), undefined);
});
