/**
 * `store gc`: lets entries go that nothing needs, in two steps, then frees what no manifest refers to.
 *
 *  1. An entry that is old enough, and that nothing keeps, is noted as doomed, with the time.
 *  2. A later run deletes those that have been doomed for the minimum age and are so still. It has the store for itself
 *     then, so an entry that somebody adds again meanwhile is either seen, or added after it went.
 *
 * What keeps an entry: a pin, a lock file or manifest that names its hash, being the newest of its component, or a remote
 * store that it has not reached yet.
 */
import { join } from "node:path";
import { LockedError, messageOf } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { attempt } from "#/core/system_error.ts";
import { collect, type CollectReport } from "#/store/collect.ts";
import type { SnapshotManifest } from "#/store/model.ts";
import { lockStore } from "#/store/store_lock.ts";
import { partsOf, type StoreParts } from "#/store/store_parts.ts";
import type { SnapshotStore } from "#/store/store.ts";
import { EntryLabel, listEntries, metaHashesOf, parseEntryId, pendingOf, relabel } from "../entry/entry.ts";
import { type EntryOptions, withStores } from "../entry/stores.ts";
import { MANIFEST_FOLDER } from "../model.ts";
import { StorageError } from "#/core/errors.ts";

export interface GcOptions extends EntryOptions {
  /** How old an entry must be, and then how long doomed, in milliseconds. @default a day; of a remote store 30 days */
  readonly minAgeMs?: number;
  readonly dryRun?: boolean;
  readonly lockTimeoutMs?: number;
}

export interface GcEntry {
  readonly id: string;
  readonly component: string;
  readonly created_at: string;
  /** Why it stays or goes. */
  readonly reason: string;
}

export interface GcReport {
  readonly store: string;
  readonly dry_run: boolean;
  readonly kept: readonly GcEntry[];
  /** Found without a use: they go with a later run. */
  readonly doomed: readonly GcEntry[];
  readonly removed: readonly GcEntry[];
  /** Who was at work, so that no entry was removed this time; null when nobody was. */
  readonly deferred: string | null;
  /** Of the bytes; null where there is no store yet. */
  readonly collected: CollectReport | null;
}

const DAY_MS = 24 * 3_600_000;
/** As `snapshot collect`: it protects those who are reading. */
const PACK_AGE_MS = 3_600_000;

/** With a remote store it is that one which is collected. @throws {StorageError} 52: it cannot be reached */
export async function collectEntries(options: GcOptions): Promise<GcReport> {
  const { remote } = options;
  return await withStores(options, async (stores) => {
    if (remote === undefined) return await collectIn(stores.local, options, options.minAgeMs ?? DAY_MS);
    const report = await stores.remote((store) => collectIn(store, options, options.minAgeMs ?? 30 * DAY_MS));
    if (report !== undefined) return report;
    throw new StorageError(`Cannot collect ${remote}: ${stores.away()}`, {
      hint: "Try again when it is back.",
    });
  });
}

async function collectIn(store: SnapshotStore, options: GcOptions, minAgeMs: number): Promise<GcReport> {
  const { dryRun = false, now = () => new Date() } = options;
  // One moment for the whole run: what is found now is never old enough by the time that the run takes.
  const at = now();
  const parts = await partsOf(store, options.store.level);
  const empty: GcReport = {
    ...{
      store: store.location,
      dry_run: dryRun,
      kept: [],
      doomed: [],
      removed: [],
      deferred: null,
      collected: null,
    },
  };
  if (parts === undefined) return empty;
  const judged = judge((await listEntries(store)).entries, options.folder, at.getTime(), minAgeMs);
  if (!dryRun) await noteVerdicts(store, judged, at, options.signal);
  const ripe = judged.filter(({ since }) => since !== undefined && at.getTime() - since >= minAgeMs);
  const report: GcReport = {
    ...empty,
    kept: judged.filter(({ since }) => since === undefined).map(rowOf),
    doomed: judged.filter((it) => it.since !== undefined && !ripe.includes(it)).map(rowOf),
    removed: ripe.map(rowOf),
  };
  const swept = dryRun ? report : await sweep(store, parts, report, { ...options, now: () => at }, minAgeMs);
  const { signal, by, lockTimeoutMs } = options;
  const collected = await collect(parts, {
    ...{ minAgeMs: Math.min(minAgeMs, PACK_AGE_MS), dryRun, signal, now: () => at.getTime() },
    ...(by === undefined ? {} : { by }),
    ...(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }),
  });
  return { ...swept, collected };
}

interface Judged {
  readonly manifest: SnapshotManifest;
  /** Doomed since, in milliseconds since 1970; undefined: it stays. */
  readonly since: number | undefined;
  readonly reason: string;
}

