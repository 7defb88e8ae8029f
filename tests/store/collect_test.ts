/** Collection: what goes, what stays, and what nobody can take away from a writer or a reader. */
import assert from "node:assert/strict";
import { IntegrityError } from "#/core/errors.ts";
import { collect, type CollectOptions } from "#/store/collect.ts";
import { checkStore } from "#/store/check_store.ts";
import { namesIn, randomBytes, WORLDS } from "./backend_worlds.ts";
import {
  addFilesTo,
  addSnapshot,
  assertWhole,
  DAY_MS,
  openTestStore,
  someFiles,
  type TestStore,
} from "./store_support.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

const NOW: CollectOptions = { minAgeMs: 0 };
const START = Date.parse("2026-06-01T00:00:00Z");
const at = (days: number): CollectOptions => ({ minAgeMs: DAY_MS, now: () => START + days * DAY_MS });

const packsIn = ({ store }: TestStore) => namesIn(store.backend, "packs");

async function assertSound(test: TestStore): Promise<void> {
  const check = await checkStore(await test.parts(), { readData: true });
  assert.ok(check.ok, JSON.stringify(check, undefined, 2));
}

for (const kind of WORLDS) {
  testRequiring(kind.needs, `collection of a store in ${kind.name}`, async (t) => {
    await using world = await kind.start();
    await t.step("takes what no snapshot refers to, and nothing else", async () => {
      await using place = await world.fresh();
      await using test = await openTestStore(await place.open());
      const [kept, gone] = [someFiles(5, 50_000, "kept"), someFiles(5, 50_000, "gone")];
      await addSnapshot(test.store, "kept", kept);
      await addSnapshot(test.store, "gone", gone);
      const before = await packsIn(test);
      const idle = await collect(await test.parts(), NOW);
      assert.equal(idle.removed_packs, 0);
      assert.deepEqual(await packsIn(test), before);

      await test.store.deleteSnapshot("gone");
      const report = await collect(await test.parts(), NOW);
      assert.equal(report.snapshots, 1);
      assert.ok(report.removed_bytes > 250_000, JSON.stringify(report));
      assert.equal(report.deferred, null);
      await assertWhole(test.store, "kept", kept);
      await assertSound(test);
      // And for somebody who opens it only now.
      await using again = await openTestStore(await place.open());
      await assertWhole(again.store, "kept", kept);
      assert.equal((await collect(await again.parts(), NOW)).removed_packs, 0);
    });

    await t.step("what is shared stays as long as anybody needs it", async () => {
      await using place = await world.fresh();
      await using test = await openTestStore(await place.open());
      const files = someFiles(4, 40_000);
      const more = { ...files, "/more": randomBytes(30_000) };
      await addSnapshot(test.store, "one", files);
      await addSnapshot(test.store, "two", more);
      await test.store.deleteSnapshot("one");
      await collect(await test.parts(), NOW);
      await assertWhole(test.store, "two", more);
      await test.store.deleteSnapshot("two");
      await collect(await test.parts(), NOW);
      assert.deepEqual(await packsIn(test), []);
      assert.deepEqual(await namesIn(test.store.backend, "index"), []);
      await addSnapshot(test.store, "three", more);
      await assertWhole(test.store, "three", more);
      await assertSound(test);
    });
  });
}

const inFolder = (body: (test: TestStore, again: () => Promise<TestStore>) => Promise<void>) => () =>
  withTempDir(async (folder) => {
    await using test = await openTestStore(`${folder}/store`);
    await body(test, () => openTestStore(`${folder}/store`));
  });

Deno.test(
  "nothing goes before it has been doomed for the minimum age",
  inFolder(async (test) => {
    const files = someFiles(3, 50_000);
    await addSnapshot(test.store, "one", files);
    await test.store.deleteSnapshot("one");
    const first = await collect(await test.parts(), at(0));
    assert.equal(first.removed_packs, 0);
    assert.equal(first.waiting_packs, 1);
    assert.equal(first.waiting_until, "2026-06-02T00:00:00.000Z");
    const second = await collect(await test.parts(), at(0.9));
    assert.equal(second.removed_packs, 0);
    assert.equal(second.waiting_until, "2026-06-02T00:00:00.000Z");
    const third = await collect(await test.parts(), at(1));
    assert.equal(third.removed_packs, 1);
    assert.deepEqual(await packsIn(test), []);
    assert.equal((await collect(await test.parts(), at(2))).waiting_packs, 0);
  }),
);

Deno.test(
  "what is needed again is safe, and its time begins anew",
  inFolder(async (test) => {
    const files = someFiles(3, 50_000);
    await addSnapshot(test.store, "one", files);
    await test.store.deleteSnapshot("one");
    await collect(await test.parts(), at(0));
    await addSnapshot(test.store, "two", files); // reuses the doomed chunks
    assert.equal((await collect(await test.parts(), at(5))).removed_packs, 0);
    await assertWhole(test.store, "two", files);
    await test.store.deleteSnapshot("two");
    const report = await collect(await test.parts(), at(5.5));
    assert.equal(report.removed_packs, 0);
    assert.equal(report.waiting_until, "2026-06-07T12:00:00.000Z");
  }),
);

Deno.test(
  "a dry run tells the same and changes nothing",
  inFolder(async (test) => {
    await addSnapshot(test.store, "one", someFiles(3, 50_000));
    await test.store.deleteSnapshot("one");
    const before = await packsIn(test);
    const dry = await collect(await test.parts(), { ...NOW, dryRun: true });
    assert.deepEqual(await packsIn(test), before);
    assert.deepEqual(await namesIn(test.store.backend, "collect"), []);
    const wet = await collect(await test.parts(), NOW);
    assert.equal(dry.removed_packs, wet.removed_packs);
    assert.equal(dry.removed_bytes, wet.removed_bytes);
    assert.ok(dry.dry_run && !wet.dry_run);
  }),
);

