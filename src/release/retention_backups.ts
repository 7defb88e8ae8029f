/**
 * The backups of a repository as retention sees them: what restores only together is one item, and what somebody would
 * miss at night is marked as needed.
 */
import { parseBackupFolderName } from "#/core/ids.ts";
import { readJournal, unfinishedIds } from "#/operation/journal.ts";
import type { RetentionItem } from "#/policy/retention.ts";
import { lastGood } from "#/release/rollback_target.ts";
import { type BackupManifest, listBackupNames, loadManifest } from "#/repository/backup_folder.ts";
import type { ReleaseEntry, RepositoryIndex } from "#/repository/index_format.ts";
import { filesWithoutManifest } from "#/repository/backup_files.ts";
import { findEntry } from "#/repository/version_state.ts";
import { mapLimited, READS_AT_ONCE } from "#/storage/limit.ts";
import type { ObjectReader } from "#/storage/object_store.ts";

/** One backup folder. */
export interface BackupFacts {
  readonly name: string;
  readonly version: string;
  /** RFC 3339, null where neither manifest nor name says it. */
  readonly at: string | null;
  /** What deleting it frees. */
  readonly bytes: number;
  readonly rollbackId: string | null;
  /** The index entry that the rollback took out. */
  readonly entry: ReleaseEntry | undefined;
  /** The backups that together hold the version's artifacts, as the manifest has them. */
  readonly together: readonly string[];
}

/** Backups that restore a version only together; most often one. Oldest first. */
export interface BackupGroup {
  readonly members: readonly BackupFacts[];
  readonly item: RetentionItem;
}

/** All backups, by what restores together. @throws {StorageError} when the storage cannot be read */
export async function inspectBackups(
  store: ObjectReader,
  index: RepositoryIndex,
  now: Date,
): Promise<readonly BackupGroup[]> {
  const names = await listBackupNames(store);
  const backups = await mapLimited(names, READS_AT_ONCE, (name) => backupFacts(store, name));
  const needs = new Needs();
  needs.addAll(await neededByUnfinished(store, names));
  needs.addAll(neededByNewestRollback(index, backups, now));
  needs.addAll(neededByChannels(index));
  needs.addAll(neededAsLastGood(index, backups));
  return groups(index, backups).map((members) => ({ members, item: itemOf(index, members, needs) }));
}

async function backupFacts(store: ObjectReader, name: string): Promise<BackupFacts> {
  const manifest = await loadManifest(store, name).catch(() => undefined); // a damaged one grows old, too
  const parsed = parseBackupFolderName(name);
  return {
    name,
    version: manifest?.version ?? parsed?.version ?? name,
    at: manifest?.created_at ?? parsed?.at ?? null,
    bytes: manifest === undefined ? await bytesInFolder(store, name) : bytesOf(manifest),
    rollbackId: manifest?.rollback_id ?? null,
    entry: manifest?.entry,
    together: manifest?.backups ?? [],
  };
}

function bytesOf({ artifacts, stored }: BackupManifest): number {
  // The bucket's own versions are not in the folder: what keeps them is the bucket's lifecycle.
  return stored === "versions" ? 0 : artifacts.reduce((sum, { size }) => sum + size, 0);
}

async function bytesInFolder(store: ObjectReader, name: string): Promise<number> {
  const files = await filesWithoutManifest(store, name);
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** The first reason is enough. */
class Needs {
  readonly #reasons = new Map<string, string>();

  addAll(needed: ReadonlyMap<string, string>): void {
    for (const [name, reason] of needed) if (!this.#reasons.has(name)) this.#reasons.set(name, reason);
  }

  of(name: string): string | undefined {
    return this.#reasons.get(name);
  }
}

function need(names: readonly string[], reason: string): ReadonlyMap<string, string> {
  return new Map(names.map((name) => [name, reason]));
}

async function neededByUnfinished(
  store: ObjectReader,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const needed = new Map<string, string>();
  for (const id of await unfinishedIds(store)) {
    try {
      const journal = await readJournal(store, id);
      const sources = (journal?.steps ?? []).flatMap((step) =>
        step.kind === "add_artifacts" && "backups" in step.from ? step.from.backups : []
      );
      for (const name of [...journal?.backups ?? [], ...sources]) {
        needed.set(name, `the unfinished ${journal!.title} needs it`);
      }
    } catch {
      return need(names, `the unfinished operation ${id} may need it`); // nobody knows what it was at
    }
  }
  return needed;
}

/** Versions that are out (in whole or in part), each with its backups. */
function takenOut(index: RepositoryIndex): readonly { version: string; backups: readonly string[] }[] {
  const stones = (index.rolled_back ?? []).map(({ version, backups, backup }) => ({
    version,
    backups: backups ?? (backup === null ? [] : [backup]),
  }));
  const entries = index.releases.map(({ version, backups }) => ({ version, backups: backups ?? [] }));
  return [...stones, ...entries].filter(({ backups }) => backups.length > 0);
}

/** The newest rollback that was not undone, with all the versions that it took: somebody may still take it back. */
function neededByNewestRollback(
  index: RepositoryIndex,
  backups: readonly BackupFacts[],
  now: Date,
): ReadonlyMap<string, string> {
  const live = new Set(takenOut(index).flatMap((out) => out.backups));
  const known = backups.filter(({ name, at }) => live.has(name) && Date.parse(at ?? "") <= now.getTime());
  const newest = known.toSorted((a, b) => Date.parse(a.at!) - Date.parse(b.at!)).at(-1);
  if (newest === undefined) return new Map();
  const same = known.filter(({ name, rollbackId }) =>
    name === newest.name || (rollbackId !== null && rollbackId === newest.rollbackId)
  );
  return need(same.map(({ name }) => name), "the newest rollback that was not undone");
}

/** A channel may name a release that is published in part. */
function neededByChannels(index: RepositoryIndex): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(index.channels ?? {}).flatMap(([channel, { version }]) =>
      (findEntry(index, version)?.backups ?? []).map((name) =>
        [name, `channel ${channel} names ${version}, and its other artifacts are only here`] as const
      )
    ),
  );
}

