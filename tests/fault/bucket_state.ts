/** What a repository in a bucket holds, in a form in which two runs of the same operation compare equal. */
import { listedDigest, type StoredObject } from "./bucket_objects.ts";
import { isBookkeeping, normalize, withoutIds } from "./state.ts";

/** Key to content type, metadata and digest; ids and times are taken out. */
export type BucketState = Readonly<Record<string, string>>;

type Objects = ReadonlyMap<string, Omit<StoredObject, "tag">>;

/** Everything but history, audit and lock. */
export function stateOf(objects: Objects): BucketState {
  const state: Record<string, string> = {};
  for (const [key, { bytes, contentType, metadata }] of objects) {
    if (isBookkeeping(key)) continue;
    const digest = listedDigest(new Uint8Array(withoutGenerations(normalize(key, bytes))));
    state[withoutIds(key)] = `${contentType} ${JSON.stringify(metadata)} ${digest}`;
  }
  return state;
}

/** Google's tags number the writes of an object: they are others each time. */
function withoutGenerations(bytes: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(bytes);
  return new TextEncoder().encode(text.replaceAll(/"(tag|version_id)": ?"\d+"/g, '"$1":"<generation>"'));
}

/** Artifact path to the digest that a listing shows. */
export type KnownArtifacts = ReadonlyMap<string, string>;

interface Entry {
  readonly version: string;
  readonly artifacts: readonly string[];
  readonly status?: string;
  readonly removed_artifacts?: readonly string[];
}

const BACKUPS = ".rollback-backups/";

/** Every artifact that is published or in a backup. */
export function knownArtifacts(objects: Objects, givenUp: readonly string[]): KnownArtifacts {
  const known = new Map<string, string>();
  const isKept = (path: string) => !givenUp.some((version) => path.startsWith(`${version}/`));
  for (const release of entriesOf(objects.get("index.json")!.bytes)) {
    for (const path of release.artifacts) {
      const object = objects.get(path);
      if (object !== undefined && isKept(path)) known.set(path, listedDigest(object.bytes));
    }
  }
  for (const [key, { bytes }] of objects) {
    const path = key.startsWith(BACKUPS) ? key.slice(key.indexOf("/", BACKUPS.length) + 1) : "manifest.json";
    if (path !== "manifest.json" && isKept(path)) known.set(path, listedDigest(bytes));
  }
  return known;
}

/**
 * What must hold at every instant: nothing is lost, and who reads the index finds the artifacts.
 * @param listed what the bucket holds, read after the index
 */
export function instantProblems(
  index: Uint8Array,
  listed: ReadonlyMap<string, string>,
  known: KnownArtifacts,
): readonly string[] {
  const anywhere = new Map<string, Set<string>>();
  for (const [key, digest] of listed) {
    const path = key.startsWith(BACKUPS) ? key.slice(key.indexOf("/", BACKUPS.length) + 1) : key;
    anywhere.set(path, (anywhere.get(path) ?? new Set()).add(digest));
  }
  const lost = [...known].filter(([path, digest]) => anywhere.get(path)?.has(digest) !== true);
  return [...lost.map(([path]) => `${path} is lost`), ...readerProblems(index, listed, known)];
}

function readerProblems(
  index: Uint8Array,
  listed: ReadonlyMap<string, string>,
  known: KnownArtifacts,
): readonly string[] {
  return entriesOf(index).flatMap((release) => {
    if (release.status === "emptied") return [];
    const removed = new Set(release.removed_artifacts ?? []);
    return release.artifacts.filter((path) => !removed.has(path)).flatMap((path) => {
      const digest = listed.get(path);
      if (digest === undefined) return [`${release.version} is listed, but ${path} is not there`];
      return (known.get(path) ?? digest) === digest ? [] : [`${path} is listed with other bytes`];
    });
  });
}

function entriesOf(index: Uint8Array): readonly Entry[] {
  return (JSON.parse(new TextDecoder().decode(index)) as { releases: readonly Entry[] }).releases;
}

/** Operation ids in the history, each with how it ended. */
export function historyOf(objects: Objects): ReadonlyMap<string, string> {
  const history = new Map<string, string>();
  for (const [key, { bytes }] of objects) {
    if (!key.startsWith(".backout/history/")) continue;
    const record = JSON.parse(new TextDecoder().decode(bytes)) as {
      id: string;
      operation: string;
      status: string;
    };
    history.set(record.id, `${record.operation} ${record.status}`);
  }
  return history;
}

/** Operation ids in the audit log, in its order. */
export function auditedIds(objects: Objects): readonly string[] {
  return [...objects].filter(([key]) => /^\.backout\/audit\/\d+\.json$/.test(key))
    .toSorted(([a], [b]) => a < b ? -1 : 1)
    .map(([, { bytes }]) => operationIdIn(new TextDecoder().decode(bytes)));
}

function operationIdIn(entry: string): string {
  return /"operation_id": ?"([^"]+)"/.exec(entry)?.[1] ?? "";
}
