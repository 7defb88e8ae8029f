/** Killed at any point, beside writers or alone: no snapshot loses a byte, and the next run finishes. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { setFaultHook } from "#/core/posix.ts";
import { checkStore } from "#/store/check_store.ts";
import { collect } from "#/store/collect.ts";
import { repairIndex } from "#/store/repair_index.ts";
import { syncStores } from "#/store/sync.ts";
import { testRequiring } from "../support/require.ts";
import { atLevel, SWEEP_LEVEL } from "../support/sweep_level.ts";
import { tempDir, withTempDir } from "../support/temp.ts";
import { namesIn } from "./backend_worlds.ts";
import { addSnapshot, assertWhole, numberedFiles, openTestStore, type TestStore } from "./store_support.ts";

const SAMPLE = 4;
/** In this process every so-manieth point. */
const STRIDE = atLevel({ sample: 4, wide: 3, full: 1 });
const program = (name: string) => fileURLToPath(new URL(name, import.meta.url));

class Killed extends Error {}

/** Runs `work` as if the process ended before its `at`th changing call. False when it came to its end. */
async function endsAt(at: number, work: () => Promise<unknown>): Promise<boolean> {
  let calls = 0;
  setFaultHook(() => {
    if (calls++ >= at) throw new Killed(); // a dead process cleans nothing up
  });
  try {
    await work();
  } catch (error) {
    if (!isKilled(error)) throw error;
  } finally {
    setFaultHook(undefined);
  }
  return calls > at;
}

function isKilled(error: unknown): boolean {
  if (error instanceof Killed) return true;
  if (error instanceof SuppressedError) return isKilled(error.error) || isKilled(error.suppressed);
  return error instanceof Error && isKilled(error.cause);
}

function run(script: string, ...args: readonly string[]): Promise<Deno.CommandOutput> {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--no-prompt", program(script), ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
}

/** Runs `kill_child.ts`: all points, or some of them. */
async function forKillPoints(
  make: () => Promise<readonly string[]>,
  verify: (args: readonly string[]) => Promise<void>,
): Promise<void> {
  const args = await make();
  const whole = await run("kill_child.ts", "-1", ...args);
  assert.ok(whole.success, new TextDecoder().decode(whole.stderr));
  await verify(args);
  const calls = Number(new TextDecoder().decode(whole.stdout));
  assert.ok(calls > 10, `${calls} calls`);
  const step = SWEEP_LEVEL === "full" ? 1 : calls / SAMPLE;
  for (let at = 0; at < calls; at += step) {
    const args = await make();
    const { signal, success, stderr } = await run("kill_child.ts", String(Math.floor(at)), ...args);
    // The number of calls may differ by a few: then it came to its end.
    assert.ok(signal === "SIGKILL" || success, new TextDecoder().decode(stderr));
    await verify(args);
  }
}

/** One snapshot that shares packs with two that are gone. */
async function storeWithGarbage(place: string): Promise<void> {
  await using test = await openTestStore(place);
  await addSnapshot(test.store, "gone", numberedFiles([0, 1, 2, 3, 4]));
  await addSnapshot(test.store, "kept", numberedFiles([2, 7]));
  await addSnapshot(test.store, "gone-too", numberedFiles([7, 8, 9]));
  await test.store.deleteSnapshot("gone");
  await test.store.deleteSnapshot("gone-too");
}

async function assertSound(test: TestStore): Promise<void> {
  const check = await checkStore(await test.parts(), { readData: true });
  assert.ok(check.ok, JSON.stringify(check, undefined, 2));
}

/** Nothing is lost now, nor when the next collection has finished; and then nothing is left over. */
async function assertCollectable(place: string): Promise<void> {
  await using test = await openTestStore(place);
  await assertWhole(test.store, "kept", numberedFiles([2, 7]));
  await assertSound(test);
  await addSnapshot(test.store, "after", numberedFiles([3, 7]));
  await collect(await test.parts(), { minAgeMs: 0 });
  await collect(await test.parts(), { minAgeMs: 0 });
  await using fresh = await openTestStore(place);
  await assertWhole(fresh.store, "kept", numberedFiles([2, 7]));
  await assertWhole(fresh.store, "after", numberedFiles([3, 7]));
  await assertSound(fresh);
  const { bytes, packs } = await fresh.store.usage();
  assert.ok(bytes < 320_000, `${bytes} bytes in ${packs} packs are left`);
}

Deno.test("a collection that ends at any changing call loses nothing", async () => {
  let points = 0;
  for (let at = 0;; at += STRIDE) {
    await using temp = tempDir();
    const place = `${temp.path}/store`;
    await storeWithGarbage(place);
    const isKilledThere = await endsAt(at, async () => {
      await using test = await openTestStore(place);
      await collect(await test.parts(), { minAgeMs: 0 });
    });
    await assertCollectable(place);
    if (!isKilledThere) break;
    points++;
  }
  assert.ok(points * STRIDE > 20, `${points} points`);
});

