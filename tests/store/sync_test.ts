/** Copies between stores: whole, interrupted, between plain and encrypted ones, and out of a fallback. */
import assert from "node:assert/strict";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import { checkStore } from "#/store/check_store.ts";
import { changeStoreKey } from "#/store/change_key.ts";
import { openReachableStore, snapshotsInFallback } from "#/store/fallback.ts";
import { openSnapshotStore } from "#/store/open.ts";
import type { SnapshotStore } from "#/store/store.ts";
import { partsOf } from "#/store/store_parts.ts";
import { syncStores } from "#/store/sync.ts";
import { generateKeyFile } from "#/store/user_key.ts";
import { UsageError } from "#/core/errors.ts";
import { startGcsProcess } from "../support/servers/gcs_process.ts";
import { askFreePorts } from "../support/servers/started_server.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { WORLDS } from "./backend_worlds.ts";
import { addSnapshot, assertWhole, type Files, openTestStore, someFiles } from "./store_support.ts";

async function assertSound(store: SnapshotStore): Promise<void> {
  const check = await checkStore((await partsOf(store))!, { readData: true });
  assert.ok(check.ok, JSON.stringify(check, undefined, 2));
}

async function ids(store: SnapshotStore): Promise<readonly string[]> {
  return (await store.listSnapshots()).snapshots.map(({ id }) => id);
}

/** Two snapshots that share most of their files. */
async function twoSnapshots(store: SnapshotStore): Promise<Readonly<Record<string, Files>>> {
  const one = someFiles(12, 40_000);
  const two = { ...one, ...someFiles(2, 800_000, "more") };
  await addSnapshot(store, "one", one);
  await addSnapshot(store, "two", two);
  return { one, two };
}

for (const kind of WORLDS) {
  testRequiring(kind.needs, `snapshots are copied from a folder into ${kind.name}, and back`, async () => {
    await using world = await kind.start();
    await using place = await world.fresh();
    await withTempDir(async (folder) => {
      await using from = await openTestStore(`${folder}/from`);
      await using to = await openTestStore(await place.open());
      const all = await twoSnapshots(from.store);
      const dry = await syncStores(from.store, to.store, { dryRun: true });
      assert.deepEqual(dry.copied, ["one", "two"]);
      assert.deepEqual(await ids(to.store), []);
      const seen: string[] = [];
      const report = await syncStores(from.store, to.store, { onSnapshot: (id) => seen.push(id) });
      assert.deepEqual(report.copied, ["one", "two"]);
      assert.deepEqual(seen, ["one", "two"]);
      assert.ok(report.bytes > 2_000_000 && report.bytes < 2_300_000, `${report.bytes}`);
      for (const [id, files] of Object.entries(all)) await assertWhole(to.store, id, files);
      await assertSound(to.store);
      const again = await syncStores(from.store, to.store);
      assert.deepEqual([again.copied, again.already_there, again.bytes], [[], ["one", "two"], 0]);
      await using back = await openTestStore(`${folder}/back`);
      assert.deepEqual((await syncStores(to.store, back.store, { only: ["two"] })).copied, ["two"]);
      assert.deepEqual(await ids(back.store), ["two"]);
      await assertWhole(back.store, "two", all.two!);
      await assertSound(back.store);
    });
  });
}

