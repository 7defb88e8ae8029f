/** In a bucket: whichever change is the last one of a writer, a collection or a copy, nothing is lost. */
import assert from "node:assert/strict";
import type { Bucket } from "#/storage/bucket/bucket.ts";
import { openBucketBackend } from "#/store/backend_bucket.ts";
import { checkStore } from "#/store/check_store.ts";
import { collect } from "#/store/collect.ts";
import { syncStores } from "#/store/sync.ts";
import { BUCKET_SERVERS } from "../contract/bucket_servers.ts";
import { tempDir } from "../support/temp.ts";
import { addSnapshot, assertWhole, numberedFiles, openTestStore, type TestStore } from "./store_support.ts";

class Ended extends Error {}

/** Lets so many changes through, and none afterwards; those of locks always, so that nobody waits for a lease. */
class EndingBucket {
  changes = 0;
  readonly #left: number;

  constructor(left: number) {
    this.#left = left;
  }

  wrap(bucket: Bucket): Bucket {
    const count = (key: string) => {
      if (!key.startsWith("locks/") && this.changes++ >= this.#left) throw new Ended();
    };
    return new Proxy(bucket, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (name !== "put" && name !== "upload" && name !== "remove") return value.bind(target);
        return async (first: string | readonly { readonly key: string }[], ...more: readonly unknown[]) => {
          count(typeof first === "string" ? first : first[0]!.key);
          return await value.call(target, first, ...more);
        };
      },
    });
  }
}

const [, gcs] = BUCKET_SERVERS;

async function forEachEnd(
  work: (test: TestStore) => Promise<unknown>,
  verify: (test: TestStore) => Promise<void>,
): Promise<void> {
  await using server = await gcs!.start();
  let ends = 0;
  for (let left = 0;; left++) {
    const prefix = `end/${crypto.randomUUID()}`;
    const bucket = () => server.open("plain", prefix);
    {
      await using test = await openTestStore(openBucketBackend(await bucket()));
      await addSnapshot(test.store, "gone", numberedFiles([0, 1, 2, 3, 4]));
      await addSnapshot(test.store, "kept", numberedFiles([2, 7]));
      await test.store.deleteSnapshot("gone");
    }
    const ending = new EndingBucket(left);
    try {
      await using test = await openTestStore(openBucketBackend(ending.wrap(await bucket())));
      await work(test);
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
    }
    await using test = await openTestStore(openBucketBackend(await bucket()));
    await assertWhole(test.store, "kept", numberedFiles([2, 7]));
    await verify(test);
    const check = await checkStore(await test.parts(), { readData: true });
    assert.ok(check.ok, JSON.stringify(check));
    if (ending.changes <= left) break;
    ends++;
  }
  assert.ok(ends >= 3, `${ends} ends`);
}

Deno.test("a collection that ends at any change of a bucket loses nothing", () =>
  forEachEnd(
    async (test) => await collect(await test.parts(), { minAgeMs: 0 }),
    async (test) => {
      await addSnapshot(test.store, "after", numberedFiles([3, 7]));
      await collect(await test.parts(), { minAgeMs: 0 });
      const report = await collect(await test.parts(), { minAgeMs: 0 });
      assert.equal(report.removed_packs, 0);
      assert.ok((await test.store.usage()).bytes < 320_000);
      await assertWhole(test.store, "after", numberedFiles([3, 7]));
    },
  ));

Deno.test("a writer that ends at any change of a bucket leaves a whole snapshot or none", () =>
  forEachEnd(
    (test) => addSnapshot(test.store, "written", numberedFiles([1, 7, 9])),
    async (test) => {
      if (await test.store.readSnapshot("written") === undefined) return;
      await assertWhole(test.store, "written", numberedFiles([1, 7, 9]));
    },
  ));

Deno.test("a copy that ends at any change of a bucket is finished by the next one", async () => {
  await using source = await openSource();
  await forEachEnd(
    (test) => syncStores(source.test.store, test.store),
    async (test) => {
      assert.deepEqual((await syncStores(source.test.store, test.store)).failed, []);
      await assertWhole(test.store, "one", numberedFiles([5, 6]));
      await assertWhole(test.store, "two", numberedFiles([6, 7, 8]));
    },
  );
});

async function openSource(): Promise<{ readonly test: TestStore } & AsyncDisposable> {
  const temp = tempDir();
  const test = await openTestStore(`${temp.path}/store`);
  await addSnapshot(test.store, "one", numberedFiles([5, 6]));
  await addSnapshot(test.store, "two", numberedFiles([6, 7, 8]));
  return {
    test,
    [Symbol.asyncDispose]: async () => {
      await test[Symbol.asyncDispose]();
      await temp[Symbol.asyncDispose]();
    },
  };
}
