/** Submodules whose work tree is gone, attached again to what git keeps of them in the repository they are in. */
import { join, relative } from "node:path";
import { RollbackError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { openRepository, type Repository } from "./git.ts";
import { isReached } from "../kept/files.ts";
import { linksOf, sightsOf } from "./difference.ts";
import { look } from "./look.ts";
import { makeRoom, takeAway } from "../kept/place.ts";

/**
 * Opens the repository of a submodule; where its work tree was removed, an empty one is attached first.
 * @param path below the outer repository
 * @throws {RollbackError} git does not have it any more
 */
export async function openSubmodule(outer: Repository, path: string): Promise<Repository> {
  const folder = join(outer.folder, path);
  const link = join(folder, ".git");
  if (isReached(outer.folder, `${path}/.git`) && posix.lstat(link) !== undefined) {
    return await openRepository(folder, outer.git.context);
  }
  const gitDir = await keptGitDir(outer, path);
  if (gitDir === undefined) {
    throw new RollbackError(
      `Cannot restore the submodule ${folder}: it is no longer there, nor kept in ${outer.gitDir}`,
      {
        hint:
          `Bring it back with: git -C '${outer.folder}' submodule update --init -- '${path}' (needs the network), then try again.`,
        context: { repo_path: outer.folder, submodule: path },
      },
    );
  }
  if (posix.lstat(folder)?.isDirectory !== true) {
    makeRoom(outer.folder, path);
    posix.mkdir(folder);
  }
  const config = join(gitDir, "config");
  await outer.git.change(outer.gitDir, ["config", "-f", config, "core.worktree", relative(gitDir, folder)]);
  posix.writeNewFile(link, new TextEncoder().encode(`gitdir: ${relative(folder, gitDir)}\n`));
  return await openRepository(folder, outer.git.context);
}

/**
 * Takes the work tree of a submodule away, as it was when nothing was checked out there. Files that git ignores stay, and
 * so does its repository.
 * @returns how many files were removed
 */
export async function detachSubmodule(
  outer: Repository,
  path: string,
  warn: (message: string) => void,
): Promise<number> {
  const folder = join(outer.folder, path);
  const link = join(folder, ".git");
  if (!isReached(outer.folder, `${path}/.git`) || posix.lstat(link) === undefined) return 0;
  if (posix.lstat(link)!.isFile !== true) {
    warn(
      `The submodule ${folder} was not checked out when the snapshot was made; it holds its own repository, and stays`,
    );
    return 0;
  }
  const repository = await openRepository(folder, outer.git.context);
  const { state } = (await look(repository, { includeIgnored: false, submodules: false }))[0]!;
  let removed = 0;
  for (const inner of linksOf(state)) removed += await detachSubmodule(repository, inner, warn);
  const files = [...sightsOf(state).keys()];
  takeAway(files, folder);
  posix.unlink(link);
  return removed + files.length + 1;
}

/** Where git keeps the repository of a submodule, by the name that `.gitmodules` has for its path. */
export async function keptGitDir(outer: Repository, path: string): Promise<string | undefined> {
  const said = await outer.git.maybe([
    "config",
    "-f",
    join(outer.folder, ".gitmodules"),
    "--get-regexp",
    "^submodule\\..*\\.path$",
  ]);
  const line = said?.split("\n").find((it) => it.endsWith(` ${path}`));
  const name = line?.slice("submodule.".length, line.length - ` ${path}`.length - ".path".length);
  if (name === undefined || name === "" || name.split("/").some((it) => it === "" || it === "..")) {
    return undefined;
  }
  const gitDir = join(outer.commonDir, "modules", name);
  return posix.lstat(join(gitDir, "HEAD")) === undefined ? undefined : gitDir;
}
