/** `s3://`: opening a bucket of S3 or of a server that speaks its API. The SDK is loaded here and nowhere before. */
import type { Bucket, BucketOptions } from "#/storage/bucket/bucket.ts";

export interface S3Location {
  readonly bucket: string;
  /** Without a slash at either end; empty for the whole bucket. */
  readonly prefix: string;
}

export interface S3Options extends BucketOptions {
  /**
   * The AWS variables to use instead of the process's (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION,
   * AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN). What is not in it comes the SDK's usual way:
   * variables, profiles, web identity, the role of the machine.
   */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** @default 1000 keys a page of a listing (tests use less) */
  readonly pageSize?: number;
}

/** Opens a bucket. Nothing is asked of the service before the first call. @throws {UsageError} an unusable endpoint */
export async function openS3Bucket(location: S3Location, options: S3Options): Promise<Bucket> {
  const { createS3Bucket } = await import("./bucket.ts");
  return await createS3Bucket(location, options);
}
