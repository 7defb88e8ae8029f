/**
 * Large files to Google Cloud Storage by its resumable protocol: chunk after chunk to the address of a session. After a
 * failure the service is asked how far it got. The object appears with the last chunk.
 */
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import { withDeadline } from "#/storage/bucket/resilient/deadline.ts";
import type { Budget } from "#/storage/limit.ts";
import { backoffMs, realTools } from "#/storage/bucket/resilient/retry.ts";
import type { ApiRequest, GcsApi } from "./api.ts";
import { Crc32c } from "./crc32c.ts";
import { OBJECT_FIELDS, type ObjectResource } from "./object.ts";

/** A multiple of 256 KiB, as the protocol wants it. */
const CHUNK_BYTES = 8 * 1024 * 1024;
/** Attempts without progress. */
const TRIES = 5;
const CHUNK_TIMEOUT_MS = 60_000;
const CANCEL_TIMEOUT_MS = 5_000;

export interface GcsUpload {
  readonly action: string;
  readonly name: string;
  readonly file: { readonly path: string; readonly size: number };
  /** The object's settings, as JSON. */
  readonly settings: string;
  /** Conditions, as parameters. */
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal | undefined;
  readonly onBytes: ((bytes: number) => void) | undefined;
  /** Bounds what all uploads of this process hold in memory. */
  readonly memory: Budget;
}

/** Uploads a file of any size but 0. @throws {BucketError} nothing of it is seen then, unless `isUnknown` */
export async function uploadResumably(api: GcsApi, upload: GcsUpload): Promise<ObjectResource> {
  using source = await openSource(api, upload);
  return await new Session(api, upload, source).run();
}

class Session {
  readonly #api: GcsApi;
  readonly #upload: GcsUpload;
  readonly #source: Source;
  #path = "";
  /** What the service has. */
  #offset = 0;

  constructor(api: GcsApi, upload: GcsUpload, source: Source) {
    this.#api = api;
    this.#upload = upload;
    this.#source = source;
  }

  async run(): Promise<ObjectResource> {
    this.#path = await this.#persistently(() => this.#start());
    try {
      const made = await this.#persistently((isAgain) => isAgain ? this.#resume() : this.#sendChunk());
      return this.#checked(made);
    } catch (error) {
      await this.#cancel(error);
      throw error;
    }
  }

  /**
   * Runs a step until it gives something. After a failure the next step is told so; failures count anew whenever the
   * service has got further than ever.
   */
  async #persistently<T>(step: (isAgain: boolean) => Promise<T | undefined>): Promise<T> {
    let reached = this.#offset;
    let isAgain = false;
    for (let failures = 0;;) {
      try {
        const result = await step(isAgain);
        if (result !== undefined) return result;
        if (!isAgain && this.#offset <= reached && ++failures === TRIES) {
          throw this.#failed("other", "the service takes parts but keeps nothing of them");
        }
        isAgain = false;
      } catch (error) {
        await this.#pauseAfter(error, ++failures);
        isAgain = true;
      }
      if (this.#offset > reached) failures = 0;
      reached = Math.max(reached, this.#offset);
    }
  }

  /** @throws the failure, when there should be no other attempt */
  async #pauseAfter(error: unknown, failures: number): Promise<void> {
    const { signal } = this.#upload;
    if (!(error instanceof BucketError) || signal?.aborted === true) throw error;
    if (
      error.failure !== "missing_bucket" && (error.context.status === 404 || error.context.status === 410)
    ) {
      throw this.#failed("server", "the service has forgotten the upload", error);
    }
    if (!error.isTransient || failures >= TRIES) throw error;
    await realTools.sleep(backoffMs(failures, error.failure === "throttled", realTools.random), signal);
  }

