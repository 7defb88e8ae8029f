/** A restore that is taken back unless somebody confirms it in time. */
import assert from "node:assert/strict";
import {
  confirmRestore,
  createSnapshot,
  listSnapshots,
  recoverWorkspace,
  revertUnconfirmed,
  waitingRestore,
  watchConfirmation,
  type WorkspaceOptions,
} from "#/snapshot/mod.ts";
import { withTempDir } from "../support/temp.ts";
import { changeAll, journals, look, makeWorld, restoring, taken, versions } from "./world.ts";

/** A clock that a test turns. */
function clock() {
  let ms = Date.UTC(2026, 0, 1);
  return { now: () => new Date(ms), turn: (by: number) => ms += by };
}

async function waitingWorld(folder: string) {
  const time = clock();
  const options = { ...makeWorld(folder), now: time.now };
  const id = await taken(options);
  changeAll(folder, "v2");
  const report = await restoring(options, id, { confirmWithinMs: 60_000 });
  assert.equal(report.exit_code, 0, report.summary);
  assert.equal(report.snapshot?.confirm_by, new Date(time.now().getTime() + 60_000).toISOString());
  assert.match(report.summary, /backout confirm/);
  assert.deepEqual(look(folder), versions("v1"));
  return { options, id, time };
}

Deno.test("confirmed in time, it stands; meanwhile nothing else may change", () =>
  withTempDir(async (folder) => {
    const { options, time } = await waitingWorld(folder);
    const other = await createSnapshot(options);
    assert.equal(other.exit_code, 50, other.summary);
    assert.match(other.summary, /waits for a confirmation/);
    assert.equal((await listSnapshots(options)).unfinished.length, 1);
    assert.notEqual(await waitingRestore(options), undefined);
    time.turn(59_000);
    const dry = await confirmRestore({ ...options, dryRun: true });
    assert.equal(dry.exit_code, 0, dry.summary);
    const confirmed = await confirmRestore(options);
    assert.equal(confirmed.exit_code, 0, confirmed.summary);
    assert.deepEqual(journals(folder), []);
    time.turn(600_000);
    assert.deepEqual((await recoverWorkspace(options)).recovered, []);
    assert.deepEqual(look(folder), versions("v1"));
    assert.equal((await confirmRestore(options)).exit_code, 40);
    assert.equal((await createSnapshot(options)).exit_code, 0);
  }));

Deno.test("too late, it is taken back, and the confirmation says so", () =>
  withTempDir(async (folder) => {
    const { options, time } = await waitingWorld(folder);
    time.turn(60_000);
    const late = await confirmRestore(options);
    assert.equal(late.exit_code, 43, late.summary);
    assert.match(late.summary, /too late/);
    assert.deepEqual(look(folder), versions("v2"));
    assert.deepEqual(journals(folder), []);
  }));

Deno.test("the next command and the recovery take back what nobody confirmed", () =>
  withTempDir(async (folder) => {
    const { options, time } = await waitingWorld(folder);
    assert.deepEqual((await recoverWorkspace(options)).recovered, []);
    assert.deepEqual(look(folder), versions("v1"));
    time.turn(60_001);
    const { recovered } = await recoverWorkspace(options);
    assert.equal(recovered.length, 1);
    assert.equal(recovered[0]?.direction, "back");
    assert.deepEqual(look(folder), versions("v2"));
    const next = await createSnapshot(options);
    assert.equal(next.exit_code, 0, next.summary);
  }));

Deno.test("the watcher takes it back at its time, and its report is a failure that people hear of", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken(options);
    changeAll(folder, "v2");
    const report = await restoring(options, id, { confirmWithinMs: 1_000 });
    assert.equal(report.exit_code, 0, report.summary);
    const taken_back = await watchConfirmation(options);
    assert.equal(taken_back?.exit_code, 43, taken_back?.summary);
    assert.deepEqual(look(folder), versions("v2"));
    assert.equal(await watchConfirmation(options), undefined);
    const late = await confirmRestore(options);
    assert.equal(late.exit_code, 43, late.summary);
    assert.match(late.summary, /too late/, "also when the watcher was faster");
  }));

Deno.test("the watcher ends when somebody confirms, and the two never both win", () =>
  withTempDir(async (folder) => {
    for (let round = 0; round < 3; round++) {
      const options = makeWorld(folder);
      const id = await taken(options);
      changeAll(folder, "v2");
      await restoring(options, id, { confirmWithinMs: 1_000 });
      const until = Date.parse((await waitingRestore(options))!.until);
      const watching = watchConfirmation(options);
      await new Promise((resolve) => setTimeout(resolve, until - Date.now() - 2 + 2 * round));
      const confirmed = await confirmRestore({ ...options, lockTimeoutMs: 5_000 });
      const reverted = await watching;
      const stands = confirmed.exit_code === 0;
      assert.deepEqual(look(folder), versions(stands ? "v1" : "v2"), `${round}: ${confirmed.summary}`);
      assert.equal(reverted?.exit_code, stands ? undefined : reverted?.exit_code);
      assert.ok(stands || [40, 43].includes(confirmed.exit_code), confirmed.summary);
      assert.deepEqual(journals(folder), []);
    }
  }));

Deno.test("it can be taken back before its time", () =>
  withTempDir(async (folder) => {
    const { options } = await waitingWorld(folder);
    const report = await revertUnconfirmed(options);
    assert.equal(report.exit_code, 43, report.summary);
    assert.deepEqual(look(folder), versions("v2"));
    assert.deepEqual(journals(folder), []);
    assert.equal((await revertUnconfirmed(options)).exit_code, 40);
  }));

Deno.test("what cannot be taken back is not promised to be", () =>
  withTempDir(async (folder) => {
    const world = makeWorld(folder, { one: {}, final: { undo: "none" } });
    const options: WorkspaceOptions = { ...world, policyMode: "lenient" };
    const id = await taken(options);
    changeAll(folder, "v2", ["one", "final"]);
    await assert.rejects(restoring(options, id, { confirmWithinMs: 5_000 }), /cannot be taken back/);
    await assert.rejects(restoring(options, id, { rollbackOnFailure: true }), /cannot be taken back/);
    assert.equal((await restoring(options, id)).exit_code, 0);
  }));
