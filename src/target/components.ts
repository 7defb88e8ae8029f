/**
 * The checkouts of a meta repository, `components/NAME`, with its manifests and lock files: which commit and branch each
 * has checked out, and what the documents say. Only names of commits are kept, no objects and no uncommitted work: that
 * makes it cheap for hundreds of checkouts, and is why a checkout with changed files is refused. A single checkout with
 * everything in it is `git_commit`.
 */
import * as z from "zod";
import { capture, diff, exportTo, fingerprint } from "./components/capture.ts";
import { plan } from "./components/plan.ts";
import { restore } from "./components/restore.ts";
import type { TargetDriver } from "./target.ts";

/** A plain path below the root, not in backout's own folder. */
const FILE = /^(?!\.backout\/)(?!.*(?:^|\/)\.\.?(?:\/|$))[^/\0\\][^\0\\]*[^/\0\\]$/;

const schema = z.strictObject({
  path: z.string().min(1).describe("The folder that has `manifests/` and `components/`."),
  components: z.array(z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/)).optional().describe(
    "Only these. Default: every checkout in `components/`.",
  ),
  files: z.array(z.string().regex(FILE, "must be a plain path below `path`")).optional().describe(
    "Documents that belong to it. Default: manifests/*.yaml.",
  ),
  refs: z.record(z.string(), z.array(z.string().regex(/^refs\/[A-Za-z0-9]\S*$/))).optional().describe(
    "Further refs of a component that are kept and taken back, for example refs/heads/main.",
  ),
});

export type ComponentsConfig = z.infer<typeof schema>;

export const driver: TargetDriver<ComponentsConfig> = {
  type: "components",
  summary: "The checkouts of a meta repository, with its manifests and lock files.",
  schema,
  restoreMethod: "components_checkout",
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
