/** Whatever happens to a writer, the store reads as before, and the next writer goes on. */
import assert from "node:assert/strict";
import * as posix from "#/core/posix.ts";
import { RollbackBackupError } from "#/core/errors.ts";
import type { ContentRef } from "#/store/model.ts";
import { atLevel } from "../support/sweep_level.ts";
import { withTempDir } from "../support/temp.ts";
import { bytesOf, manifestOf, openStore, readAll, saveFiles, storeFiles, writeFile } from "./core_support.ts";

const CHILD = new URL("./save_child.ts", import.meta.url).pathname;
const STRIDE = atLevel({ sample: 3, wide: 3, full: 1 });
const SYNC_STRIDE = atLevel({ sample: 7, wide: 7, full: 1 });

async function child(
  args: readonly string[],
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", CHILD, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await command.output();
  return { code, out: new TextDecoder().decode(stdout).trim(), err: new TextDecoder().decode(stderr) };
}

async function assertWhole(
  location: string,
  first: ContentRef,
  bytes: Uint8Array,
): Promise<readonly string[]> {
  await using store = await openStore(location);
  const { snapshots, damaged } = await store.listSnapshots();
  assert.deepEqual(damaged, []);
  assert.deepEqual(await readAll(store, first), bytes);
  for (const { targets } of snapshots) {
    for (const { content } of targets.flatMap(({ roots }) => roots)) await readAll(store, content);
  }
  return snapshots.map(({ id }) => id);
}

Deno.test("a writer that is killed before any changing call leaves the store as it was", async () => {
  await withTempDir(async (folder) => {
    const old = bytesOf(1, 20_000);
    const files = [2, 3].map((seed) => writeFile(`${folder}/f${seed}`, bytesOf(seed, 700_000)));
    const paths = files.map(({ path }) => path);
    const location = `${folder}/store`;
    const [first] = await (async () => {
      await using store = await openStore(location);
      return await saveFiles(store, "rb-old", [writeFile(`${folder}/old`, old)]);
    })();
    const { code, out, err } = await child([`${folder}/count`, "rb-new", "0", ...paths]);
    assert.equal(code, 0, err);
    const calls = Number(out);
    assert.ok(calls > 15, `${calls} calls`);
    // The first ones make the folders, which are there here; a step that has no divisor in common with what repeats.
    for (let at = 1; at <= calls; at += STRIDE) {
      const killed = await child([location, `rb-${at}`, String(at), ...paths]);
      const ids = await assertWhole(location, first!, old);
      assert.equal(ids.includes(`rb-${at}`), killed.code === 0, `call ${at}: ${killed.err}`);
    }
    await using store = await openStore(location);
    const refs = await saveFiles(store, "rb-after", files);
    assert.deepEqual(await readAll(store, refs[1]!), Deno.readFileSync(paths[1]!));
  });
});

Deno.test("a writer with threads that is killed while packs come in leaves the store as it was", async () => {
  await withTempDir(async (folder) => {
    const old = bytesOf(1, 20_000);
    const location = `${folder}/store`;
    const [first] = await (async () => {
      await using store = await openStore(location);
      return await saveFiles(store, "rb-old", [writeFile(`${folder}/old`, old)]);
    })();
    const paths = Array.from({ length: 500 }, (_, i) => writeFile(`${folder}/${i}`, bytesOf(i, 3000)).path);
    const { code, out, err } = await child([`${folder}/count`, "rb-new", "0", ...paths]);
    assert.equal(code, 0, err);
    for (let back = 0; back < Number(out); back += SYNC_STRIDE) {
      const killed = await child([location, `rb-${back}`, String(Number(out) - back), ...paths]);
      const ids = await assertWhole(location, first!, old);
      assert.equal(ids.includes(`rb-${back}`), killed.code === 0, `${back} before the end: ${killed.err}`);
    }
    await using store = await openStore(location);
    const refs = await saveFiles(store, "rb-after", paths.map((path) => ({ path, size: 3000 })));
    assert.deepEqual(await readAll(store, refs[99]!), bytesOf(99, 3000));
  });
});

