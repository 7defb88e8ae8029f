/** A snapshot of a repository as a repository of its own, elsewhere. */
import { join } from "node:path";
import { RollbackError } from "#/core/errors.ts";
import { makeFolders } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { PlanContext, Restored } from "../target.ts";
import { Git, openRepository, type Repository } from "./git.ts";
import { restoreRepository } from "./restore.ts";
import type { Listing } from "./saved.ts";

/**
 * @param source the repository that the snapshot was made of, for objects that are not in the snapshot; where it still is
 * @param folder must not exist
 */
export async function exportRepository(
  saved: SavedTarget,
  listing: Listing,
  source: Repository | undefined,
  folder: string,
  context: PlanContext,
): Promise<Restored> {
  let [changed, bytes] = [0, 0];
  for (const it of listing.repositories) {
    const at = join(folder, it.path);
    makeFolders(at);
    const git = new Git(at, context);
    const format = it.commit?.length === 64 ? ["--object-format=sha256"] : [];
    // An empty template: no hooks of anybody's.
    await git.run(["init", "-q", "--template=", ...format]);
    if (source !== undefined) {
      await copyObjects(new Git(join(source.folder, it.path), context), git, it.commit);
    }
    const repository = await openRepository(at, context);
    const options = { includeIgnored: true, submodules: false };
    try {
      const done = await restoreRepository({
        repository,
        saved: it,
        target: saved,
        options,
        context,
        isAsked: () => true,
        whole: true,
      });
      changed += done.changed;
      bytes += done.bytes;
    } catch (error) {
      // A submodule whose commits are all on its remote is fetched from there.
      if (it.path === "" || !(error instanceof RollbackError)) throw error;
      context.warn(`The submodule ${it.path} was not exported: ${error.message}`);
    }
  }
  return { method: "git_export", changed, removed: 0, bytes, details: { folder }, warnings: [] };
}

/** What was on a remote-tracking branch is not in the snapshot; the old repository may have it. */
async function copyObjects(source: Git, to: Git, commit: string | null): Promise<void> {
  if (commit === null) return;
  if (posix.lstat(source.folder)?.isDirectory !== true) return;
  const has = await source.run(["cat-file", "-e", `${commit}^{commit}`], { okCodes: [0, 1, 128] });
  if (has.exitCode !== 0) return;
  const stdin = new TextEncoder().encode(`${commit}\n`);
  const stream = source.stream(["pack-objects", "--stdout", "--revs", "-q", "--delta-base-offset"], {
    stdin,
  });
  await to.run(["index-pack", "--stdin"], { stdin: stream });
}
