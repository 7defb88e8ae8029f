/** The part of the suite about many objects at a time: adding, copying, moving, removing. */
import assert from "node:assert/strict";
import { InterruptedError, RollbackBackupError, StorageError } from "#/core/errors.ts";
import { ConflictError, type StagedFile } from "#/storage/object_store.ts";
import { tempDir } from "../support/temp.ts";
import {
  type AddCase,
  bytesOf,
  keysOf,
  movesInto,
  OPERATION,
  recordOf,
  sha256,
  sources,
  type SuiteOptions,
  textOf,
} from "./object_store_support.ts";

export function batchCases(test: AddCase, options: SuiteOptions): void {
  test("added files appear at their keys, and doing it again changes nothing", async ({ store, again }) => {
    const files = await sources(store, { "v1/a.txt": "A", "v1/bin/b": "BB", "top.txt": "T" });
    const seen: unknown[] = [];
    await store.addFiles(OPERATION, files, {
      beforePlacing: async () => {
        seen.push(...await store.statMany(files.map((it) => it.record.path)));
      },
    });
    assert.deepEqual(seen, [undefined, undefined, undefined]);
    const { tag } = (await store.stat("v1/bin/b"))!;
    await again().addFiles(OPERATION, files);
    await store.flush();
    assert.equal((await store.stat("v1/bin/b"))?.tag, tag);
    assert.equal(await textOf(again(), "v1/bin/b"), "BB");
    assert.equal(await textOf(again(), "top.txt"), "T");
    await store.removeScratch(OPERATION);
    assert.equal(await textOf(again(), "v1/a.txt"), "A");
  });

  test("adding keeps equal files, completes folders, and refuses other bytes", async ({ store }) => {
    const files = await sources(store, { "v1/a.txt": "A", "v1/b.txt": "B" });
    await store.create("v1/a.txt", bytesOf("A"));
    await store.addFiles(OPERATION, files);
    assert.equal(await textOf(store, "v1/b.txt"), "B");
    await store.replace("v1/b.txt", bytesOf("X"));
    await assert.rejects(store.addFiles(OPERATION, files), ConflictError);
    assert.equal(await textOf(store, "v1/b.txt"), "X");
  });

  test("adding files from outside keeps their bytes, and reports its progress", async ({ store }) => {
    await using outside = tempDir();
    const texts = { "v1/index.html": "<p>", "v1/empty": "", "v1/big": "0123456789".repeat(1_000_000) };
    const files: StagedFile[] = [];
    for (const [i, [path, text]] of Object.entries(texts).entries()) {
      await Deno.writeTextFile(`${outside.path}/${i}`, text);
      files.push({ record: recordOf(path, text, 0o755), source: { path: `${outside.path}/${i}` } });
    }
    const done: (readonly [number, number])[] = [];
    await store.addFiles(OPERATION, files, { onProgress: (...progress) => done.push(progress) });
    assert.deepEqual(done.at(-1), [10_000_003, 10_000_003]);
    for (const [path, text] of Object.entries(texts)) assert.equal(await textOf(store, path), text);
    await store.addFiles(OPERATION, files);
    const changed = { ...files[0]!, record: recordOf("v1/other.html", "<b>") };
    await assert.rejects(store.addFiles(OPERATION, [changed]), RollbackBackupError);
    assert.equal(await store.stat("v1/other.html"), undefined);
  });

  test("a source that is not what its record says adds nothing", async ({ store }) => {
    const [file, other] = await sources(store, { "v1/a.txt": "good", "v1/b.txt": "fine" });
    const wrong = { ...file!, record: { ...file!.record, sha256: sha256("bad!") } };
    await assert.rejects(store.addFiles(OPERATION, [other!, wrong]), RollbackBackupError);
    const longer = { ...file!, record: { ...file!.record, size: 5 } };
    await assert.rejects(store.addFiles(OPERATION, [longer, other!]), RollbackBackupError);
    assert.deepEqual(await keysOf(store, "v1"), []);
  });

  test("what throws before placing keeps everything unseen", async ({ store }) => {
    const files = await sources(store, { "v1/a.txt": "A" });
    const beforePlacing = () => Promise.reject(new RollbackBackupError("not now"));
    await assert.rejects(store.addFiles(OPERATION, files, { beforePlacing }), RollbackBackupError);
    assert.equal(await store.stat("v1/a.txt"), undefined);
  });

  test("copies are checked, and an equal target is left alone", async ({ store }) => {
    await store.create("v1/a", bytesOf("A"));
    const copy = { from: "v1/a", to: ".rollback-backups/b1/v1/a", sha256: sha256("A") };
    await store.copyFiles([copy]);
    const tag = (await store.stat(copy.to))?.tag;
    await store.copyFiles([copy, { from: "v1/a", to: ".rollback-backups/b1/again", sha256: null }]);
    assert.equal((await store.stat(copy.to))?.tag, tag);
    assert.equal(await textOf(store, ".rollback-backups/b1/again"), "A");
    if (options.checksCopiedDigests) {
      const wrong = { ...copy, to: "x", sha256: sha256("B") };
      await assert.rejects(store.copyFiles([wrong]), RollbackBackupError);
      assert.equal(await store.stat("x"), undefined);
    }
    await store.replace(copy.to, bytesOf("Z"));
    await assert.rejects(store.copyFiles([copy]), ConflictError);
  });

  test("exports are new files outside, and nothing is overwritten", async ({ store }) => {
    await using outside = tempDir();
    await store.create("v1/a", bytesOf("A"));
    const file = { key: "v1/a", path: `${outside.path}/deep/er/a`, mode: 0o640 };
    await store.exportFiles([file]);
    assert.equal(await Deno.readTextFile(file.path), "A");
    assert.equal((Deno.lstatSync(file.path).mode ?? 0) & 0o777, 0o640);
    await assert.rejects(store.exportFiles([file]), ConflictError);
    await assert.rejects(
      store.exportFiles([{ ...file, key: "v1/none", path: `${file.path}2` }]),
      StorageError,
    );
  });

  test("moves go there and back, whole folders and single files, and can be done again", async ({ store }) => {
    for (const key of ["v1/a", "v1/bin/b", "v1/bin/c", "v2/x", "v2/y"]) await store.create(key, bytesOf(key));
    const there = await movesInto(store, "b1", ["v1/a", "v1/bin/b", "v1/bin/c", "v2/y"]);
    assert.deepEqual(await store.moveFiles(there), []);
    await store.moveFiles(there);
    await store.flush();
    assert.deepEqual(await store.listNames("v1"), []);
    assert.deepEqual(await keysOf(store, ""), ["v2/x"]);
    assert.equal(await textOf(store, ".rollback-backups/b1/v1/bin/b"), "v1/bin/b");
    const back = await Promise.all(there.map(async ({ from, to }) => ({
      from: to,
      to: from,
      expected: (await store.stat(to))!,
    })));
    assert.deepEqual(await store.moveFiles(back), []);
    assert.deepEqual(await keysOf(store, ""), ["v1/a", "v1/bin/b", "v1/bin/c", "v2/x", "v2/y"]);
  });

  test("a move reports what had changed, and fails on what is lost", async ({ store }) => {
    for (const key of ["v1/a", "v1/b"]) await store.create(key, bytesOf(key));
    const moves = await movesInto(store, "b1", ["v1/a", "v1/b"]);
    await store.replace("v1/b", bytesOf("other"));
    assert.deepEqual(await store.moveFiles(moves), ["v1/b"]);
    await store.removeFiles([moves[0]!.to]);
    await assert.rejects(store.moveFiles(moves), StorageError);
  });

  test("a move never replaces other bytes", async ({ store }) => {
    await store.create("v1/a", bytesOf("mine"));
    const moves = await movesInto(store, "b1", ["v1/a"]);
    await store.create(moves[0]!.to, bytesOf("them"));
    await assert.rejects(store.moveFiles(moves), ConflictError);
    assert.equal(await textOf(store, "v1/a"), "mine");
    assert.equal(await textOf(store, moves[0]!.to), "them");
  });

  test("removing what is not there is no error", async ({ store }) => {
    for (const key of ["v1/a", "v1/bin/b", "v2/x"]) await store.create(key, bytesOf(key));
    await store.removeFiles(["v1/a", "v1/bin/b", "v9/none"]);
    await store.removeFiles(["v1/a", "v1/bin/b"]);
    await store.flush();
    assert.deepEqual(await store.listNames(""), ["v2"]);
    await store.removeTree("v2");
    await store.removeTree("v2");
    assert.deepEqual(await store.listNames(""), []);
  });

  test("an aborted batch stops", async ({ store }) => {
    for (const key of ["v1/a", "v1/b"]) await store.create(key, bytesOf(key));
    const signal = AbortSignal.abort("SIGTERM");
    const moves = await movesInto(store, "b1", ["v1/a", "v1/b"]);
    await assert.rejects(store.moveFiles(moves, { signal }), InterruptedError);
    await assert.rejects(store.digest(["v1/a"], { signal }), InterruptedError);
    await assert.rejects(store.removeFiles(["v1/a"], { signal }), InterruptedError);
    const files = await sources(store, { "v2/a": "A" });
    await assert.rejects(store.addFiles(OPERATION, files, { signal }), InterruptedError);
    await assert.rejects(
      store.copyFiles([{ from: "v1/a", to: "x", sha256: null }], { signal }),
      InterruptedError,
    );
    assert.deepEqual(await keysOf(store, ""), ["v1/a", "v1/b"]);
  });
}
