/** Real services behind a proxy that breaks requests, for the tests of what must survive that. */
import assert from "node:assert/strict";
import type { Bucket } from "#/storage/bucket/bucket.ts";
import { BucketError, type BucketFailure } from "#/storage/bucket/bucket_error.ts";
import { openGcsBucket } from "#/storage/gcs/open.ts";
import { Lease } from "#/storage/lease/lease.ts";
import { ResilientBucket, type ResilientOptions } from "#/storage/bucket/resilient/bucket.ts";
import { openS3Bucket } from "#/storage/s3/open.ts";
import type { Capability } from "../support/require.ts";
import { startCeph } from "../support/servers/ceph.ts";
import { type FaultAction, type FaultProxy, PASS, startFaultProxy } from "../support/servers/fault_proxy.ts";
import { startGcs } from "../support/servers/gcs.ts";
import type { RequestKind } from "../support/servers/request_kind.ts";

export interface Service extends AsyncDisposable {
  readonly endpoint: string;
  /** How it asks to slow down. */
  readonly slowDown: FaultAction;
  /** The driver, asking at another address than the service's own where one is given. */
  open(prefix: string, options?: OpenOptions): Promise<Bucket>;
}

export interface OpenOptions {
  readonly endpoint?: string;
  readonly pageSize?: number;
  /** The clock of this process is wrong by so many milliseconds, which the signatures must not be. */
  readonly wrongByMs?: number;
}

export interface ServiceKind {
  readonly name: string;
  readonly needs: readonly Capability[];
  start(): Promise<Service>;
}

const BUCKET = "backout-faults";
const JOBS = 8;

export const SERVICES: readonly ServiceKind[] = [
  {
    name: "Ceph's S3",
    needs: ["ceph"],
    start: async () => {
      const server = await startCeph();
      await server.createBucket(BUCKET);
      return {
        endpoint: server.endpoint,
        slowDown: { kind: "refuse", status: 503, code: "SlowDown" },
        open: (prefix, { endpoint = server.endpoint, wrongByMs = 0, ...rest } = {}) => {
          const options = { jobs: JOBS, clockOffsetMs: -wrongByMs, ...rest };
          const environment = { ...server.environment(), AWS_ENDPOINT_URL: endpoint };
          return openS3Bucket({ bucket: BUCKET, prefix }, { environment, ...options });
        },
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      };
    },
  },
  {
    name: "a strict GCS",
    needs: [],
    start: async () => {
      const server = await startGcs();
      server.createBucket(BUCKET);
      return {
        endpoint: server.endpoint,
        slowDown: { kind: "refuse", status: 429, code: "rateLimitExceeded" },
        open: (prefix, { endpoint = server.endpoint, wrongByMs: _, ...rest } = {}) => {
          const environment = { STORAGE_EMULATOR_HOST: endpoint };
          return openGcsBucket({ bucket: BUCKET, prefix }, { jobs: JOBS, environment, ...rest });
        },
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      };
    },
  },
];

/** A place of one test's own on a service: seen directly, and through a proxy of its own. */
export interface Place extends AsyncDisposable {
  readonly proxy: FaultProxy;
  readonly direct: Bucket;
  /** Through the proxy, without retries. */
  readonly proxied: Bucket;
  /** Another driver, as another process would have it. */
  open(options?: OpenOptions): Promise<Bucket>;
}

export async function openPlace(service: Service, options: OpenOptions = {}): Promise<Place> {
  const prefix = `faults/${crypto.randomUUID()}`;
  const proxy = startFaultProxy(new URL(service.endpoint));
  const direct = await service.open(prefix);
  const proxied = await service.open(prefix, { ...options, endpoint: proxy.endpoint });
  return {
    proxy,
    direct,
    proxied,
    open: (more = {}) => service.open(prefix, { endpoint: proxy.endpoint, ...more }),
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

/** The first requests of a kind get these actions, one each; everything else passes. */
export function breakFirst(proxy: FaultProxy, kind: RequestKind, ...actions: readonly FaultAction[]): void {
  const left = [...actions];
  proxy.onRequest = (request) => request.kind === kind ? left.shift() ?? PASS : PASS;
}

/** How often a kind of request was sent. */
export function countOf(proxy: FaultProxy, kind: RequestKind): number {
  return proxy.counts[kind] ?? 0;
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The content of an object, undefined when there is none. */
export async function textAt(bucket: Bucket, key: string): Promise<string | undefined> {
  const got = await bucket.get(key, { maxBytes: 1 << 24 });
  return got === undefined ? undefined : new TextDecoder().decode(got.bytes);
}

/** Requests that hang are given up after this; it has to be enough for any other request on a busy machine. */
export const REQUEST_MS = 1500;

export function resilient(inner: Bucket, options: Partial<ResilientOptions> = {}): ResilientBucket {
  return new ResilientBucket(inner, {
    lease: new Lease(),
    requestMs: REQUEST_MS,
    random: () => 0.1,
    ...options,
  });
}

export const FAULTS: Readonly<Record<string, FaultAction>> = {
  "500": { kind: "refuse", status: 500 },
  "503": { kind: "refuse", status: 503 },
  "500 although it was done": { kind: "refuse", status: 500, forward: true },
  "reset before": { kind: "reset_before" },
  "reset in the request": { kind: "reset_in_request" },
  "lost reply": { kind: "lose_reply" },
  "reset in the reply": { kind: "reset_in_reply" },
  "duplicate": { kind: "duplicate" },
  "late": { kind: "pass", delayMs: 300 },
  "hang": { kind: "hang" },
  "hang although it was done": { kind: "hang", forward: true },
  "hang in the reply": { kind: "hang_in_reply" },
};

export const BODY = "content ".repeat(100);

export async function keysOf(bucket: Bucket): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of bucket.list({ prefix: "" })) keys.push(...page.objects.map((it) => it.key));
  return keys;
}

/** The object has the content, and is the one that the call returned. */
export async function assertIs(direct: Bucket, key: string, tag: string): Promise<void> {
  const got = await direct.get(key, { maxBytes: 1 << 20 });
  assert.equal(new TextDecoder().decode(got?.bytes), BODY);
  assert.equal(got?.object.tag, tag);
}

export async function assertFails(result: Promise<unknown>, failure: BucketFailure): Promise<BucketError> {
  const thrown = await result.then(() => undefined, (error) => error);
  assert.ok(thrown instanceof BucketError, `not a BucketError: ${thrown}`);
  assert.equal(thrown.failure, failure, thrown.message);
  return thrown;
}
