/** Inspect: reads the world into plain values that policy and plan are pure functions of. */
import { RollbackIndexError, StorageError } from "#/core/errors.ts";
import { artifactPathProblem, quoteShort } from "#/core/safe_path.ts";
import { backupPathProblem } from "#/repository/backup_folder.ts";
import { INDEX_KEY, INDEX_MARKDOWN_KEY, indexProblems, loadIndex } from "#/repository/index_file.ts";
import type { FileRecord, ReleaseEntry, RepositoryIndex } from "#/repository/index_format.ts";
import { loadRecord } from "#/repository/release_record.ts";
import { findEntry, findTombstone, publishedArtifacts } from "#/repository/version_state.ts";
import type { ObjectReader, ObjectStat } from "#/storage/object_store.ts";

/** What every operation looks at. */
export interface RepositoryView {
  readonly location: string;
  readonly index: RepositoryIndex;
  /** The tag to replace the index by, null when there is none yet. */
  readonly indexTag: string | null;
  readonly indexSha256: string | null;
  readonly indexProblems: readonly string[];
  readonly hasMarkdown: boolean;
  readonly freeBytes: number | null;
  /** Why index.json or the state folder cannot be written by this user. */
  readonly writeProblems: readonly string[];
}

/** One artifact of a release, as it is. */
export interface ArtifactView {
  readonly path: string;
  /** Undefined when nothing usable is there. */
  readonly stat: ObjectStat | undefined;
  readonly recorded: FileRecord | undefined;
  /** Why it cannot be backed up as recorded. */
  readonly problem: string | undefined;
}

/** A release that is to leave. */
export interface LeavingRelease {
  readonly version: string;
  readonly entry: ReleaseEntry;
  /** Artifacts that are to leave; those that stay because other releases list them are in `kept`. */
  readonly artifacts: readonly ArtifactView[];
  readonly kept: readonly ArtifactView[];
  /** True when all that is still published of it leaves. */
  readonly complete: boolean;
  readonly recordProblem: string | undefined;
}

export async function inspectRepository(store: ObjectReader): Promise<RepositoryView> {
  const { index, tag, sha256 } = await loadIndex(store);
  const writeProblems = [store.writeProblem(INDEX_KEY), store.writeProblem(".backout/operations")];
  return {
    location: store.location,
    index,
    indexTag: tag,
    indexSha256: sha256,
    indexProblems: indexProblems(index),
    hasMarkdown: (await store.stat(INDEX_MARKDOWN_KEY))?.kind === "file",
    freeBytes: store.freeBytes(),
    writeProblems: [...new Set(writeProblems.filter((problem) => problem !== undefined))],
  };
}

export interface LeavingOptions {
  /** The artifacts to take; undefined takes all. */
  readonly select?: (version: string, path: string) => boolean;
  /** All versions of the same operation: what only they list leaves with the first of them. */
  readonly leaving: ReadonlySet<string>;
}

/**
 * Looks at the artifacts of a version that is to leave.
 * @throws {RollbackIndexError} when the index names an unsafe path, or one that leads through a symlink
 */
export async function inspectLeaving(
  store: ObjectReader,
  index: RepositoryIndex,
  version: string,
  options: LeavingOptions,
): Promise<LeavingRelease> {
  const { select } = options;
  const entry = entryOf(index, version);
  if (entry === undefined) throw new RollbackIndexError(`The index has no entry of ${version}`);
  const published = publishedArtifacts(entry);
  for (const path of published) refuseUnsafe(version, path);
  const selected = select === undefined ? published : published.filter((path) => select(version, path));
  const shared = new Set([
    ...listedByOthers(index, options.leaving, new Set(selected)),
    ...artifactsOfCompanions(index, version, options),
  ]);
  const { records, problem } = await recordsOf(store, entry);
  const views = await inspectArtifacts(store, version, selected, records);
  return {
    version,
    entry,
    artifacts: views.filter((view) => !shared.has(view.path)),
    kept: views.filter((view) => shared.has(view.path)),
    complete: selected.length === published.length,
    recordProblem: problem,
  };
}

