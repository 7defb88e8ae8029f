/**
 * A git checkout: commit, branch or detached HEAD, index, changed and untracked files, sparse state, and submodules with
 * the same of theirs. What a restore needs of commits that no remote-tracking branch has is in the snapshot, and
 * `refs/backout/<commit>` in the repository keeps the commit from being collected (remove such refs when the snapshots
 * are gone: `git update-ref -d`). Files that git ignores, other branches, stashes, remotes, hooks and configuration stay
 * as they are; git runs without hooks and without a network.
 */
import * as z from "zod";
import { capture } from "./git/capture.ts";
import { diff, exportTo, fingerprint, plan } from "./git/inspect.ts";
import { restore } from "./git/restore_all.ts";
import type { TargetDriver } from "./target.ts";

const schema = z.strictObject({
  repo_path: z.string().min(1).describe("The root of the work tree."),
  branch: z.string().min(1).optional().describe(
    "The branch that should be checked out; a snapshot of another has a warning.",
  ),
  config_files: z.array(z.string().min(1)).optional().describe(
    "Files outside of the repository that are kept too.",
  ),
  include_ignored: z.boolean().optional().describe("Also files that git ignores. Default: false."),
  submodules: z.boolean().optional().describe("Also what is checked out in submodules. Default: true."),
});

export type GitCommitConfig = z.infer<typeof schema>;

export const driver: TargetDriver<GitCommitConfig> = {
  type: "git_commit",
  summary: "A git checkout: commit, branch, index, changed and untracked files, submodules.",
  schema,
  restoreMethod: "git_reset",
  undo: () => "exact",
  programs: () => [{ program: "git", package: "git" }, { program: "flock", package: "util-linux" }],
  needsNetwork: () => false,
  capture,
  plan,
  restore,
  fingerprint,
  diff,
  exportTo,
};
