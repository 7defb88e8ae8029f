/** Listing objects of S3, a page at a time. Keys are asked for URL-encoded, because XML cannot hold every key. */
import { ListObjectsV2Command, ListObjectVersionsCommand } from "@aws-sdk/client-s3";
import type { ListPage, ListRequest } from "#/storage/bucket/bucket.ts";
import { type KeySpace, toObject } from "./object.ts";
import type { S3Session } from "./session.ts";

export class S3Lister {
  readonly #session: S3Session;
  readonly #keys: KeySpace;
  readonly #pageSize: number;

  constructor(session: S3Session, keys: KeySpace, pageSize: number) {
    this.#session = session;
    this.#keys = keys;
    this.#pageSize = pageSize;
  }

  /** The objects as they are now. */
  async *objects(request: ListRequest): AsyncGenerator<ListPage> {
    const { client } = this.#session;
    let token: string | undefined;
    do {
      const input = { ...this.#input(request), ...(token === undefined ? {} : { ContinuationToken: token }) };
      const reply = await this.#session.run(
        actionOf(request),
        request.signal,
        (options) => client.send(new ListObjectsV2Command(input), options),
      );
      yield this.#page(reply.Contents ?? [], reply);
      token = reply.IsTruncated === true ? reply.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  /** The same with version ids; older versions and delete markers come too and are left out. */
  async *versions(request: ListRequest): AsyncGenerator<ListPage> {
    const { client } = this.#session;
    let marker: { readonly KeyMarker: string; readonly VersionIdMarker?: string } | undefined;
    do {
      const reply = await this.#session.run(
        actionOf(request),
        request.signal,
        (options) =>
          client.send(new ListObjectVersionsCommand({ ...this.#input(request), ...marker }), options),
      );
      const current = (reply.Versions ?? []).filter((version) => version.IsLatest === true);
      yield this.#page(current, reply);
      marker = nextMarker(reply);
    } while (marker !== undefined);
  }

  #input({ prefix, shallow }: ListRequest) {
    return {
      Bucket: this.#session.bucket,
      Prefix: this.#keys.full(prefix),
      MaxKeys: this.#pageSize,
      EncodingType: "url" as const,
      ...(shallow === true ? { Delimiter: "/" } : {}),
    };
  }

  #page(listed: readonly ListedObject[], reply: ListReply): ListPage {
    const key = (text: string | undefined) => this.#keys.relative(decoded(text ?? "", reply.EncodingType));
    return {
      objects: listed.map((it) => toObject(this.#session, key(it.Key), it.Size ?? 0, it)),
      prefixes: (reply.CommonPrefixes ?? []).map((it) => key(it.Prefix)),
    };
  }
}

interface ListedObject {
  readonly Key?: string | undefined;
  readonly Size?: number | undefined;
  readonly ETag?: string | undefined;
  readonly VersionId?: string | undefined;
  readonly LastModified?: Date | undefined;
}

interface ListReply {
  readonly EncodingType?: string | undefined;
  readonly CommonPrefixes?: readonly { readonly Prefix?: string | undefined }[] | undefined;
}

function nextMarker(
  reply: ListReply & {
    readonly IsTruncated?: boolean | undefined;
    readonly NextKeyMarker?: string | undefined;
    readonly NextVersionIdMarker?: string | undefined;
  },
): { readonly KeyMarker: string; readonly VersionIdMarker?: string } | undefined {
  if (reply.IsTruncated !== true || reply.NextKeyMarker === undefined) return undefined;
  const KeyMarker = decoded(reply.NextKeyMarker, reply.EncodingType);
  const version = reply.NextVersionIdMarker ?? "";
  return version === "" ? { KeyMarker } : { KeyMarker, VersionIdMarker: version };
}

/** A server that does not know the encoding does not name it in its reply; some name it and do not know it. */
function decoded(text: string, encoding: string | undefined): string {
  if (encoding !== "url") return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text; // a key of others must not end the listing of ours
  }
}

function actionOf({ prefix }: ListRequest): string {
  return prefix === "" ? "list objects" : `list ${prefix}`;
}
