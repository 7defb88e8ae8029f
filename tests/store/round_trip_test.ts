/** What goes into a store comes out of it, whatever its size, and only once. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { WHOLE_FILE_BYTES } from "#/store/add_file.ts";
import { ConflictError } from "#/storage/object_store.ts";
import { RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import { openBackend } from "#/store/open_backend.ts";
import { openStoreOn } from "#/store/snapshot_store.ts";
import { withTempDir } from "../support/temp.ts";
import "../support/property_seed.ts";
import {
  bytesOf,
  contentOf,
  manifestOf,
  openStore,
  readAll,
  saveFiles,
  storeFiles,
  writeFile,
} from "./core_support.ts";

const MIB = 1024 * 1024;
/** Lengths around those at which something else is done. */
const THRESHOLDS = [0, 1, 4096, 16 * 1024, 64 * 1024, 512 * 1024, MIB, WHOLE_FILE_BYTES];

const anyLength = fc.tuple(fc.constantFrom(...THRESHOLDS), fc.integer({ min: -2, max: 2 }))
  .map(([length, more]) => Math.max(0, length + more));

Deno.test("content of any length around a threshold comes back as it was", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(anyLength, fc.nat(9)), { minLength: 1, maxLength: 6 }),
      async (parts) => {
        await withTempDir(async (folder) => {
          const contents = parts.map(([length, seed]) => bytesOf(seed, length));
          const files = contents.map((bytes, i) => writeFile(`${folder}/f${i}`, bytes));
          await using store = await openStore(`${folder}/store`);
          const refs = await saveFiles(store, "rb-1", files);
          await store.writeFiles(refs.map((content, i) => ({ content, path: `${folder}/out${i}` })));
          for (const [i, bytes] of contents.entries()) {
            assert.equal(refs[i]!.size, bytes.length);
            assert.ok(bytes.length > WHOLE_FILE_BYTES || refs[i]!.sha256 !== undefined);
            assert.deepEqual(Deno.readFileSync(`${folder}/out${i}`), bytes);
          }
          const first = await store.readBytes(refs[0]!, { maxBytes: 64 * MIB });
          assert.ok(equal(first, contents[0]!));
          assert.ok(equal(await readAll(store, refs[0]!), contents[0]!));
        });
      },
    ),
    { numRuns: 7 },
  );
});

Deno.test("a file, bytes and a stream of the same content are stored once", async () => {
  await withTempDir(async (folder) => {
    for (const length of [1000, WHOLE_FILE_BYTES + 12345]) {
      const bytes = bytesOf(3, length);
      const file = writeFile(`${folder}/f${length}`, bytes);
      await using store = await openStore(`${folder}/store${length}`);
      await using writer = await store.write();
      const fromFile = contentOf((await writer.addFiles([file]))[0]);
      const stored = writer.storedBytes;
      const pieces = ReadableStream.from((function* () {
        for (let at = 0; at < length; at += 70_001) yield bytes.subarray(at, at + 70_001);
      })());
      assert.deepEqual(await writer.addBytes(bytes), fromFile);
      assert.deepEqual(await writer.addStream(pieces), fromFile);
      assert.equal(writer.storedBytes, stored);
      await writer.commit(manifestOf("rb-1", [fromFile]));
    }
  });
});

Deno.test("threads that write files are kept for the next call", async () => {
  await withTempDir(async (folder) => {
    const files = Array.from({ length: 420 }, (_, i) => writeFile(`${folder}/f${i}`, bytesOf(i, 10 + i)));
    await using store = await openStore(`${folder}/store`);
    const refs = await saveFiles(store, "rb-1", files);
    const original = globalThis.Worker;
    let started = 0;
    globalThis.Worker = class extends original {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(url, options);
        started++;
      }
    };
    try {
      const write = (to: string) =>
        store.writeFiles(refs.map((content, i) => ({ content, path: `${folder}/${to}${i}` })));
      await write("one");
      const first = started;
      assert.ok(first > 0);
      await write("two");
      assert.equal(started, first);
    } finally {
      globalThis.Worker = original;
    }
    assert.deepEqual(Deno.readFileSync(`${folder}/two419`), bytesOf(419, 429));
  });
});

