/** Whether a commit would be found again when HEAD has left it. */
import { join } from "node:path";
import * as posix from "#/core/posix.ts";
import { Git } from "../git/git.ts";
import type { TargetContext } from "../target.ts";
import { type Checkout, packedRefs } from "./checkout.ts";

/**
 * A tag, a branch or a remote's branch comes to it or has it; mostly known without a process. A branch's own tip does
 * not count when that branch is what leaves it.
 * @param by where the ref that names it now goes; null: it goes away
 */
export async function isKept(
  checkout: Checkout,
  commit: string,
  by: string | null,
  context: Pick<TargetContext, "env" | "signal">,
): Promise<boolean> {
  if (isNamed(checkout, commit)) return true;
  const git = new Git(checkout.folder, context);
  if (by !== null && await git.maybe(["merge-base", "--is-ancestor", commit, by]) !== undefined) return true;
  const args = ["for-each-ref", "--count=1", `--contains=${commit}`, "--format=%(refname)"];
  return (await git.text([...args, "refs/tags", "refs/remotes", "refs/backout"])) !== "";
}

/** A tag or a remote's branch is at it: known from files. */
export function isNamed(checkout: Checkout, commit: string): boolean {
  for (const [ref, known] of packedRefs(checkout)) {
    if (known === commit && /^refs\/(tags|remotes)\//.test(ref)) return true;
  }
  return ["refs/tags", "refs/remotes"].some((folder) => isLoose(join(checkout.commonDir, folder), commit));
}

function isLoose(folder: string, commit: string): boolean {
  return (posix.readFolder(folder) ?? []).some((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory) return isLoose(path, commit);
    return entry.isFile && Deno.readTextFileSync(path).trim() === commit;
  });
}
