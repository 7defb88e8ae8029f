/** Files and folders: captured, changed in every way, and put back as they were. */
import assert from "node:assert/strict";
import { native } from "#/core/native.ts";
import * as changes from "#/core/posix_native.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { describeTree, run, TreeWorld } from "./tree_support.ts";

const NAMES = [
  "plain",
  "with space",
  "new\nline",
  "-rf",
  "--",
  "*",
  ".hidden",
  "ünïcödé ☃",
  "'\"$(x)`",
  "é".repeat(127),
];

/** A tree with one of everything. */
function populate(root: string): void {
  Deno.mkdirSync(`${root}/a/deep/er`, { recursive: true });
  Deno.mkdirSync(`${root}/empty`);
  for (const name of NAMES) {
    Deno.writeTextFileSync(`${root}/a/${name}`, `content of ${name}`);
    Deno.mkdirSync(`${root}/folder ${name.slice(0, 50)}`);
  }
  Deno.writeTextFileSync(`${root}/nothing`, "");
  Deno.writeTextFileSync(`${root}/a/deep/er/file`, "deep");
  Deno.linkSync(`${root}/a/plain`, `${root}/a/deep/linked`);
  Deno.linkSync(`${root}/a/plain`, `${root}/0 first`);
  Deno.symlinkSync("a/plain", `${root}/link`);
  Deno.symlinkSync("/nowhere at all", `${root}/dangling`);
  Deno.symlinkSync("..", `${root}/a/up`);
  Deno.chmodSync(`${root}/a/deep`, 0o750);
  Deno.chmodSync(`${root}/a/-rf`, 0o4711);
  Deno.chmodSync(`${root}/a/--`, 0o400);
  if (native() === undefined) return;
  changes.mknod(`${root}/pipe`, 0o010640, [0, 0]);
  changes.setTime(`${root}/a/plain`, "1700000000.123456789");
  changes.setTime(`${root}/link`, "1600000001.000000001");
  changes.setTime(`${root}/a/deep/er`, "1500000000.999999999");
  changes.setTime(`${root}/empty`, "-100.000000007");
}

Deno.test("a tree that was changed in every way comes back as it was", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    Deno.mkdirSync(root);
    populate(root);
    const world = new TreeWorld(folder, { paths: ["data"] });
    const before = describeTree(root);
    const saved = await world.capture();
    assert.deepEqual(saved.warnings, []);
    assert.equal(await world.fingerprint(), saved.fingerprint);
    assert.deepEqual((await world.plan(saved)).changes, []);

    Deno.writeTextFileSync(`${root}/a/plain`, "CONTENT OF plain");
    Deno.removeSync(`${root}/a/deep`, { recursive: true });
    Deno.writeTextFileSync(`${root}/a/deep`, "a file now");
    Deno.removeSync(`${root}/link`);
    Deno.mkdirSync(`${root}/link/with/things`, { recursive: true });
    Deno.writeTextFileSync(`${root}/link/with/things/in it`, "x");
    Deno.chmodSync(`${root}/a/with space`, 0o666);
    Deno.removeSync(`${root}/a/-rf`);
    Deno.writeTextFileSync(`${root}/later`, "came later");
    Deno.mkdirSync(`${root}/later folder/sub`, { recursive: true });
    Deno.symlinkSync("/etc", `${root}/later folder/sub/etc`);
    Deno.removeSync(`${root}/dangling`);
    Deno.symlinkSync("elsewhere", `${root}/dangling`);
    assert.notEqual(await world.fingerprint(), saved.fingerprint);

    const plan = await world.plan(saved);
    const removed = plan.changes.filter((it) => it.action === "remove").map((it) =>
      it.path.slice(root.length)
    );
    assert.deepEqual(removed, [
      "/later",
      "/later folder",
      "/later folder/sub",
      "/later folder/sub/etc",
      "/link/with",
      "/link/with/things",
      "/link/with/things/in it",
    ]);
    const safety = await world.capture(saved);
    const changed = describeTree(root);
    const done = await world.restore(saved);
    assert.deepEqual(describeTree(root), before);
    assert.equal(done.removed, 7);
    assert.equal(await world.fingerprint(), saved.fingerprint);
    assert.deepEqual((await world.plan(saved)).changes, []);
    assert.equal(Deno.statSync("/etc/passwd").isFile, true);

    await world.restore(safety);
    assert.deepEqual(describeTree(root), changed);
    await world.restore(saved);
    assert.deepEqual(describeTree(root), before);
  });
});

