/** Small helpers for the tests of the S3 driver. */
import assert from "node:assert/strict";
import type { S3Client } from "@aws-sdk/client-s3";
import type { Bucket, BucketObject, ListRequest } from "#/storage/bucket/bucket.ts";
import { BucketError, type BucketFailure } from "#/storage/bucket/bucket_error.ts";
import { openS3Bucket, type S3Options } from "#/storage/s3/open.ts";
import type { S3Server } from "../support/servers/s3_server.ts";

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** The driver on a bucket of a server; `environment` replaces single variables. */
export function openOn(
  server: S3Server,
  bucket: string,
  options: Partial<S3Options> & { readonly prefix?: string } = {},
): Promise<Bucket> {
  const { prefix = "", environment = {}, ...rest } = options;
  const all = { ...server.environment(), ...environment };
  return openS3Bucket({ bucket, prefix }, { jobs: 16, environment: all, ...rest });
}

export async function listAll(bucket: Bucket, request: ListRequest): Promise<readonly BucketObject[]> {
  const found: BucketObject[] = [];
  for await (const page of bucket.list(request)) found.push(...page.objects);
  return found;
}

export async function readText(bucket: Bucket, key: string): Promise<string | undefined> {
  const found = await bucket.get(key, { maxBytes: 1_000_000 });
  return found === undefined ? undefined : textOf(found.bytes);
}

/** Expects a BucketError of this kind, without any of the secrets, and returns it. */
export async function failsWith(
  failure: BucketFailure,
  call: Promise<unknown>,
  secrets: readonly string[] = [],
): Promise<BucketError> {
  const error = await call.then(
    () => assert.fail(`expected "${failure}", but it succeeded`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof BucketError, `not a BucketError: ${error}`);
  assert.equal(error.failure, failure, error.message);
  const shown = everythingOf(error);
  for (const secret of [...secrets, "AWS4-HMAC", "Signature="]) {
    assert.ok(!shown.includes(secret), `${secret} is in ${shown}`);
  }
  return error;
}

/** All that a log could print of an error: every property, also hidden ones, of it and of its causes. */
function everythingOf(error: unknown, depth = 0): string {
  if (typeof error !== "object" || error === null || depth > 6) return String(error);
  const names = Object.getOwnPropertyNames(error);
  return names.map((name) => `${name}=${everythingOf((error as Record<string, unknown>)[name], depth + 1)}`)
    .join("\n");
}

/** For `using`. */
export function closing(client: S3Client): S3Client & Disposable {
  return Object.assign(client, { [Symbol.dispose]: () => client.destroy() });
}