function rowOf({ manifest, reason }: Judged): GcEntry {
  const { id, created_at, targets } = manifest;
  return { id, component: targets[0]?.name ?? "", created_at, reason };
}

/** @param entries newest first */
function judge(
  entries: readonly SnapshotManifest[],
  folder: string,
  now: number,
  minAgeMs: number,
): readonly Judged[] {
  const named = hashesInManifests(folder);
  const seen = new Set<string>();
  return entries.map((manifest) => {
    const kind = parseEntryId(manifest.id)?.kind ?? "store";
    const group = `${kind} ${manifest.targets[0]?.name}`;
    const isNewest = !seen.has(group);
    seen.add(group);
    const reason = keptBecause(manifest, isNewest, named, now, minAgeMs);
    if (reason !== undefined) return { manifest, since: undefined, reason };
    const doomed = Date.parse(manifest.labels[EntryLabel.doomed] ?? "");
    return {
      manifest,
      since: Number.isNaN(doomed) ? now : Math.min(doomed, now),
      reason: "nothing needs it",
    };
  });
}

function keptBecause(
  manifest: SnapshotManifest,
  isNewest: boolean,
  named: ReadonlyMap<string, string>,
  now: number,
  minAgeMs: number,
): string | undefined {
  if (manifest.pinned) return "it is pinned";
  const hashes = [
    parseEntryId(manifest.id)?.name ?? "",
    manifest.targets[0]?.fingerprint ?? "",
    ...metaHashesOf(manifest),
  ];
  const by = [...named].find(([name]) => hashes.some((hash) => hash.startsWith(name)))?.[1];
  if (by !== undefined) return `${by} names it`;
  if (isNewest) return "it is the newest of its component";
  if (pendingOf(manifest).length > 0) return `it has not reached ${pendingOf(manifest)[0]} yet`;
  const age = now - Date.parse(manifest.created_at);
  return age < minAgeMs ? "it is not old enough" : undefined;
}

/** Whatever looks like a hash, or the beginning of one, in a lock file or manifest, with the file: what they call the field is their own business. */
function hashesInManifests(folder: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { name } of posix.readFolder(join(folder, MANIFEST_FOLDER)) ?? []) {
    if (!/\.(ya?ml|json)$/.test(name)) continue;
    const path = join(folder, MANIFEST_FOLDER, name);
    // What cannot be read may name an entry: that is an error. A folder names none, and a FIFO would be waited for.
    if (!attempt("read", path, () => Deno.statSync(path)).isFile) continue;
    const text = attempt("read", path, () => Deno.readTextFileSync(path));
    for (const [hash] of text.matchAll(/\b[0-9a-f]{8,128}\b/g)) found.set(hash, `${MANIFEST_FOLDER}/${name}`);
  }
  return found;
}

/** Writes down since when entries are doomed, and that others no longer are. */
async function noteVerdicts(
  store: SnapshotStore,
  judged: readonly Judged[],
  now: Date,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const { manifest, since } of judged) {
    throwIfStopped(signal);
    const noted = manifest.labels[EntryLabel.doomed];
    if ((since === undefined) === (noted === undefined)) continue;
    const value = since === undefined ? undefined : now.toISOString();
    await relabel(store, manifest, { [EntryLabel.doomed]: value });
  }
}

/** Deletes what is doomed still, alone in the store, so that nobody relies on it at this moment. */
async function sweep(
  store: SnapshotStore,
  { backend }: StoreParts,
  report: GcReport,
  options: GcOptions,
  minAgeMs: number,
): Promise<GcReport> {
  if (report.removed.length === 0) return report;
  const { signal, by, lockTimeoutMs, now = () => new Date() } = options;
  const removed: GcEntry[] = [];
  try {
    await using lock = await lockStore(backend, "exclusive", {
      ...{ operation: "remove entries that nothing needs", signal },
      ...(by === undefined ? {} : { by }),
      ...(lockTimeoutMs === undefined ? {} : { timeoutMs: lockTimeoutMs }),
    });
    const named = hashesInManifests(options.folder);
    for (const entry of report.removed) {
      throwIfStopped(signal);
      const manifest = await store.readSnapshot(entry.id);
      const since = Date.parse(manifest?.labels[EntryLabel.doomed] ?? "");
      // Somebody needed it meanwhile.
      if (manifest === undefined || !(now().getTime() - since >= minAgeMs)) continue;
      if (keptBecause(manifest, false, named, now().getTime(), minAgeMs) !== undefined) continue;
      await lock.assertHeld();
      await store.deleteSnapshot(entry.id);
      removed.push(entry);
    }
    return { ...report, removed };
  } catch (error) {
    if (!(error instanceof LockedError)) throw error;
    return {
      ...report,
      removed: [],
      doomed: [...report.doomed, ...report.removed],
      deferred: messageOf(error),
    };
  }
}
