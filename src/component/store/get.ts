/** `store get`: an entry into a folder, from this machine's store, a remote one, or a `.meta-store`. */
import { resolve } from "node:path";
import { IntegrityError, messageOf } from "#/core/errors.ts";
import type { SnapshotManifest } from "#/store/model.ts";
import type { SnapshotStore } from "#/store/store.ts";
import {
  entryId,
  type EntryKind,
  entryNotFound,
  type EntryView,
  findEntry,
  parseEntryId,
  viewOf,
} from "../entry/entry.ts";
import { assertTargetIsApart } from "../entry/guard_target.ts";
import { type Put, putEntry, type PutOptions } from "../entry/put_entry.ts";
import { type EntryOptions, type EntryStores, withStores } from "../entry/stores.ts";
import { fetchEntry, sendPending } from "../entry/transfer.ts";
import { StorageError } from "#/core/errors.ts";
import { findInMetaStore, importMetaEntry } from "./meta_store.ts";

export interface GetOptions extends EntryOptions, PutOptions {
  /** Of an entry, or a unique beginning of it. */
  readonly hash: string;
  /** Relative to the folder. */
  readonly target: string;
}

export interface GotView {
  readonly entry: EntryView;
  /** Absolute. */
  readonly target: string;
  readonly put: Put;
  readonly from: "local" | "remote" | "meta-store";
}

/**
 * @throws {RollbackVersionNotFoundError} 40: no store has it
 * @throws {IntegrityError} 54: it is damaged wherever it is
 */
export async function getFromStore(options: GetOptions): Promise<GotView> {
  const target = resolve(options.folder, options.target);
  return await withStores(options, async (stores) => {
    const found = await findAnywhere(stores, options, "store", options.hash);
    const got = await putWhole(stores, options, found, target);
    await sendPending(stores, options);
    return got;
  });
}

export interface Found {
  readonly manifest: SnapshotManifest;
  readonly from: GotView["from"];
}

/** Looks in this machine's store first. @throws {RollbackVersionNotFoundError} {StorageError} */
export async function findAnywhere(
  stores: EntryStores,
  options: EntryOptions,
  kind: EntryKind,
  wanted: string,
): Promise<Found> {
  const here = await findEntry(stores.local, kind, wanted);
  if (here !== undefined) return { manifest: here, from: "local" };
  const theirs = await stores.remote((store) => findEntry(store, kind, wanted));
  if (theirs !== undefined) {
    const fetched = await fetchEntry(stores, theirs.id, options.signal);
    if (fetched !== undefined) return { manifest: fetched, from: "remote" };
  }
  const old = kind === "store" ? findInMetaStore(options.folder, wanted) : undefined;
  if (old !== undefined) {
    return { manifest: await importMetaEntry(stores.local, options, old), from: "meta-store" };
  }
  throw notFound(stores, options, kind, wanted);
}

function notFound(stores: EntryStores, options: EntryOptions, kind: EntryKind, wanted: string): Error {
  const places = [stores.local.location, ...(options.remote === undefined ? [] : [options.remote])];
  if (stores.away() === undefined) return entryNotFound(kind, wanted, places);
  return new StorageError(
    `This machine's store has no ${wanted}, and the remote store ${options.remote} cannot be reached`,
    { hint: "Try again when it is back.", context: { hash: wanted, remote: options.remote ?? null } },
  );
}

/** Writes it from here; where it is damaged here, from the remote store. */
export async function putWhole(
  stores: EntryStores,
  options: GetOptions,
  { manifest, from }: Found,
  target: string,
): Promise<GotView> {
  const put = (store: SnapshotStore, of: SnapshotManifest) => putEntry(store, of, target, options);
  const entry = viewOf(manifest);
  const { folder, remote } = options;
  assertTargetIsApart(target, {
    folder,
    stores: [stores.local.location, ...(remote === undefined ? [] : [remote])],
  });
  try {
    return { entry, target, put: await put(stores.local, manifest), from };
  } catch (error) {
    if (!(error instanceof IntegrityError) || options.remote === undefined) throw error;
    const named = parseEntryId(manifest.id)!;
    const there = await stores.remote(async (store) => {
      const theirs = await store.readSnapshot(entryId(named.kind, named.name));
      return theirs === undefined ? undefined : await put(store, theirs);
    });
    if (there === undefined) throw error;
    options.onWarning(
      `It is damaged in this machine's store, so it came from ${options.remote}: ${messageOf(error)}`,
    );
    return { entry, target, put: there, from: "remote" };
  }
}
