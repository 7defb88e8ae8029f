/** `store add`: files of a component become an entry, here and in the remote store. */
import { resolve } from "node:path";
import picomatch from "picomatch";
import { addEntry, treeOfSource } from "../entry/add_entry.ts";
import { entryId, type EntryView, manifestOf, viewOf } from "../entry/entry.ts";
import { entryHash, sizesOf } from "../entry/entry_tree.ts";
import { scanSource, type Source } from "../entry/scan_source.ts";
import { actor, type EntryOptions, type EntryStores, withStores } from "../entry/stores.ts";
import { dropDamaged, sendEntries, sendPending } from "../entry/transfer.ts";
import { assertComponentName, checkoutPath } from "../model.ts";
import { assertLabels, manifestVersion } from "./facts.ts";

export interface AddToStoreOptions extends EntryOptions {
  readonly component: string;
  /** A folder or a file. @default the component's checkout */
  readonly source?: string;
  /** Globs of paths below the source that are left out, beside `.git` and `.backout`. */
  readonly exclude?: readonly string[];
  /** @default what the manifest wants of the component */
  readonly version?: string;
  readonly description?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly pin?: boolean;
  readonly dryRun?: boolean;
}

export interface AddedView {
  readonly entry: EntryView;
  /** False: the store had it already. */
  readonly is_new: boolean;
  /** What became of the remote store; null where none was given. */
  readonly remote: "sent" | "already there" | "waiting" | null;
}

/** What is no part of an entry: a repository's own data differs from clone to clone. */
const LEFT_OUT: ReadonlySet<string> = new Set([".git", ".backout"]);

/** @throws see `scanSource` and `addEntry` */
export async function addToStore(options: AddToStoreOptions): Promise<AddedView> {
  const { component, folder, exclude = [], labels = {}, remote, signal, now = () => new Date() } = options;
  assertComponentName(component);
  assertLabels(labels);
  const path = options.source === undefined
    ? checkoutPath(folder, component)
    : resolve(folder, options.source);
  const source = await scanSource(path, { leaveOut: leavingOut(exclude), signal });
  return await withStores(options, async (stores) => {
    if (options.dryRun === true) return await dryView(stores, source, options);
    const { manifest, isNew } = await addEntry(stores.local, source, {
      ...{ kind: "store", component, labels, workspace: folder, now: now(), signal, pendingFor: remote },
      version: options.version ?? manifestVersion(folder, component),
      description: options.description,
      by: actor(options),
      pinned: options.pin ?? false,
    });
    if (remote === undefined) return { entry: viewOf(manifest), is_new: isNew, remote: null };
    await dropDamaged(stores, manifest.id);
    const sent = await sendEntries(stores, options, [manifest]);
    await sendPending(stores, options);
    const entry = viewOf(await stores.local.readSnapshot(manifest.id) ?? manifest);
    const state = sent === undefined ? "waiting" : sent.sent.length > 0 ? "sent" : "already there";
    return { entry, is_new: isNew, remote: state };
  });
}

/** What adding would come to; nothing is stored or sent. */
async function dryView(
  { local }: EntryStores,
  source: Source,
  { component, folder, labels = {}, signal, ...options }: AddToStoreOptions,
): Promise<AddedView> {
  const tree = await treeOfSource(source, signal);
  const hash = entryHash(tree);
  const there = await local.readSnapshot(entryId("store", hash));
  const manifest = there ?? manifestOf({
    ...{ kind: "store", name: hash, hash, component, labels, workspace: folder, ...sizesOf(tree) },
    ...{ description: options.description ?? "", pinned: options.pin ?? false, by: actor(options) },
    ...{ now: options.now?.() ?? new Date(), tree: { size: 0, chunks: [] }, storedBytes: 0 },
  });
  return { entry: viewOf(manifest), is_new: there === undefined, remote: null };
}

/** @param globs of paths below the source; a name without a slash is left out wherever it is */
export function leavingOut(globs: readonly string[]): (path: string) => boolean {
  const matches = globs.map((glob) =>
    picomatch(glob.replace(/\/$/, ""), { dot: true, ...(glob.includes("/") ? {} : { basename: true }) })
  );
  return (path) => LEFT_OUT.has(path) || matches.some((match) => match(path));
}
