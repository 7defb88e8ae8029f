/** Fixtures of git checkouts: a plain one, with what is given in its place. */
import { join } from "node:path";
import { commit, lookAtRepository, makeRepository, put } from "./git_support.ts";
import type { TargetFixture } from "./target_contract.ts";

/** Where the fixtures have their repository. */
export const repo = (world: string): string => join(world, "repo");

/** A clean checkout, looked at by git. */
export function fixture(name: string, more: Partial<TargetFixture>): TargetFixture {
  return {
    name: `git_commit: ${name}`,
    type: "git_commit",
    needs: ["posix", "git"],
    setUp: (world) => {
      makeRepository(repo(world));
      return { repo_path: repo(world) };
    },
    changes: {},
    look: (world) => lookAtRepository(repo(world)),
    sweep: false,
    ...more,
  };
}

/** A commit that changes one file and adds another. */
export function moveOn(world: string): void {
  put(repo(world), "app.ts", "moved on\n");
  put(repo(world), "added.ts", "added\n");
  commit(repo(world), "moved on");
}
