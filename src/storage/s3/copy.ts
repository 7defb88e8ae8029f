/** Copying within S3: in one request, or in parts where that request would take too long (or the object is over 5 GiB). */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  PutObjectTaggingCommand,
  type Tag,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import type { BucketObject, CopySource, RequestOptions } from "#/storage/bucket/bucket.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import { mapLimited } from "#/storage/limit.ts";
import { assertAddressable, type KeySpace, type S3Facts, toObject, unquoted } from "./object.ts";
import { AS_STORED } from "./read.ts";
import type { S3Session, SendOptions } from "./session.ts";

const PARTS_IN_FLIGHT = 4;
const MAX_PARTS = 10_000;
/** How long parts that were copied in vain may take to be removed. */
const ABORT_TIMEOUT_MS = 10_000;

export interface CopySizes {
  /** Larger objects are copied in parts. */
  readonly inPartsBytes: number;
  readonly partBytes: number;
}

export interface Copied {
  readonly object: BucketObject;
  readonly sha256: string | undefined;
}

export class S3Copier {
  readonly #session: S3Session;
  readonly #keys: KeySpace;
  readonly #sizes: CopySizes;

  constructor(session: S3Session, keys: KeySpace, sizes: CopySizes) {
    this.#session = session;
    this.#keys = keys;
    this.#sizes = sizes;
  }

  async copy(from: CopySource, to: string, { signal }: RequestOptions): Promise<Copied> {
    const task: Task = {
      from,
      to,
      action: `copy ${from.key} to ${to}`,
      source: this.#sourceText(from),
      target: { Bucket: this.#session.bucket, Key: this.#keys.full(to) },
      signal,
    };
    assertAddressable(this.#session, task.action, task.target.Key);
    return from.size > this.#sizes.inPartsBytes ? await this.#inParts(task) : await this.#atOnce(task);
  }

  async #atOnce({ from, to, action, source, target, signal }: Task): Promise<Copied> {
    const { client, endpoint } = this.#session;
    // Only Amazon is known to compute it; other servers may refuse the question.
    const checksum = endpoint === undefined ? { ChecksumAlgorithm: "SHA256" as const } : {};
    const input = {
      ...target,
      CopySource: source,
      MetadataDirective: "COPY",
      TaggingDirective: "COPY",
    } as const;
    const reply = await this.#session.run(
      action,
      signal,
      (options) => client.send(new CopyObjectCommand({ ...input, ...checksum }), options),
    );
    const result = reply.CopyObjectResult;
    if (result?.ETag === undefined) {
      throw this.#error("server", action, "the reply does not tell the new object");
    }
    const { ETag, LastModified } = result;
    const object = toObject(this.#session, to, from.size, { ETag, LastModified, VersionId: reply.VersionId });
    return { object, sha256: wholeSha256(result.ChecksumSHA256) };
  }

  async #inParts(task: Task): Promise<Copied> {
    const { client } = this.#session;
    const before = await this.#headSource(task);
    if (before.ContentLength !== task.from.size) throw this.#changed(task);
    const tags = await this.#tags(task);
    const input = { ...task.target, ...carriedOver(before), ...tagHeader(tags) };
    const { UploadId } = await this.#run(
      task,
      (options) => client.send(new CreateMultipartUploadCommand(input), options),
    );
    const upload = { ...task.target, UploadId };
    try {
      const Parts = await this.#copyParts(task, upload);
      // Parts of two states would make an object that never was; not every server checks it part by part.
      if ((await this.#headSource(task)).ETag !== before.ETag) throw this.#changed(task);
      const reply = await this.#run(
        task,
        (options) =>
          client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }), options),
      );
      return { object: await this.#finished(task, reply, tags), sha256: undefined };
    } catch (error) {
      await this.#abort(upload);
      throw error;
    }
  }

  #copyParts(task: Task, upload: UploadName) {
    const { from, source } = task;
    const partBytes = Math.max(this.#sizes.partBytes, Math.ceil(from.size / MAX_PARTS));
    const starts = Array.from({ length: Math.ceil(from.size / partBytes) }, (_, i) => i * partBytes);
    return mapLimited(starts, PARTS_IN_FLIGHT, async (start, index) => {
      const PartNumber = index + 1;
      const end = Math.min(start + partBytes, from.size) - 1;
      const range = { CopySource: source, CopySourceRange: `bytes=${start}-${end}` };
      const command = new UploadPartCopyCommand({ ...upload, PartNumber, ...range });
      const reply = await this.#run(task, (options) => this.#session.client.send(command, options));
      const ETag = reply.CopyPartResult?.ETag;
      if (ETag === undefined) throw this.#error("server", task.action, "the reply does not tell the part");
      return { PartNumber, ETag };
    });
  }

  async #headSource(task: Task): Promise<HeadObjectCommandOutput> {
    const { client } = this.#session;
    const source = this.#sourceInput(task.from);
    const head = await this.#run(task, (options) => client.send(new HeadObjectCommand(source), options));
    if (head.ContentLength !== undefined) return head;
    const asStored = new HeadObjectCommand({ ...source, ...AS_STORED });
    const found = await this.#run(task, (options) => client.send(asStored, options));
    return { ...found, ContentEncoding: await this.#hiddenEncoding(task) };
  }

  /** The Content-Encoding that `fetch` hid (see `AS_STORED`): it unpacks two, of which one has a mark. */
  async #hiddenEncoding(task: Task): Promise<"gzip" | "br"> {
    const { client } = this.#session;
    const command = new GetObjectCommand({
      ...this.#sourceInput(task.from),
      ...AS_STORED,
      Range: "bytes=0-1",
    });
    const bytes = await this.#run(task, async (options) => {
      const reply = await client.send(command, options);
      return await reply.Body?.transformToByteArray();
    });
    return bytes?.[0] === 0x1f && bytes[1] === 0x8b ? "gzip" : "br";
  }

  /** What some servers (Ceph) leave out of a copy in parts: the new ETag in the reply, and the tags. */
  async #finished(task: Task, reply: S3Facts, tags: readonly Tag[]): Promise<BucketObject> {
    const { client } = this.#session;
    const { from, to, target } = task;
    const tag = unquoted(reply.ETag ?? "");
    if (tag !== "" && tags.length === 0) return toObject(this.#session, to, from.size, reply);
    const head = await this.#run(task, (options) => client.send(new HeadObjectCommand(target), options));
    if ((head.TagCount ?? 0) !== tags.length) {
      const command = new PutObjectTaggingCommand({ ...target, Tagging: { TagSet: [...tags] } });
      await this.#run(task, (options) => client.send(command, options));
    }
    const VersionId = reply.VersionId ?? head.VersionId;
    return toObject(this.#session, to, from.size, { ...head, VersionId });
  }

  /** The tags of the source; none where the server knows no tags. */
  async #tags(task: Task): Promise<readonly Tag[]> {
    const command = new GetObjectTaggingCommand(this.#sourceInput(task.from));
    try {
      const { TagSet = [] } = await this.#run(task, (options) => this.#session.client.send(command, options));
      return TagSet;
    } catch (error) {
      if (error instanceof BucketError && error.failure === "unsupported") return [];
      throw error;
    }
  }

  /** Never fails: the reason why is thrown by the caller. */
  async #abort(upload: UploadName): Promise<void> {
    const abortSignal = AbortSignal.timeout(ABORT_TIMEOUT_MS);
    await this.#session.client.send(new AbortMultipartUploadCommand(upload), { abortSignal }).catch(() => {});
  }

  #run<T>({ action, signal }: Task, request: (options: SendOptions) => Promise<T>): Promise<T> {
    return this.#session.run(action, signal, request);
  }

  #sourceInput({ key, versionId }: CopySource) {
    const target = { Bucket: this.#session.bucket, Key: this.#keys.full(key) };
    return versionId === undefined ? target : { ...target, VersionId: versionId };
  }

  #sourceText({ key, versionId }: CopySource): string {
    const path = `${this.#session.bucket}/${this.#keys.full(key)}`.split("/").map(encodeURIComponent).join(
      "/",
    );
    return versionId === undefined ? path : `${path}?versionId=${encodeURIComponent(versionId)}`;
  }

  #changed({ action, from }: Task): BucketError {
    return this.#error("other", action, `${from.key} was changed meanwhile`);
  }

  #error(failure: "server" | "other", action: string, message: string): BucketError {
    const { location, endpoint } = this.#session;
    return new BucketError({ failure, action, location, endpoint, message });
  }
}