/** Where no good release is published any more, the last good one that is only in a backup. */
function neededAsLastGood(
  index: RepositoryIndex,
  backups: readonly BackupFacts[],
): ReadonlyMap<string, string> {
  const published = lastGood(index);
  const isMarked = published !== undefined && findEntry(index, published)?.mark?.verdict === "good";
  if (isMarked) return new Map();
  const out = takenOut(index).flatMap(({ version, backups: names }) => {
    const newest = backups.findLast(({ name }) => names.includes(name));
    const entry = findEntry(index, version) ?? newest?.entry;
    return newest === undefined || entry === undefined ? [] : [{ version, names, entry, at: newest.at }];
  }).toSorted((a, b) => publishedMs(b) - publishedMs(a));
  const marked = out.find(({ entry }) => entry.mark?.verdict === "good");
  if (marked !== undefined) {
    return need(marked.names, `${marked.version} was marked good, and none that is published is`);
  }
  if (published !== undefined) return new Map();
  const unmarked = out.find(({ entry }) => entry.mark?.verdict !== "bad" && entry.yanked === undefined);
  if (unmarked === undefined) return new Map();
  return need(unmarked.names, `no good release is published, and ${unmarked.version} is the last one`);
}

function publishedMs({ entry, at }: { readonly entry: ReleaseEntry; readonly at: string | null }): number {
  const ms = Date.parse(entry.timestamp ?? at ?? "");
  return Number.isNaN(ms) ? 0 : ms;
}

/** Backups that index or manifests name together are one group. */
function groups(
  index: RepositoryIndex,
  backups: readonly BackupFacts[],
): readonly (readonly BackupFacts[])[] {
  const leader = new Map(backups.map(({ name }) => [name, name]));
  const find = (name: string): string => {
    let at = name;
    while (leader.get(at) !== at) at = leader.get(at)!;
    return at;
  };
  const named = [
    ...takenOut(index).map((out) => out.backups),
    ...backups.map((it) => [it.name, ...it.together]),
  ];
  for (const names of named) {
    const [first, ...others] = names.filter((name) => leader.has(name));
    for (const other of others) leader.set(find(other), find(first!));
  }
  const byLeader = Map.groupBy(backups, ({ name }) => find(name));
  return [...byLeader.values()].map((members) => members.toSorted(byAge));
}

function byAge(a: BackupFacts, b: BackupFacts): number {
  return (a.at ?? "").localeCompare(b.at ?? "") || a.name.localeCompare(b.name);
}

function itemOf(index: RepositoryIndex, members: readonly BackupFacts[], needs: Needs): RetentionItem {
  const newest = members.at(-1)!;
  const pins = members.flatMap(({ name }) => index.backup_pins?.[name] ?? []);
  return {
    id: newest.name,
    at: newest.at ?? "",
    bytes: members.reduce((sum, { bytes }) => sum + bytes, 0),
    pinned: pins.length === 0 ? undefined : pinWords(pins[0]!),
    needed: members.map(({ name }) => needs.of(name)).find((reason) => reason !== undefined),
  };
}

function pinWords({ by, reason }: { readonly by: string; readonly reason: string }): string {
  return reason === "" ? `by ${by}` : `${reason} (${by})`;
}
