/** Verifying a store: every kind of damage is found, and said to be whose it is. */
import assert from "node:assert/strict";
import { checkStore, type StoreCheck } from "#/store/check_store.ts";
import { collect } from "#/store/collect.ts";
import { repairIndex } from "#/store/repair_index.ts";
import { generateKeyFile } from "#/store/user_key.ts";
import { testRequiring } from "../support/require.ts";
import { tempDir, withTempDir } from "../support/temp.ts";
import { namesIn, WORLDS } from "./backend_worlds.ts";
import { addSnapshot, assertWhole, openTestStore, someFiles, type TestStore } from "./store_support.ts";

const DATA = { readData: true } as const;
const STRUCTURE = { readData: false } as const;

async function pathsIn({ store }: TestStore, folder: string): Promise<readonly string[]> {
  return (await namesIn(store.backend, folder)).map((name) => store.backend.localPath(name)!);
}

function flip(path: string, at: number): void {
  const bytes = Deno.readFileSync(path);
  bytes[at < 0 ? bytes.length + at : at]! ^= 0x40;
  Deno.writeFileSync(path, bytes);
}

interface Opened {
  readonly test: TestStore;
  /** Looks at it afresh. */
  readonly check: (options: Parameters<typeof checkStore>[1]) => Promise<StoreCheck>;
  readonly again: () => Promise<TestStore>;
}

/** A plain store, and an encrypted one. */
function onBoth(name: string, body: (opened: Opened) => Promise<void>): void {
  for (const kind of ["plain", "encrypted"] as const) {
    Deno.test(`${name} (${kind})`, () =>
      withTempDir(async (folder) => {
        const encryption = kind === "plain" ? undefined : { keyFile: `${folder}/key` };
        if (encryption !== undefined) generateKeyFile(encryption.keyFile);
        const again = () => openTestStore(`${folder}/store`, encryption);
        const check: Opened["check"] = async (options) => {
          await using fresh = await again();
          return await checkStore(await fresh.parts(), options);
        };
        await using test = await again();
        await body({ test, check, again });
      }));
  }
}

onBoth("a sound store is found sound", async ({ test, check }) => {
  const files = someFiles(20, 30_000);
  await addSnapshot(test.store, "one", files);
  await addSnapshot(test.store, "two", { ...files, ...someFiles(3, 700_000, "more") });
  const structure = await check(STRUCTURE);
  assert.ok(structure.ok, JSON.stringify(structure));
  assert.equal(structure.snapshots, 2);
  assert.equal(structure.read.bytes, 0);
  const data = await check(DATA);
  assert.ok(data.ok, JSON.stringify(data));
  assert.equal(data.read.percent, 100);
  assert.equal(data.read.chunks, data.chunks);
  assert.ok(data.chunks >= 23 + 2 * 4);
});

onBoth(
  "a pack with another byte anywhere is found by reading it, with its snapshots",
  async ({ test, check }) => {
    const files = someFiles(4, 100_000);
    // The files are in another pack than the tree of the snapshot that is hit.
    await addSnapshot(test.store, "earlier", files);
    await addSnapshot(test.store, "hit", { "/more": new Uint8Array(10), ...files });
    await addSnapshot(test.store, "other", someFiles(2, 1000, "other"));
    await test.store.deleteSnapshot("earlier");
    const first = (await pathsIn(test, "packs")).find((path) => Deno.lstatSync(path).size > 100_000)!;
    flip(first, 200_000);
    assert.ok((await check(STRUCTURE)).ok);
    const data = await check(DATA);
    assert.equal(data.ok, false);
    assert.ok(data.damaged_chunk_count >= 1);
    assert.deepEqual(data.hit.map(({ id }) => id), ["hit"]);
    assert.deepEqual(data.hit[0]!.targets.map(({ name }) => name), ["files"]);
    assert.ok((await check({ ...DATA, only: ["other"] })).ok);
    assert.equal((await check({ ...DATA, only: ["hit"] })).ok, false);
  },
);

