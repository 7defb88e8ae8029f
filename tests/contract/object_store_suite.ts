/**
 * What every storage driver must do, through the port alone. Each driver runs it (`objectStoreSuite`) and adds what only
 * it can have (symlinks, devices, leases, …) in a file of its own.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { InterruptedError, RollbackBackupError, StorageError } from "#/core/errors.ts";
import { tempDir } from "../support/temp.ts";
import type { FileRecord } from "#/repository/index_format.ts";
import { ConflictError, type Move, type ObjectStore, type StagedFile } from "#/storage/object_store.ts";

/** An empty storage of a driver; disposed of after the test. */
export interface FreshStore extends AsyncDisposable {
  readonly store: ObjectStore;
  /** The same storage, opened anew: what another process would see. */
  again(): ObjectStore;
}

export const OPERATION = "01931b2e-6a00-7000-8000-000000000001";
const OTHER_OPERATION = "01931b2e-6a00-7000-8000-000000000002";
const LIMIT = { maxBytes: 1 << 20 };

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Registers the suite's tests for one driver. */
export function objectStoreSuite(driver: string, openFresh: () => Promise<FreshStore>): void {
  const test = (name: string, body: (fresh: FreshStore) => Promise<void>) =>
    Deno.test(`${driver}: ${name}`, async () => {
      await using fresh = await openFresh();
      await body(fresh);
    });

  test("an empty storage reads as empty", async ({ store }) => {
    assert.equal(await store.stat("index.json"), undefined);
    assert.equal(await store.read("a/b.txt", LIMIT), undefined);
    assert.deepEqual(await store.statMany(["x", "y/z"]), [undefined, undefined]);
    assert.deepEqual(await store.list("v1"), []);
    assert.deepEqual(await store.listNames(".rollback-backups"), []);
  });

  test("create is seen by others and never replaces", async ({ store, again }) => {
    await store.create(".backout/history/1.json", bytesOf("one"));
    await assert.rejects(store.create(".backout/history/1.json", bytesOf("two")), ConflictError);
    assert.equal(await textOf(again(), ".backout/history/1.json"), "one");
  });

  test("replace creates and replaces, and the tags tell", async ({ store, again }) => {
    await store.replace("index.md", bytesOf("old"));
    const before = await store.read("index.md", LIMIT);
    const statBefore = await store.stat("index.md");
    await store.replace("index.md", bytesOf("newer"));
    const after = await again().read("index.md", LIMIT);
    assert.equal(new TextDecoder().decode(after?.bytes), "newer");
    assert.notEqual(after?.tag, before?.tag);
    assert.notEqual((await store.stat("index.md"))?.tag, statBefore?.tag);
    assert.equal((await store.stat("index.md"))?.size, 5);
    assert.equal((await store.stat("index.md"))?.kind, "file");
  });

  test("read refuses what is larger than its limit", async ({ store }) => {
    await store.replace("index.json", bytesOf("0123456789"));
    await assert.rejects(store.read("index.json", { maxBytes: 9 }), StorageError);
    assert.equal((await store.read("index.json", { maxBytes: 10 }))?.bytes.length, 10);
  });

  test("a staged replacement is unseen until it is committed", async ({ store, again }) => {
    await store.replace("index.json", bytesOf("old"));
    const { tag } = (await store.read("index.json", LIMIT))!;
    await store.stage(OPERATION, "index.json", "index.json", bytesOf("draft"));
    await store.stage(OPERATION, "index.json", "index.json", bytesOf("new"));
    assert.equal(await textOf(again(), "index.json"), "old");
    assert.equal(await again().hasStaged(OPERATION, "index.json"), true);
    await again().commitStaged(OPERATION, "index.json", "index.json", tag);
    assert.equal(await textOf(store, "index.json"), "new");
    assert.equal(await store.hasStaged(OPERATION, "index.json"), false);
  });

  test("a commit whose condition does not hold changes nothing", async ({ store }) => {
    await store.replace("index.json", bytesOf("old"));
    const { tag } = (await store.read("index.json", LIMIT))!;
    await store.stage(OPERATION, "new", "index.json", bytesOf("new"));
    await assert.rejects(store.commitStaged(OPERATION, "new", "index.json", null), ConflictError);
    await store.replace("index.json", bytesOf("by hand"));
    await assert.rejects(store.commitStaged(OPERATION, "new", "index.json", tag), ConflictError);
    assert.equal(await textOf(store, "index.json"), "by hand");
    assert.equal(await store.hasStaged(OPERATION, "new"), true);
    await store.removeFiles(["index.json"]);
    await assert.rejects(store.commitStaged(OPERATION, "new", "index.json", tag), ConflictError);
    await store.commitStaged(OPERATION, "new", "index.json", null);
    assert.equal(await textOf(store, "index.json"), "new");
    await assert.rejects(store.commitStaged(OPERATION, "new", "index.json", null), StorageError);
  });

  test("removeScratch drops one operation's scratch only", async ({ store }) => {
    for (const id of [OPERATION, OTHER_OPERATION]) await store.stage(id, "n", "index.json", bytesOf(id));
    await store.removeScratch(OPERATION);
    await store.removeScratch(OPERATION);
    assert.equal(await store.hasStaged(OPERATION, "n"), false);
    assert.equal(await store.hasStaged(OTHER_OPERATION, "n"), true);
    await store.commitStaged(OTHER_OPERATION, "n", "index.json", null);
    assert.equal(await textOf(store, "index.json"), OTHER_OPERATION);
  });

  test("list is deep and sorted, listNames is neither deep nor unsorted", async ({ store }) => {
    for (const key of ["v1/b.txt", "v1/a/z", "v1/a.txt", "v10/x"]) await store.create(key, bytesOf(key));
    assert.deepEqual((await store.list("v1")).map((it) => it.key), ["v1/a.txt", "v1/a/z", "v1/b.txt"]);
    assert.deepEqual(await store.listNames("v1"), ["a", "a.txt", "b.txt"]);
    assert.deepEqual(await store.listNames(""), ["v1", "v10"]);
    const [first, none] = await store.statMany(["v1/b.txt", "v1/nothing"]);
    assert.equal(first?.size, 8);
    assert.equal(none, undefined);
  });

  test("digest answers in the order asked, with progress", async ({ store }) => {
    const texts = ["", "short", "x".repeat(3 << 20)];
    for (const [i, text] of texts.entries()) await store.create(`v1/${i}`, bytesOf(text));
    const seen: number[] = [];
    const digests = await store.digest(["v1/2", "v1/0", "v1/1"], { onProgress: (done) => seen.push(done) });
    assert.deepEqual(digests.map((it) => it.sha256), [texts[2]!, "", "short"].map(sha256));
    assert.deepEqual(digests.map((it) => [it.key, it.size]), [["v1/2", 3 << 20], ["v1/0", 0], ["v1/1", 5]]);
    assert.equal(digests[0]?.stat.tag, (await store.stat("v1/2"))?.tag);
    assert.equal(seen.at(-1), (3 << 20) + 5);
    await assert.rejects(store.digest(["v1/nothing"]), StorageError);
  });

  test("staged files appear at their keys, and doing it again changes nothing", async ({ store, again }) => {
    const files = await sources(store, { "v1/a.txt": "A", "v1/bin/b": "BB", "top.txt": "T" });
    await store.stageFiles(OPERATION, files);
    await store.stageFiles(OPERATION, files);
    assert.equal(await store.stat("v1/a.txt"), undefined);
    const records = files.map((it) => it.record);
    await store.placeStaged(OPERATION, records);
    await again().placeStaged(OPERATION, records);
    await store.flush();
    assert.equal(await textOf(again(), "v1/bin/b"), "BB");
    assert.equal(await textOf(again(), "top.txt"), "T");
    await store.removeScratch(OPERATION);
    assert.equal(await textOf(again(), "v1/a.txt"), "A");
  });

  test("placing keeps equal files, completes folders, and refuses other bytes", async ({ store }) => {
    const files = await sources(store, { "v1/a.txt": "A", "v1/b.txt": "B" });
    const records = files.map((it) => it.record);
    await store.create("v1/a.txt", bytesOf("A"));
    await store.stageFiles(OPERATION, files);
    await store.placeStaged(OPERATION, records);
    assert.equal(await textOf(store, "v1/b.txt"), "B");
    await store.replace("v1/b.txt", bytesOf("X"));
    await store.stageFiles(OPERATION, files);
    await assert.rejects(store.placeStaged(OPERATION, records), ConflictError);
    assert.equal(await textOf(store, "v1/b.txt"), "X");
  });

  test("staging refuses bytes that are not those of the record", async ({ store }) => {
    const [file] = await sources(store, { "v1/a.txt": "good" });
    const wrong = { ...file!, record: { ...file!.record, sha256: sha256("bad!") } };
    await assert.rejects(store.stageFiles(OPERATION, [wrong]), RollbackBackupError);
    const longer = { ...file!, record: { ...file!.record, size: 5 } };
    await assert.rejects(store.stageFiles(OPERATION, [longer]), RollbackBackupError);
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
    await assert.rejects(
      store.copyFiles([{ ...copy, to: "x", sha256: sha256("B") }]),
      RollbackBackupError,
    );
    assert.equal(await store.stat("x"), undefined);
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
    assert.deepEqual((await store.list("")).map((it) => it.key), ["v2/x"]);
    assert.equal(await textOf(store, ".rollback-backups/b1/v1/bin/b"), "v1/bin/b");
    const back = await Promise.all(there.map(async ({ from, to }) => ({
      from: to,
      to: from,
      expected: (await store.stat(to))!,
    })));
    assert.deepEqual(await store.moveFiles(back), []);
    assert.deepEqual(
      (await store.list("")).map((it) => it.key),
      ["v1/a", "v1/bin/b", "v1/bin/c", "v2/x", "v2/y"],
    );
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
    assert.equal((await store.list("v1")).length, 2);
  });

  test("the reserve is kept and given up", async ({ store, again }) => {
    assert.equal(await store.releaseReserve(), false);
    await store.keepReserve(2 << 20);
    await store.keepReserve(1 << 20);
    const reserved = await again().releaseReserve();
    assert.equal(reserved, store.capabilities.permissions); // storage without a disk needs none
    assert.equal(await store.releaseReserve(), false);
  });

  test("keys that climb out are refused by every call", async ({ store }) => {
    for (const key of ["../x", "a/../../x", "a//b", "/etc/passwd", "a/./b", "a\0b"]) {
      await assert.rejects(async () => await store.stat(key), StorageError, key);
      await assert.rejects(store.read(key, LIMIT), StorageError, key);
      await assert.rejects(store.create(key, bytesOf("")), StorageError, key);
      await assert.rejects(store.replace(key, bytesOf("")), StorageError, key);
      await assert.rejects(store.removeTree(key), StorageError, key);
      await assert.rejects(store.removeFiles([key]), StorageError, key);
    }
  });

  test("a scratch key is a place to move to and back from", async ({ store }) => {
    await store.create("v1/a", bytesOf("A"));
    const to = store.scratchKey(OPERATION, "trash/v1/a");
    const moves: Move[] = [{ from: "v1/a", to, expected: (await store.stat("v1/a"))! }];
    assert.deepEqual(await store.moveFiles(moves), []);
    assert.equal(await textOf(store, to), "A");
    await store.removeScratch(OPERATION);
    assert.equal(await store.stat(to), undefined);
    await store.removeLeftovers();
  });
}

/** The text of a key; undefined when it is not there. */
export async function textOf(store: ObjectStore, key: string): Promise<string | undefined> {
  const read = await store.read(key, { maxBytes: 64 << 20 });
  return read === undefined ? undefined : new TextDecoder().decode(read.bytes);
}

/** Moves of keys into a backup folder, as a rollback makes them. */
export async function movesInto(
  store: ObjectStore,
  backup: string,
  keys: readonly string[],
): Promise<Move[]> {
  const stats = await store.statMany(keys);
  return keys.map((key, i) => ({ from: key, to: `.rollback-backups/${backup}/${key}`, expected: stats[i]! }));
}

/** Files to stage whose sources are keys of the same storage. */
export async function sources(
  store: ObjectStore,
  texts: Readonly<Record<string, string>>,
): Promise<readonly StagedFile[]> {
  const files: StagedFile[] = [];
  for (const [path, text] of Object.entries(texts)) {
    const key = `.rollback-backups/source/${path}`;
    await store.replace(key, bytesOf(text));
    files.push({ record: recordOf(path, text), source: { key } });
  }
  return files;
}

export function recordOf(path: string, text: string, mode = 0o644): FileRecord {
  return { path, size: bytesOf(text).length, sha256: sha256(text), mode };
}
