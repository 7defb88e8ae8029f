/** The folder that becomes a release: plain files only, each with its digest. */
import { join } from "node:path";
import { digestFiles } from "#/core/digest.ts";
import { UsageError } from "#/core/errors.ts";
import { artifactPathProblem, quoteShort } from "#/core/safe_path.ts";
import type { FileRecord } from "#/repository/index_format.ts";
import type { BatchOptions } from "#/storage/object_store.ts";

export interface SourceFile {
  readonly record: FileRecord;
  /** Path on the local filesystem. */
  readonly path: string;
  /** RFC 3339. */
  readonly mtime: string;
}

/**
 * All files below `directory`, as artifacts below `<version>/`, sorted by path.
 * @throws {UsageError} when it is no folder, is empty, or holds anything but plain files
 */
export async function readReleaseFolder(
  directory: string,
  version: string,
  options: BatchOptions,
): Promise<readonly SourceFile[]> {
  const relative = walk(directory, "").toSorted();
  if (relative.length === 0) {
    throw new UsageError(`Cannot publish ${quoteShort(directory)}: it holds no files`, {
      hint: "Give the folder that holds the files of the release.",
    });
  }
  const paths = relative.map((path) => join(directory, path));
  const digests = await digestFiles(paths, options);
  return relative.map((path, i) => ({
    record: {
      path: `${version}/${path}`,
      size: digests[i]!.size,
      sha256: digests[i]!.sha256,
      mode: (digests[i]!.stat.mode ?? 0o644) & 0o777,
    },
    path: paths[i]!,
    mtime: (digests[i]!.stat.mtime ?? new Date(0)).toISOString(),
  }));
}

/**
 * A repository is not a release of itself: its index, backups and log would be published.
 * @throws {UsageError} when the folder is the repository, or holds it, or is one of backout's own folders in it
 */
export function refuseOwnFolder(directory: string, repository: string): void {
  const source = realPath(directory);
  const root = realPath(repository);
  if (source === undefined || root === undefined) return;
  const holds = root === source || root.startsWith(source === "/" ? "/" : `${source}/`);
  const isOwn = /^\/(\.backout|\.rollback-backups)(\/|$)/.test(source.slice(root.length)) &&
    source.startsWith(root);
  if (!holds && !isOwn) return;
  throw new UsageError(
    `Cannot publish ${quoteShort(directory)}: it ${holds ? "holds" : "belongs to"} the repository`,
    {
      hint: "Give the folder that holds the files of the release, and nothing else.",
    },
  );
}

/** Undefined where nothing is there. */
function realPath(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch {
    return undefined; // the walk says what is wrong with it
  }
}

function walk(root: string, below: string): string[] {
  const files: string[] = [];
  for (const entry of readFolder(join(root, below))) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    const problem = artifactPathProblem(`x/${path}`);
    if (problem !== undefined) throw refused(root, path, problem);
    if (entry.isDirectory) files.push(...walk(root, path));
    else if (entry.isFile) files.push(path);
    else throw refused(root, path, entry.isSymlink ? "it is a symlink" : "it is a device, socket or FIFO");
  }
  return files;
}

function readFolder(path: string): readonly Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(path)];
  } catch (cause) {
    throw new UsageError(
      `Cannot publish ${quoteShort(path)}: ${
        cause instanceof Deno.errors.NotFound ? "there is no such folder" : "it cannot be read as a folder"
      }`,
      {
        hint: "Give the folder that holds the files of the release.",
        cause,
      },
    );
  }
}

function refused(root: string, path: string, problem: string): UsageError {
  return new UsageError(`Cannot publish ${quoteShort(path)} of ${quoteShort(root)}: ${problem}`, {
    hint: "A release is made of plain files. Replace or remove it.",
    context: { path },
  });
}