Deno.test("files that nobody touched are not read again, and an unchanged tree stores nothing", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    Deno.mkdirSync(root);
    populate(root);
    age(root);
    const world = new TreeWorld(folder, { paths: [root] });
    // Changed so shortly before: the second capture reads once more, and the third relies on it.
    const first = await world.capture();
    const read = world.store.filesRead.length;
    assert.ok(read > NAMES.length);
    await new Promise((resolve) => setTimeout(resolve, 3100));
    const second = await world.capture(first);
    world.store.filesRead.length = 0;
    // The list of lists once more, with what proves that they need not be read again.
    const proven = await world.capture(second);
    const bytes = world.store.storedBytes;
    const third = await world.capture(proven);
    assert.deepEqual(world.store.filesRead, []);
    assert.equal(world.store.storedBytes, bytes);
    assert.deepEqual([first.fingerprint, second.fingerprint], [third.fingerprint, third.fingerprint]);

    Deno.writeTextFileSync(`${root}/a/with space`, "other content");
    await world.capture(third);
    assert.deepEqual(world.store.filesRead, [`${root}/a/with space`]);
  });
});

/** Modification times long ago; the change times stay. */
function age(root: string): void {
  run("find", root, "-exec", "touch", "-h", "-d", "2020-01-01", "{}", "+");
}

Deno.test("excluded paths are neither captured, nor touched, nor removed", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    Deno.mkdirSync(`${root}/cache/deep`, { recursive: true });
    Deno.writeTextFileSync(`${root}/keep.txt`, "kept");
    Deno.writeTextFileSync(`${root}/x.tmp`, "1");
    Deno.writeTextFileSync(`${root}/cache/deep/c`, "1");
    const world = new TreeWorld(folder, { paths: [root], exclude: ["*.tmp", "cache/**"] });
    const saved = await world.capture();
    Deno.writeTextFileSync(`${root}/x.tmp`, "22");
    Deno.writeTextFileSync(`${root}/cache/deep/d`, "2");
    Deno.mkdirSync(`${root}/later`);
    Deno.writeTextFileSync(`${root}/later/y.tmp`, "3");
    Deno.writeTextFileSync(`${root}/later/y.txt`, "3");
    assert.equal((await world.plan(saved)).changes.length, 1);
    world.config = { paths: [root] }; // what was left out then is left alone also when nothing is left out now
    const plan = await world.plan(saved);
    assert.match(plan.warnings.join(), /holds what is left out/);
    await world.restore(saved);
    assert.deepEqual(Object.keys(describeTree(root)), [
      "",
      "cache",
      "cache/deep",
      "cache/deep/c",
      "cache/deep/d",
      "keep.txt",
      "later",
      "later/y.tmp",
      "x.tmp",
    ]);
    assert.equal(Deno.readTextFileSync(`${root}/x.tmp`), "22");
  });
});

Deno.test("single paths are restored, with the folders above them, and nothing else", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    Deno.mkdirSync(root);
    populate(root);
    const world = new TreeWorld(folder, { paths: [root] });
    const saved = await world.capture();
    Deno.removeSync(`${root}/a`, { recursive: true });
    Deno.writeTextFileSync(`${root}/later`, "stays");
    await world.restore(saved, [`${root}/a/deep/er/file`, `${root}/a/deep/linked`]);
    assert.deepEqual([...Deno.readDirSync(`${root}/a`)].map((it) => it.name), ["deep"]);
    assert.equal(Deno.readTextFileSync(`${root}/a/deep/er/file`), "deep");
    // The first of its names is outside of what was asked for: it has the content all the same.
    assert.equal(Deno.readTextFileSync(`${root}/a/deep/linked`), "content of plain");
    assert.equal(Deno.readTextFileSync(`${root}/later`), "stays");
  });
});

Deno.test("what was not there at the capture goes, and what went comes back with the folders above it", async () => {
  await withTempDir(async (folder) => {
    Deno.mkdirSync(`${folder}/one/two`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/one/two/file`, "x");
    const world = new TreeWorld(folder, { paths: ["one/two/file", "absent"] });
    const saved = await world.capture();
    assert.match(saved.warnings.join(), /Not there.*absent/);
    Deno.removeSync(`${folder}/one`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/absent`, "now there");
    const safety = await world.capture(saved);
    await world.restore(saved);
    assert.equal(Deno.readTextFileSync(`${folder}/one/two/file`), "x");
    assert.throws(() => Deno.lstatSync(`${folder}/absent`), Deno.errors.NotFound);
    await world.restore(safety);
    assert.equal(Deno.readTextFileSync(`${folder}/absent`), "now there");
    const nothing = new TreeWorld(folder, { paths: ["never there"] });
    await assert.rejects(nothing.capture(), { code: 40, message: /nothing is there/ });
  });
});

