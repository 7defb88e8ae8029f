/**
 * An entry of the store: files of a component, kept in the snapshot store under a manifest of their own. `store~<hash>` is
 * named by what it holds, `cache~<key>` by what it was made from.
 */
import { IntegrityError, RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";
import { isJsonObject } from "#/core/json.ts";
import { componentNameProblem } from "../model.ts";
import type { ContentRef, SnapshotManifest } from "#/store/model.ts";
import type { SnapshotStore, StoreReader } from "#/store/store.ts";
import { isContentRef } from "#/store/tree_refs.ts";

export type EntryKind = "store" | "cache";

/** Labels that backout itself writes; people's begin with another word. */
const OWN = "backout.";
export const EntryLabel = {
  /** Remote stores that it is still to be sent to, one in a line. */
  pending: `${OWN}pending`,
  /** RFC 3339: since when nobody needs it, as a collection found. */
  doomed: `${OWN}doomed`,
  version: `${OWN}version`,
  /** The names that it had in a `.meta-store`, one in a line. */
  metaHash: `${OWN}meta-hash`,
} as const;

/** What people and scripts see of an entry. */
export interface EntryView {
  readonly kind: EntryKind;
  /** The hash of a store entry, the key of a cache entry: 64 hex digits. */
  readonly id: string;
  /** Of what it holds. */
  readonly hash: string;
  readonly component: string;
  readonly version: string | null;
  readonly description: string;
  /** RFC 3339. */
  readonly created_at: string;
  readonly by: string;
  readonly host: string;
  readonly files: number;
  readonly bytes: number;
  /** Bytes that it added to the store where it was made, compressed. */
  readonly stored_bytes: number;
  readonly pinned: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Remote stores that it has not reached yet. */
  readonly pending: readonly string[];
  /** Since when a collection finds no use of it; null when it is used. */
  readonly doomed_since: string | null;
  /** Names that it had in a `.meta-store`. */
  readonly meta_hashes: readonly string[];
}

const TARGET_TYPE = { store: "store_entry", cache: "cache_entry" } as const;
const ID = /^(store|cache)~([0-9a-f]{64})$/;
const HASH = /^[0-9a-f]{64}$/;
const PREFIX = /^[0-9a-f]{4,64}$/;

export function entryId(kind: EntryKind, name: string): string {
  return `${kind}~${name}`;
}

/** Kind and name of a manifest's id; undefined where it is none of an entry. */
export function parseEntryId(id: string): { readonly kind: EntryKind; readonly name: string } | undefined {
  const match = ID.exec(id);
  return match === null ? undefined : { kind: match[1] as EntryKind, name: match[2]! };
}

export interface NewEntry {
  readonly kind: EntryKind;
  /** Hash or key. */
  readonly name: string;
  readonly hash: string;
  readonly component: string;
  readonly description: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly pinned: boolean;
  readonly by: string;
  readonly workspace: string;
  readonly now: Date;
  readonly tree: ContentRef;
  readonly files: number;
  readonly bytes: number;
  readonly storedBytes: number;
}

export function manifestOf(entry: NewEntry): SnapshotManifest {
  const { kind, tree, description, pinned, by, workspace, labels, hash, files, bytes } = entry;
  return {
    format: 1,
    id: entryId(kind, entry.name),
    ...{ description, created_at: entry.now.toISOString(), origin: "manual", operation_id: "", by },
    ...{ host: hostName(), machine_id: "", workspace, pinned, mark: "", labels, warnings: [] },
    targets: [{
      ...{ name: entry.component, type: TARGET_TYPE[kind], undo: "exact", config: {}, method: "tree" },
      ...{ metadata: { hash }, state: { tree: { ...tree, chunks: [...tree.chunks] } } },
      roots: [{ kind: "tree", content: tree }],
      ...{ fingerprint: hash, files, bytes, stored_bytes: entry.storedBytes, seconds: 0, warnings: [] },
    }],
  };
}

function hostName(): string {
  try {
    return Deno.hostname();
  } catch {
    return "unknown";
  }
}

/** Whether a manifest says what that of an entry must; one from a store that others write to may say anything. */
function isEntry(manifest: SnapshotManifest): boolean {
  const { labels, targets, description, created_at, by, host, pinned } = manifest;
  const target = Array.isArray(targets) ? targets[0] : undefined;
  return parseEntryId(manifest.id) !== undefined && isJsonObject(target) && isJsonObject(labels) &&
    [description, by, host, ...Object.values(labels)].every((it) => typeof it === "string") &&
    typeof pinned === "boolean" && typeof created_at === "string" && !Number.isNaN(Date.parse(created_at)) &&
    typeof target.name === "string" && componentNameProblem(target.name) === undefined &&
    HASH.test(String(target.fingerprint)) && isJsonObject(target.state) &&
    [target.files, target.bytes, target.stored_bytes].every((it) => Number.isSafeInteger(it));
}

/** @throws {IntegrityError} the manifest is not that of an entry */
export function viewOf(manifest: SnapshotManifest): EntryView {
  if (!isEntry(manifest)) throw noEntry(manifest.id);
  const named = parseEntryId(manifest.id)!;
  const target = manifest.targets[0]!;
  const { labels, description, created_at, by, host, pinned } = manifest;
  const own = Object.entries(labels).filter(([name]) => !name.startsWith(OWN));
  return {
    ...{ kind: named.kind, id: named.name, hash: target.fingerprint, component: target.name },
    version: labels[EntryLabel.version] ?? null,
    ...{ description, created_at, by, host, files: target.files, bytes: target.bytes },
    stored_bytes: target.stored_bytes,
    pinned,
    labels: Object.fromEntries(own),
    pending: pendingOf(manifest),
    doomed_since: labels[EntryLabel.doomed] ?? null,
    meta_hashes: metaHashesOf(manifest),
  };
}

/** Remote stores that an entry has not reached yet. */
export function pendingOf({ labels }: SnapshotManifest): readonly string[] {
  return linesOf(labels[EntryLabel.pending]);
}

/** Names that an entry had in a `.meta-store`. */
export function metaHashesOf({ labels }: SnapshotManifest): readonly string[] {
  return linesOf(labels[EntryLabel.metaHash]);
}

function linesOf(text = ""): readonly string[] {
  return text.split("\n").filter((it) => it !== "");
}

/** Where the tree of an entry is. @throws {IntegrityError} */
export function treeOf(manifest: SnapshotManifest): ContentRef {
  const tree = isEntry(manifest) ? manifest.targets[0]!.state.tree : undefined;
  if (!isContentRef(tree)) throw noEntry(manifest.id);
  return tree;
}

function noEntry(id: string): IntegrityError {
  return new IntegrityError(`The manifest ${id} is not that of an entry`, {
    hint: "It was written by something else: delete it with `backout store gc`, or look at the store.",
    context: { id },
  });
}

/** All entries, newest first, and the files of damaged ones. */
export async function listEntries(
  store: StoreReader,
): Promise<{ readonly entries: readonly SnapshotManifest[]; readonly damaged: readonly string[] }> {
  const { snapshots, damaged } = await store.listSnapshots({ kind: "entries" });
  const odd = snapshots.filter((it) => !isEntry(it)).map(({ id }) => `snapshots/${id}.json`);
  return { entries: snapshots.filter(isEntry).toReversed(), damaged: [...damaged, ...odd] };
}

/** @throws {UsageError} the text cannot be a hash or the beginning of one */
export function assertHashPrefix(text: string): void {
  if (PREFIX.test(text)) return;
  throw new UsageError(`Cannot use ${quoteShort(text)} as a hash: it is not 4 to 64 lower-case hex digits`, {
    hint: "See `backout store list`.",
  });
}

/**
 * An entry by its hash or key, or a unique beginning of it; also by the name it had in a `.meta-store`.
 * @returns undefined when there is none
 * @throws {RollbackVersionNotFoundError} 40: several begin so
 */
export async function findEntry(
  store: StoreReader,
  kind: EntryKind,
  wanted: string,
): Promise<SnapshotManifest | undefined> {
  assertHashPrefix(wanted);
  if (HASH.test(wanted)) {
    const exact = await store.readSnapshot(entryId(kind, wanted));
    if (exact !== undefined) return exact;
  }
  const { entries } = await listEntries(store);
  const matches = entries.filter((entry) =>
    entry.id.startsWith(entryId(kind, wanted)) ||
    entry.id.startsWith(`${kind}~`) && metaHashesOf(entry).some((it) => it.startsWith(wanted))
  );
  if (matches.length < 2) return matches[0];
  const names = matches.slice(0, 5).map(({ id }) => parseEntryId(id)?.name.slice(0, 16));
  throw new RollbackVersionNotFoundError(
    `${quoteShort(wanted)} names ${matches.length} entries: ${names.join(", ")}`,
    { hint: "Give more of the hash.", context: { hash: wanted } },
  );
}

/** Nothing has this hash. */
export function entryNotFound(
  kind: EntryKind,
  wanted: string,
  places: readonly string[],
): RollbackVersionNotFoundError {
  const what = kind === "store" ? "entry" : "cached build";
  return new RollbackVersionNotFoundError(
    `There is no ${what} ${quoteShort(wanted)} in ${places.join(" or ")}`,
    { hint: `See \`backout ${kind} list\`.`, context: { hash: wanted } },
  );
}

/** Replaces some of an entry's own labels; undefined takes one away. */
export async function relabel(
  store: SnapshotStore,
  manifest: SnapshotManifest,
  change: Readonly<Record<string, string | undefined>>,
): Promise<SnapshotManifest> {
  const now = await store.readSnapshot(manifest.id) ?? manifest;
  const kept = Object.entries({ ...now.labels, ...change }).filter(([, value]) => value !== undefined);
  return await store.updateSnapshot(manifest.id, {
    labels: Object.fromEntries(kept) as Record<string, string>,
  });
}
