/** The servers that the tests of object storage run on, each started once for all tests of a file. */
import type { Bucket, BucketOptions } from "#/storage/bucket/bucket.ts";
import { Lease } from "#/storage/lease/lease.ts";
import { BucketStore } from "#/storage/bucket/store.ts";
import { ResilientBucket } from "#/storage/bucket/resilient/bucket.ts";
import { openS3Bucket } from "#/storage/s3/open.ts";
import { startCeph } from "../support/servers/ceph.ts";
import { startGcs } from "../support/servers/gcs.ts";
import type { Capability } from "../support/require.ts";
import type { FreshStore } from "./object_store_support.ts";

export interface BucketServer extends AsyncDisposable {
  /** The driver as it is, below a prefix of its own. */
  open(bucket: "plain" | "versioned", prefix: string): Promise<Bucket>;
}

export interface ServerKind {
  readonly name: string;
  readonly needs: readonly Capability[];
  start(): Promise<BucketServer>;
}

const OPTIONS: BucketOptions = { jobs: 8 };
const NAMES = { plain: "backout-plain", versioned: "backout-versioned" } as const;

export const BUCKET_SERVERS: readonly ServerKind[] = [
  {
    name: "Ceph's S3",
    needs: ["ceph"],
    start: async () => {
      const server = await startCeph();
      await server.createBucket(NAMES.plain);
      await server.createBucket(NAMES.versioned, { versioned: true });
      const environment = server.environment();
      return {
        open: (bucket, prefix) =>
          openS3Bucket({ bucket: NAMES[bucket], prefix }, { ...OPTIONS, environment }),
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      };
    },
  },
  {
    name: "a strict GCS",
    needs: [],
    start: async () => {
      const server = await startGcs();
      server.createBucket(NAMES.plain);
      server.createBucket(NAMES.versioned, { versioned: true });
      const environment = server.environment();
      return {
        open: async (bucket, prefix) => {
          const { openGcsBucket } = await import("#/storage/gcs/open.ts");
          return await openGcsBucket({ bucket: NAMES[bucket], prefix }, { ...OPTIONS, environment });
        },
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      };
    },
  },
];

/** A driver as the engine uses it: with its retries and deadlines. */
export function resilient(bucket: Bucket): Bucket {
  return new ResilientBucket(bucket, { lease: new Lease(), requestMs: 30_000 });
}

/** An empty storage on a server. */
export async function freshOn(server: BucketServer): Promise<FreshStore> {
  const prefix = `test/${crypto.randomUUID()}`;
  const [store, again] = await Promise.all([1, 2].map(async () => {
    return new BucketStore(resilient(await server.open("plain", prefix)), OPTIONS);
  })) as [BucketStore, BucketStore];
  return { store, again: () => again, [Symbol.asyncDispose]: () => Promise.resolve() };
}
