/** Trees in the real store: what differs from one in memory is chunks, packs, holes, and files of any size. */
import assert from "node:assert/strict";
import { native } from "#/core/native.ts";
import * as changes from "#/core/posix_native.ts";
import { openSnapshotStore } from "#/store/open.ts";
import type { SavedTarget, SnapshotManifest } from "#/store/model.ts";
import type { SnapshotStore } from "#/store/store.ts";
import { driver } from "#/target/file_system.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { describeTree, TreeWorld } from "./tree_support.ts";

/** Captures into a store, and commits. */
async function captureInto(
  store: SnapshotStore,
  world: TreeWorld,
  id: string,
  previous?: SavedTarget,
): Promise<SavedTarget> {
  await using writer = await store.write();
  const captured = await driver.capture(world.spec(), { ...world.context(), store, writer, previous });
  const facts = { name: "data", type: "file_system", undo: "exact" as const, config: {}, seconds: 0 };
  const saved: SavedTarget = { ...captured, ...facts, stored_bytes: writer.storedBytes };
  await writer.commit(manifestOf(id, saved));
  return saved;
}

function manifestOf(id: string, saved: SavedTarget): SnapshotManifest {
  return {
    format: 1,
    id,
    description: "",
    created_at: new Date().toISOString(),
    origin: "manual",
    operation_id: crypto.randomUUID(),
    by: "test",
    host: "test",
    machine_id: "test",
    workspace: "/",
    pinned: false,
    mark: "",
    labels: {},
    targets: [saved],
    warnings: [],
  };
}

Deno.test("a tree of small and large files goes through the real store, and a store within the tree is left alone", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    Deno.mkdirSync(root);
    for (let i = 0; i < 900; i++) {
      if (i % 30 === 0) Deno.mkdirSync(`${root}/d${i / 30}`);
      Deno.writeTextFileSync(`${root}/d${Math.floor(i / 30)}/f${i}`, `content of ${i} `.repeat(1 + i % 50));
    }
    Deno.writeFileSync(`${root}/large`, randomBytes(12 << 20));
    const tree = describeTree(root);
    await using store = await openSnapshotStore({ location: `${root}/store` });
    const world = new TreeWorld(folder, { paths: [root] });
    const context = { ...world.context(), store };
    const { store: _store, ...withoutAStore } = context;
    const first = await captureInto(store, world, "rb-1");
    const second = await captureInto(store, world, "rb-2", first);
    assert.equal(second.fingerprint, first.fingerprint);
    assert.equal(first.files, 901);
    assert.equal(await driver.fingerprint(world.spec(), withoutAStore), first.fingerprint);

    for (let i = 0; i < 29; i++) Deno.writeTextFileSync(`${root}/d${i}/f${i * 30}`, "changed");
    using file = Deno.openSync(`${root}/large`, { write: true });
    file.seekSync(7_000_000, Deno.SeekMode.Start);
    file.writeSync(new TextEncoder().encode("patched"));
    Deno.removeSync(`${root}/d29`, { recursive: true });
    const safety = await captureInto(store, world, "rb-3", second);
    assert.ok(safety.stored_bytes < 2 << 20, `${safety.stored_bytes} bytes for a small change`);
    const plan = await driver.plan(world.spec(), second, context);
    assert.equal(plan.changes.filter((it) => it.action === "replace").length, 30);
    const done = await driver.restore(world.spec(), second, context);
    assert.equal(done.changed, 30 + 31);
    assert.deepEqual(withoutStore(describeTree(root)), withoutStore(tree));
    assert.equal(await driver.fingerprint(world.spec(), withoutAStore), second.fingerprint);

    for (const entry of Deno.readDirSync(root)) {
      if (entry.name !== "store") Deno.removeSync(`${root}/${entry.name}`, { recursive: true });
    }
    await driver.restore(world.spec(), second, context);
    assert.deepEqual(withoutStore(describeTree(root)), withoutStore(tree));
  });
});

/** The root's own time moves with the store in it. */
function withoutStore(tree: Record<string, string>): Record<string, string> {
  const kept = Object.entries(tree).filter(([path]) =>
    path !== "" && path !== "store" && !path.startsWith("store/")
  );
  return Object.fromEntries(kept);
}

function randomBytes(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65536)));
  }
  return bytes;
}

testRequiring(["posix"], "a file of 1 GiB with little in it stays one, and takes no room", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    Deno.mkdirSync(root);
    {
      using file = Deno.openSync(`${root}/sparse`, { write: true, create: true });
      file.seekSync(300 << 20, Deno.SeekMode.Start);
      file.writeSync(new TextEncoder().encode("some data"));
      file.truncateSync(1 << 30);
    }
    const before = Deno.lstatSync(`${root}/sparse`);
    await using store = await openSnapshotStore({ location: `${folder}/store` });
    const world = new TreeWorld(folder, { paths: [root] });
    const saved = await captureInto(store, world, "rb-1");
    assert.ok(saved.stored_bytes < 1 << 20, `${saved.stored_bytes} bytes stored`);
    Deno.removeSync(`${root}/sparse`);
    await driver.restore(world.spec(), saved, { ...world.context(), store });
    const { size, mtime, blocks } = Deno.lstatSync(`${root}/sparse`);
    assert.deepEqual([size, mtime], [1 << 30, before.mtime]);
    assert.ok(blocks! * 512 < 8 << 20, `${blocks} blocks`);
    using file = Deno.openSync(`${root}/sparse`);
    file.seekSync((300 << 20) - 1, Deno.SeekMode.Start);
    const read = new Uint8Array(11);
    assert.equal(file.readSync(read), 11);
    assert.equal(new TextDecoder().decode(read), "\0some data\0");
  });
});

/** An access control list as Linux keeps it: everything for user 12345, and what the mode says. */
const DEFAULT_ACL = Uint8Array.fromHex(
  "02000000" + "01000700ffffffff" + "0200070039300000" + "04000500ffffffff" + "10000700ffffffff" +
    "20000500ffffffff",
);

testRequiring(
  ["linux"],
  "a file without a list of its own does not get the one its folder has for new files",
  async () => {
    await withTempDir(async (folder) => {
      const root = `${folder}/data`;
      Deno.mkdirSync(root);
      for (const name of ["plain", "listed"]) {
        Deno.writeTextFileSync(`${root}/${name}`, name, { mode: 0o640 });
      }
      changes.setAttribute(root, "system.posix_acl_default", DEFAULT_ACL);
      changes.setAttribute(`${root}/listed`, "user.color", new TextEncoder().encode("blue"));
      await using store = await openSnapshotStore({ location: `${folder}/store` });
      const world = new TreeWorld(folder, { paths: [root] });
      const saved = await captureInto(store, world, "rb-1");
      const before = describeTree(root);
      for (const name of ["plain", "listed"]) Deno.removeSync(`${root}/${name}`);
      Deno.writeTextFileSync(`${root}/probe`, "");
      assert.ok(native()!.readAttributes(`${root}/probe`).size > 0, "new files do get it");
      await driver.restore(world.spec(), saved, { ...world.context(), store });
      assert.equal(native()!.readAttributes(`${root}/plain`).size, 0);
      assert.deepEqual([...native()!.readAttributes(`${root}/listed`).keys()], ["user.color"]);
      assert.deepEqual(describeTree(root), before);
    });
  },
);
