/** `cache get`, `cache warm`, `cache invalidate`: what was built once, used again or thrown away. */
import { resolve } from "node:path";
import { IntegrityError, messageOf, RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import type { SnapshotManifest } from "#/store/model.ts";
import type { SnapshotStore } from "#/store/store.ts";
import { assertHashPrefix, entryId, entryNotFound, listEntries, parseEntryId } from "../entry/entry.ts";
import type { PutOptions } from "../entry/put_entry.ts";
import { type EntryOptions, type EntryStores, withStores } from "../entry/stores.ts";
import { fetchEntry, sendPending } from "../entry/transfer.ts";
import { commandOf } from "../commands.ts";
import { assertComponentName, checkoutPath } from "../model.ts";
import { componentIfNamed, manifestIfThere } from "../store/facts.ts";
import { findAnywhere, type Found, type GotView, putWhole } from "../store/get.ts";
import { lookUp } from "./build.ts";
import { type InputOptions, readInputs } from "./inputs.ts";

export interface CacheGetOptions extends EntryOptions, PutOptions, Omit<InputOptions, "folder" | "signal"> {
  /** Instead of the key of the source as it is. */
  readonly key?: string;
  readonly target: string;
}

export interface CacheGotView extends GotView {
  /** How it was chosen: by the key of the source, by a key that was given, or as the newest of the component. */
  readonly chosen: "inputs" | "key" | "newest";
}

/** @throws {RollbackVersionNotFoundError} 40: it was not built, or not kept */
export async function getCached(options: CacheGetOptions): Promise<CacheGotView> {
  const { folder, component } = options;
  assertComponentName(component);
  const target = resolve(folder, options.target);
  return await withStores(options, async (stores) => {
    const { found, chosen } = await choose(stores, options);
    const got = await putWhole(stores, { ...options, hash: "", durable: false }, found, target);
    await sendPending(stores, options);
    return { ...got, chosen };
  });
}

async function choose(
  stores: EntryStores,
  options: CacheGetOptions,
): Promise<{ readonly found: Found; readonly chosen: CacheGotView["chosen"] }> {
  const { key, component, folder } = options;
  if (key !== undefined) return { found: await findAnywhere(stores, options, "cache", key), chosen: "key" };
  if (options.source !== undefined || hasBuild(folder, component)) {
    const inputs = await readInputs(options);
    const hit = await lookUp(stores, options, inputs.key);
    if (hit !== undefined) return { found: hit, chosen: "inputs" };
    throw new RollbackVersionNotFoundError(
      `Nothing is cached for ${component} as it is now (key ${inputs.key.slice(0, 16)})` +
        (stores.away() === undefined ? "" : `, and the remote store ${options.remote} cannot be reached`),
      { hint: `Build it: backout cache build ${component}`, context: { component, key: inputs.key } },
    );
  }
  return { found: await newest(stores, options), chosen: "newest" };
}

/** Whether a key can be made of what is there. */
function hasBuild(folder: string, name: string): boolean {
  const component = componentIfNamed(folder, name);
  return component !== undefined && commandOf(component, "build") !== undefined &&
    posix.lstat(checkoutPath(folder, name)) !== undefined;
}

async function newest(stores: EntryStores, options: CacheGetOptions): Promise<Found> {
  const here = await newestOf(stores.local, options.component);
  const there = await stores.remote((store) => newestOf(store, options.component));
  if (there !== undefined && (here === undefined || there.created_at > here.created_at)) {
    const fetched = await fetchEntry(stores, there.id, options.signal);
    if (fetched !== undefined) return { manifest: fetched, from: "remote" };
  }
  if (here !== undefined) return { manifest: here, from: "local" };
  throw entryNotFound("cache", options.component, [
    stores.local.location,
    ...(options.remote === undefined ? [] : [options.remote]),
  ]);
}

async function newestOf(store: SnapshotStore, component: string): Promise<SnapshotManifest | undefined> {
  const { entries } = await listEntries(store);
  return entries.find((entry) => isCached(entry, component));
}

function isCached({ id, targets }: SnapshotManifest, component: string | undefined): boolean {
  if (parseEntryId(id)?.kind !== "cache" || targets[0] === undefined) return false;
  return component === undefined || targets[0].name === component;
}

export interface WarmOptions extends EntryOptions {
  /** Names; empty: all of the manifest that have a build. */
  readonly components: readonly string[];
}

export interface WarmView {
  readonly components: readonly {
    readonly component: string;
    readonly key: string | null;
    /** `fetched`: it came from the remote store now. */
    readonly state: "there" | "fetched" | "missing" | "no source" | "failed";
    readonly detail: string;
  }[];
}

/** Brings from the remote store what the sources as they are now would need to be built for. */
export async function warmCache(options: WarmOptions): Promise<WarmView> {
  const { folder, signal } = options;
  const manifest = manifestIfThere(folder);
  const all = [...manifest?.components.values() ?? []].filter((it) => commandOf(it, "build") !== undefined);
  const names = options.components.length > 0 ? options.components : all.map(({ name }) => name);
  names.forEach(assertComponentName);
  return await withStores(options, async (stores) => {
    const components: WarmView["components"][number][] = [];
    for (const component of names) {
      throwIfStopped(signal);
      components.push(await warmOne(stores, options, component));
    }
    await sendPending(stores, options);
    return { components };
  });
}

async function warmOne(
  stores: EntryStores,
  options: WarmOptions,
  component: string,
): Promise<WarmView["components"][number]> {
  if (posix.lstat(checkoutPath(options.folder, component)) === undefined) {
    return { component, key: null, state: "no source", detail: "it is not checked out" };
  }
  const { key } = await readInputs({ folder: options.folder, component, signal: options.signal });
  try {
    if (await stores.local.readSnapshot(entryId("cache", key)) !== undefined) {
      return { component, key, state: "there", detail: "" };
    }
    const fetched = await fetchEntry(stores, entryId("cache", key), options.signal);
    return { component, key, state: fetched === undefined ? "missing" : "fetched", detail: "" };
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
    return { component, key, state: "failed", detail: messageOf(error) };
  }
}

export interface InvalidateOptions extends EntryOptions {
  /** Of this component; undefined: of all. */
  readonly component?: string;
  /** A key or the beginning of one: only this build. */
  readonly key?: string;
  /** Everything. */
  readonly all?: boolean;
  readonly dryRun?: boolean;
}

/** One that was thrown away. */
export interface Invalidated {
  readonly key: string;
  /** Empty where its manifest could not be read. */
  readonly component: string;
  /** RFC 3339; empty where it could not be read. */
  readonly created_at: string;
}

export interface InvalidatedView {
  readonly local: readonly Invalidated[];
  /** Null where no remote store was given, or it is away. */
  readonly remote: readonly Invalidated[] | null;
}

/** Throws cached builds away, here and in the remote store that is given. Their bytes go with the next collection. */
export async function invalidateCache(options: InvalidateOptions): Promise<InvalidatedView> {
  const { component, key, all = false } = options;
  if (component !== undefined) assertComponentName(component);
  if (key !== undefined) assertHashPrefix(key);
  if (component === undefined && key === undefined && !all) {
    throw new UsageError("Nothing was named that is to be thrown away", {
      hint: "Give a component, --key KEY, or --all.",
    });
  }
  return await withStores(options, async (stores) => ({
    local: await invalidateIn(stores.local, options),
    remote: await stores.remote((store) => invalidateIn(store, options)) ?? null,
  }));
}

async function invalidateIn(
  store: SnapshotStore,
  options: InvalidateOptions,
): Promise<readonly Invalidated[]> {
  const { component, key = "", dryRun = false, signal } = options;
  const { entries, damaged } = await listEntries(store);
  const whole = entries.filter((entry) => isCached(entry, component)).map((entry) => ({
    ...{ key: parseEntryId(entry.id)!.name, component: entry.targets[0]!.name, created_at: entry.created_at },
  }));
  // Of what cannot be read nobody knows the component; it is of no use to anybody.
  const broken = component === undefined || key !== "" ? damaged.flatMap(brokenOf) : [];
  const wanted = [...whole, ...broken].filter((it) => it.key.startsWith(key));
  for (const it of dryRun ? [] : wanted) {
    throwIfStopped(signal);
    await store.deleteSnapshot(entryId("cache", it.key));
  }
  return wanted;
}

function brokenOf(file: string): readonly Invalidated[] {
  const key = /cache~([0-9a-f]{64})/.exec(file)?.[1];
  return key === undefined ? [] : [{ key, component: "", created_at: "" }];
}
