/**
 * A snapshot store below a prefix of a bucket. Packs are written to a local scratch folder and sent when they are
 * finished. Of a pack of which little is read only that is asked for; another is fetched there first, a few are kept.
 */
import { ConflictError } from "#/storage/object_store.ts";
import { UnfinishedOperationError } from "#/core/errors.ts";
import { makeTemporaryFolder, removeFolder } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { attempt } from "#/core/system_error.ts";
import { type Bucket, MAX_PUT_BYTES, type PutOptions } from "#/storage/bucket/bucket.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import { ResilientBucket } from "#/storage/bucket/resilient/bucket.ts";
import { Lease } from "#/storage/lease/lease.ts";
import type { FilePart, StoreBackend, StoreLockPlace } from "./backend.ts";
import { assertStoreName } from "./backend_name.ts";
import { PackCache } from "./pack_cache.ts";
import { sweepOldScratch } from "./scratch_sweep.ts";
import { storeLockLost } from "./store_lock_bucket.ts";

export interface BucketBackendOptions {
  /** How long a holder of the lock may be silent before others may go on without it, in milliseconds. @default 60000 */
  readonly leaseMs?: number;
  /** How long one request may take, in milliseconds. @default 30000, or half a shorter lease */
  readonly requestMs?: number;
  /** Stops every request. */
  readonly signal?: AbortSignal | undefined;
  /** Aborted when there is no time for many attempts. */
  readonly hurry?: AbortSignal | undefined;
}

const DEFAULT_LEASE_MS = 60_000;
const MAX_REQUEST_MS = 30_000;
/** So many parts of a file are asked for one by one; who asks for another will ask for more. */
const MAX_PARTS = 3;
/** Who reads more than this of a file gets it whole: a request takes as long as to send about as much. */
const MAX_PART_BYTES = 4 * 1024 * 1024;
const RANGE_NOT_SATISFIABLE = 416;
/** No single file of a store is larger: what claims to be is not read. */
const MAX_FILE_BYTES = 1024 * 1024 * 1024;
/** User metadata that tells whose write an object is. */
const WRITER = "backout-writer";
const SCRATCH_PREFIX = "backout-store-";

/** @param bucket a driver's, without retries */
export function openBucketBackend(bucket: Bucket, options: BucketBackendOptions = {}): StoreBackend {
  return new BucketBackend(bucket, options);
}

class BucketBackend implements StoreBackend {
  readonly location: string;
  readonly remote = true;
  readonly lockPlace: StoreLockPlace;
  readonly #bucket: Bucket;
  readonly #cache: PackCache;
  /** How many parts of a file were asked for. */
  readonly #parts = new Map<string, number>();
  #folder: string | undefined;

  constructor(bucket: Bucket, options: BucketBackendOptions) {
    const { leaseMs = DEFAULT_LEASE_MS, signal, hurry } = options;
    const requestMs = options.requestMs ?? Math.min(MAX_REQUEST_MS, Math.floor(leaseMs / 2));
    const limits = {
      requestMs,
      ...(signal === undefined ? {} : { signal }),
      ...(hurry === undefined ? {} : { hurry }),
    };
    const lease = new Lease();
    this.location = bucket.location;
    this.#bucket = new ResilientBucket(bucket, { lease, ...limits });
    // The lock is also given back when everything else is stopped.
    const unleased = new ResilientBucket(bucket, { lease: new Lease(), requestMs });
    this.lockPlace = { bucket: unleased, lease, leaseMs, requestMs };
    this.#cache = new PackCache((name, file) => this.#download(name, file), () => this.#scratchFolder());
  }

