/** A bucket in memory, strict about conditions, for what no server can be made to do: odd keys, odd pages, odd tags. */
import { createHash } from "node:crypto";
import type {
  Bucket,
  BucketObject,
  BucketObjectDetail,
  ByteRange,
  CopySource,
  ListPage,
  ListRequest,
  PutOptions,
  ReadOptions,
  RemoveFailure,
  RemoveRequest,
} from "#/storage/bucket/bucket.ts";
import { BucketError, type BucketFailure } from "#/storage/bucket/bucket_error.ts";
import { compareKeys } from "#/storage/bucket/resilient/list.ts";

interface Stored {
  readonly bytes: Uint8Array;
  readonly tag: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly contentType: string;
}

export interface MemoryOptions {
  /** @default 1000 */
  readonly pageSize?: number;
  /** False: like objects in parts, of which nothing is told. `salted`: equal bytes have other tags in a listing. */
  readonly contentTags?: boolean | "salted";
  readonly versioned?: boolean;
}

export class MemoryBucket implements Bucket {
  readonly type = "gcs";
  readonly location = "gs://memory/prefix";
  readonly removeBatch = 1000;
  /** Current objects by key; put what you like in it. */
  readonly objects: Map<string, Stored> = new Map();
  readonly #older: Map<string, Stored> = new Map();
  readonly #options: MemoryOptions;
  #generation = 0;

  constructor(options: MemoryOptions = {}) {
    this.#options = options;
  }

