/**
 * A bucket that survives what networks and services do: requests have a deadline, are tried again while that makes
 * sense, and change nothing without the lease.
 *
 * A `ResilientBucket` is a `Bucket` over the driver's. Give it to the store with the lease of the lock, and to the lock
 * itself with a lease that nobody holds (which limits nothing).
 */
import type { StorageType } from "#/storage/object_store.ts";
import {
  type Bucket,
  type BucketObject,
  type BucketObjectDetail,
  COPY_IN_PARTS_BYTES,
  COPY_PART_BYTES,
  type CopySource,
  lengthOf,
  type ListPage,
  type ListRequest,
  MAX_PUT_BYTES,
  type PutOptions,
  type ReadOptions,
  type RemoveFailure,
  type RemoveRequest,
  type RequestOptions,
  type WriteCondition,
} from "#/storage/bucket/bucket.ts";
import { Deadline, withDeadline } from "./deadline.ts";
import { type Lease, lostError } from "#/storage/lease/lease.ts";
import { LeaseWatch, usableMs } from "#/storage/lease/watch.ts";
import { collect, watchBody } from "./body.ts";
import { RequestLimits, type Signal } from "./limits.ts";
import { listPages } from "./list.ts";
import { putConditionally } from "./put.ts";
import { removeAll } from "./remove.ts";
import { Unanswered } from "./unanswered.ts";
import { Attempts, realTools, retry, type RetryTools } from "./retry.ts";

export interface ResilientOptions extends Partial<RetryTools> {
  /** Changes are only sent while it is held, and given up before it ends. Without a holder it limits nothing. */
  readonly lease: Lease;
  /** How long one request may take, and a body be silent, in milliseconds. */
  readonly requestMs: number;
  /** Stops every request. */
  readonly signal?: AbortSignal;
}

/** With less of the lease than this left, no change is begun. */
const MIN_START_MS = 100;
/** A large upload may go without a finished part for so many requests' time: the driver tries parts again itself. */
const STALLED_REQUESTS = 10;

export class ResilientBucket implements Bucket {
  readonly type: Exclude<StorageType, "local">;
  readonly location: string;
  readonly removeBatch: number;
  readonly #inner: Bucket;
  readonly #lease: Lease;
  readonly #requestMs: number;
  readonly #signal: Signal;
  readonly #tools: RetryTools;
  readonly #limits: RequestLimits;
  readonly #unanswered: Unanswered;

