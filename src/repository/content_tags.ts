/**
 * What the storage said of a release's bytes when they were published: `.backout/content-tags/<version>.json`, path to
 * content tag. As long as an object has that tag it has the bytes of the release's record, and nobody has to read them.
 * Only where reading is dear (object storage). It is a help, not a proof: without it, or where it differs, digests count
 * as unknown.
 */
import { formatJson, isJsonObject, parseJson } from "#/core/json.ts";
import type { ObjectReader, ObjectStat } from "#/storage/object_store.ts";

const MAX_BYTES = 64 * 1024 * 1024;

/** The word of the storage for an object: for its bytes where there is one, else for the object itself. */
export function contentTagOf(stat: Pick<ObjectStat, "contentTag" | "tag">): string {
  return stat.contentTag ?? stat.tag;
}

export function contentTagsKey(version: string): string {
  return `.backout/content-tags/${version}.json`;
}

export function encodeContentTags(tags: ReadonlyMap<string, string>): Uint8Array {
  const sorted = [...tags].toSorted(([a], [b]) => a < b ? -1 : 1);
  return new TextEncoder().encode(formatJson({ format: 1, tags: Object.fromEntries(sorted) }));
}

/** Empty where nothing was noted, or what was noted cannot be read. */
export async function loadContentTags(
  store: ObjectReader,
  version: string,
): Promise<ReadonlyMap<string, string>> {
  const stored = await store.read(contentTagsKey(version), { maxBytes: MAX_BYTES });
  if (stored === undefined) return new Map();
  const value = parsed(stored.bytes);
  if (!isJsonObject(value) || !isJsonObject(value.tags)) return new Map();
  return new Map(
    Object.entries(value.tags).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return parseJson(new TextDecoder().decode(bytes));
  } catch {
    return undefined; // it only saves reading the objects
  }
}