  async read(name: string, part?: FilePart): Promise<Uint8Array | undefined> {
    assertStoreName(name);
    if (part === undefined) return (await this.#bucket.get(name, { maxBytes: MAX_FILE_BYTES }))?.bytes;
    const cached = await this.#cache.read(name, part);
    if (cached !== undefined) return cached;
    const parts = this.#parts.get(name) ?? 0;
    this.#parts.set(name, parts + 1);
    const isWorthAll = parts >= MAX_PARTS || (part.inAll ?? part.length) > MAX_PART_BYTES;
    return await (isWorthAll ? this.#cache.fetchAndRead(name, part) : this.#readPart(name, part));
  }

  async size(name: string): Promise<number | undefined> {
    assertStoreName(name);
    return (await this.#bucket.head(name))?.size;
  }

  async *list(
    folder: string,
  ): AsyncGenerator<{ readonly name: string; readonly size: number; readonly modified: number }, void> {
    assertStoreName(folder);
    for await (const page of this.#bucket.list({ prefix: `${folder}/` })) {
      for (const { key, size, modified } of page.objects) {
        yield { name: key, size, modified: Date.parse(modified) || 0 };
      }
    }
  }

  async create(name: string, bytes: Uint8Array): Promise<void> {
    assertStoreName(name);
    await this.#assertAbsent(name);
    const isSmall = bytes.length <= MAX_PUT_BYTES;
    await this.#writeNew(name, bytes.length, async (options) => {
      if (isSmall) return void await this.#bucket.put(name, bytes, options);
      await this.#uploadBytes(name, bytes, options);
    });
  }

  async replace(name: string, bytes: Uint8Array): Promise<void> {
    assertStoreName(name);
    await this.#underLease(async () => {
      if (bytes.length <= MAX_PUT_BYTES) return void await this.#bucket.put(name, bytes);
      await this.#uploadBytes(name, bytes, {});
    });
  }

  async adopt(name: string, localPath: string): Promise<void> {
    assertStoreName(name);
    await this.#assertAbsent(name);
    const { size } = attempt("look at", localPath, () => Deno.lstatSync(localPath));
    await this.#writeNew(name, size, async (options) => {
      await this.#bucket.upload(name, { path: localPath, size }, options);
    });
    attempt("remove", localPath, () => posix.unlink(localPath));
  }

  async #readPart(name: string, { offset, length }: FilePart): Promise<Uint8Array | undefined> {
    if (length === 0) return await this.size(name) === undefined ? undefined : new Uint8Array(0);
    try {
      return (await this.#bucket.get(name, { maxBytes: length, range: { offset, length } }))?.bytes;
    } catch (error) {
      if (!(error instanceof BucketError)) throw error;
      if (error.context.status === RANGE_NOT_SATISFIABLE) return new Uint8Array(0); // it ends before
      if (error.failure !== "unsupported") throw error;
      return await this.#cache.fetchAndRead(name, { offset, length });
    }
  }

  scratch(): Promise<string> {
    return Promise.resolve().then(() => this.#scratchFolder());
  }

  localPath(_name: string): undefined {
    return undefined;
  }

  async remove(names: readonly string[]): Promise<void> {
    for (const name of names) assertStoreName(name);
    const { removeBatch } = this.#bucket;
    for (let at = 0; at < names.length; at += removeBatch) {
      const requests = names.slice(at, at + removeBatch).map((key) => ({ key }));
      const failures = await this.#underLease(() => this.#bucket.remove(requests));
      if (failures.length > 0) throw failures[0]!.error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cache[Symbol.asyncDispose]();
    if (this.#folder !== undefined) removeFolder(this.#folder);
    this.#folder = undefined;
  }

  /** On this machine, only for this user; gone with the backend. */
  #scratchFolder(): string {
    if (this.#folder !== undefined) return this.#folder;
    sweepOldScratch(SCRATCH_PREFIX);
    return this.#folder = attempt(
      "create a folder for",
      this.location,
      () => makeTemporaryFolder(SCRATCH_PREFIX),
    );
  }

  async #assertAbsent(name: string): Promise<void> {
    if (await this.#bucket.head(name) !== undefined) throw this.#existsAlready(name);
  }

  /** After a lost reply the condition of the second attempt does not hold: then it is seen whose the object is. */
  async #writeNew(name: string, size: number, write: (options: PutOptions) => Promise<void>): Promise<void> {
    const writer = crypto.randomUUID();
    try {
      await this.#underLease(() => write({ condition: { absent: true }, metadata: { [WRITER]: writer } }));
    } catch (error) {
      if (!(error instanceof BucketError) || error.failure !== "precondition") throw error;
      const found = await this.#bucket.head(name);
      if (found?.metadata[WRITER] !== writer || found.size !== size) throw this.#existsAlready(name, error);
    }
  }

  async #uploadBytes(name: string, bytes: Uint8Array, options: PutOptions): Promise<void> {
    const path = `${this.#scratchFolder()}/${crypto.randomUUID()}.tmp`;
    try {
      attempt("write", path, () => posix.writeNewFile(path, bytes, 0o600));
      await this.#bucket.upload(name, { path, size: bytes.length }, options);
    } finally {
      if (posix.lstat(path) !== undefined) posix.unlink(path);
    }
  }

  /** False when there is none. */
  async #download(name: string, file: Deno.FsFile): Promise<boolean> {
    const opened = await this.#bucket.open(name);
    if (opened === undefined) return false;
    let size = 0;
    for await (const chunk of opened.body) {
      for (let done = 0; done < chunk.length;) done += await file.write(chunk.subarray(done));
      size += chunk.length;
    }
    if (size === opened.object.size) return true;
    const { location } = this;
    throw new BucketError({ failure: "network", action: `read ${name}`, location });
  }

  /** A lease that was lost means the same for every kind of change: begin anew. */
  async #underLease<T>(change: () => Promise<T>): Promise<T> {
    try {
      return await change();
    } catch (error) {
      throw error instanceof UnfinishedOperationError ? storeLockLost(error) : error;
    }
  }

  #existsAlready(name: string, cause?: unknown): ConflictError {
    return new ConflictError(`Cannot create ${name} in ${this.location}: it exists already`, {
      context: { name },
      cause,
    });
  }
}
