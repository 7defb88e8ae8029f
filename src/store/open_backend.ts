/** Opens the place of a snapshot store, whichever kind it is. */
import { resolve } from "node:path";
import type { Bucket } from "#/storage/bucket/bucket.ts";
import { parseLocation } from "#/storage/location.ts";
import type { StoreBackend } from "./backend.ts";
import type { BucketBackendOptions } from "./backend_bucket.ts";
import { openFolderBackend } from "./backend_folder.ts";

export interface OpenBackendOptions extends BucketBackendOptions {
  /** Requests in flight at the same time, in a bucket. @default 16 */
  readonly jobs?: number;
}

const DEFAULT_JOBS = 16;

/**
 * @param location a folder, `file://…`, `s3://bucket/prefix` or `gs://bucket/prefix`
 * @throws {UsageError} it is none of these
 * @throws {StorageError} the folder cannot be trusted with a store
 */
export async function openBackend(location: string, options: OpenBackendOptions = {}): Promise<StoreBackend> {
  const parsed = parseLocation(location);
  if (parsed.type === "local") return openFolderBackend(resolve(parsed.path));
  const { openBucketBackend } = await import("./backend_bucket.ts");
  const jobs = options.jobs ?? DEFAULT_JOBS;
  const bucket: Bucket = parsed.type === "s3"
    ? await (await import("#/storage/s3/open.ts")).openS3Bucket(parsed, { jobs })
    : await (await import("#/storage/gcs/open.ts")).openGcsBucket(parsed, { jobs });
  return openBucketBackend(bucket, options);
}