Deno.test("snapshots are copied between stores of other keys, in their own ids", () =>
  withTempDir(async (folder) => {
    const key = (name: string) => ({ keyFile: `${folder}/${name}` });
    generateKeyFile(`${folder}/a`);
    generateKeyFile(`${folder}/b`);
    await using plain = await openTestStore(`${folder}/plain`);
    await using a = await openTestStore(`${folder}/store-a`, key("a"));
    await using b = await openTestStore(`${folder}/store-b`, key("b"));
    await using last = await openTestStore(`${folder}/last`);
    const all = await twoSnapshots(plain.store);
    for (const [from, to] of [[plain, a], [a, b], [b, last]] as const) {
      const report = await syncStores(from.store, to.store);
      assert.deepEqual([report.copied, report.failed], [["one", "two"], []]);
      for (const [id, files] of Object.entries(all)) await assertWhole(to.store, id, files);
      await assertSound(to.store);
      assert.deepEqual((await syncStores(from.store, to.store)).copied, []);
    }
    const [first, second] = await Promise.all([plain, last].map((it) => it.store.readSnapshot("two")));
    assert.deepEqual(second, first); // the same ids again
    const [inA, inB] = await Promise.all([a, b].map((it) => it.store.readSnapshot("two")));
    assert.notDeepEqual(inA!.targets[0]!.roots, inB!.targets[0]!.roots);
  }));

Deno.test("another snapshot of the same id is left as it is", () =>
  withTempDir(async (folder) => {
    await using from = await openTestStore(`${folder}/from`);
    await using to = await openTestStore(`${folder}/to`);
    const [mine, theirs] = [someFiles(2, 1000), someFiles(2, 1000)];
    await addSnapshot(from.store, "same", mine);
    await addSnapshot(to.store, "same", theirs);
    const report = await syncStores(from.store, to.store, { removeCopied: true });
    assert.deepEqual([report.copied, report.conflicts, report.removed], [[], ["same"], []]);
    await assertWhole(to.store, "same", theirs);
    await assertWhole(from.store, "same", mine);
  }));

Deno.test("a damaged snapshot is not copied, the others are", () =>
  withTempDir(async (folder) => {
    const bad = someFiles(3, 60_000, "bad");
    const good = someFiles(3, 60_000, "good");
    {
      await using from = await openTestStore(`${folder}/from`);
      await addSnapshot(from.store, "bad", bad);
      const [pack] = [...Deno.readDirSync(`${folder}/from/packs`)];
      await addSnapshot(from.store, "good", good);
      const path = `${folder}/from/packs/${pack!.name}`;
      const bytes = Deno.readFileSync(path);
      bytes[30_000]! ^= 1;
      Deno.writeFileSync(path, bytes);
    }
    await using from = await openTestStore(`${folder}/from`);
    await using to = await openTestStore(`${folder}/to`);
    const report = await syncStores(from.store, to.store, { removeCopied: true });
    assert.deepEqual([report.copied, report.removed], [["good"], ["good"]]);
    assert.deepEqual(report.failed.map(({ id }) => id), ["bad"]);
    assert.match(report.failed[0]!.reason, /packs\/.*chunk|frame/);
    assert.deepEqual(await ids(from.store), ["bad"]);
    await assertWhole(to.store, "good", good);
    await assertSound(to.store);
  }));

Deno.test("a copy that was stopped goes on where it was", () =>
  withTempDir(async (folder) => {
    await using from = await openTestStore(`${folder}/from`);
    const all = await twoSnapshots(from.store);
    const stop = new AbortController();
    {
      await using to = await openTestStore(`${folder}/to`);
      const copying = syncStores(from.store, to.store, {
        signal: stop.signal,
        onSnapshot: () => stop.abort("SIGTERM"),
      });
      await assert.rejects(copying, /SIGTERM/);
      assert.deepEqual(await ids(to.store), ["one"]);
    }
    await using to = await openTestStore(`${folder}/to`);
    assert.deepEqual((await syncStores(from.store, to.store)).copied, ["two"]);
    for (const [id, files] of Object.entries(all)) await assertWhole(to.store, id, files);
    await assertSound(to.store);
  }));

