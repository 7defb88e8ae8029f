/**
 * What every storage driver must do, through the port alone. Each driver runs it (`objectStoreSuite`) and adds what only
 * it can have (symlinks, devices, leases, …) in a file of its own.
 */
import assert from "node:assert/strict";
import { StorageError } from "#/core/errors.ts";
import { ConflictError, type Move } from "#/storage/object_store.ts";
import { batchCases } from "./object_store_batches.ts";
import {
  type AddCase,
  bytesOf,
  type FreshStore,
  keysOf,
  LIMIT,
  OPERATION,
  sha256,
  type SuiteOptions,
  textOf,
} from "./object_store_support.ts";

const OTHER_OPERATION = "01931b2e-6a00-7000-8000-000000000002";

export interface SuiteCase {
  readonly name: string;
  readonly run: (openFresh: () => Promise<FreshStore>) => Promise<void>;
}

/** Registers the suite's tests for one driver. */
export function objectStoreSuite(driver: string, openFresh: () => Promise<FreshStore>): void {
  for (const { name, run } of objectStoreCases({ checksCopiedDigests: true })) {
    Deno.test(`${driver}: ${name}`, () => run(openFresh));
  }
}

/** The suite's tests: for drivers whose server is started once for all of them. */
export function objectStoreCases(options: SuiteOptions): readonly SuiteCase[] {
  const cases: SuiteCase[] = [];
  const add: AddCase = (name, body) => {
    const run = async (openFresh: () => Promise<FreshStore>) => {
      await using fresh = await openFresh();
      await body(fresh);
    };
    cases.push({ name, run });
  };
  singleCases(add);
  batchCases(add, options);
  return cases;
}

/** Objects one by one. */
function singleCases(test: AddCase): void {
  test("an empty storage reads as empty", async ({ store }) => {
    assert.equal(await store.stat("index.json"), undefined);
    assert.equal(await store.read("a/b.txt", LIMIT), undefined);
    assert.deepEqual(await store.statMany(["x", "y/z"]), [undefined, undefined]);
    assert.deepEqual(await keysOf(store, "v1"), []);
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
    assert.deepEqual(await keysOf(store, "v1"), ["v1/a.txt", "v1/a/z", "v1/b.txt"]);
    assert.deepEqual(await keysOf(store, ""), ["v1/a.txt", "v1/a/z", "v1/b.txt", "v10/x"]);
    assert.equal(await store.isFolder("v1"), true);
    assert.equal(await store.isFolder("v2"), false);
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

  test("whether conditions are honoured is found out without leaving a trace", async ({ store }) => {
    assert.notEqual(await store.probeConditions(), false);
    assert.equal((await store.probeConditions()) === null, !store.capabilities.remote);
    assert.deepEqual(await store.listNames(".backout"), []);
    assert.equal(await store.keepsVersions(), false);
  });
}