onBoth("a missing pack and one that is cut off are found at once", async ({ test, check, again }) => {
  const [kept, lost] = [someFiles(3, 40_000, "kept"), someFiles(3, 40_000, "lost")];
  await addSnapshot(test.store, "kept", kept);
  const before = await pathsIn(test, "packs");
  await addSnapshot(test.store, "lost", lost);
  const pack = (await pathsIn(test, "packs")).find((path) => !before.includes(path))!;
  const bytes = Deno.readFileSync(pack);
  Deno.writeFileSync(pack, bytes.subarray(0, bytes.length - 10));
  const cut = await check(STRUCTURE);
  assert.match(cut.damaged_packs[0]!.reason, /^it has \d+ bytes, and had \d+$/);
  assert.deepEqual(cut.hit.map(({ id }) => id), ["lost"]);
  Deno.removeSync(pack);
  const missing = await check(STRUCTURE);
  assert.deepEqual(missing.damaged_packs.map(({ reason }) => reason), ["it is missing"]);
  assert.deepEqual(missing.hit.map(({ id }) => id), ["lost"]);
  assert.ok(missing.damaged_chunk_count > 0);
  // A repair forgets the pack; the same files stored again make the snapshot whole.
  await using repaired = await again();
  const report = await repairIndex(await repaired.parts());
  assert.equal(report.dropped_packs.length, 1);
  await using writer = await again();
  await addSnapshot(writer.store, "anew", lost);
  await assertWhole(writer.store, "anew", lost);
  await assertWhole(writer.store, "kept", kept);
});

onBoth("a manifest that was changed is found", async ({ test, check }) => {
  await addSnapshot(test.store, "one", someFiles(1, 1000));
  await addSnapshot(test.store, "two", someFiles(1, 1000));
  const path = test.store.backend.localPath("snapshots/one.json")!;
  const text = Deno.readTextFileSync(path);
  const at = text.indexOf('"sealed": "');
  if (at < 0) Deno.writeTextFileSync(path, text.replace('"by": "test"', '"by": "mallory"'));
  else flip(path, at + 100);
  const found = await check(STRUCTURE);
  assert.deepEqual(found.damaged_manifests, ["snapshots/one.json"]);
  assert.equal(found.ok, false);
  assert.ok((await check({ ...STRUCTURE, only: ["two"] })).ok);
});

onBoth("a lost or damaged index is found, and made anew from the packs", async ({ test, check, again }) => {
  const files = someFiles(5, 30_000);
  await addSnapshot(test.store, "one", files);
  await addSnapshot(test.store, "two", someFiles(5, 30_000, "two"));
  const [first, second] = await pathsIn(test, "index");
  flip(first!, 60);
  Deno.removeSync(second!);
  const found = await check(STRUCTURE);
  assert.equal(found.damaged_indexes.length, 1);
  assert.equal(found.hit.length, 2);
  assert.equal(found.ok, false);
  await using repaired = await again();
  const report = await repairIndex(await repaired.parts());
  assert.deepEqual([report.added_packs, report.removed_indexes.length], [2, 1]);
  assert.deepEqual(report.unreadable_packs, []);
  const sound = await check(DATA);
  assert.ok(sound.ok, JSON.stringify(sound));
  await using reader = await again();
  await assertWhole(reader.store, "one", files);
  assert.equal((await collect(await reader.parts(), { minAgeMs: 0 })).removed_packs, 0);
  assert.equal((await repairIndex(await reader.parts())).added_packs, 0);
});

Deno.test("frames that change places are found", () =>
  withTempDir(async (folder) => {
    generateKeyFile(`${folder}/key`);
    await using test = await openTestStore(`${folder}/store`, { keyFile: `${folder}/key` });
    // Random bytes of a frame each: sealed, they are equally long.
    await addSnapshot(test.store, "one", someFiles(2, 600_000));
    const [path] = await pathsIn(test, "packs");
    const bytes = Deno.readFileSync(path!);
    const { decodeFrames } = await import("#/store/index_format.ts");
    const { loadIndexFiles, packsOf } = await import("#/store/index_files.ts");
    const { backend, cipher } = await test.parts();
    const [pack] = packsOf(await loadIndexFiles(backend, cipher)).values();
    const frames = decodeFrames(pack!.frames, pack!.size);
    const pair = frames.flatMap((a, i) =>
      frames.slice(i + 1).filter((b) => b.stored === a.stored).map((b) => [a, b])
    );
    const [a, b] = pair[0] ?? [];
    if (a === undefined || b === undefined) {
      // No two of the same length this time: the first goes where it does not belong.
      const first = frames[0]!;
      bytes.copyWithin(first.offset + 1, first.offset, first.offset + first.stored - 1);
    } else {
      const copy = bytes.slice(a.offset, a.offset + a.stored);
      bytes.copyWithin(a.offset, b.offset, b.offset + b.stored);
      bytes.set(copy, b.offset);
    }
    Deno.writeFileSync(path!, bytes);
    const found = await checkStore(await test.parts(), DATA);
    assert.ok(found.damaged_chunk_count >= 1);
    assert.deepEqual(found.hit.map(({ id }) => id), ["one"]);
  }));