async function inspectArtifacts(
  store: ObjectReader,
  version: string,
  paths: readonly string[],
  records: ReadonlyMap<string, FileRecord>,
): Promise<readonly ArtifactView[]> {
  const stats = await statSafely(store, version, paths);
  const denied = new Map<string, string | undefined>(); // the right to move a file is its folder's
  return paths.map((path, i) => {
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    if (!denied.has(folder)) denied.set(folder, store.writeProblem(path));
    return artifactView(path, stats[i], records.get(path), denied.get(folder));
  });
}

function artifactView(
  path: string,
  stat: ObjectStat | undefined,
  recorded: FileRecord | undefined,
  denied: string | undefined,
): ArtifactView {
  if (stat === undefined) return { path, stat, recorded, problem: `${path} is missing` };
  if (stat.kind !== "file") {
    return { path, stat: undefined, recorded, problem: `${path} is a ${kindName(stat)}, not a file` };
  }
  if (denied !== undefined) return { path, stat, recorded, problem: `${path} cannot be moved: ${denied}` };
  if (recorded !== undefined && recorded.size !== stat.size) {
    return {
      path,
      stat,
      recorded,
      problem: `${path} has ${stat.size} bytes, but was published with ${recorded.size}`,
    };
  }
  return { path, stat, recorded, problem: undefined };
}

function kindName(stat: ObjectStat): string {
  return stat.kind === "other" ? "device, socket or FIFO" : stat.kind;
}

async function statSafely(
  store: ObjectReader,
  version: string,
  paths: readonly string[],
): Promise<readonly (ObjectStat | undefined)[]> {
  try {
    return await store.statMany(paths);
  } catch (cause) {
    if (!(cause instanceof StorageError) || cause.kind !== "unsafe_path") throw cause;
    throw new RollbackIndexError(`Cannot use the artifacts of ${version}: ${cause.message}`, {
      hint:
        "Nothing was touched. Artifacts must be plain files below the repository, not reached through a symlink.",
      cause,
    });
  }
}

function refuseUnsafe(version: string, path: string): void {
  const problem = artifactPathProblem(path) ?? backupPathProblem(path);
  if (problem === undefined) return;
  throw new RollbackIndexError(
    `The index lists ${quoteShort(path)} as an artifact of ${version}: ${problem}`,
    {
      hint: "Nothing was touched. Mend the entry in index.json, then run the command again.",
      context: { version, path },
    },
  );
}

/** Those of `paths` that a release outside `leaving` lists and still has. */
function listedByOthers(
  index: RepositoryIndex,
  leaving: ReadonlySet<string>,
  paths: ReadonlySet<string>,
): readonly string[] {
  const hidden = (index.rolled_back ?? []).flatMap(({ state, entry }) =>
    state === "hidden" ? entry ?? [] : []
  );
  return [...index.releases, ...hidden]
    .filter((entry) => !leaving.has(entry.version) && entry.artifacts.some((path) => paths.has(path)))
    .flatMap((entry) => publishedArtifacts(entry).filter((path) => paths.has(path)));
}

/** Artifacts that another leaving release takes with it (a file moves once), or leaves in place. */
function artifactsOfCompanions(
  index: RepositoryIndex,
  version: string,
  { leaving, select }: LeavingOptions,
): ReadonlySet<string> {
  const shared = new Set<string>();
  let isFirst = true;
  for (const other of leaving) {
    if (other === version) isFirst = false;
    const entry = other === version ? undefined : entryOf(index, other);
    for (const path of entry === undefined ? [] : publishedArtifacts(entry)) {
      if (isFirst || select?.(other, path) === false) shared.add(path);
    }
  }
  return shared;
}

function entryOf(index: RepositoryIndex, version: string): ReleaseEntry | undefined {
  return findEntry(index, version) ?? findTombstone(index, version)?.entry;
}

async function recordsOf(
  store: ObjectReader,
  entry: ReleaseEntry,
): Promise<{ readonly records: ReadonlyMap<string, FileRecord>; readonly problem: string | undefined }> {
  try {
    const record = await loadRecord(store, entry);
    return { records: new Map(record?.files.map((file) => [file.path, file])), problem: undefined };
  } catch (error) {
    if (error instanceof Error && "kind" in error && error.kind === "manifest") {
      return { records: new Map(), problem: error.message };
    }
    throw error;
  }
}