interface Task {
  readonly from: CopySource;
  readonly to: string;
  readonly action: string;
  readonly source: string;
  readonly target: { readonly Bucket: string; readonly Key: string };
  readonly signal: AbortSignal | undefined;
}

interface UploadName {
  readonly Bucket: string;
  readonly Key: string;
  readonly UploadId: string | undefined;
}

function tagHeader(tags: readonly Tag[]): { readonly Tagging?: string } {
  if (tags.length === 0) return {};
  const pairs = tags.map(({ Key = "", Value = "" }) => [Key, Value].map(encodeURIComponent).join("="));
  return { Tagging: pairs.join("&") };
}

/** What a copy in one request takes along by itself. */
function carriedOver(head: HeadObjectCommandOutput) {
  const { CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, ContentType, Metadata } = head;
  const expires = head.ExpiresString === undefined ? undefined : new Date(head.ExpiresString);
  const Expires = expires === undefined || Number.isNaN(expires.getTime()) ? undefined : expires;
  return {
    CacheControl,
    ContentDisposition,
    ContentEncoding,
    ContentLanguage,
    ContentType,
    Metadata,
    Expires,
  };
}

/** Hexadecimal; undefined for the checksum of an object in parts, which is none of its bytes. */
function wholeSha256(base64: string | undefined): string | undefined {
  if (base64 === undefined || base64.includes("-")) return undefined;
  return Uint8Array.fromBase64(base64).toHex();
}
