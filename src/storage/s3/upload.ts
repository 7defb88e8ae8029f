/**
 * Large files to S3 in parts, with `Upload` of the SDK's lib-storage. It gets a client whose `send` is ours: each
 * part is tried again here, one failure stops the other parts at once, and what was sent in vain is removed.
 */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type PutObjectCommandInput,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { StorageError } from "#/core/errors.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import { backoffMs, realTools } from "#/storage/bucket/resilient/retry.ts";
import type { S3Session } from "./session.ts";

/** The smallest that S3 allows: a part in flight takes several times its size in memory. */
const PART_BYTES = 5 * 1024 * 1024;
const PARTS_IN_FLIGHT = 4;
const READ_BYTES = 1024 * 1024;
const MAX_PARTS = 10_000;
const TRIES = 5;
/** One part may take so long, however long the whole takes. */
const PART_TIMEOUT_MS = 180_000;
const CLEAN_UP_TIMEOUT_MS = 10_000;

export interface PartedUpload {
  readonly action: string;
  readonly file: { readonly path: string; readonly size: number };
  readonly input: Omit<PutObjectCommandInput, "Body" | "ContentLength">;
  readonly signal: AbortSignal | undefined;
  readonly onBytes: ((bytes: number) => void) | undefined;
  /** Just before the object appears; throwing keeps it from appearing. */
  readonly beforeComplete: () => Promise<void>;
}

/** What the service says of the new object. */
export interface Uploaded {
  readonly ETag?: string | undefined;
  readonly VersionId?: string | undefined;
}

/** Uploads a file that is larger than one part. @throws {BucketError} nothing of it is seen then, unless `isUnknown` */
export async function uploadInParts(session: S3Session, upload: PartedUpload): Promise<Uploaded> {
  const { file, input, signal, action } = upload;
  const partSize = Math.max(PART_BYTES, Math.ceil(file.size / MAX_PARTS));
  const sender = new PartSender(session, upload);
  try {
    using source = await openFile(file.path);
    const body = bytesOf(source, file);
    const params = { ...input, Body: body, ContentLength: file.size };
    const client = sender.client();
    const parts = new Upload({
      client,
      params,
      partSize,
      queueSize: PARTS_IN_FLIGHT,
      leavePartsOnError: false,
    });
    const { onBytes } = upload;
    if (onBytes !== undefined) parts.on("httpUploadProgress", ({ loaded = 0 }) => onBytes(loaded));
    return await parts.done();
  } catch (error) {
    if (error instanceof StorageError) throw error;
    // The first failure stopped the other parts; it is the one to tell.
    throw await session.failure(sender.failed ?? error, action, signal);
  }
}

/** Sends what `Upload` asks for. */
class PartSender {
  readonly #session: S3Session;
  readonly #upload: PartedUpload;
  readonly #stop = new AbortController();

  constructor(session: S3Session, upload: PartedUpload) {
    this.#session = session;
    this.#upload = upload;
  }

  /** Why the upload failed, as far as a request told. */
  get failed(): unknown {
    return this.#stop.signal.aborted ? this.#stop.signal.reason : undefined;
  }

  /** The session's client in everything but how it sends. */
  client(): S3Client {
    const send = (command: Parameters<S3Client["send"]>[0]) => this.#send(command);
    return Object.create(this.#session.client, { send: { value: send } }) as S3Client;
  }

  async #send(command: Parameters<S3Client["send"]>[0]): Promise<unknown> {
    if (command instanceof AbortMultipartUploadCommand) return await this.#cleanUp(command);
    try {
      if (command instanceof CompleteMultipartUploadCommand) {
        await this.#upload.beforeComplete();
        return await this.#once(command);
      }
      const again = command instanceof UploadPartCommand || command instanceof CreateMultipartUploadCommand;
      return again ? await this.#persistently(command) : await this.#once(command);
    } catch (error) {
      this.#stop.abort(this.failed ?? error);
      throw error;
    }
  }

  async #persistently(command: Parameters<S3Client["send"]>[0]): Promise<unknown> {
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#once(command, PART_TIMEOUT_MS);
      } catch (error) {
        const { signal } = this.#upload;
        if (!(error instanceof BucketError) || !error.isTransient || attempt === TRIES) throw error;
        if (signal?.aborted === true || this.#stop.signal.aborted) throw error;
        const pause = backoffMs(attempt, error.failure === "throttled", realTools.random);
        await realTools.sleep(
          pause,
          AbortSignal.any([this.#stop.signal, ...(signal === undefined ? [] : [signal])]),
        );
      }
    }
  }

  async #once(command: Parameters<S3Client["send"]>[0], timeoutMs?: number): Promise<unknown> {
    const { action, signal } = this.#upload;
    const signals = [
      this.#stop.signal,
      ...(signal === undefined ? [] : [signal]),
      ...(timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)]),
    ];
    return await this.#session.run(
      action,
      AbortSignal.any(signals),
      (options) => this.#session.client.send(command, options),
    );
  }

  /** Removes the parts, also when the upload was stopped; what failed is told, not that this failed too. */
  async #cleanUp(command: AbortMultipartUploadCommand): Promise<unknown> {
    const abortSignal = AbortSignal.timeout(CLEAN_UP_TIMEOUT_MS);
    return await this.#session.client.send(command, { abortSignal }).catch(() => ({}));
  }
}

/** A file that is not what it was when its upload began. */
export function changedFile(path: string): StorageError {
  return new StorageError(`Cannot upload ${path}: it changed while it was read`, {
    hint: "Run the command again when nothing writes to it.",
  });
}

/** @throws {StorageError} */
export async function openFile(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StorageError(`Cannot upload ${path}: ${why}`, { hint: "Look at the file.", cause });
  }
}

/** The file in small pieces. @throws {StorageError} it has not as many bytes as it had */
function bytesOf(
  source: Deno.FsFile,
  file: { readonly path: string; readonly size: number },
): ReadableStream<Uint8Array> {
  let left = file.size;
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const part = await readFully(source, Math.min(READ_BYTES, left));
      left -= part.length;
      const isShort = part.length === 0 && left > 0;
      if (isShort || (left === 0 && (await readFully(source, 1)).length > 0)) {
        throw changedFile(file.path);
      }
      if (part.length > 0) controller.enqueue(part);
      if (left === 0) controller.close();
    },
  }, { highWaterMark: 0 });
}

/** The next `size` bytes, fewer at the end. */
export async function readFully(source: Deno.FsFile, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let filled = 0;
  while (filled < size) {
    const count = await source.read(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}