  /** Opens the session. @returns the path of its address */
  async #start(): Promise<string> {
    const { action, name, file, settings, query } = this.#upload;
    const reply = await this.#send({
      action,
      method: "POST",
      path: `/upload${this.#api.path()}/o`,
      query: { uploadType: "resumable", name, fields: OBJECT_FIELDS, ...query },
      headers: { "content-type": "application/json", "x-upload-content-length": String(file.size) },
      body: settings,
    });
    const address = URL.parse(reply.headers.get("location") ?? "");
    if (address === null) throw this.#failed("other", "the service gave no address for the upload");
    // Only the path: what is asked stays the endpoint, also behind a proxy.
    return address.pathname + address.search;
  }

  /** @returns the object after the last chunk */
  #sendChunk(): Promise<ObjectResource | undefined> {
    const { file, memory } = this.#upload;
    const from = this.#offset;
    if (from === file.size) return this.#resume(); // all is there, but the end was not seen
    const to = Math.min(from + CHUNK_BYTES, file.size);
    return memory.use(to - from, async () => {
      const body = await this.#source.read(from, to);
      const isLast = to === file.size;
      return await this.#progress({
        "content-range": `bytes ${from}-${to - 1}/${file.size}`,
        ...(isLast ? { "x-goog-hash": `crc32c=${this.#source.checksum()}` } : {}),
      }, body);
    });
  }

  /** Asks how far the service got, after a chunk whose answer did not come. */
  #resume(): Promise<ObjectResource | undefined> {
    return this.#progress({ "content-range": `bytes */${this.#upload.file.size}` });
  }

  async #progress(
    headers: Readonly<Record<string, string>>,
    body: Uint8Array<ArrayBuffer> = new Uint8Array(0),
  ): Promise<ObjectResource | undefined> {
    const { action, file } = this.#upload;
    const reply = await this.#send({
      action,
      method: "PUT",
      path: this.#path,
      headers,
      body,
      isBearer: true,
      accept: 308,
    });
    if (reply.made !== undefined) {
      this.#arrived(file.size);
      return reply.made;
    }
    const last = /^bytes=0-(\d+)$/.exec(reply.headers.get("range") ?? "")?.[1];
    const offset = last === undefined ? 0 : Number(last) + 1;
    if (offset > this.#source.readUpTo) {
      throw this.#failed("other", `the service has ${offset} bytes, more than were sent`);
    }
    this.#arrived(offset);
    return undefined;
  }

  #arrived(offset: number): void {
    this.#offset = offset;
    this.#upload.onBytes?.(offset);
  }

  /** One request, with all of its reply, in a time of its own. */
  async #send(request: ApiRequest): Promise<SessionReply> {
    const { signal } = this.#upload;
    const expired = () => this.#failed("timeout", "a part was not answered in time");
    const aborted = (reason: unknown) => this.#api.failure(reason, { action: request.action, signal });
    const limits = { ms: CHUNK_TIMEOUT_MS, signals: [signal], expired, aborted };
    return await withDeadline(limits, async (signal) => {
      const reply = await this.#api.send({ ...request, signal });
      const { status, headers } = reply;
      if (status === request.accept || headers.has("location")) await reply.body?.cancel();
      else {return {
          status,
          headers,
          made: await this.#api.json<ObjectResource>(reply, { ...request, signal }),
        };}
      return { status, headers, made: undefined };
    });
  }

  /** What the service made of the bytes. */
  #checked(made: ObjectResource): ObjectResource {
    const { size } = this.#upload.file;
    if (Number(made.size) === size && (made.crc32c ?? this.#source.checksum()) === this.#source.checksum()) {
      return made;
    }
    throw this.#failed("server", "the new object does not have the bytes that were sent");
  }

  /** Gives the session up, also when the upload was stopped; what failed is told, not that this failed too. */
  async #cancel(error: unknown): Promise<void> {
    if (error instanceof BucketError && error.failure === "precondition") return; // it ended with that
    const { action } = this.#upload;
    const failed = () => this.#failed("timeout", "the upload could not be given up");
    try {
      await withDeadline({ ms: CANCEL_TIMEOUT_MS, expired: failed, aborted: failed }, async (signal) => {
        const request = {
          action,
          method: "DELETE",
          path: this.#path,
          isBearer: true,
          accept: 499,
          signal,
        } as const;
        await (await this.#api.send(request)).body?.cancel();
      });
    } catch {
      // An unfinished upload costs nothing, and ends by itself after a week.
    }
  }

  #failed(failure: BucketError["failure"], message: string, cause?: BucketError): BucketError {
    return new BucketError({
      failure,
      action: this.#upload.action,
      location: this.#api.location,
      message,
      cause,
    });
  }
}

interface SessionReply {
  readonly status: number;
  readonly headers: Headers;
  /** The object, when all of it is there. */
  readonly made: ObjectResource | undefined;
}

async function openSource(api: GcsApi, { file, action }: GcsUpload): Promise<Source> {
  return new Source(await Deno.open(file.path), file, (message) => {
    return new BucketError({ failure: "other", action, location: api.location, message });
  });
}

/** A file that is read in chunks, once or again, with the checksum of all that was read. */
class Source implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #facts: { readonly path: string; readonly size: number };
  readonly #fail: (message: string) => Error;
  readonly #sum = new Crc32c();
  /** Bytes of the file that the checksum covers. */
  readUpTo = 0;

  constructor(
    file: Deno.FsFile,
    facts: { readonly path: string; readonly size: number },
    fail: (message: string) => Error,
  ) {
    this.#file = file;
    this.#facts = facts;
    this.#fail = fail;
  }

  async read(from: number, to: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(to - from);
    await this.#file.seek(from, Deno.SeekMode.Start);
    for (let filled = 0; filled < bytes.length;) {
      const count = await this.#file.read(bytes.subarray(filled));
      if (count === null) throw this.#fail(`${this.#facts.path} became shorter while it was sent`);
      filled += count;
    }
    if (to === this.#facts.size && await this.#file.read(new Uint8Array(1)) !== null) {
      throw this.#fail(`${this.#facts.path} became longer while it was sent`);
    }
    if (to > this.readUpTo) {
      this.#sum.update(bytes.subarray(this.readUpTo - from));
      this.readUpTo = to;
    }
    return bytes;
  }

  checksum(): string {
    return this.#sum.toBase64();
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}
