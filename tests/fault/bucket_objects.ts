/** What lies in a bucket, read and written without backout. */
import { createHash } from "node:crypto";
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { plainClient, type S3Keys } from "../support/servers/s3_server.ts";

export interface StoredObject {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly contentType: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** For conditional writes; its form is the service's. */
  readonly tag: string;
}

/** Keys are relative to the prefix that is given. */
export interface Objects extends AsyncDisposable {
  /** Key to a digest of the bytes, from the listing alone. */
  list(bucket: string, prefix: string): Promise<ReadonlyMap<string, string>>;
  /** Undefined when there is none. */
  read(bucket: string, name: string): Promise<StoredObject | undefined>;
  /** @param tag write only over this state. Returns false when there is another one */
  write(bucket: string, name: string, object: Omit<StoredObject, "tag">, tag?: string): Promise<boolean>;
}

/** The digest that a listing shows for these bytes. */
export function listedDigest(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

export function s3Objects(keys: S3Keys): Objects {
  const client = plainClient(keys);
  return {
    list: (bucket, prefix) => listS3(client, bucket, prefix),
    read: async (Bucket, Key) => {
      try {
        const { Body, ContentType, Metadata, ETag } = await client.send(
          new GetObjectCommand({ Bucket, Key }),
        );
        const bytes = new Uint8Array(await Body!.transformToByteArray());
        return { bytes, contentType: ContentType, metadata: Metadata ?? {}, tag: unquoted(ETag!) };
      } catch (error) {
        if ((error as Error).name === "NoSuchKey") return undefined;
        throw error;
      }
    },
    write: async (Bucket, Key, { bytes, contentType, metadata }, tag) => {
      const said = { ...(contentType === undefined ? {} : { ContentType: contentType }), Metadata: metadata };
      const condition = tag === undefined ? {} : { IfMatch: tag };
      try {
        await client.send(new PutObjectCommand({ Bucket, Key, Body: bytes, ...said, ...condition }));
        return true;
      } catch (error) {
        if ((error as Error).name === "PreconditionFailed") return false;
        throw error;
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(client.destroy()),
  };
}

async function listS3(
  client: S3Client,
  Bucket: string,
  Prefix: string,
): Promise<ReadonlyMap<string, string>> {
  const { Contents = [], IsTruncated } = await client.send(new ListObjectsV2Command({ Bucket, Prefix }));
  if (IsTruncated === true) throw new Error(`too many objects below ${Prefix}`);
  return new Map(Contents.map(({ Key, ETag }) => [Key!.slice(Prefix.length), unquoted(ETag!)]));
}

/** Ceph compares them as they are. */
function unquoted(tag: string): string {
  return tag.replaceAll('"', "");
}

export function gcsObjects(endpoint: string): Objects {
  const place = (bucket: string) => `${endpoint}/storage/v1/b/${bucket}/o`;
  return {
    list: async (bucket, prefix) => {
      const reply = await fetch(`${place(bucket)}?${new URLSearchParams({ prefix })}`);
      const { items = [], nextPageToken } = await reply.json() as GcsPage;
      if (nextPageToken !== undefined) throw new Error(`too many objects below ${prefix}`);
      return new Map(items.map(({ name, md5Hash }) => [name.slice(prefix.length), hexOf(md5Hash)]));
    },
    read: async (bucket, name) => {
      const url = `${place(bucket)}/${encodeURIComponent(name)}`;
      const [head, body] = await Promise.all([fetch(url), fetch(`${url}?alt=media`)]);
      const [{ contentType, metadata, generation }, bytes] = await Promise.all([head.json(), body.bytes()]);
      if (!head.ok || !body.ok) return undefined;
      return { bytes, contentType, metadata: metadata ?? {}, tag: generation };
    },
    write: async (bucket, name, { bytes, contentType, metadata }, tag) => {
      const settings = JSON.stringify({ contentType, metadata });
      const type = contentType ?? "application/octet-stream";
      const body = new Blob([
        `--${BOUNDARY}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n${settings}\r\n`,
        `--${BOUNDARY}\r\nContent-Type: ${type}\r\n\r\n`,
        bytes,
        `\r\n--${BOUNDARY}--`,
      ]);
      const condition = tag === undefined ? "" : `&ifGenerationMatch=${tag}`;
      const query = `uploadType=multipart&name=${encodeURIComponent(name)}${condition}`;
      const reply = await fetch(`${endpoint}/upload/storage/v1/b/${bucket}/o?${query}`, {
        method: "POST",
        headers: { "content-type": `multipart/related; boundary=${BOUNDARY}` },
        body: await body.bytes(),
      });
      const text = await reply.text();
      if (reply.status === 412) return false;
      if (!reply.ok) throw new Error(`Cannot write ${name}: ${reply.status} ${text}`);
      return true;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const BOUNDARY = "a-boundary-of-the-sweep";

interface GcsPage {
  readonly items?: readonly { readonly name: string; readonly md5Hash: string }[];
  readonly nextPageToken?: string;
}

function hexOf(base64: string): string {
  return Array.from(atob(base64), (it) => it.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}
