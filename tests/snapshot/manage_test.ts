/** Snapshots by name: ids, marks, pins, retention, differences. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { UsageError } from "#/core/errors.ts";
import {
  createSnapshot,
  deleteSnapshot,
  diffSnapshots,
  listSnapshots,
  markSnapshot,
  pinSnapshot,
  snapshotNumbers,
} from "#/snapshot/mod.ts";
import { withTempDir } from "../support/temp.ts";
import { changeAll, makeWorld, restoring, taken, write } from "./world.ts";

Deno.test("ids: given, taken, unsafe, by beginning, and by word", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    for (const id of ["../x", ".x", "a/b", "", "latest", "a b", "x".repeat(200)]) {
      await assert.rejects(async () => await createSnapshot({ ...options, id }), UsageError, id);
    }
    await taken({ ...options, id: "first" });
    assert.equal((await createSnapshot({ ...options, id: "first" })).exit_code, 46);
    await taken({ ...options, id: "second" });
    changeAll(folder, "v2");
    assert.equal((await restoring(options, "fir", { dryRun: true })).version, "first");
    assert.equal((await restoring(options, "latest", { dryRun: true })).version, "second");
    assert.equal((await restoring(options, "last-good", { dryRun: true })).exit_code, 40);
    await markSnapshot({ ...options, snapshot: "first", mark: "good" });
    assert.equal((await restoring(options, "last-good", { dryRun: true })).version, "first");
    assert.equal((await restoring(options, "nothing", { dryRun: true })).exit_code, 40);
    // What a restore keeps is not `latest`.
    await restoring(options, "latest");
    assert.equal((await restoring(options, "latest", { dryRun: true })).version, "second");
  }));

Deno.test("pinned snapshots are not deleted; every change is in the history", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken(options);
    await pinSnapshot({ ...options, snapshot: id, pinned: true });
    assert.equal((await deleteSnapshot({ ...options, snapshot: id })).exit_code, 41);
    await pinSnapshot({ ...options, snapshot: id, pinned: false });
    assert.equal((await deleteSnapshot({ ...options, snapshot: id })).exit_code, 0);
    assert.deepEqual((await listSnapshots(options)).snapshots, []);
    const numbers = await snapshotNumbers(options);
    assert.equal(numbers.snapshots, 0);
    const history = [...Deno.readDirSync(join(folder, "ws", ".backout", "history"))];
    assert.equal(history.length, 5);
  }));

Deno.test("retention applies as soon as a new snapshot is made", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    let minute = 0;
    const now = () => new Date(Date.UTC(2026, 0, 1, 0, minute++));
    for (let i = 0; i < 4; i++) await taken({ ...options, now, id: `s${i}`, retention: { keepLast: 2 } });
    const { snapshots } = await listSnapshots(options);
    assert.deepEqual(snapshots.map(({ id }) => id), ["s3", "s2"]);
  }));

Deno.test("differences to now, to another snapshot, and of targets that only one has", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const from = await taken({ ...options, only: ["one", "two"] });
    write(folder, "one", "one v2");
    const to = await taken({ ...options, only: ["one", "three"] });
    const now = await diffSnapshots({ ...options, from });
    assert.deepEqual(now.map(({ target, changes }) => [target, changes.length]), [["one", 1], ["two", 0]]);
    const both = await diffSnapshots({ ...options, from, to });
    assert.deepEqual(
      both.map(({ target, changes }) => `${target} ${changes.map(({ action }) => action).join()}`),
      ["one replace", "two remove", "three create"],
    );
  }));
