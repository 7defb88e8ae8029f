/** `store list`, `store query`, `cache list` and the numbers: what there is, here, in the remote store, in a `.meta-store`. */
import type { EntryKind, EntryView } from "../entry/entry.ts";
import { listEntries, parseEntryId, viewOf } from "../entry/entry.ts";
import { type EntryOptions, type EntryStores, withStores } from "../entry/stores.ts";
import type { SnapshotStore } from "#/store/store.ts";
import { listMetaStore, type MetaEntry } from "./meta_store.ts";

export type EntryPlace = "local" | "remote";

export interface EntryRow extends EntryView {
  readonly places: readonly EntryPlace[];
}

export interface EntryList {
  /** Newest first. */
  readonly entries: readonly EntryRow[];
  /** Those of a `.meta-store` that were not taken over. */
  readonly meta_store: readonly MetaEntry[];
  /** Files of manifests that cannot be read, with the place. */
  readonly damaged: readonly string[];
  readonly store: string;
  readonly remote: string | null;
  /** Why the remote store could not be asked; null where it was, or none was given. */
  readonly remote_away: string | null;
}

export interface ListEntriesOptions extends EntryOptions {
  readonly kind: EntryKind;
  readonly filter?: EntryFilter;
}

/** All that is given must hold. */
export interface EntryFilter {
  readonly component?: string;
  readonly version?: string;
  /** The beginning of a hash or key. */
  readonly hash?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly pinned?: boolean;
  /** Milliseconds since 1970. */
  readonly since?: number;
  readonly until?: number;
}

export async function listAllEntries(options: ListEntriesOptions): Promise<EntryList> {
  const { kind, filter = {}, folder } = options;
  return await withStores(options, async (stores) => {
    const here = await rowsOf(stores.local, kind, "local");
    const there = await stores.remote((store) => rowsOf(store, kind, "remote"));
    const entries = merged(here.rows, there?.rows ?? []).filter((entry) => matches(entry, filter));
    const known = new Set(here.rows.flatMap(({ meta_hashes }) => meta_hashes));
    const old = kind === "cache" ? [] : listMetaStore(folder).filter((entry) => !known.has(entry.hash));
    return {
      entries,
      meta_store: old.filter((entry) => matchesMeta(entry, filter)),
      damaged: [...here.damaged, ...there?.damaged ?? []],
      ...placesOf(stores, options),
    };
  });
}

function placesOf(
  stores: EntryStores,
  { remote }: EntryOptions,
): Pick<EntryList, "store" | "remote" | "remote_away"> {
  return { store: stores.local.location, remote: remote ?? null, remote_away: stores.away() ?? null };
}

async function rowsOf(
  store: SnapshotStore,
  kind: EntryKind,
  place: EntryPlace,
): Promise<{ readonly rows: readonly EntryRow[]; readonly damaged: readonly string[] }> {
  const { entries, damaged } = await listEntries(store);
  const own = entries.filter(({ id }) => parseEntryId(id)?.kind === kind);
  const broken = damaged.filter((name) => name.includes(`${kind}~`)).map((name) =>
    `${store.location}: ${name}`
  );
  return { rows: own.map((entry) => ({ ...viewOf(entry), places: [place] })), damaged: broken };
}

/** One row for an entry that both have; what people say of it is this machine's. */
function merged(here: readonly EntryRow[], there: readonly EntryRow[]): readonly EntryRow[] {
  const rows = new Map<string, EntryRow>(here.map((row) => [row.id, row]));
  for (const row of there) {
    const known = rows.get(row.id);
    rows.set(row.id, known === undefined ? row : { ...known, places: [...known.places, "remote"] });
  }
  return [...rows.values()].sort((a, b) =>
    a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : a.id < b.id ? -1 : 1
  );
}

function matches(entry: EntryRow, filter: EntryFilter): boolean {
  const { component, version, hash, labels = {}, pinned, since, until } = filter;
  const made = Date.parse(entry.created_at);
  return (component === undefined || entry.component === component) &&
    (version === undefined || entry.version === version) &&
    (hash === undefined || [entry.id, entry.hash, ...entry.meta_hashes].some((it) => it.startsWith(hash))) &&
    (pinned === undefined || entry.pinned === pinned) &&
    (since === undefined || made >= since) && (until === undefined || made <= until) &&
    Object.entries(labels).every(([name, value]) => entry.labels[name] === value);
}

/** A `.meta-store` knows of nothing but hash and time. */
function matchesMeta(entry: MetaEntry, filter: EntryFilter): boolean {
  const { hash, since, until, component, version, labels = {}, pinned } = filter;
  if (component !== undefined || version !== undefined || pinned !== undefined) return false;
  if (Object.keys(labels).length > 0) return false;
  const made = Date.parse(entry.changed_at);
  return (hash === undefined || entry.hash.startsWith(hash)) &&
    (since === undefined || made >= since) && (until === undefined || made <= until);
}

export interface EntryStats {
  readonly store: string;
  readonly entries: number;
  readonly pinned: number;
  /** Sent to the remote store still. */
  readonly waiting: number;
  /** Files and bytes of all entries as they would be written out, so what they share counts for each. */
  readonly files: number;
  readonly bytes: number;
  /** Bytes that the whole store takes, snapshots of targets included. */
  readonly store_bytes: number;
  readonly packs: number;
  readonly components: readonly {
    readonly component: string;
    readonly entries: number;
    readonly bytes: number;
    /** RFC 3339. */
    readonly newest: string;
  }[];
  readonly meta_store: number;
  /** The remote store's; null where none was given or it is away. */
  readonly remote:
    | { readonly location: string; readonly entries: number; readonly store_bytes: number }
    | null;
}

export async function entryStats(options: EntryOptions & { readonly kind: EntryKind }): Promise<EntryStats> {
  const { kind, remote } = options;
  return await withStores(options, async (stores) => {
    const { rows } = await rowsOf(stores.local, kind, "local");
    const usage = await stores.local.usage();
    const there = await stores.remote(async (store) => ({
      entries: (await rowsOf(store, kind, "remote")).rows.length,
      store_bytes: (await store.usage()).bytes,
    }));
    const sum = (key: "files" | "bytes") => rows.reduce((total, row) => total + row[key], 0);
    return {
      store: stores.local.location,
      entries: rows.length,
      pinned: rows.filter(({ pinned }) => pinned).length,
      waiting: rows.filter(({ pending }) => pending.length > 0).length,
      files: sum("files"),
      bytes: sum("bytes"),
      store_bytes: usage.bytes,
      packs: usage.packs,
      components: byComponent(rows),
      meta_store: kind === "cache" ? 0 : listMetaStore(options.folder).length,
      remote: there === undefined ? null : { location: remote!, ...there },
    };
  });
}

/** @param rows newest first */
function byComponent(rows: readonly EntryRow[]): EntryStats["components"] {
  const names = [...new Set(rows.map(({ component }) => component))].sort();
  return names.map((component) => {
    const own = rows.filter((row) => row.component === component);
    const bytes = own.reduce((total, row) => total + row.bytes, 0);
    return { component, entries: own.length, bytes, newest: own.map((it) => it.created_at).sort().at(-1)! };
  });
}
