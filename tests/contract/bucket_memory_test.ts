/** The port over a bucket in memory: the suite, and what no server can be made to do. */
import { BucketStore } from "#/storage/bucket/store.ts";
import { MemoryBucket, type MemoryOptions } from "../support/memory_bucket.ts";
import { objectStoreCases } from "./object_store_suite.ts";
import type { FreshStore } from "./object_store_support.ts";

function fresh(options: MemoryOptions): Promise<FreshStore> {
  const bucket = new MemoryBucket(options);
  const open = () => new BucketStore(bucket, { jobs: 4 });
  return Promise.resolve({ store: open(), again: open, [Symbol.asyncDispose]: () => Promise.resolve() });
}

const KINDS: Readonly<Record<string, MemoryOptions>> = {
  "a bucket": {},
  "a bucket with small pages": { pageSize: 2 },
  "a bucket that tells nothing of the bytes": { contentTags: false },
  "a bucket whose listings have other tags for equal bytes": { contentTags: "salted" },
};

for (const [kind, options] of Object.entries(KINDS)) {
  for (const { name, run } of objectStoreCases({ checksCopiedDigests: false })) {
    Deno.test(`${kind}: ${name}`, () => run(() => fresh(options)));
  }
}
