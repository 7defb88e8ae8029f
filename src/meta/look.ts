/** What a component is at, for lock files, snapshots and health: looked at, nothing changed. */
import { lookAt, openCheckout } from "#/target/components/checkout.ts";
import { Git, unrest } from "#/target/git/git.ts";
import type { Component } from "#/component/model.ts";
import type { GitContext } from "#/component/remote.ts";
import { isSameVersion } from "#/component/versions.ts";
import type { MetaOptions } from "./options.ts";

export interface ComponentNow {
  readonly name: string;
  /** Null: there is no checkout. */
  readonly commit: string | null;
  /** Short name; null where HEAD is detached. */
  readonly branch: string | null;
  /** Tags that come to the commit, the manifest's version first. */
  readonly tags: readonly string[];
  /** Changed tracked files, and what is under way: what no commit has. */
  readonly uncommitted: readonly string[];
}

export function gitContext({ env, signal }: MetaOptions): GitContext {
  return { env, signal: signal ?? new AbortController().signal };
}

/** @throws {RollbackError} something that is no checkout is in its place */
export async function lookAtComponent(component: Component, options: MetaOptions): Promise<ComponentNow> {
  const { name, version } = component;
  const context = gitContext(options);
  const { branch, commit } = await lookAt(options.folder, name, [], context);
  const checkout = openCheckout(options.folder, name);
  if (checkout === undefined || commit === null) {
    return { name, commit: null, branch: null, tags: [], uncommitted: [] };
  }
  const git = new Git(checkout.folder, context);
  const tags = lines(
    await git.text(["for-each-ref", `--points-at=${commit}`, "--format=%(refname:strip=2)", "refs/tags"]),
  );
  const own = version === undefined ? undefined : tags.find((tag) => isSameVersion(tag, version));
  const status = await git.list([
    "status",
    "--porcelain=v1",
    "-z",
    "--no-renames",
    "--untracked-files=no",
    "--ignore-submodules=all",
  ]);
  const rest = unrest(checkout);
  return {
    name,
    commit,
    branch: branch?.replace(/^refs\/heads\//, "") ?? null,
    tags: own === undefined ? tags : [own, ...tags.filter((tag) => tag !== own)],
    uncommitted: [...(rest === undefined ? [] : [rest.message]), ...status.map((entry) => entry.slice(3))],
  };
}

export function lines(text: string): readonly string[] {
  return text.split("\n").filter((line) => line !== "");
}
