/** After an interrupted move: what in the work tree is of neither of its two commits, somebody wrote. It is kept. */
import { dirname, join } from "node:path";
import { makeFolders } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { Git } from "../git/git.ts";
import type { TargetContext } from "../target.ts";
import type { Checkout } from "./checkout.ts";
import { stageFolder } from "./stage.ts";

/**
 * Copies such files below `.backout/aside` and says where, if the wanted commit has files of these names. What it does
 * not have was there before, and stays in its place.
 * @param commits between which the move was
 * @returns paths that stay
 */
export async function keepForeignEdits(
  checkout: Checkout,
  commits: readonly string[],
  wanted: string,
  context: Pick<TargetContext, "env" | "signal" | "folder" | "warn">,
): Promise<readonly string[]> {
  const git = new Git(checkout.folder, context);
  const index = join(stageFolder(checkout), "compared");
  const tracked = new Map<string, number>();
  const differing = new Map<string, number>();
  for (const commit of new Set(commits)) {
    await readTree(git, commit, index);
    await git.run(["update-index", "-q", "--refresh"], { index, okCodes: [0, 1] });
    count(tracked, await git.list(["ls-files", "-z"], { index }));
    const args = ["diff-files", "-z", "--name-only", "--no-renames", "--ignore-submodules=all"];
    count(differing, await git.list(args, { index }));
  }
  const edited = [...differing].filter(([path, times]) =>
    times === tracked.get(path) && posix.lstat(join(checkout.folder, path))?.isFile === true
  ).map(([path]) => path);
  if (edited.length === 0) return [];
  const asked = ["ls-tree", "-r", "-z", "--name-only", "--full-tree", wanted];
  const replaced = new Set(await git.list(asked));
  copyAside(checkout, edited.filter((path) => replaced.has(path)), context);
  return edited.filter((path) => !replaced.has(path));
}

/** An index of our own as a commit has it. */
export async function readTree(git: Git, commit: string, index: string): Promise<void> {
  for (const path of [index, `${index}.lock`]) if (posix.lstat(path) !== undefined) posix.unlink(path);
  await git.run(["read-tree", commit], { index });
}

function copyAside(
  { name, folder }: Checkout,
  paths: readonly string[],
  context: Pick<TargetContext, "folder" | "warn">,
): void {
  if (paths.length === 0) return;
  const place = join(context.folder, ".backout", "aside", `${name}-${crypto.randomUUID().slice(0, 8)}`);
  for (const path of paths) {
    const to = join(place, path);
    makeFolders(dirname(to));
    posix.copyFile(join(folder, path), to);
  }
  context.warn(`${name}: ${paths.join(", ")} was changed meanwhile, or cut short; a copy is in ${place}`);
}

function count(counts: Map<string, number>, names: readonly string[]): void {
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
}
