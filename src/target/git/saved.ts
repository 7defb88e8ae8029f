/** What a snapshot keeps of a repository, read with care: its names may have been made up by somebody else. */
import { join } from "node:path";
import * as z from "zod";
import { IntegrityError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import type { ContentRef, SavedTarget } from "#/store/model.ts";
import type { StoreReader, StoreWriter } from "#/store/store.ts";
import { readIndex } from "./look.ts";
import { contentSchema, type KeptFile, keptFileSchema } from "../kept/model.ts";
import type { IndexEntry, RepositoryState } from "./model.ts";
import type { Repository } from "./git.ts";

const MAX_LISTING = 1 << 30;
const MAX_INDEX = 1 << 30;

const oid = z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/);
const repository = z.object({
  path: z.string(),
  branch: z.string().regex(/^refs\/[^\0\n]+$/).nullable(),
  commit: oid.nullable(),
  indexDigest: z.string(),
  kept: z.array(keptFileSchema),
  modes: z.record(z.string(), z.number().int().min(0).max(0o7777)),
  sparse: z.object({
    settings: z.record(z.string(), z.string().nullable()),
    patterns: z.string().nullable(),
  }),
  /** The index as it is; null where there is none. */
  index: contentSchema.nullable(),
  /** When it was written, in seconds: what was changed later than that is looked at closely. */
  index_time: z.number(),
  objects: z.object({ packs: z.array(contentSchema), relies_on: z.array(oid), shallow: z.array(oid) }),
});
const listing = z.object({
  format: z.literal(1),
  repositories: z.array(repository).min(1),
  config_files: z.array(keptFileSchema),
});

type Without<T> = { readonly [K in keyof T]: Exclude<T[K], undefined> };

/** A repository as it was, without the entries of its index (they are in `index`). */
export interface SavedRepository extends Omit<RepositoryState, "entries"> {
  readonly index: ContentRef | null;
  readonly index_time: number;
  readonly objects: {
    readonly packs: readonly ContentRef[];
    readonly relies_on: readonly string[];
    readonly shallow: readonly string[];
  };
}

export interface Listing {
  readonly format: 1;
  readonly repositories: readonly SavedRepository[];
  readonly config_files: readonly KeptFile[];
}

export async function writeListing(value: Listing, writer: StoreWriter): Promise<ContentRef> {
  return await writer.addBytes(new TextEncoder().encode(JSON.stringify(value)));
}

/** Everything that the listing refers to. */
export function contentsOf(value: Listing): readonly ContentRef[] {
  const files = [...value.config_files, ...value.repositories.flatMap((it) => it.kept)];
  return [
    ...files.flatMap((it) => it.content ?? []),
    ...value.repositories.flatMap((it) => [...(it.index === null ? [] : [it.index]), ...it.objects.packs]),
  ];
}

/** @throws {IntegrityError} it is not what a capture writes, or names what lies outside of the repository */
export async function readListing(saved: SavedTarget, store: StoreReader): Promise<Listing> {
  const where = contentSchema.safeParse(saved.state["listing"]);
  if (!where.success) throw damaged(saved, "it does not say where its listing is", where.error);
  const bytes = await store.readBytes(where.data as Without<typeof where.data>, { maxBytes: MAX_LISTING });
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw damaged(saved, "its listing is not JSON", error);
  }
  const parsed = listing.safeParse(value);
  if (!parsed.success) throw damaged(saved, z.prettifyError(parsed.error), parsed.error);
  for (const it of parsed.data.repositories) {
    if (it.path !== "") assertInside(it.path, saved);
    for (const file of it.kept) assertInside(file.path, saved);
    for (const path of Object.keys(it.modes)) assertInside(path, saved);
  }
  for (const { path } of parsed.data.config_files) {
    if (!path.startsWith("/") || hasOddPart(path.slice(1))) {
      throw damaged(saved, `it names ${JSON.stringify(path)}`);
    }
  }
  return parsed.data as Listing;
}

function assertInside(path: string, saved: SavedTarget): void {
  const isGit = path.split("/").some((it) => /^(?:\.git|git~\d+)[ .]*$/i.test(it));
  if (path.startsWith("/") || isGit || hasOddPart(path)) {
    throw damaged(saved, `it names ${JSON.stringify(path)}`);
  }
}

function hasOddPart(path: string): boolean {
  return path.includes("\0") || path.split("/").some((it) => it === "" || it === "." || it === "..");
}

function damaged(saved: SavedTarget, what: string, cause?: unknown): IntegrityError {
  return new IntegrityError(`The snapshot of ${saved.name} is damaged: ${what}`, {
    hint: "Check the store with `backout snapshot verify --read-data`, and restore another snapshot.",
    cause,
  });
}

/**
 * Puts the saved index into a folder, as old as it was, and reads its entries.
 * @returns the path of the file (not there where no index was), and the state with its entries
 */
export async function openSavedIndex(
  repository: Repository,
  saved: SavedRepository,
  store: StoreReader,
  folder: string,
  target: SavedTarget,
): Promise<{ readonly path: string; readonly state: RepositoryState }> {
  const path = join(folder, `index-${crypto.randomUUID()}`);
  if (saved.index !== null) {
    posix.writeNewFile(path, await store.readBytes(saved.index, { maxBytes: MAX_INDEX }), 0o600);
    // Git looks closely at files that are as young as the index.
    const time = new Date(saved.index_time * 1000);
    posix.setTimes(path, time, time);
  }
  const entries: readonly IndexEntry[] = (await readIndex(repository, path)).entries;
  for (const entry of entries) assertInside(entry.path, target);
  const { index: _index, index_time: _time, objects: _objects, ...state } = saved;
  return { path, state: { ...state, entries } };
}
