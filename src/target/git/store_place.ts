/** A snapshot store among the files of the repository would be captured, and taken away by a restore. */
import { relative } from "node:path";
import type { Repository } from "./git.ts";

/** Undefined where all is well: elsewhere, in `.backout`, or ignored by git. */
export async function storeProblem(
  { git, folder }: Repository,
  location: string,
): Promise<{ readonly message: string; readonly hint: string } | undefined> {
  const path = relative(folder, location);
  if (!location.startsWith("/") || path.startsWith("..") || path.split("/").includes(".backout")) {
    return undefined;
  }
  if (path !== "" && await git.maybe(["check-ignore", "-q", path]) !== undefined) return undefined;
  return {
    message: `The snapshot store ${location} lies among the files of the repository ${folder}`,
    hint: "Use the default (`.backout/store`), put it elsewhere, or let git ignore it (.gitignore).",
  };
}
