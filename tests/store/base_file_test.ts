/** A file that is replaced gives what it has of the new content: the result is the same, and packs are not needed for it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { ContentRef } from "#/store/model.ts";
import type { SnapshotStore } from "#/store/store.ts";
import { IntegrityError } from "#/core/errors.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import "../support/property_seed.ts";
import { bytesOf, openStore, saveFiles, storeFiles, writeFile } from "./core_support.ts";

const MIB = 1024 * 1024;
const SIZE = 20 * MIB + 12_345;

/** Writes the content into a new file, with this file as its base; its bytes. */
async function written(
  store: SnapshotStore,
  content: ContentRef,
  folder: string,
  base: string,
  sparse = false,
): Promise<Uint8Array> {
  const path = `${folder}/out-${crypto.randomUUID()}`;
  await store.writeFiles([{ content, path, base, sparse }]);
  const bytes = Deno.readFileSync(path);
  Deno.removeSync(path);
  return bytes;
}

/** Another byte in the middle of every pack. */
function spoilPacks(location: string, folder: string): void {
  for (const name of storeFiles(location, "packs")) {
    using file = Deno.openSync(`${folder}/${name}`, { read: true, write: true });
    const size = file.statSync().size;
    for (let at = 1000; at < size - 4096; at += 64 * 1024) {
      file.seekSync(at, Deno.SeekMode.Start);
      file.writeSync(new Uint8Array(16));
    }
  }
}

Deno.test("what the replaced file has is not read from packs, and is checked all the same", async () => {
  await withTempDir(async (folder) => {
    const bytes = bytesOf(5, SIZE);
    await using store = await openStore(`${folder}/store`);
    const [content] = await saveFiles(store, "rb-1", [writeFile(`${folder}/f`, bytes)]);
    spoilPacks(`${folder}/store`, `${folder}/store`);
    await assert.rejects(written(store, content!, folder, `${folder}/none`), IntegrityError);
    assert.deepEqual(await written(store, content!, folder, `${folder}/f`), bytes);
    // One byte that is not right has to come from a pack.
    bytes[10 * MIB]! ^= 1;
    Deno.writeFileSync(`${folder}/f`, bytes);
    await assert.rejects(written(store, content!, folder, `${folder}/f`), IntegrityError);
  });
});

Deno.test("whatever the replaced file has, the content comes out", async () => {
  await withTempDir(async (folder) => {
    const bytes = bytesOf(6, SIZE);
    bytes.fill(0, 3 * MIB, 9 * MIB);
    const encrypted = {
      encryption: { passphraseEnv: "PHRASE" },
      env: () => "a long secret phrase",
    };
    for (const [place, options] of [["plain", {}], ["encrypted", encrypted]] as const) {
      await using store = await openStore(`${folder}/${place}`, options);
      const [content] = await saveFiles(store, "rb-1", [writeFile(`${folder}/f`, bytes)]);
      const change = fc.record({ at: fc.nat(SIZE - 1), length: fc.nat(3 * MIB), seed: fc.nat(9) });
      const world = fc.record({
        changes: fc.array(change, { maxLength: 4 }),
        size: fc.option(fc.nat(SIZE + MIB)),
        sparse: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(world, async ({ changes, size, sparse }) => {
          const other = bytes.slice();
          for (const { at, length, seed } of changes) {
            other.set(bytesOf(seed, Math.min(length, SIZE - at)), at);
          }
          Deno.writeFileSync(`${folder}/base`, other);
          if (size !== null) Deno.truncateSync(`${folder}/base`, size);
          assert.deepEqual(await written(store, content!, folder, `${folder}/base`, sparse), bytes);
        }),
        { numRuns: 6 },
      );
    }
  });
});

Deno.test("files of about the size from which on a base is asked are written with one", async () => {
  await withTempDir(async (folder) => {
    await using store = await openStore(`${folder}/store`);
    for (const size of [8 * MIB - 1, 8 * MIB, 8 * MIB + 1]) {
      const bytes = bytesOf(8, size);
      const [content] = await saveFiles(store, `rb-${size}`, [writeFile(`${folder}/f`, bytes)]);
      assert.deepEqual(await written(store, content!, folder, `${folder}/f`), bytes);
      assert.deepEqual(await written(store, content!, folder, `${folder}/none`), bytes);
    }
  });
});

testRequiring(["posix"], "what is no regular file gives nothing, and nothing waits for it", async () => {
  await withTempDir(async (folder) => {
    const bytes = bytesOf(7, SIZE);
    await using store = await openStore(`${folder}/store`);
    const [content] = await saveFiles(store, "rb-1", [writeFile(`${folder}/f`, bytes)]);
    Deno.symlinkSync(`${folder}/f`, `${folder}/link`);
    new Deno.Command("mkfifo", { args: [`${folder}/fifo`] }).outputSync();
    for (const base of ["link", "fifo", "none", ".", "f/x"]) {
      assert.deepEqual(await written(store, content!, folder, `${folder}/${base}`), bytes, base);
    }
  });
});
