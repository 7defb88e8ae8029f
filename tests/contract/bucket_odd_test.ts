/** Buckets that others write to as well, and services that fail on the way: what `BucketStore` makes of them. */
import assert from "node:assert/strict";
import { FileChangedError } from "#/core/digest.ts";
import { RollbackBackupError, StorageError } from "#/core/errors.ts";
import type {
  BucketObject,
  CopySource,
  ListPage,
  ListRequest,
  RemoveRequest,
} from "#/storage/bucket/bucket.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import { BucketStore } from "#/storage/bucket/store.ts";
import { UnsafePathError } from "#/storage/key.ts";
import { ConflictError } from "#/storage/object_store.ts";
import { MemoryBucket } from "../support/memory_bucket.ts";
import { withTempDir } from "../support/temp.ts";
import { bytesOf, keysOf, movesInto, OPERATION, recordOf, sha256, textOf } from "./object_store_support.ts";

const JOBS = { jobs: 4 };
const ODD_KEYS = ["v1//b", "v1/", "v1/sub/", "v1/./c", "v1/../x", "../x", "v1/../../x", "/abs", "v1/a\0b"];

Deno.test("odd keys are not shown, not asked for, and only markers of folders are removed with a tree", async () => {
  const bucket = new MemoryBucket();
  const store = new BucketStore(bucket, JOBS);
  for (const key of [...ODD_KEYS, "v1/a", "v1/sub/b", "v2/"]) await bucket.put(key, bytesOf(""));
  assert.deepEqual(await keysOf(store, "v1"), ["v1/a", "v1/sub/b"]);
  assert.deepEqual(await keysOf(store, ""), ["v1/a", "v1/sub/b"]);
  assert.deepEqual(await store.listNames("v1"), ["a", "sub"]);
  assert.deepEqual(await store.listNames(""), ["v1", "v2"]);
  assert.equal(await store.stat("v2"), undefined); // nothing is in it
  for (const key of ODD_KEYS) {
    await assert.rejects(store.statMany([key]), UnsafePathError, key);
    await assert.rejects(store.digest([key]), UnsafePathError, key);
    await assert.rejects(store.copyFiles([{ from: "v1/a", to: key, sha256: null }]), UnsafePathError, key);
    await assert.rejects(keysOf(store, key), UnsafePathError, key);
  }
  await store.removeTree("v1");
  const left = ODD_KEYS.filter((key) => key !== "v1/" && key !== "v1/sub/");
  assert.deepEqual([...bucket.objects.keys()].sort(), [...left, "v2/"].sort());
  await assert.rejects(store.removeTree(""), UnsafePathError);
});

/** A hundred thousand keys that are made as they are asked for. */
class EndlessBucket extends MemoryBucket {
  pulled = 0;
  closed = 0;

  override async *list(request: ListRequest): AsyncGenerator<ListPage> {
    try {
      for (let page = 0; page < 100; page++) {
        this.pulled += 1;
        const objects = Array.from({ length: 1000 }, (_, i): BucketObject => ({
          key: `${request.prefix}${String(page * 1000 + i).padStart(6, "0")}`,
          size: 1,
          tag: "1",
          contentTag: undefined,
          versionId: undefined,
          modified: "2026-01-01T00:00:00.000Z",
        }));
        yield await Promise.resolve({ objects, prefixes: [] });
      }
    } finally {
      this.closed += 1;
    }
  }
}

Deno.test("a listing holds one page, and stops when nobody wants more", async () => {
  const bucket = new EndlessBucket();
  const store = new BucketStore(bucket, JOBS);
  let seen = 0;
  for await (const stat of store.list("v1")) {
    assert.equal(bucket.pulled, Math.floor(seen / 1000) + 1, "no page is fetched before it is needed");
    if (++seen === 50_500) assert.equal(stat.key, "v1/050499");
  }
  assert.equal(seen, 100_000);
  bucket.pulled = 0;
  for await (const _ of store.list("v1")) break;
  assert.deepEqual([bucket.pulled, bucket.closed], [1, 2]);
});

Deno.test("a copy that is not what it was copied from is removed again", async () => {
  class Truncating extends MemoryBucket {
    override async copy(_from: CopySource, to: string): ReturnType<MemoryBucket["copy"]> {
      return { object: await this.put(to, bytesOf("x")), sha256: undefined };
    }
  }
  class Garbling extends MemoryBucket {
    override async copy(_from: CopySource, to: string): ReturnType<MemoryBucket["copy"]> {
      return { object: await this.put(to, bytesOf("xxxx")), sha256: undefined };
    }
  }
  class Telling extends MemoryBucket {
    override async copy(from: CopySource, to: string): ReturnType<MemoryBucket["copy"]> {
      return { ...await super.copy(from, to), sha256: sha256("other") };
    }
  }
  for (const bucket of [new Truncating(), new Garbling(), new Telling()]) {
    const store = new BucketStore(bucket, JOBS);
    await store.create("v1/a", bytesOf("good"));
    const copy = { from: "v1/a", to: "copy", sha256: sha256("good") };
    await assert.rejects(store.copyFiles([copy]), RollbackBackupError, bucket.constructor.name);
    assert.equal(await store.stat("copy"), undefined);
    assert.equal(await textOf(store, "v1/a"), "good");
  }
});