Deno.test(
  "what is left of a mostly dead pack moves, and the old pack goes",
  inFolder(async (test, again) => {
    const small = { "/small": randomBytes(20_000) };
    await addSnapshot(test.store, "both", { ...small, "/large": randomBytes(900_000) });
    await addSnapshot(test.store, "small", small);
    await test.store.deleteSnapshot("both");
    const report = await collect(await test.parts(), NOW);
    assert.equal(report.moved_packs, 1);
    assert.equal(report.removed_packs, 1);
    assert.ok(report.removed_bytes > 900_000);
    assert.ok(report.written_bytes > 20_000 && report.written_bytes < 100_000);
    await using reader = await again();
    await assertWhole(reader.store, "small", small);
    await assertSound(reader);
    const settled = await collect(await test.parts(), NOW);
    assert.equal(settled.moved_packs + settled.removed_packs, 0);
  }),
);

Deno.test(
  "a reader that opened the store before a collection goes on reading for the minimum age",
  inFolder(async (test, again) => {
    const small = { "/small": randomBytes(20_000) };
    await addSnapshot(test.store, "both", { ...small, "/large": randomBytes(900_000) });
    await addSnapshot(test.store, "small", small);
    await using reader = await again();
    await assertWhole(reader.store, "small", small);
    await test.store.deleteSnapshot("both");
    const report = await collect(await test.parts(), at(0));
    assert.equal(report.moved_packs, 1);
    assert.equal(report.waiting_packs, 1);
    await assertWhole(reader.store, "small", small);
    assert.equal((await collect(await test.parts(), at(2))).removed_packs, 1);
    await assertWhole(reader.store, "small", small);
  }),
);

Deno.test(
  "many small packs and indexes become few",
  inFolder(async (test) => {
    const all: Record<string, ReturnType<typeof someFiles>> = {};
    for (let n = 0; n < 40; n++) {
      const files = someFiles(1, 3000, `n${n}-`);
      await addSnapshot(test.store, `s${n}`, files);
      all[`s${n}`] = files;
    }
    assert.equal((await packsIn(test)).length, 40);
    await collect(await test.parts(), NOW);
    assert.equal((await packsIn(test)).length, 1);
    assert.equal((await namesIn(test.store.backend, "index")).length, 1);
    for (const [id, files] of Object.entries(all)) await assertWhole(test.store, id, files);
    await assertSound(test);
  }),
);

Deno.test(
  "packs of a writer that gave up are doomed like others",
  inFolder(async (test) => {
    await addSnapshot(test.store, "one", someFiles(1, 1000));
    const before = await packsIn(test);
    Deno.copyFileSync(
      test.store.backend.localPath(before[0]!)!,
      test.store.backend.localPath(`packs/${"ab".repeat(16)}.pack`)!,
    );
    const first = await collect(await test.parts(), at(0));
    assert.equal(first.waiting_packs, 1);
    assert.equal((await collect(await test.parts(), at(1))).removed_packs, 1);
    assert.deepEqual(await packsIn(test), before);
  }),
);

Deno.test(
  "while somebody writes nothing is taken away, and it is said who",
  inFolder(async (test, again) => {
    const files = someFiles(3, 50_000);
    await addSnapshot(test.store, "one", files);
    await test.store.deleteSnapshot("one");
    const before = await packsIn(test);
    await using other = await again();
    {
      await using writer = await other.store.write();
      // Everything that it adds is there already: it refers to chunks that nobody needs.
      const { manifest } = await addFilesTo(writer, "two", files);
      const report = await collect(await test.parts(), NOW);
      assert.match(report.deferred ?? "", /in use by write a snapshot by/);
      assert.equal(report.removed_packs, 0);
      for (const name of before) assert.ok((await packsIn(test)).includes(name));
      await writer.commit(manifest);
    }
    const report = await collect(await test.parts(), NOW);
    assert.equal(report.deferred, null);
    await assertWhole(other.store, "two", files);
    await assertSound(test);
  }),
);

Deno.test(
  "where it cannot be known what is needed, nothing is taken away",
  inFolder(async (test) => {
    const { backend } = test.store;
    await addSnapshot(test.store, "one", someFiles(3, 50_000));
    await addSnapshot(test.store, "two", someFiles(3, 50_000));
    await test.store.deleteSnapshot("two");
    const before = await packsIn(test);
    const manifest = backend.localPath("snapshots/one.json")!;
    const text = Deno.readTextFileSync(manifest);
    Deno.writeTextFileSync(manifest, text.replace('"kind": "tree"', '"kind": "content"'));
    await assert.rejects(collect(await test.parts(), NOW), (error) => {
      return error instanceof IntegrityError &&
        /snapshots\/one.json needs cannot be read/.test(error.message);
    });
    Deno.writeTextFileSync(manifest, text);
    for (const name of await namesIn(backend, "index")) {
      const path = backend.localPath(name)!;
      const bytes = Deno.readFileSync(path);
      Deno.writeFileSync(path, bytes.map((byte, i) => i === 50 ? byte ^ 1 : byte));
      await using again = await openTestStore(backend.location);
      await assert.rejects(collect(await again.parts(), NOW), IntegrityError);
      Deno.writeFileSync(path, bytes);
    }
    assert.deepEqual(await packsIn(test), before);
    assert.ok((await collect(await test.parts(), NOW)).removed_packs > 0);
  }),
);
