/** Small helpers for the tests of the GCS driver. */
import assert from "node:assert/strict";
import type { Bucket, BucketObject, ListRequest } from "#/storage/bucket/bucket.ts";
import { BucketError, type BucketFailure } from "#/storage/bucket/bucket_error.ts";
import { type GcsOptions, openGcsBucket } from "#/storage/gcs/open.ts";
import type { GcsOptions as ServerOptions, GcsServer } from "../support/servers/gcs.ts";
import { startGcs } from "../support/servers/gcs.ts";

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A server with the bucket `releases`. */
export async function startWithBucket(options?: ServerOptions): Promise<GcsServer> {
  const server = await startGcs(options);
  server.createBucket("releases");
  return server;
}

/** The driver on a bucket of a server, by default `releases`. */
export function openOn(
  server: { readonly endpoint: string },
  options: Partial<GcsOptions> & { readonly prefix?: string; readonly bucket?: string } = {},
): Promise<Bucket> {
  const { prefix = "", bucket = "releases", environment = {}, ...rest } = options;
  const all = { STORAGE_EMULATOR_HOST: server.endpoint, ...environment };
  return openGcsBucket({ bucket, prefix }, { jobs: 16, environment: all, ...rest });
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
  for (const secret of [...secrets, "Bearer ey", "upload_id=", "PRIVATE KEY"]) {
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

/** A reply as Google's JSON API refuses requests. */
export function refusal(status: number, reason: string, message = reason): Response {
  return Response.json(
    { error: { code: status, message, errors: [{ domain: "global", reason, message }] } },
    {
      status,
    },
  );
}

/** What the API itself says of an object. */
export async function resourceOf(server: GcsServer, name: string): Promise<Record<string, unknown>> {
  const reply = await fetch(`${server.endpoint}/storage/v1/b/releases/o/${encodeURIComponent(name)}`);
  return await reply.json();
}

export function randomBytes(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
}
