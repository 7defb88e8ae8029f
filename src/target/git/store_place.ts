/** A snapshot store among the files of the repository would be captured, and taken away by a restore. */
import { relative } from "node:path";
import type { PlanContext } from "../target.ts";
import { realPath } from "#/core/real_path.ts";
import type { Repository } from "./git.ts";

/** Undefined where all is well: store and fallback are elsewhere, in `.backout`, or ignored by git. */
export async function storeProblem(
  { git, folder }: Repository,
  { store, own = [] }: Pick<PlanContext, "store" | "own">,
): Promise<{ readonly message: string; readonly hint: string } | undefined> {
  for (const location of new Set([store.location, ...own])) {
    if (!location.startsWith("/")) continue;
    const path = relative(folder, realPath(location));
    if (path.split("/")[0] === ".." || path.split("/").includes(".backout")) continue;
    if (path !== "" && await git.maybe(["check-ignore", "-q", path]) !== undefined) continue;
    return {
      message: `The snapshot store ${location} lies among the files of the repository ${folder}`,
      hint: "Use the default (`.backout/store`), put it elsewhere, or let git ignore it (.gitignore).",
    };
  }
  return undefined;
}
