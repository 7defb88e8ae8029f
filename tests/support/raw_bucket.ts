/** Another tool's view of a bucket: plain calls of the service, nothing of backout. */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { plainClient, type S3Keys } from "./servers/s3_server.ts";

/** What a tool may have said of an object. */
export interface Attributes {
  readonly contentType?: string;
  readonly cacheControl?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** S3 only. */
  readonly tags?: Readonly<Record<string, string>>;
}

/** Names are whole names in the bucket. */
export interface RawBucket extends AsyncDisposable {
  /** Undefined when there is none. */
  read(name: string): Promise<string | undefined>;
  write(name: string, content: string | Uint8Array, attributes?: Attributes): Promise<void>;
  /** Writes an object that must not be there yet; false when the service found one. */
  create(name: string, content: string): Promise<boolean>;
  attributes(name: string): Promise<Attributes>;
  /** Sorted names of all objects below a prefix. */
  list(prefix: string): Promise<readonly string[]>;
  /** One object, or one version of it for good. */
  remove(object: string | { readonly name: string; readonly versionId: string }): Promise<void>;
}

export function s3Raw(keys: S3Keys, Bucket: string): RawBucket {
  const client = plainClient(keys);
  return {
    read: async (Key) => {
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
        return await Body!.transformToString();
      } catch (error) {
        if (error instanceof NoSuchKey || error instanceof NotFound) return undefined;
        throw error;
      }
    },
    write: async (Key, Body, { contentType, cacheControl, metadata, tags } = {}) => {
      const said = {
        ...(contentType === undefined ? {} : { ContentType: contentType }),
        ...(cacheControl === undefined ? {} : { CacheControl: cacheControl }),
        ...(metadata === undefined ? {} : { Metadata: metadata }),
        ...(tags === undefined ? {} : { Tagging: tagging(tags) }),
      };
      await client.send(new PutObjectCommand({ Bucket, Key, Body, ...said }));
    },
    create: async (Key, Body) => {
      try {
        await client.send(new PutObjectCommand({ Bucket, Key, Body, IfNoneMatch: "*" }));
        return true;
      } catch (error) {
        if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 412) return false;
        throw error;
      }
    },
    attributes: async (Key) => await s3Attributes(client, Bucket, Key),
    list: async (Prefix) => {
      const names: string[] = [];
      let token: string | undefined;
      for (;;) {
        const more = token === undefined ? {} : { ContinuationToken: token };
        const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix, ...more }));
        names.push(...(page.Contents ?? []).map((object) => object.Key!));
        token = page.NextContinuationToken;
        if (page.IsTruncated !== true) return names.sort();
      }
    },
    remove: async (object) => {
      const which = typeof object === "string"
        ? { Key: object }
        : { Key: object.name, VersionId: object.versionId };
      await client.send(new DeleteObjectCommand({ Bucket, ...which }));
    },
    [Symbol.asyncDispose]: () => Promise.resolve(client.destroy()),
  };
}

/** A space as %20: not every server takes a plus for one. */
function tagging(tags: Readonly<Record<string, string>>): string {
  return Object.entries(tags).map((pair) => pair.map(encodeURIComponent).join("=")).join("&");
}

async function s3Attributes(client: S3Client, Bucket: string, Key: string): Promise<Attributes> {
  const { ContentType, CacheControl, Metadata } = await client.send(new HeadObjectCommand({ Bucket, Key }));
  const { TagSet = [] } = await client.send(new GetObjectTaggingCommand({ Bucket, Key }));
  return {
    ...(ContentType === undefined ? {} : { contentType: ContentType }),
    ...(CacheControl === undefined ? {} : { cacheControl: CacheControl }),
    metadata: Metadata ?? {},
    tags: Object.fromEntries(TagSet.map((tag) => [tag.Key!, tag.Value!])),
  };
}

export function gcsRaw(endpoint: string, bucket: string): RawBucket {
  const objects = `${endpoint}/storage/v1/b/${bucket}/o`;
  const place = (name: string) => `${objects}/${encodeURIComponent(name)}`;
  return {
    read: async (name) => {
      const reply = await fetch(`${place(name)}?alt=media`);
      const text = await reply.text();
      if (reply.status === 404) return undefined;
      if (!reply.ok) throw new Error(`Cannot read ${name}: ${text}`);
      return text;
    },
    write: async (
      name,
      content,
      { contentType = "application/octet-stream", cacheControl, metadata } = {},
    ) => {
      const boundary = "a-boundary-of-the-tests";
      const settings = JSON.stringify({ contentType, cacheControl, metadata });
      const body = new Blob([
        `--${boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n${settings}\r\n`,
        `--${boundary}\r\nContent-Type: ${contentType}\r\n\r\n`,
        content as BlobPart,
        `\r\n--${boundary}--`,
      ]);
      const url = `${endpoint}/upload/storage/v1/b/${bucket}/o?uploadType=multipart&name=${
        encodeURIComponent(name)
      }`;
      await json(
        await fetch(url, {
          method: "POST",
          headers: { "content-type": `multipart/related; boundary=${boundary}` },
          body: await body.bytes(),
        }),
      );
    },
    create: async (name, content) => {
      const query = `uploadType=media&ifGenerationMatch=0&name=${encodeURIComponent(name)}`;
      const url = `${endpoint}/upload/storage/v1/b/${bucket}/o?${query}`;
      const reply = await fetch(url, { method: "POST", body: content });
      await reply.body?.cancel();
      if (!reply.ok && reply.status !== 412) throw new Error(`Cannot create ${name}: ${reply.status}`);
      return reply.ok;
    },
    attributes: async (name) => {
      const { contentType, cacheControl, metadata } = await json(await fetch(place(name)));
      return {
        contentType,
        ...(cacheControl === undefined ? {} : { cacheControl }),
        metadata: metadata ?? {},
      };
    },
    list: async (prefix) => {
      const names: string[] = [];
      let token: string | undefined;
      for (;;) {
        const query = new URLSearchParams({ prefix, ...(token === undefined ? {} : { pageToken: token }) });
        const page = await json(await fetch(`${objects}?${query}`));
        names.push(...(page.items ?? []).map((item: { name: string }) => item.name));
        token = page.nextPageToken;
        if (token === undefined) return names.sort();
      }
    },
    remove: async (object) => {
      const url = typeof object === "string"
        ? place(object)
        : `${place(object.name)}?generation=${object.versionId}`;
      const reply = await fetch(url, { method: "DELETE" });
      await reply.body?.cancel();
      if (!reply.ok) throw new Error(`Cannot remove ${url}: ${reply.status}`);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

// deno-lint-ignore no-explicit-any -- documents of the service, looked into freely
async function json(reply: Response): Promise<any> {
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${reply.url}: ${reply.status} ${text}`);
  return JSON.parse(text);
}