Deno.test("many files go through the threads, and come back in order", async () => {
  await withTempDir(async (folder) => {
    const files = Array.from(
      { length: 900 },
      (_, i) => writeFile(`${folder}/f${i}`, bytesOf(i, i * 37 % 5000)),
    );
    files.push(writeFile(`${folder}/large`, bytesOf(5, 20 * MIB)));
    await using store = await openStore(`${folder}/store`);
    const refs = await saveFiles(store, "rb-1", files);
    Deno.mkdirSync(`${folder}/out`);
    let told = 0;
    await store.writeFiles(
      refs.map((content, i) => ({ content, path: `${folder}/out/${i}` })),
      { onProgress: (done) => told = done },
    );
    assert.equal(told, files.reduce((sum, { size }) => sum + size, 0));
    for (const [i, { path }] of files.entries()) {
      assert.ok(equal(Deno.readFileSync(`${folder}/out/${i}`), Deno.readFileSync(path)), path);
      assert.equal(Deno.statSync(`${folder}/out/${i}`).mode! & 0o777, 0o600);
    }
    const before = await store.usage();
    assert.deepEqual(await saveFiles(store, "rb-2", files), refs);
    const after = await store.usage();
    assert.equal(after.packs, before.packs);
    assert.equal(after.snapshots, 2);
    assert.equal(storeFiles(`${folder}/store`, "index").length, 1);
    assert.deepEqual(storeFiles(`${folder}/store`, "tmp"), []);
  });
});

Deno.test("an insertion in the middle and pages that change store little", async () => {
  await withTempDir(async (folder) => {
    const bytes = bytesOf(11, 80 * MIB);
    await using store = await openStore(`${folder}/store`);
    const [first] = await saveFiles(store, "rb-1", [writeFile(`${folder}/f`, bytes)]);
    const before = (await store.usage()).bytes;

    const inserted = new Uint8Array(bytes.length + 17);
    inserted.set(bytes.subarray(0, 20 * MIB));
    inserted.set(bytes.subarray(20 * MIB), 20 * MIB + 17);
    const [content] = await saveFiles(store, "rb-2", [writeFile(`${folder}/f`, inserted)]);
    const after = (await store.usage()).bytes;
    assert.ok(after - before < bytes.length / 100, `${after - before} bytes for an insertion`);
    assert.ok(equal(await readAll(store, content!), inserted));
    for (const previous of [first!, content!, { ...first!, chunks: ["0".repeat(64), ...first!.chunks] }]) {
      const again = await saveFiles(store, `rb-2-${previous.chunks[0]!.slice(0, 4)}-${previous.size}`, [
        { ...writeFile(`${folder}/f`, inserted), previous },
      ]);
      assert.deepEqual(again, [content], "the same chunks, whatever is known of an earlier version");
    }

    for (let page = 0; page < 7; page++) bytes.set(bytesOf(1000 + page, 64 * 1024), page * 100 * 64 * 1024);
    await saveFiles(store, "rb-3", [writeFile(`${folder}/f`, bytes)]);
    const added = (await store.usage()).bytes - after;
    assert.ok(added < 7 * 5 * 64 * 1024, `${added} bytes for 7 pages`);
  });
});

Deno.test("holes stay holes, and zeros at odd places are zeros", async () => {
  await withTempDir(async (folder) => {
    const bytes = new Uint8Array(30 * MIB);
    bytes.set(bytesOf(1, 100_000), 5 * MIB + 77);
    bytes[bytes.length - 1] = 1;
    await using store = await openStore(`${folder}/store`);
    const small = bytes.slice(5 * MIB, 5 * MIB + 300_000);
    const refs = await saveFiles(store, "rb-1", [
      writeFile(`${folder}/f`, bytes),
      writeFile(`${folder}/g`, small),
    ]);
    await store.writeFiles(refs.map((content, i) => ({ content, path: `${folder}/out${i}`, sparse: true })));
    assert.ok(equal(Deno.readFileSync(`${folder}/out0`), bytes));
    assert.ok(equal(Deno.readFileSync(`${folder}/out1`), small));
    assert.ok(Deno.statSync(`${folder}/out0`).blocks! * 512 < 2 * MIB);
  });
});

Deno.test("recent manifests come newest first, and no more of them are read than are asked for", async () => {
  await withTempDir(async (folder) => {
    const backend = await openBackend(`${folder}/store`);
    await using store = await openStoreOn(backend);
    for (let day = 10; day < 50; day++) {
      await using writer = await store.write();
      await writer.commit({ ...manifestOf(`rb-${day}`), created_at: `2025-01-01T00:00:${day}.000Z` });
      Deno.utimeSync(`${folder}/store/snapshots/rb-${day}.json`, day, day);
    }
    Deno.writeTextFileSync(`${folder}/store/snapshots/rb-47.json`, "no manifest");
    Deno.utimeSync(`${folder}/store/snapshots/rb-47.json`, 47, 47);
    const readFile = backend.read.bind(backend);
    let read = 0;
    backend.read = (...given) => {
      read++;
      return readFile(...given);
    };
    const found: string[] = [];
    for await (const { id } of store.recentSnapshots()) {
      if (found.push(id) === 3) break;
    }
    assert.deepEqual(found, ["rb-49", "rb-48", "rb-46"]);
    assert.ok(read <= 16, `${read} of 40 manifests were read`);
  });
});