Deno.test("what was written in the place of a moved object stays, and is reported", async () => {
  for (const contentTags of [true, false, "salted"] as const) {
    const bucket = new MemoryBucket({ contentTags });
    const store = new BucketStore(bucket, JOBS);
    const keys = Array.from({ length: 12 }, (_, i) => `v1/${i}`);
    for (const key of keys) await store.create(key, bytesOf("old"));
    const moves = await movesInto(store, "b", keys);
    await store.copyFiles(moves.map(({ from, to }) => ({ from, to, sha256: null })));
    await store.replace("v1/3", bytesOf("new"));
    assert.deepEqual(await new BucketStore(bucket, JOBS).moveFiles(moves), ["v1/3"]);
    assert.deepEqual(await keysOf(store, "v1"), ["v1/3"]);
    assert.equal(await textOf(store, "v1/3"), "new");
    assert.equal(await textOf(store, ".rollback-backups/b/v1/3"), "old");
    assert.equal((await keysOf(store, ".rollback-backups/b")).length, 12);
  }
});

Deno.test("a changed object whose old bytes are nowhere is a conflict, and nothing is removed", async () => {
  const bucket = new MemoryBucket();
  const store = new BucketStore(bucket, JOBS);
  const keys = ["v1/a", "v1/b"];
  for (const key of keys) await store.create(key, bytesOf("old"));
  const moves = await movesInto(store, "b", keys);
  await store.create(moves[0]!.to, bytesOf("odd"));
  await store.replace("v1/a", bytesOf("new"));
  await assert.rejects(store.moveFiles(moves), ConflictError);
  assert.deepEqual(await keysOf(store, "v1"), keys);
  assert.equal(await textOf(store, moves[0]!.to), "odd");
});

Deno.test("what is written between the look and the delete stays, and is reported", async () => {
  class Raced extends MemoryBucket {
    override async remove(requests: readonly RemoveRequest[]): ReturnType<MemoryBucket["remove"]> {
      await this.put("v1/b", bytesOf("new"));
      return await super.remove(requests);
    }
  }
  const store = new BucketStore(new Raced(), JOBS);
  for (const key of ["v1/a", "v1/b"]) await store.create(key, bytesOf("old"));
  assert.deepEqual(await store.moveFiles(await movesInto(store, "b", ["v1/a", "v1/b"])), ["v1/b"]);
  assert.deepEqual(await keysOf(store, "v1"), ["v1/b"]);
  assert.equal(await textOf(store, "v1/b"), "new");
  assert.equal(await textOf(store, ".rollback-backups/b/v1/b"), "old");
});

Deno.test("a refused delete is named, with how many there are", async () => {
  class Retained extends MemoryBucket {
    override remove(requests: readonly RemoveRequest[]): ReturnType<MemoryBucket["remove"]> {
      const error = new BucketError({ failure: "retained", action: "delete v1/a", location: this.location });
      return Promise.resolve(requests.filter(({ key }) => key !== "v1/b").map(({ key }) => ({ key, error })));
    }
  }
  const store = new BucketStore(new Retained(), JOBS);
  const keys = ["v1/a", "v1/b", "v1/c"];
  for (const key of keys) await store.create(key, bytesOf("old"));
  const calls = [
    store.removeFiles(keys),
    store.removeTree("v1"),
    store.moveFiles(await movesInto(store, "b", keys)),
  ];
  for (const call of calls) {
    await assert.rejects(call, (error: unknown) => {
      assert.ok(error instanceof StorageError && !(error instanceof ConflictError));
      assert.match(error.message, /^Cannot remove 2 of 3 objects, e\.g\. v1\/a: .*retention keeps it/);
      assert.match(error.hint ?? "", /retention ends/);
      assert.deepEqual(error.context.keys, ["v1/a", "v1/c"]);
      return true;
    });
  }
});

