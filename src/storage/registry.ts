/** The one list of storage drivers, by scheme. A new driver is a case here and a run of the contract suite. */
import { resolve } from "node:path";
import { UsageError } from "#/core/errors.ts";
import type { Bucket } from "#/storage/bucket/bucket.ts";
import { FilesystemLock } from "#/storage/filesystem/lock.ts";
import { FilesystemStore } from "#/storage/filesystem/store.ts";
import { statFollowing } from "#/storage/filesystem/tree.ts";
import type { ScopeLock } from "./lock.ts";
import { type Location, parseLocation } from "./location.ts";
import type { ObjectStore } from "./object_store.ts";

export interface StorageOptions {
  /** Folder for `.backout` and `.rollback-backups` instead of the location itself; only for a folder. */
  readonly stateDir?: string | undefined;
  /** Requests in flight at the same time. @default 16 */
  readonly jobs?: number | undefined;
  /** How long a writer on object storage may be silent before another may take over, in milliseconds. @default 60000 */
  readonly leaseMs?: number | undefined;
  /** Aborted when the program is to end: object storage is not waited for any longer than the end needs. */
  readonly signal?: AbortSignal | undefined;
}

/** A scope's bytes and its lock. On object storage the two share the lease that the lock holds. */
export interface Storage {
  readonly store: ObjectStore;
  readonly lock: ScopeLock;
}

const DEFAULT_JOBS = 16;
const DEFAULT_LEASE_MS = 60_000;
/** No request is waited for any longer, in milliseconds; of a shorter lease it is the half. */
const MAX_REQUEST_MS = 30_000;

/** Opens the storage at a location. Nothing is created before the first call. @throws {UsageError} */
export async function openStorage(location: string, options: StorageOptions = {}): Promise<Storage> {
  const parsed = parseLocation(location);
  switch (parsed.type) {
    case "local":
      return openFolder(resolve(parsed.path), options);
    case "s3":
      refuseStateFolder(options);
      return await onBucket((await import("#/storage/s3/open.ts")).openS3Bucket, parsed, options);
    case "gcs":
      refuseStateFolder(options);
      return await onBucket((await import("#/storage/gcs/open.ts")).openGcsBucket, parsed, options);
    default:
      return parsed satisfies never;
  }
}

function openFolder(root: string, options: StorageOptions): Storage {
  const info = statFollowing(root);
  if (info !== undefined && !info.isDirectory) {
    throw new UsageError(`Cannot use ${root} as a repository: it is not a folder`, {
      hint: "Give the folder that holds index.json, or a new folder to publish into.",
    });
  }
  const state = options.stateDir === undefined ? undefined : resolve(options.stateDir);
  return { store: new FilesystemStore(root, state), lock: new FilesystemLock(root, state) };
}

function refuseStateFolder({ stateDir }: StorageOptions): void {
  if (stateDir === undefined) return;
  throw new UsageError("--state-dir is for a repository in a folder", {
    hint: "Leave it out: a bucket keeps its own state below .backout.",
  });
}

type BucketLocation = Exclude<Location, { type: "local" }>;
type OpenBucket = (location: BucketLocation, options: { readonly jobs: number }) => Promise<Bucket>;

async function onBucket(
  open: OpenBucket,
  location: BucketLocation,
  options: StorageOptions,
): Promise<Storage> {
  const { BucketStore } = await import("#/storage/bucket/store.ts");
  const { ResilientBucket } = await import("#/storage/bucket/resilient/bucket.ts");
  const { LeaseLock } = await import("#/storage/lease/lock.ts");
  const { Lease } = await import("#/storage/lease/lease.ts");
  const jobs = options.jobs ?? DEFAULT_JOBS;
  const leaseMs = options.leaseMs ?? DEFAULT_LEASE_MS;
  const requestMs = Math.min(MAX_REQUEST_MS, Math.floor(leaseMs / 2));
  const bucket = await open(location, { jobs });
  const lease = new Lease();
  const limits = { requestMs, ...(options.signal === undefined ? {} : { hurry: options.signal }) };
  const unleased = new ResilientBucket(bucket, { lease: new Lease(), ...limits });
  const leased = new ResilientBucket(bucket, { lease, ...limits });
  return {
    store: new BucketStore(leased, { jobs, settle: () => leased.settle() }),
    lock: new LeaseLock(unleased, lease, { leaseMs, requestMs }),
  };
}
