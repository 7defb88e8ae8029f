/** Listings as the port wants them. Keys that are no plain path (`a//b`, `../x`, `folder/`) are never shown. */
import { type BucketAccess, prefixOf, toStat } from "./access.ts";
import type { BucketObject } from "./bucket.ts";
import { firstSegment, isOwnFolder, keyProblem } from "#/storage/key.ts";
import type { ObjectStat } from "#/storage/object_store.ts";

/** `ObjectReader.list`: page by page, so that a hundred thousand keys need no more memory than a thousand. */
export async function* listBelow(access: BucketAccess, folder: string): AsyncGenerator<ObjectStat, void> {
  const prefix = prefixOf(folder);
  const versions = await access.keepsVersions();
  for await (const page of access.bucket.list({ prefix, ...(versions ? { versions } : {}) })) {
    for (const object of page.objects) {
      if (isShown(object, prefix)) yield toStat(object);
    }
  }
}

/** `ObjectReader.listNames`. */
export async function namesBelow(access: BucketAccess, folder: string): Promise<readonly string[]> {
  const prefix = prefixOf(folder);
  const names = new Set<string>();
  for await (const page of access.bucket.list({ prefix, shallow: true })) {
    for (const { key } of page.objects) names.add(key.slice(prefix.length));
    for (const below of page.prefixes) names.add(below.slice(prefix.length, -1));
  }
  const isName = (name: string) => name !== "" && !name.includes("/") && keyProblem(name) === undefined;
  const isHidden = (name: string) => folder === "" && isOwnFolder(name);
  return [...names].filter((name) => isName(name) && !isHidden(name)).sort();
}

/** Whether anything is in a folder: a bucket has no folders, only keys that look as if. */
export async function hasSomethingBelow(access: BucketAccess, folder: string): Promise<boolean> {
  const prefix = prefixOf(folder);
  for await (const page of access.bucket.list({ prefix })) {
    if (page.objects.some((object) => isShown(object, prefix))) return true;
  }
  return false;
}

function isShown(object: BucketObject, prefix: string): boolean {
  const { key } = object;
  if (!key.startsWith(prefix) || keyProblem(key) !== undefined || key === "") return false;
  return prefix !== "" || !isOwnFolder(firstSegment(key));
}