Deno.test("manifests: created once, changed, listed oldest first, deleted", async () => {
  await withTempDir(async (folder) => {
    await using store = await openStore(`${folder}/store`);
    assert.deepEqual(await store.listSnapshots(), { snapshots: [], damaged: [] });
    assert.equal(await store.readSnapshot("rb-1"), undefined);
    assert.equal(await store.readSnapshot("../config"), undefined);
    await saveFiles(store, "rb-2", []);
    const older = { ...manifestOf("rb-1"), created_at: "2025-01-01T00:00:00.000Z" };
    await using writer = await store.write();
    await writer.commit(older);
    assert.deepEqual(await store.readSnapshot("rb-1"), older);
    assert.deepEqual((await store.listSnapshots()).snapshots.map(({ id }) => id), ["rb-1", "rb-2"]);
    const changed = await store.updateSnapshot("rb-1", { pinned: true, labels: { a: "b" } });
    assert.deepEqual(changed, { ...older, pinned: true, labels: { a: "b" } });
    assert.deepEqual(await store.readSnapshot("rb-1"), changed);
    await assert.rejects(saveFiles(store, "rb-1", []), ConflictError);
    await assert.rejects(saveFiles(store, "../rb", []), UsageError);
    await assert.rejects(store.updateSnapshot("rb-9", {}), RollbackVersionNotFoundError);
    await store.deleteSnapshot("rb-1");
    await store.deleteSnapshot("rb-1");
    await assert.rejects(store.deleteSnapshot("../config"), UsageError);
    assert.deepEqual((await store.listSnapshots()).snapshots.map(({ id }) => id), ["rb-2"]);
  });
});

Deno.test("an encrypted store gives everything back, and its files say nothing", async () => {
  await withTempDir(async (folder) => {
    Deno.writeTextFileSync(`${folder}/pass`, "correct horse battery staple\n", { mode: 0o600 });
    const encryption = { passphraseFile: `${folder}/pass` };
    const secret = new TextEncoder().encode("the secret of the tests ".repeat(500));
    await using store = await openStore(`${folder}/store`, { encryption });
    const files = Array.from({ length: 500 }, (_, i) => writeFile(`${folder}/f${i}`, bytesOf(i, 3000)));
    const refs = await saveFiles(store, "rb-1", [writeFile(`${folder}/s`, secret), ...files]);
    assert.notEqual(refs[0]!.chunks[0], refs[0]!.sha256);
    await using again = await openStore(`${folder}/store`, { encryption });
    assert.deepEqual(await again.readSnapshot("rb-1"), manifestOf("rb-1", refs));
    Deno.mkdirSync(`${folder}/out`);
    await again.writeFiles(refs.map((content, i) => ({ content, path: `${folder}/out/${i}` })));
    assert.ok(equal(Deno.readFileSync(`${folder}/out/0`), secret));
    assert.ok(equal(Deno.readFileSync(`${folder}/out/500`), bytesOf(499, 3000)));
    for (const name of ["packs", "index", "snapshots"].flatMap((it) => storeFiles(`${folder}/store`, it))) {
      const text = new TextDecoder("latin1").decode(Deno.readFileSync(`${folder}/store/${name}`));
      for (const word of ["secret", "filesystem_backup", refs[0]!.chunks[0]!, refs[0]!.sha256!]) {
        assert.ok(!text.includes(word), `${name} says ${word}`);
      }
    }
    await assert.rejects(openStore(`${folder}/store`), UsageError);
  });
});

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

Deno.test("who shares a writer counts only what was added through it", () =>
  withTempDir(async (folder) => {
    await using store = await openStore(`${folder}/store`);
    await using writer = await store.write();
    const [large, many, small] = [writer.share(), writer.share(), writer.share()];
    const file = writeFile(`${folder}/large`, bytesOf(1, 9 * MIB));
    const others = Array.from({ length: 500 }, (_, i) => writeFile(`${folder}/f${i}`, bytesOf(i + 10, 3000)));
    await Promise.all([
      large.addFiles([file]),
      many.addFiles(others),
      small.addBytes(bytesOf(2, 1000)),
    ]);
    assert.ok(large.storedBytes > 3 * MIB, `${large.storedBytes}`);
    assert.ok(many.storedBytes > 400_000 && many.storedBytes < 1.7e6, `${many.storedBytes}`);
    assert.ok(small.storedBytes < 1100, `${small.storedBytes}`);
    assert.equal(large.storedBytes + many.storedBytes + small.storedBytes, writer.storedBytes);
  }));
