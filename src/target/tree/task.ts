/** From a target and what was saved of it to what the tree functions work on. */
import { join, resolve } from "node:path";
import { IntegrityError } from "#/core/errors.ts";
import type { ContentRef, SavedTarget } from "#/store/model.ts";
import type { StoreReader } from "#/store/store.ts";
import type { PlanContext } from "../target.ts";
import type { TreeOptions } from "./capture.ts";
import { excludingOwn } from "./own.ts";
import type { TreeTask } from "./compare.ts";
import { isContent, type TreeEntry } from "./entry.ts";
import { type Exclude, excluding } from "./exclude.ts";
import { temporaryForRoot } from "./leftover.ts";
import { isWithin, outermost } from "./path.ts";
import { type Coverage, covers, leftoversBeside, rootsOf } from "./roots.ts";
import { readRoot, readTree, type TreeRoot } from "./tree.ts";

/** The stores on this machine that this process has used: where none is at hand, they are still not to be touched. */
const stores = new Set<string>();

/** What is never captured or touched: the store, and what backout keeps of its own in the workspace. */
export function ownPaths(folder: string, store: StoreReader | undefined): readonly string[] {
  const location = store?.location.replace(/^file:\/\//, "");
  if (location?.startsWith("/") === true) stores.add(resolve(location));
  return [join(folder, ".backout"), ...stores];
}

/** The content that a saved target's tree is. @throws {IntegrityError} */
export function treeOf(saved: SavedTarget): ContentRef {
  const root = saved.state["tree"];
  if (isContent(root)) return root;
  throw new IntegrityError(`The snapshot of ${JSON.stringify(saved.name)} names no tree of files`, {
    hint: "Run `backout snapshot verify`, and restore from a snapshot that verifies.",
  });
}

export interface RestoreTask {
  readonly task: TreeTask;
  readonly tree: TreeRoot;
  /** Saved roots that the configuration does not cover. */
  readonly skipped: readonly string[];
}

/** To put a tree back where it was. */
export async function taskInPlace(
  saved: SavedTarget,
  coverage: Coverage,
  options: Pick<TreeOptions, "exclude" | "oneFileSystem" | "own">,
  context: PlanContext,
): Promise<RestoreTask> {
  const tree = await readRoot(context.store, treeOf(saved));
  const { head } = tree;
  const isCovered = covers(coverage);
  const [covered, skipped] = [head.roots.filter(isCovered), head.roots.filter((it) => !isCovered(it))];
  // What a glob matches now, and matched nothing then, came later; only where the same glob was asked then.
  const globs = coverage.globs.filter((it) => head.globs.includes(it));
  const roots = outermost([...covered, ...rootsOf({ literal: [], globs })]);
  const only = context.options.paths.map((it) => resolve(context.folder, it));
  const partly = scopeWithin(roots, only, skipped);
  return {
    tree,
    skipped,
    task: {
      store: context.store,
      signal: context.signal,
      saved: () =>
        withOwnContent(() => entriesWithin(context.store, tree, roots), partly, context.store, tree),
      roots,
      guarded: roots,
      exclude: eitherExcludes(tree, { ...options, roots }),
      oneFileSystem: head.one_file_system || options.oneFileSystem,
      only,
      temporaryForRoot: (root) => temporaryForRoot(root, coverage.globs),
      rootLeftovers: leftoversBeside(roots, coverage.globs),
      removing: true,
    },
  };
}

/** To put a tree into another folder, below it named after the original. */
export async function taskElsewhere(
  saved: SavedTarget,
  folder: string,
  context: PlanContext,
): Promise<RestoreTask> {
  const tree = await readRoot(context.store, treeOf(saved));
  const moved = (path: string) => folder === "/" || path === "/" ? folder : folder + path;
  const { roots } = tree.head;
  const only = context.options.paths.map((it) => resolve(context.folder, it));
  const partly = scopeWithin(roots, only, []);
  const entries = () =>
    withOwnContent(() => entriesWithin(context.store, tree, roots), partly, context.store, tree);
  return {
    tree,
    skipped: [],
    task: {
      store: context.store,
      signal: context.signal,
      saved: () => movedEntries(entries(), moved),
      roots: roots.map(moved),
      guarded: [folder],
      exclude: () => false,
      oneFileSystem: false,
      only: only.map(moved),
      temporaryForRoot: (root) => temporaryForRoot(root, []),
      rootLeftovers: leftoversBeside(roots.map(moved), []),
      removing: false,
    },
  };
}

/** Neither what was left out then nor what is left out now is touched. */
function eitherExcludes(
  tree: TreeRoot,
  options: Pick<TreeOptions, "roots" | "exclude" | "own">,
): Exclude {
  const then = excluding(tree.head.exclude);
  const now = excludingOwn(options);
  return (path, root) => then(path, root) || now(path, root);
}

async function* entriesWithin(
  store: StoreReader,
  tree: TreeRoot,
  roots: readonly string[],
): AsyncGenerator<readonly TreeEntry[]> {
  const all = tree.head.roots.every((it) => roots.some((root) => isWithin(it, root)));
  for await (const entries of readTree(store, tree)) {
    yield all ? entries : entries.filter(({ path }) => roots.some((it) => isWithin(path, it)));
  }
}

type InScope = (path: string) => boolean;

/** Undefined where everything that was saved is restored. */
function scopeWithin(
  roots: readonly string[],
  only: readonly string[],
  skipped: readonly string[],
): InScope | undefined {
  if (only.length === 0 && skipped.length === 0) return undefined;
  const within = (path: string, folders: readonly string[]) => folders.some((it) => isWithin(path, it));
  return (path) => within(path, roots) && (only.length === 0 || within(path, only));
}

/** A further name of a file that is not itself restored becomes a file of its own. */
async function* withOwnContent(
  entries: () => AsyncIterable<readonly TreeEntry[]>,
  inScope: InScope | undefined,
  store: StoreReader,
  tree: TreeRoot,
): AsyncGenerator<readonly TreeEntry[]> {
  const contents = inScope === undefined ? new Map() : await contentsOfOthers(inScope, store, tree);
  for await (const list of entries()) {
    yield contents.size === 0 ? list : list.map((entry) => {
      const content = entry.link === undefined ? undefined : contents.get(entry.link);
      if (content === undefined || inScope?.(entry.path) !== true) return entry;
      const { link: _link, ...own } = entry;
      return { ...own, content };
    });
  }
}

/** The content of files outside of the scope that have a further name inside, by their first name. */
async function contentsOfOthers(
  inScope: InScope,
  store: StoreReader,
  tree: TreeRoot,
): Promise<Map<string, ContentRef>> {
  const wanted = new Set<string>();
  for await (const list of readTree(store, tree)) {
    for (const { path, link } of list) {
      if (link !== undefined && inScope(path) && !inScope(link)) wanted.add(link);
    }
  }
  const contents = new Map<string, ContentRef>();
  if (wanted.size === 0) return contents;
  for await (const list of readTree(store, tree)) {
    for (const { path, content } of list) {
      if (content !== undefined && wanted.has(path)) contents.set(path, content);
    }
  }
  return contents;
}

async function* movedEntries(
  lists: AsyncIterable<readonly TreeEntry[]>,
  moved: (path: string) => string,
): AsyncGenerator<readonly TreeEntry[]> {
  for await (const entries of lists) {
    yield entries.map((it) => ({
      ...it,
      path: moved(it.path),
      ...(it.link === undefined ? {} : { link: moved(it.link) }),
    }));
  }
}