  constructor(inner: Bucket, options: ResilientOptions) {
    this.type = inner.type;
    this.location = inner.location;
    this.removeBatch = inner.removeBatch;
    this.#inner = inner;
    this.#lease = options.lease;
    this.#requestMs = options.requestMs;
    this.#signal = options.signal;
    this.#tools = {
      sleep: options.sleep ?? realTools.sleep,
      random: options.random ?? realTools.random,
      now: options.now ?? realTools.now,
      ...(options.hurry === undefined ? {} : { hurry: options.hurry }),
    };
    this.#limits = new RequestLimits({ ...options, location: inner.location });
    this.#unanswered = new Unanswered(this.#requestMs, this.#tools);
  }

  serverNow(): number | undefined {
    return this.#inner.serverNow();
  }

  /** See `ObjectStore.settle`. */
  settle(): Promise<void> {
    return this.#unanswered.settle(this.#signal);
  }

  head(
    key: string,
    options: RequestOptions & { readonly versionId?: string } = {},
  ): Promise<BucketObjectDetail | undefined> {
    const action = `look at ${key}`;
    return this.#read(action, options.signal, (signal) => this.#inner.head(key, { ...options, signal }));
  }

  /** As `open`: what counts is that bytes come, not how many they are. */
  get(
    key: string,
    options: ReadOptions & { readonly maxBytes: number },
  ): Promise<{ readonly object: BucketObject; readonly bytes: Uint8Array } | undefined> {
    const { maxBytes, ...rest } = options;
    const action = `read ${key}`;
    return this.#retry(options.signal, async () => {
      const opened = await this.#openOnce(key, rest);
      if (opened === undefined) return undefined;
      const { object, body } = opened;
      const length = lengthOf(object.size, rest.range);
      if (length > maxBytes) {
        await body.cancel();
        throw this.#limits.failure(
          "too_large",
          action,
          `${length} bytes, at most ${maxBytes} were expected`,
        );
      }
      const bytes = await collect(
        body,
        length,
        (got) => this.#limits.failure("network", action, `${got} of ${length} bytes came`),
      );
      return { object, bytes };
    });
  }

  open(
    key: string,
    options: ReadOptions = {},
  ): Promise<{ readonly object: BucketObject; readonly body: ReadableStream<Uint8Array> } | undefined> {
    return this.#retry(options.signal, () => this.#openOnce(key, options));
  }

  async *list(request: ListRequest): AsyncGenerator<ListPage, void> {
    const action = request.prefix === "" ? "list everything" : `list ${request.prefix}`;
    const attempts = new Attempts(this.#tools, this.#either(request.signal));
    yield* listPages(this.#inner, request, attempts, () => this.#limits.forReading(action, request.signal));
  }

  keepsVersions(options: RequestOptions = {}): Promise<boolean> {
    const action = "ask whether versions are kept";
    return this.#read(action, options.signal, (signal) => this.#inner.keepsVersions({ signal }));
  }

  /**
   * With a condition: "precondition" is only thrown when the object has other bytes than these; so the bytes have to be
   * the writer's own (see `put.ts`).
   */
  put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<BucketObject> {
    const action = `write ${key}`;
    const send = () =>
      this.#change(action, options.signal, (signal) => {
        return this.#inner.put(key, bytes, { ...options, signal });
      });
    if (options.condition === undefined) return this.#retry(options.signal, send);
    return this.#putIf(key, bytes, options.condition, options.signal, send);
  }

  /**
   * A small file as with `put`, a large one as long as it makes progress. A condition is passed on; after a lost reply
   * it may not hold any more although this call wrote the object.
   */
  upload(
    key: string,
    file: { readonly path: string; readonly size: number },
    options: PutOptions & { readonly onBytes?: (bytes: number) => void } = {},
  ): Promise<BucketObject> {
    const action = `write ${key}`;
    const { onBytes, ...rest } = options;
    let most = 0; // when it begins anew, what was reported stays
    return this.#retry(options.signal, () => {
      const send = (signal: AbortSignal, deadline: Deadline) => {
        const note = (bytes: number) => {
          deadline.restart();
          if (bytes > most) onBytes?.(most = bytes);
        };
        return this.#inner.upload(key, file, { ...rest, signal, onBytes: note });
      };
      if (file.size <= MAX_PUT_BYTES) return this.#change(action, options.signal, send);
      return this.#longChange(action, options.signal, this.#requestMs * STALLED_REQUESTS, send);
    });
  }

  copy(
    from: CopySource,
    to: string,
    options: RequestOptions = {},
  ): Promise<{ readonly object: BucketObject; readonly sha256: string | undefined }> {
    const action = `copy ${from.key} to ${to}`;
    const send = (signal: AbortSignal) => this.#inner.copy(from, to, { ...options, signal });
    if (from.size <= COPY_IN_PARTS_BYTES) {
      // Once it is sent it is waited for, also by who was told to stop: it would be made all the same, and stay behind.
      return this.#retry(options.signal, () => this.#change(action, undefined, send));
    }
    const parts = Math.ceil(from.size / COPY_PART_BYTES);
    const ms = this.#requestMs * (parts + 2); // and its beginning and end
    return this.#retry(options.signal, () => this.#longChange(action, options.signal, ms, send));
  }

  remove(
    requests: readonly RemoveRequest[],
    { signal }: RequestOptions = {},
  ): Promise<readonly RemoveFailure[]> {
    const action = requests.length === 1 ? `remove ${requests[0]!.key}` : `remove ${requests.length} objects`;
    const attempts = new Attempts(this.#tools, this.#either(signal));
    return removeAll(requests, attempts, (left) => {
      return this.#change(action, signal, (inner) => this.#inner.remove(left, { signal: inner }));
    });
  }

  #putIf(
    key: string,
    bytes: Uint8Array,
    condition: WriteCondition,
    signal: Signal,
    send: () => Promise<BucketObject>,
  ): Promise<BucketObject> {
    return putConditionally({
      bytes,
      condition,
      attempts: new Attempts(this.#tools, this.#either(signal)),
      send,
      look: async () => {
        const object = await this.head(key, signal === undefined ? {} : { signal });
        if (object?.size !== bytes.length) return object === undefined ? undefined : { object };
        return await this.get(key, { maxBytes: bytes.length, ...(signal === undefined ? {} : { signal }) });
      },
      refused: (cause) => this.#limits.failure("precondition", `write ${key}`, undefined, cause),
    });
  }

  async #openOnce(
    key: string,
    options: ReadOptions,
  ): Promise<{ readonly object: BucketObject; readonly body: ReadableStream<Uint8Array> } | undefined> {
    const action = `read ${key}`;
    const deadline = new Deadline(this.#limits.forReading(action, options.signal));
    try {
      deadline.check();
      const opening = this.#inner.open(key, { ...options, signal: deadline.signal });
      opening.catch(() => {});
      const opened = await Promise.race([opening, deadline.passed]);
      deadline.stop();
      if (opened === undefined) deadline[Symbol.dispose]();
      if (opened === undefined) return undefined;
      const broken = (cause: unknown) => this.#limits.failure("network", action, undefined, cause);
      return { object: opened.object, body: watchBody(opened.body, deadline, broken) };
    } catch (error) {
      const why = deadline.explain(error);
      deadline[Symbol.dispose]();
      throw why;
    }
  }

  #read<T>(action: string, signal: Signal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#retry(signal, () => withDeadline(this.#limits.forReading(action, signal), run));
  }

  /** One changing request, within the lease. */
  async #change<T>(
    action: string,
    signal: Signal,
    run: (signal: AbortSignal, deadline: Deadline) => Promise<T>,
  ): Promise<T> {
    const left = await this.#leaseLeft();
    const ms = Math.min(this.#requestMs, left ?? Infinity);
    return await this.#unanswered.note(
      withDeadline(this.#limits.of(action, signal, ms, this.#lease.lossSignal), run),
    );
  }

  /** One change that may take longer than the lease is long; it goes on as long as the lease is prolonged. */
  async #longChange<T>(
    action: string,
    signal: Signal,
    ms: number,
    run: (signal: AbortSignal, deadline: Deadline) => Promise<T>,
  ): Promise<T> {
    await this.#leaseLeft();
    using watch = new LeaseWatch(this.#lease);
    const limits = this.#limits.of(action, signal, ms, this.#lease.lossSignal, watch.signal);
    return await this.#unanswered.note(withDeadline(limits, run));
  }

  /**
   * How long a change that begins now may take; undefined where no lease limits it. A lease that has almost run out is
   * prolonged first: this process may have been busy, or asleep, when that was due.
   * @throws {UnfinishedOperationError} when the lease is gone
   */
  async #leaseLeft(): Promise<number | undefined> {
    if ((usableMs(this.#lease) ?? Infinity) < MIN_START_MS && !this.#lease.isLost) await this.#lease.renew();
    this.#lease.assertHeld();
    const left = usableMs(this.#lease);
    if (left !== undefined && left < MIN_START_MS) throw lostError();
    return left;
  }

  #retry<T>(signal: Signal, run: () => Promise<T>): Promise<T> {
    return retry(run, this.#tools, this.#either(signal));
  }

  #either(signal: Signal): Signal {
    if (signal === undefined || this.#signal === undefined) return signal ?? this.#signal;
    return AbortSignal.any([signal, this.#signal]);
  }
}