Deno.test("a sample reads about the share that was asked for", () =>
  withTempDir(async (folder) => {
    await using test = await openTestStore(`${folder}/store`);
    await addSnapshot(test.store, "one", someFiles(60, 600_000));
    let state = 7;
    const random = () => (state = state * 16_807 % 2_147_483_647) / 2_147_483_647;
    const progress: number[] = [];
    const sampled = await checkStore(await test.parts(), {
      ...DATA,
      samplePercent: 25,
      random,
      onProgress: (done, total) => progress.push(done / total),
    });
    assert.ok(sampled.ok);
    assert.ok(sampled.read.percent > 5 && sampled.read.percent < 60, `${sampled.read.percent} %`);
    assert.ok(sampled.read.chunks < sampled.chunks);
    assert.equal(progress.at(-1), 1);
    const none = await checkStore(await test.parts(), { ...DATA, samplePercent: 0 });
    assert.equal(none.read.chunks, 0);
  }));

Deno.test("a check ends with its signal", () =>
  withTempDir(async (folder) => {
    await using test = await openTestStore(`${folder}/store`);
    await addSnapshot(test.store, "one", someFiles(20, 600_000));
    const stop = new AbortController();
    const checking = checkStore(await test.parts(), {
      ...DATA,
      signal: stop.signal,
      onProgress: () => stop.abort("SIGINT"),
    });
    await assert.rejects(checking, /SIGINT/);
  }));

for (const kind of WORLDS.slice(1)) {
  testRequiring(kind.needs, `verifying a store in ${kind.name}`, async () => {
    await using world = await kind.start();
    await using place = await world.fresh();
    await using key = tempDir();
    generateKeyFile(`${key.path}/key`);
    const again = async () => await openTestStore(await place.open(), { keyFile: `${key.path}/key` });
    await using test = await again();
    await addSnapshot(test.store, "one", someFiles(20, 600_000));
    await addSnapshot(test.store, "two", someFiles(2, 10_000, "two"));
    await using fresh = await again();
    const sound = await checkStore(await fresh.parts(), DATA);
    assert.ok(sound.ok, JSON.stringify(sound));
    for (const name of await namesIn(test.store.backend, "index")) await test.store.backend.remove([name]);
    await using lost = await again();
    assert.equal((await checkStore(await lost.parts(), { readData: false })).hit.length, 2);
    const { added_packs } = await repairIndex(await lost.parts());
    assert.ok(added_packs >= 2);
    await using repaired = await again();
    assert.ok((await checkStore(await repaired.parts(), DATA)).ok);
  });
}

onBoth("a damaged end of a pack is found where content is read", async ({ test, check }) => {
  await addSnapshot(test.store, "one", someFiles(20, 30_000));
  const [pack] = await pathsIn(test, "packs");
  const sound = Deno.readFileSync(pack!);
  for (const at of [-1, -20, -60]) { // the mark, the digest of the list, the list
    flip(pack!, at);
    assert.ok((await check(STRUCTURE)).ok, "not looked at without reading");
    const found = await check(DATA);
    assert.equal(found.ok, false, `${at}`);
    assert.match(found.damaged_packs[0]!.reason, /list of chunks at the end/);
    assert.deepEqual([found.damaged_chunk_count, found.hit.length], [0, 0], "the content is whole");
    Deno.writeFileSync(pack!, sound);
  }
  assert.ok((await check(DATA)).ok);
});
