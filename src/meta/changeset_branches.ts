/** Which branches a changeset touched, with its commits on each, as the repositories have them now. */
import { join } from "node:path";
import { RollbackError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import type { Changeset, ChangesetCommit } from "#/component/changeset.ts";
import type { GitContext } from "#/component/remote.ts";
import { type Checkout, lookAt, openCheckout, readRef } from "#/target/components/checkout.ts";
import type { CheckoutState } from "#/target/components/model.ts";
import { Git } from "#/target/git/git.ts";

export interface TouchedBranch {
  /** Of the component. */
  readonly name: string;
  readonly branch: string;
  readonly ref: string;
  readonly checkout: Checkout;
  /** What is checked out. */
  readonly head: Pick<CheckoutState, "branch" | "commit">;
  /** Where the branch is now. */
  readonly tip: string;
  /** Full ids of the changeset's commits on it, in the order in which they were made. */
  readonly commits: readonly string[];
}

/** @throws {RollbackVersionNotFoundError} 40: a checkout, branch or commit is not there; all that are missing are named */
export async function branchesOfChangeset(
  { id, commits }: Changeset,
  root: string,
  context: GitContext,
): Promise<readonly TouchedBranch[]> {
  const groups = new Map<string, { readonly first: ChangesetCommit; readonly ids: string[] }>();
  for (const one of commits) {
    const key = `${one.name}\0${one.branch ?? ""}`;
    const group = groups.get(key) ?? { first: one, ids: [] };
    if (!group.ids.includes(one.commit)) group.ids.push(one.commit);
    groups.set(key, group);
  }
  const branches: TouchedBranch[] = [];
  const missing: string[] = [];
  for (const { first, ids } of groups.values()) {
    try {
      branches.push(await openBranch(first, ids, root, context));
    } catch (error) {
      if (!(error instanceof RollbackVersionNotFoundError)) throw error;
      missing.push(error.message);
    }
  }
  if (missing.length === 0) return branches;
  throw new RollbackVersionNotFoundError(`Cannot roll back the changeset ${id}: ${missing.join("; ")}`, {
    hint: "Check out and fetch these repositories, then run the command again; nothing was changed.",
    context: { changeset: id, missing },
  });
}

async function openBranch(
  { name, branch: said }: ChangesetCommit,
  ids: readonly string[],
  root: string,
  context: GitContext,
): Promise<TouchedBranch> {
  const checkout = openCheckout(root, name);
  if (checkout === undefined) throw new RollbackVersionNotFoundError(`${name} is not checked out`);
  const head = await lookAt(root, name, [], context);
  const branch = said ?? head.branch?.replace(/^refs\/heads\//, "");
  if (branch === undefined) {
    throw new RollbackVersionNotFoundError(`${name} has no branch checked out, and the changeset names none`);
  }
  const ref = `refs/heads/${branch}`;
  const tip = await readRef(checkout, ref, context) ??
    await readRef(checkout, `refs/remotes/origin/${branch}`, context);
  if (tip === undefined) throw new RollbackVersionNotFoundError(`${name} has no branch ${branch}`);
  refuseElsewhere(checkout, ref);
  const git = new Git(checkout.folder, context);
  const commits: string[] = [];
  for (const id of ids) {
    const commit = await git.maybe(["rev-parse", "-q", "--verify", `${id}^{commit}`]);
    if (commit === undefined) throw new RollbackVersionNotFoundError(`${name} has no commit ${id}`);
    if (await git.maybe(["merge-base", "--is-ancestor", commit, tip]) === undefined) {
      throw new RollbackVersionNotFoundError(
        `the branch ${branch} of ${name} does not have the commit ${id}`,
      );
    }
    commits.push(commit);
  }
  return { name, branch, ref, checkout, head: { branch: head.branch, commit: head.commit }, tip, commits };
}

/** A branch that another work tree has checked out must not be moved under it. */
function refuseElsewhere({ name, folder, gitDir, commonDir }: Checkout, ref: string): void {
  const trees = (posix.readFolder(join(commonDir, "worktrees")) ?? []).map((it) =>
    join(commonDir, "worktrees", it.name)
  );
  for (const tree of [commonDir, ...trees]) {
    if (tree === gitDir || posix.lstat(join(tree, "HEAD")) === undefined) continue;
    if (Deno.readTextFileSync(join(tree, "HEAD")).trim() !== `ref: ${ref}`) continue;
    throw new RollbackError(`${name}: another work tree of ${folder} has ${ref} checked out`, {
      hint: "Switch that one to another branch first.",
    });
  }
}
