/**
 * Reverts commits without a work tree: a three-way merge in the object store, as `git revert` does it, so that a dry run
 * finds every conflict, and nothing of the checkout is touched before all repositories are known to go.
 */
import { RollbackError } from "#/core/errors.ts";
import { gitEnvironment } from "#/target/components/git_child.ts";
import { ProgramError, runProgram } from "#/target/run_program.ts";
import { type GitContext, objectEnvironment, type ObjectPlace } from "./remote.ts";

export interface RevertPlace {
  readonly folder: string;
  /** Where new objects go; undefined: into the repository. */
  readonly objects: ObjectPlace | undefined;
  readonly context: GitContext;
  /** Who reverts, where git's configuration does not say. */
  readonly by: { readonly name: string; readonly email: string };
}

export type Reverted =
  | { readonly kind: "reverted"; readonly commit: string }
  /** The tip has nothing of it any more. */
  | { readonly kind: "nothing" }
  /** Paths that would have to be merged by hand. */
  | { readonly kind: "conflict"; readonly paths: readonly string[] };

/** Reverts one commit on top of another: for a merge, what it brought to its first parent. */
export async function revertCommit(
  commit: string,
  tip: string,
  note: string,
  place: RevertPlace,
): Promise<Reverted> {
  const [own, parents, subject] = await describe(commit, place);
  const before = parents[0] === undefined ? await emptyTree(place) : `${parents[0]}^{tree}`;
  const base = await commitTree(`${commit}^{tree}`, [], "base", place);
  const ours = await commitTree(`${tip}^{tree}`, [base], "ours", place);
  const theirs = await commitTree(before, [base], "theirs", place);
  const args = ["merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs];
  const merged = await git(args, place, { okCodes: [0, 1] });
  const [tree = "", ...paths] = merged.text.split("\0").filter((it) => it !== "");
  if (merged.exitCode === 1) return { kind: "conflict", paths };
  if (tree === await treeOf(tip, place)) return { kind: "nothing" };
  const merge = parents.length > 1 ? `, reversing\nchanges made to ${parents[0]}` : "";
  const message = `Revert "${subject}"\n\nThis reverts commit ${own}${merge}.\n\n${note}\n`;
  return { kind: "reverted", commit: await commitTree(tree, [tip], message, place, true) };
}

/** Full id, parents, and subject. */
async function describe(
  commit: string,
  place: RevertPlace,
): Promise<readonly [string, readonly string[], string]> {
  const { text } = await git(["show", "--no-patch", "--format=%H%n%P%n%s", commit], place);
  const [own = "", parents = "", subject = ""] = text.split("\n");
  return [own, parents.split(" ").filter((it) => it !== ""), subject];
}

async function treeOf(commit: string, place: RevertPlace): Promise<string> {
  return (await git(["rev-parse", "--verify", `${commit}^{tree}`], place)).text.trim();
}

async function emptyTree(place: RevertPlace): Promise<string> {
  return (await git(["mktree"], place)).text.trim();
}

/** @param real its author is who git's configuration says; else it is only for the merge */
async function commitTree(
  tree: string,
  parents: readonly string[],
  message: string,
  place: RevertPlace,
  real = false,
): Promise<string> {
  const args = ["commit-tree", "--no-gpg-sign", ...parents.flatMap((it) => ["-p", it]), "-m", message, tree];
  const named = identity(real ? place.by : { name: "backout", email: "backout@localhost" });
  if (!real) return (await git(args, place, { env: named })).text.trim();
  try {
    return (await git(args, place)).text.trim();
  } catch (error) {
    if (!(error instanceof ProgramError) || !/tell me who you are|ident|user\.email/i.test(error.stderr)) {
      throw error;
    }
    return (await git(args, place, { env: named })).text.trim();
  }
}

function identity({ name, email }: RevertPlace["by"]): Record<string, string> {
  return {
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: email,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: email,
  };
}

async function git(
  args: readonly string[],
  { folder, objects, context }: RevertPlace,
  options: { readonly okCodes?: readonly number[]; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly exitCode: number; readonly text: string }> {
  try {
    const { exitCode, stdout } = await runProgram({
      program: "git",
      args,
      package: "git",
      cwd: folder,
      context,
      env: { ...gitEnvironment(), ...objectEnvironment(objects), ...options.env },
      okCodes: options.okCodes ?? [0],
      doing: `run git ${args[0]} in ${folder}`,
    });
    return { exitCode, text: new TextDecoder().decode(stdout) };
  } catch (error) {
    if (error instanceof ProgramError && /unknown option|usage: git merge-tree/.test(error.stderr)) {
      throw new RollbackError("This git cannot merge without a work tree", {
        hint: "Use git 2.38 or newer, or --hard.",
        cause: error,
      });
    }
    throw error;
  }
}