Deno.test("while the store is away its fallback is written, and brought over when it is back", () =>
  withTempDir(async (folder) => {
    const [port] = askFreePorts(1) as [number];
    const before = Deno.env.get("STORAGE_EMULATOR_HOST");
    Deno.env.set("STORAGE_EMULATOR_HOST", `http://127.0.0.1:${port}`); // nobody listens
    try {
      const options = { location: "gs://store/team", fallback: `${folder}/fallback` };
      await assert.rejects(
        (async () => await openReachableStore({ location: options.location }))(),
        (error) => error instanceof BucketError && error.failure === "network",
      );
      const files = someFiles(3, 20_000);
      {
        const { store, location, warning } = await openReachableStore(options);
        await using opened = store;
        assert.equal(location, options.fallback);
        assert.match(
          warning ?? "",
          /^The snapshot store gs:\/\/store\/team cannot be reached, so .*fallback is used instead: .*snapshot sync/,
        );
        await addSnapshot(opened, "meanwhile", files);
      }
      assert.deepEqual(await snapshotsInFallback(options), ["meanwhile"]);

      await using server = await startGcsProcess();
      Deno.env.set("STORAGE_EMULATOR_HOST", server.endpoint);
      // There, but not usable: that is no reason to write elsewhere.
      await assert.rejects(openReachableStore(options), /no such bucket/);
      await server.createBucket("store");
      const { store, location, warning } = await openReachableStore(options);
      await using remote = store;
      assert.deepEqual([location, warning], [options.location, undefined]);
      await using fallback = await openSnapshotStore({ location: options.fallback });
      const report = await syncStores(fallback, remote, { removeCopied: true });
      assert.deepEqual([report.copied, report.removed], [["meanwhile"], ["meanwhile"]]);
      await assertWhole(remote, "meanwhile", files);
      await assertSound(remote);
      assert.deepEqual(await snapshotsInFallback(options), []);
    } finally {
      if (before === undefined) Deno.env.delete("STORAGE_EMULATOR_HOST");
      else Deno.env.set("STORAGE_EMULATOR_HOST", before);
    }
  }));

Deno.test("a store whose key was changed opens with the new one only, all content as it was", () =>
  withTempDir(async (folder) => {
    const key = (name: string) => ({ keyFile: `${folder}/${name}` });
    const location = `${folder}/store`;
    generateKeyFile(`${folder}/old`);
    generateKeyFile(`${folder}/new`);
    const files = someFiles(3, 20_000);
    {
      await using store = await openSnapshotStore({ location, encryption: key("old") });
      await addSnapshot(store, "one", files);
      await using writer = await store.write();
      await assert.rejects(changeStoreKey(location, key("old"), key("new")), /in use by write a snapshot/);
      await writer[Symbol.asyncDispose]();
    }
    await assert.rejects(changeStoreKey(location, key("new"), key("old")), UsageError);
    await changeStoreKey(location, key("old"), key("new"));
    await assert.rejects(openSnapshotStore({ location, encryption: key("old") }), UsageError);
    await assert.rejects(openSnapshotStore({ location }), /is encrypted, and no key was given/);
    await using store = await openSnapshotStore({ location, encryption: key("new") });
    await assertWhole(store, "one", files);
    await addSnapshot(store, "two", files);
    await assertSound(store);
    await assert.rejects(
      changeStoreKey(`${folder}/none`, key("old"), key("new")),
      /There is no snapshot store/,
    );
  }));

Deno.test("nothing of what was stored can be seen in an encrypted store", () =>
  withTempDir(async (folder) => {
    generateKeyFile(`${folder}/key`);
    const word = "a-word-that-is-in-the-files";
    const bytes = new TextEncoder().encode(word.repeat(1000));
    await using store = await openSnapshotStore({
      location: `${folder}/store`,
      encryption: { keyFile: `${folder}/key` },
    });
    await addSnapshot(store, "one", { [`/${word}`]: bytes }, { description: word, workspace: `/${word}` });
    const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    const seen = [];
    for (const entry of walk(`${folder}/store`)) {
      const text = new TextDecoder("latin1").decode(Deno.readFileSync(entry));
      assert.equal(text.includes(word), false, entry);
      assert.equal(text.includes(sha256), false, entry);
      seen.push(entry);
    }
    assert.ok(seen.length >= 4, seen.join(" "));
  }));

function* walk(folder: string): Generator<string, void> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* walk(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}