Deno.test("a repair that ends at any changing call loses nothing", async () => {
  for (let at = 0;; at += STRIDE) {
    await using temp = tempDir();
    const place = `${temp.path}/store`;
    await storeWithGarbage(place);
    const [index] = [...Deno.readDirSync(`${place}/index`)];
    Deno.removeSync(`${place}/index/${index!.name}`);
    const isKilledThere = await endsAt(at, async () => {
      await using test = await openTestStore(place);
      await repairIndex(await test.parts());
    });
    await using test = await openTestStore(place);
    await repairIndex(await test.parts());
    await assertCollectable(place);
    if (!isKilledThere) break;
  }
});

testRequiring(["posix"], "a collection that is killed loses nothing", async () => {
  await using temp = tempDir();
  let made = 0;
  await forKillPoints(async () => {
    const place = `${temp.path}/${made++}`;
    await storeWithGarbage(place);
    return ["collect", place];
  }, ([, place]) => assertCollectable(place!));
});

testRequiring(["posix"], "a copy that is killed leaves whole snapshots only, and goes on", async () => {
  await using temp = tempDir();
  const from = `${temp.path}/from`;
  const all = { one: [0, 1, 2], two: [1, 2, 3, 4] };
  {
    await using test = await openTestStore(from);
    for (const [id, numbers] of Object.entries(all)) {
      await addSnapshot(test.store, id, numberedFiles(numbers));
    }
  }
  let made = 0;
  await forKillPoints(
    () => Promise.resolve(["sync", from, `${temp.path}/to${made++}`]),
    async ([, , place]) => {
      await using source = await openTestStore(from);
      await using to = await openTestStore(place!);
      for (const { id } of (await to.store.listSnapshots()).snapshots) {
        await assertWhole(to.store, id, numberedFiles(all[id as keyof typeof all]));
      }
      await syncStores(source.store, to.store);
      for (const [id, numbers] of Object.entries(all)) {
        await assertWhole(to.store, id, numberedFiles(numbers));
      }
      await assertSound(to);
    },
  );
});

testRequiring(["posix"], "what a killed writer left goes, and what it reused stays", async () => {
  await using temp = tempDir();
  let made = 0;
  await forKillPoints(async () => {
    const place = `${temp.path}/${made++}`;
    await storeWithGarbage(place);
    return ["write", place, "written", "0", "7", "10"];
  }, async ([, place]) => {
    {
      await using test = await openTestStore(place!);
      const isWritten = await test.store.readSnapshot("written") !== undefined;
      if (isWritten) await assertWhole(test.store, "written", numberedFiles([0, 7, 10]));
      await test.store.deleteSnapshot("written");
    }
    await assertCollectable(place!);
    for (const { name } of Deno.readDirSync(`${place}/tmp`)) {
      const info = Deno.lstatSync(`${place}/tmp/${name}`);
      assert.ok(Date.now() - info.mtime!.getTime() < 3_600_000, "an old file is left in tmp");
    }
  });
});

testRequiring(
  ["posix"],
  "collections beside writers, some of them killed, take nothing that is needed",
  () =>
    withTempDir(async (folder) => {
      const place = `${folder}/store`;
      await using test = await openTestStore(place);
      await addSnapshot(test.store, "first.0.1.2", numberedFiles([1, 2]));
      const children = ["a", "b", "c"].map((name) =>
        new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", "--no-check", "--no-prompt", program("writers_child.ts"), place, name],
          stdin: "piped",
          stdout: "piped",
          stderr: "inherit",
        }).spawn()
      );
      const outputs = children.map((child) => child.stdout.getReader());
      for (const output of outputs) assert.equal((await output.read()).done, false);
      for (let taken = 0; taken < atLevel({ sample: 4, wide: 8, full: 40 });) {
        await using collector = await openTestStore(place);
        const report = await collect(await collector.parts(), { minAgeMs: 0, lockTimeoutMs: 5000 });
        if (report.removed_packs === 0) continue;
        if (++taken === 2) children[2]!.kill("SIGKILL"); // in the middle of something
      }
      for (const child of children) await child.stdin.close().catch(() => {}); // one is dead
      const ends = await Promise.all(children.map((child) => child.status));
      for (const output of outputs) await output.cancel();
      assert.deepEqual(ends.map(({ success }) => success), [true, true, false]);
      await using fresh = await openTestStore(place);
      const { snapshots, damaged } = await fresh.store.listSnapshots();
      assert.deepEqual(damaged, []);
      for (const { id } of snapshots) {
        await assertWhole(fresh.store, id, numberedFiles(id.split(".").slice(2).map(Number)));
      }
      await assertSound(fresh);
      await collect(await fresh.parts(), { minAgeMs: 0 });
      await assertSound(fresh);
      assert.ok((await namesIn(fresh.store.backend, "packs")).length < 40);
    }),
);