Deno.test("diff tells what differs, between two captures and from one to now", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    Deno.mkdirSync(root);
    for (const name of ["a", "b", "c", "d"]) Deno.writeTextFileSync(`${root}/${name}`, name);
    const world = new TreeWorld(folder, { paths: [root] });
    const first = await world.capture();
    Deno.writeTextFileSync(`${root}/a`, "changed");
    Deno.removeSync(`${root}/b`);
    Deno.chmodSync(`${root}/c`, 0o600);
    Deno.writeTextFileSync(`${root}/e`, "new");
    const told = (changes: readonly { action: string; path: string }[]) =>
      changes.map((it) => `${it.action} ${it.path.slice(root.length)}`);
    const expected = ["replace /a", "remove /b", "attributes /c", "create /e"];
    assert.deepEqual(told(await world.diff(first)), expected);
    assert.deepEqual(told(await world.diff(first, await world.capture(first))), expected);
  });
});

Deno.test("an export is made below another folder, and only there", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    Deno.mkdirSync(root);
    populate(root);
    const world = new TreeWorld(folder, { paths: [root] });
    const before = describeTree(root);
    const saved = await world.capture();
    await world.exportTo(saved, `${folder}/elsewhere`);
    assert.deepEqual(describeTree(`${folder}/elsewhere${root}`), before);
    assert.deepEqual(describeTree(root), before);
    await world.exportTo(saved, "elsewhere"); // again: nothing to do
    Deno.writeTextFileSync(`${folder}/a file`, "x");
    await assert.rejects(world.exportTo(saved, `${folder}/a file`), /not a folder/);
  });
});

Deno.test("backup_location has a plain copy", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    Deno.mkdirSync(`${root}/sub`, { recursive: true });
    Deno.writeTextFileSync(`${root}/sub/file`, "one");
    Deno.symlinkSync("sub/file", `${root}/link`);
    const world = new TreeWorld(folder, { paths: [root], backup_location: "data/copies" });
    const saved = await world.capture();
    assert.equal(saved.metadata["backup_location"], "data/copies");
    const copy = `${root}/copies${root}`;
    assert.equal(Deno.readTextFileSync(`${copy}/sub/file`), "one");
    assert.equal(Deno.readLinkSync(`${copy}/link`), "sub/file");
    Deno.writeTextFileSync(`${root}/sub/file`, "two!");
    const again = await world.capture(saved);
    assert.equal(Deno.readTextFileSync(`${copy}/sub/file`), "two!");
    assert.deepEqual([again.files, saved.files], [2, 2]); // the copy is no part of the target
    await world.restore(saved);
    assert.equal(Deno.readTextFileSync(`${copy}/sub/file`), "two!");
    assert.equal(Deno.readTextFileSync(`${root}/sub/file`), "one");
    assert.deepEqual([...Deno.readDirSync(copy)].map((it) => it.name).sort(), ["link", "sub"]);
  });
});

testRequiring(["root"], "owners, devices, attributes and set-id bits come back", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    Deno.mkdirSync(root);
    populate(root);
    changes.mknod(`${root}/null`, 0o020666, [1, 3]);
    Deno.chownSync(`${root}/a/-rf`, 1234, 4321);
    changes.changeMode(`${root}/a/-rf`, 0o6755);
    changes.changeOwner(`${root}/dangling`, 77, 78);
    Deno.chownSync(`${root}/a/deep`, 5, 6);
    Deno.chmodSync(`${root}/a/*`, 0o000);
    changes.setAttribute(`${root}/a/plain`, "user.note", new TextEncoder().encode("kept"));
    changes.setAttribute(`${root}/a`, "user.empty", new Uint8Array());
    changes.setAttribute(`${root}/a/deep`, "trusted.more", new Uint8Array([0, 255, 1]));
    const world = new TreeWorld(folder, { paths: [root] });
    const before = describeTree(root);
    const saved = await world.capture();
    Deno.chownSync(`${root}/a/-rf`, 0, 0);
    changes.removeAttribute(`${root}/a/plain`, "user.note");
    changes.setAttribute(`${root}/a/plain`, "user.other", new Uint8Array([1]));
    changes.removeAttribute(`${root}/a/deep`, "trusted.more");
    Deno.removeSync(`${root}/null`);
    Deno.removeSync(`${root}/a/*`);
    assert.notDeepEqual(describeTree(root), before);
    await world.restore(saved);
    assert.deepEqual(describeTree(root), before);
    Deno.removeSync(root, { recursive: true });
    await world.restore(saved);
    assert.deepEqual(describeTree(root), before);
  });
});
