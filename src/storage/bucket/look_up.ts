/**
 * Looking at many objects with few requests: a listing tells of a thousand at once. Where the keys asked for are few, or
 * stand among many others, they are asked for one by one.
 */
import { type BucketAccess, checkedKey, orStopped, withSignal } from "./access.ts";
import type { BucketObject } from "./bucket.ts";
import { firstSegment, isOwnFolder, joinKey, parentKey } from "#/storage/key.ts";
import { mapLimited } from "#/storage/limit.ts";
import { compareKeys } from "#/storage/bucket/resilient/list.ts";

/** So few keys are asked for one by one without thinking. */
const FEW_KEYS = 8;
/** So few keys of one folder are not worth a listing. */
const FEW_IN_FOLDER = 3;
/** A listing is given up after so many pages, and as many more for each of its own. */
const PATIENCE_PAGES = 4;
const PAGE_KEYS = 1000;

export interface LookUpOptions {
  readonly signal?: AbortSignal | undefined;
  /** Version ids are wanted: costlier on a bucket that keeps versions. @default false */
  readonly versions?: boolean;
}

interface LookUp {
  readonly access: BucketAccess;
  readonly options: LookUpOptions;
  readonly found: Map<string, BucketObject>;
  /** To be asked for one by one. */
  readonly single: string[];
}

/** What there is of these keys. The number of requests grows with the number of folders, not of keys. */
export async function lookUp(
  access: BucketAccess,
  keys: readonly string[],
  options: LookUpOptions = {},
): Promise<ReadonlyMap<string, BucketObject>> {
  const unique = [...new Set(keys.map(checkedKey))];
  const run: LookUp = { access, options, found: new Map(), single: [] };
  if (unique.length <= FEW_KEYS) run.single.push(...unique);
  else {
    const groups = [...Map.groupBy(unique, groupOf).values()];
    await mapLimited(groups, access.jobs, (group) => findInGroup(run, group), options.signal);
  }
  const request = withSignal(options.signal);
  await mapLimited(run.single, access.jobs, async (key) => {
    const object = await orStopped(options.signal, access.bucket.head(key, request));
    if (object !== undefined) run.found.set(key, object);
  }, options.signal);
  return run.found;
}

/** Releases and backups are looked at each for itself; "" for what stands at the root. */
function groupOf(key: string): string {
  const top = firstSegment(key);
  if (top === key) return "";
  if (!isOwnFolder(top)) return top;
  const next = firstSegment(key.slice(top.length + 1));
  return joinKey(top, next);
}

async function findInGroup(run: LookUp, keys: readonly string[]): Promise<void> {
  if (keys.length <= FEW_IN_FOLDER) {
    run.single.push(...keys);
    return;
  }
  const folder = commonFolder(keys);
  const open = await findByListing(run, keys, folder);
  // Too much else is in that folder: perhaps not in those below it.
  for (const [below, rest] of Map.groupBy(open, (key) => childFolder(key, folder))) {
    if (below === undefined) run.single.push(...rest);
    else await findInGroup(run, rest);
  }
}

/** Returns the keys that it gave up on. */
async function findByListing(
  run: LookUp,
  keys: readonly string[],
  folder: string,
): Promise<readonly string[]> {
  const wanted = new Set(keys);
  const last = keys.reduce((a, b) => (compareKeys(a, b) > 0 ? a : b));
  const { signal, versions } = run.options;
  const where = folder === "" ? { prefix: "", shallow: true } : { prefix: `${folder}/` };
  const pages = run.access.bucket.list({
    ...where,
    ...withSignal(signal),
    ...(versions === true ? { versions } : {}),
  });
  let left = PATIENCE_PAGES * (1 + Math.ceil(keys.length / PAGE_KEYS));
  const iterator = pages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await orStopped(signal, iterator.next());
      if (next.done === true) return [];
      for (const object of next.value.objects) {
        if (wanted.delete(object.key)) run.found.set(object.key, object);
      }
      const end = next.value.objects.at(-1)?.key;
      if (wanted.size === 0 || (end !== undefined && compareKeys(end, last) >= 0)) return [];
      if (--left === 0) return [...wanted].filter((key) => end === undefined || compareKeys(key, end) > 0);
    }
  } finally {
    await iterator.return?.();
  }
}

/** The deepest folder that all of them are below. */
function commonFolder(keys: readonly string[]): string {
  let folder = parentKey(keys[0]!);
  for (const key of keys) {
    while (folder !== "" && !key.startsWith(`${folder}/`)) folder = parentKey(folder);
  }
  return folder;
}

/** The folder directly below `folder` that a key is in; undefined when it is in `folder` itself. */
function childFolder(key: string, folder: string): string | undefined {
  const start = folder === "" ? 0 : folder.length + 1;
  const slash = key.indexOf("/", start);
  return slash === -1 ? undefined : key.slice(0, slash);
}