  head(key: string, options: { versionId?: string } = {}): Promise<BucketObjectDetail | undefined> {
    const stored = this.#find(key, options.versionId);
    if (stored === undefined) return Promise.resolve(undefined);
    return Promise.resolve({ ...this.#show(key, stored), metadata: stored.metadata });
  }

  get(
    key: string,
    options: ReadOptions & { maxBytes: number },
  ): Promise<{ object: BucketObject; bytes: Uint8Array } | undefined> {
    const stored = this.#find(key, options.versionId);
    if (stored === undefined) return Promise.resolve(undefined);
    const bytes = partOf(stored.bytes, options.range);
    if (bytes.length > options.maxBytes) return Promise.reject(this.#error("too_large", `read ${key}`));
    return Promise.resolve({ object: this.#show(key, stored), bytes });
  }

  open(
    key: string,
    options: ReadOptions = {},
  ): Promise<{ object: BucketObject; body: ReadableStream<Uint8Array> } | undefined> {
    const stored = this.#find(key, options.versionId);
    if (stored === undefined) return Promise.resolve(undefined);
    const bytes = partOf(stored.bytes, options.range);
    const chunks = Array.from(
      { length: Math.ceil(bytes.length / 65536) },
      (_, i) => bytes.slice(i * 65536, (i + 1) * 65536),
    );
    return Promise.resolve({ object: this.#show(key, stored), body: ReadableStream.from(chunks) });
  }

  put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<BucketObject> {
    const { condition, metadata = {}, contentType = "" } = options;
    const now = this.objects.get(key);
    const holds = condition === undefined ||
      ("absent" in condition ? now === undefined : now?.tag === condition.tag);
    if (!holds) return Promise.reject(this.#error("precondition", `write ${key}`));
    return Promise.resolve(this.#store(key, { bytes: bytes.slice(), metadata, contentType }));
  }

  async upload(
    key: string,
    file: { path: string; size: number },
    options: PutOptions & { onBytes?: (bytes: number) => void } = {},
  ): Promise<BucketObject> {
    const object = await this.put(key, await Deno.readFile(file.path), options);
    options.onBytes?.(file.size);
    return object;
  }

  copy(from: CopySource, to: string): Promise<{ object: BucketObject; sha256: string | undefined }> {
    const stored = this.#find(from.key, from.versionId);
    if (stored === undefined) return Promise.reject(this.#error("other", `copy ${from.key}`));
    return Promise.resolve({ object: this.#store(to, stored), sha256: undefined });
  }

  remove(requests: readonly RemoveRequest[]): Promise<readonly RemoveFailure[]> {
    const failures: RemoveFailure[] = [];
    for (const { key, tag } of requests) {
      const now = this.objects.get(key);
      if (now === undefined) continue;
      if (tag === undefined || tag === now.tag) this.objects.delete(key);
      else failures.push({ key, error: this.#error("precondition", `delete ${key}`) });
    }
    return Promise.resolve(failures);
  }

  async *list(request: ListRequest): AsyncGenerator<ListPage> {
    const { prefix, shallow = false } = request;
    const names = [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort(compareKeys);
    const size = this.#options.pageSize ?? 1000;
    let page: { objects: BucketObject[]; prefixes: string[] } = { objects: [], prefixes: [] };
    for (const key of names) {
      const slash = shallow ? key.indexOf("/", prefix.length) : -1;
      const folder = key.slice(0, slash + 1);
      if (slash === -1) page.objects.push(this.#showListed(key));
      else if (page.prefixes.at(-1) !== folder) page.prefixes.push(folder);
      if (page.objects.length + page.prefixes.length < size) continue;
      yield await Promise.resolve(page);
      page = { objects: [], prefixes: [] };
    }
    yield page;
  }

  keepsVersions(): Promise<boolean> {
    return Promise.resolve(this.#options.versioned === true);
  }

  serverNow(): number {
    return Date.now();
  }

  #find(key: string, versionId: string | undefined): Stored | undefined {
    if (versionId === undefined) return this.objects.get(key);
    return this.#older.get(`${key}\0${versionId}`);
  }

  #store(key: string, stored: Omit<Stored, "tag">): BucketObject {
    const made = { ...stored, tag: String(++this.#generation) };
    this.objects.set(key, made);
    if (this.#options.versioned === true) this.#older.set(`${key}\0${made.tag}`, made);
    return this.#show(key, made);
  }

  #show(key: string, { bytes, tag }: Stored): BucketObject {
    const { contentTags = true, versioned } = this.#options;
    const isTold = contentTags === true;
    return {
      key,
      size: bytes.length,
      tag,
      contentTag: isTold ? `md5:${createHash("md5").update(bytes).digest("hex")}` : undefined,
      versionId: versioned === true ? tag : undefined,
      modified: "2026-01-01T00:00:00.000Z",
    };
  }

  #showListed(key: string): BucketObject {
    const object = this.#show(key, this.objects.get(key)!);
    return this.#options.contentTags === "salted" ? { ...object, contentTag: `salt:${object.tag}` } : object;
  }

  #error(failure: BucketFailure, action: string): BucketError {
    return new BucketError({ failure, action, location: this.location });
  }
}

/** How often each call was made; a listing counts its pages. */
export interface Counts {
  head: number;
  get: number;
  open: number;
  put: number;
  upload: number;
  copy: number;
  remove: number;
  page: number;
  versions: number;
}

/** A bucket that counts the requests that it passes on. */
export class CountingBucket implements Bucket {
  readonly type: Bucket["type"];
  readonly location: string;
  readonly removeBatch: number;
  readonly #inner: Bucket;
  /** Of bodies. */
  bytesRead = 0;
  readonly counts: Counts = {
    head: 0,
    get: 0,
    open: 0,
    put: 0,
    upload: 0,
    copy: 0,
    remove: 0,
    page: 0,
    versions: 0,
  };

  constructor(inner: Bucket) {
    this.#inner = inner;
    this.type = inner.type;
    this.location = inner.location;
    this.removeBatch = inner.removeBatch;
  }

  /** All requests but those of these kinds. */
  othersThan(...kinds: readonly (keyof Counts)[]): number {
    const entries = Object.entries(this.counts) as [keyof Counts, number][];
    return entries.reduce((sum, [kind, count]) => sum + (kinds.includes(kind) ? 0 : count), 0);
  }

  head(...args: Parameters<Bucket["head"]>): ReturnType<Bucket["head"]> {
    this.counts.head += 1;
    return this.#inner.head(...args);
  }
  get(...args: Parameters<Bucket["get"]>): ReturnType<Bucket["get"]> {
    this.counts.get += 1;
    return this.#inner.get(...args);
  }
  async open(...args: Parameters<Bucket["open"]>): ReturnType<Bucket["open"]> {
    this.counts.open += 1;
    const opened = await this.#inner.open(...args);
    if (opened === undefined) return undefined;
    const body = opened.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          this.bytesRead += chunk.length;
          controller.enqueue(chunk);
        },
      }),
    );
    return { ...opened, body };
  }
  put(...args: Parameters<Bucket["put"]>): ReturnType<Bucket["put"]> {
    this.counts.put += 1;
    return this.#inner.put(...args);
  }
  upload(...args: Parameters<Bucket["upload"]>): ReturnType<Bucket["upload"]> {
    this.counts.upload += 1;
    return this.#inner.upload(...args);
  }
  copy(...args: Parameters<Bucket["copy"]>): ReturnType<Bucket["copy"]> {
    this.counts.copy += 1;
    return this.#inner.copy(...args);
  }
  remove(...args: Parameters<Bucket["remove"]>): ReturnType<Bucket["remove"]> {
    this.counts.remove += 1;
    return this.#inner.remove(...args);
  }
  async *list(request: ListRequest): AsyncGenerator<ListPage> {
    for await (const page of this.#inner.list(request)) {
      this.counts.page += 1;
      yield page;
    }
  }
  keepsVersions(...args: Parameters<Bucket["keepsVersions"]>): ReturnType<Bucket["keepsVersions"]> {
    this.counts.versions += 1;
    return this.#inner.keepsVersions(...args);
  }
  serverNow(): number | undefined {
    return this.#inner.serverNow();
  }
}

function partOf(bytes: Uint8Array, range: ByteRange | undefined): Uint8Array {
  if (range === undefined) return bytes;
  if (range.offset < bytes.length) return bytes.slice(range.offset, range.offset + range.length);
  throw new BucketError({ failure: "other", action: "read a part", location: "gs://memory", status: 416 });
}