Deno.test("a file that changes after it was checked is not published", async () => {
  await withTempDir(async (folder) => {
    const sizes = { small: 10, large: 9 << 20 };
    for (const [name, size] of Object.entries(sizes)) {
      const bucket = new MemoryBucket();
      const store = new BucketStore(bucket, JOBS);
      const text = "x".repeat(size);
      await Deno.writeTextFile(`${folder}/${name}`, text);
      const file = { record: recordOf(`v1/${name}`, text), source: { path: `${folder}/${name}` } };
      const beforePlacing = () => Deno.writeTextFile(`${folder}/${name}`, "y".repeat(size));
      await assert.rejects(store.addFiles(OPERATION, [file], { beforePlacing }), FileChangedError);
      assert.deepEqual([...bucket.objects.keys()], []);
    }
  });
});

Deno.test("a published object tells its digest, its mode and its type", async () => {
  await withTempDir(async (folder) => {
    const bucket = new MemoryBucket();
    const store = new BucketStore(bucket, JOBS);
    const types = {
      "v1/index.HTML": "text/html; charset=utf-8",
      "v1/app.tar.gz": "application/gzip",
      "v1/tool": "application/octet-stream",
      "v1/x.constructor": "application/octet-stream",
    };
    await Deno.writeTextFile(`${folder}/file`, "bytes");
    const source = { path: `${folder}/file` };
    const files = Object.keys(types).map((path) => ({ record: recordOf(path, "bytes", 0o755), source }));
    const tags = await store.addFiles(OPERATION, files);
    for (const [key, contentType] of Object.entries(types)) {
      const { metadata, contentType: found } = bucket.objects.get(key)!;
      assert.equal(found, contentType);
      assert.deepEqual(metadata, { "backout-sha256": sha256("bytes"), "backout-mode": "755" });
      assert.equal(tags.get(key), (await store.stat(key))?.contentTag);
    }
    await store.replace("index.json", bytesOf("{}"));
    assert.equal(bucket.objects.get("index.json")!.contentType, "application/json");
  });
});

Deno.test("a body that breaks off on the way is read again, and the progress stays true", async () => {
  class Breaking extends MemoryBucket {
    broken = 0;
    failures = 2;
    override async open(key: string): ReturnType<MemoryBucket["open"]> {
      const opened = await super.open(key);
      if (opened === undefined || this.broken++ >= this.failures) return opened;
      const error = new BucketError({ failure: "network", action: `read ${key}`, location: this.location });
      const half = opened.body.pipeThrough(
        new TransformStream({
          transform(chunk, controller) {
            controller.enqueue(chunk.slice(0, 7));
            controller.error(error);
          },
        }),
      );
      return { object: opened.object, body: half };
    }
  }
  await withTempDir(async (folder) => {
    const bucket = new Breaking();
    const store = new BucketStore(bucket, JOBS);
    await store.create("v1/a", bytesOf("0123456789"));
    const progress: (readonly [number, number])[] = [];
    const [digest] = await store.digest(["v1/a"], { onProgress: (...done) => progress.push(done) });
    assert.equal(digest?.sha256, sha256("0123456789"));
    assert.deepEqual(progress.at(-1), [10, 10]);
    bucket.broken = 0;
    await store.exportFiles([{ key: "v1/a", path: `${folder}/a`, mode: 0o600 }]);
    assert.equal(await Deno.readTextFile(`${folder}/a`), "0123456789");
    Object.assign(bucket, { broken: 0, failures: 99 });
    const export2 = store.exportFiles([{ key: "v1/a", path: `${folder}/b`, mode: 0o600 }]);
    await assert.rejects(export2, BucketError);
    assert.deepEqual([...Deno.readDirSync(folder)].map((it) => it.name), ["a"]);
  });
});

Deno.test("a server that ignores conditions is found out, and one that refuses them all", async () => {
  class Ignoring extends MemoryBucket {
    override put(key: string, bytes: Uint8Array): ReturnType<MemoryBucket["put"]> {
      return super.put(key, bytes);
    }
  }
  class Refusing extends MemoryBucket {
    override put(key: string): ReturnType<MemoryBucket["put"]> {
      const facts = { failure: "unsupported", action: `write ${key}`, location: this.location } as const;
      return Promise.reject(new BucketError(facts));
    }
  }
  class Overloaded extends MemoryBucket {
    puts = 0;
    override put(...args: Parameters<MemoryBucket["put"]>): ReturnType<MemoryBucket["put"]> {
      const facts = { failure: "server", action: "write", location: this.location } as const;
      return ++this.puts === 2 ? Promise.reject(new BucketError(facts)) : super.put(...args);
    }
  }
  for (
    const [bucket, honours] of [[new Ignoring(), false], [new Refusing(), false], [
      new Overloaded(),
      true,
    ]] as const
  ) {
    assert.equal(await new BucketStore(bucket, JOBS).probeConditions(), honours, bucket.constructor.name);
    assert.equal(bucket.objects.size, 0);
  }
});