Deno.test("a full disk says where and how much is free, and nothing is recorded", async () => {
  await withTempDir(async (folder) => {
    const location = `${folder}/store`;
    const old = bytesOf(1, 20_000);
    await using store = await openStore(location);
    const [first] = await saveFiles(store, "rb-old", [writeFile(`${folder}/old`, old)]);
    let seed = 2;
    // Others each time: what a failed writer made durable is not written again.
    const files = () => [1, 2, 3].map((i) => writeFile(`${folder}/f${i}`, bytesOf(seed++, 700_000)));
    for (const call of ["open", "write", "fsync", "link"] as const) {
      for (let from = 1; from <= 3; from++) {
        let calls = 0;
        posix.setFaultHook((name, path) => {
          if (name !== call || path.includes("/locks")) return;
          if (++calls >= from) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
        });
        try {
          await assert.rejects(saveFiles(store, `rb-${call}-${from}`, files()), (error: unknown) => {
            assert.ok(error instanceof RollbackBackupError, `${call} ${from}: ${error}`);
            assert.equal(error.code, 45);
            assert.match(error.message, /the disk is full \(.*\/store\/tmp, \d+ bytes are free\)/);
            return true;
          });
        } finally {
          posix.setFaultHook(undefined);
        }
        assert.deepEqual(storeFiles(location, "tmp"), [], `${call} ${from}`);
      }
    }
    assert.deepEqual(await assertWhole(location, first!, old), ["rb-old"]);
    await saveFiles(store, "rb-new", files());
    assert.deepEqual(await assertWhole(location, first!, old), ["rb-new", "rb-old"]);
  });
});

Deno.test("after a failure the same writer commits nothing", async () => {
  await withTempDir(async (folder) => {
    await using store = await openStore(`${folder}/store`);
    {
      await using writer = await store.write();
      posix.setFaultHook((call, path) => {
        if (call === "write" && path.endsWith(".pack")) {
          throw Object.assign(new Error("broken"), { code: "EIO" });
        }
      });
      try {
        await assert.rejects(writer.addBytes(bytesOf(1, 2_000_000)), /the disk reports an error/);
      } finally {
        posix.setFaultHook(undefined);
      }
      await assert.rejects(writer.addBytes(bytesOf(2, 10)), /the disk reports an error/);
      await assert.rejects(writer.commit(manifestOf("rb-1")), /the disk reports an error/);
    }
    assert.deepEqual(await store.listSnapshots(), { snapshots: [], damaged: [] });
    assert.deepEqual(storeFiles(`${folder}/store`, "tmp"), []);
  });
});

Deno.test("a stream that breaks off stops nobody else of the same writer", async () => {
  await withTempDir(async (folder) => {
    await using store = await openStore(`${folder}/store`);
    await using writer = await store.write();
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new Error("the dump failed"));
      },
    });
    await assert.rejects(writer.addStream(broken), /the dump failed/);
    const content = await writer.addBytes(bytesOf(1, 5000));
    await writer.commit(manifestOf("rb-1", [content]));
    assert.deepEqual(await readAll(store, content), bytesOf(1, 5000));
  });
});

Deno.test("two processes write to one store at the same moment", async () => {
  await withTempDir(async (folder) => {
    const location = `${folder}/store`;
    const paths = Array.from({ length: 6 }, (_, i) => writeFile(`${folder}/f${i}`, bytesOf(i, 300_000)).path);
    const results = await Promise.all([
      child([location, "rb-a", "0", ...paths.slice(0, 4)]),
      child([location, "rb-b", "0", ...paths.slice(2)]),
    ]);
    for (const { code, err } of results) assert.equal(code, 0, err);
    await using store = await openStore(location);
    const { snapshots } = await store.listSnapshots();
    assert.deepEqual(snapshots.map(({ id }) => id), ["rb-a", "rb-b"]);
    for (const [at, { targets }] of snapshots.entries()) {
      const roots = targets.flatMap(({ roots }) => roots);
      for (const [i, { content }] of roots.entries()) {
        assert.deepEqual(await readAll(store, content), bytesOf(at * 2 + i, 300_000));
      }
    }
  });
});
