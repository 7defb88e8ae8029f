/** Where a branch goes when a changeset is taken back: commits that revert it, or the commit before it. */
import { RollbackPolicyViolationError } from "#/core/errors.ts";
import { dryObjects, type GitContext } from "#/component/remote.ts";
import { revertCommit, type RevertPlace } from "#/component/revert.ts";
import * as posix from "#/core/posix.ts";
import { Git } from "#/target/git/git.ts";
import type { TouchedBranch } from "./changeset_branches.ts";
import { lines } from "./look.ts";

export interface TipWork {
  readonly hard: boolean;
  /** New commits go into a folder of the operation's own then. */
  readonly dryRun: boolean;
  readonly scratch: () => string;
  readonly context: GitContext;
  readonly by: RevertPlace["by"];
  /** The last paragraph of the messages of new commits. */
  readonly note: string;
}

export interface NewTip {
  readonly branch: TouchedBranch;
  readonly commit: string;
  /** Commits of which the branch has nothing any more. */
  readonly nothing: readonly string[];
  readonly conflict?: { readonly commit: string; readonly paths: readonly string[] };
}

/** @throws {RollbackPolicyViolationError} 41: a reset would throw away commits of others */
export function newTip(branch: TouchedBranch, work: TipWork): Promise<NewTip> {
  return work.hard ? resetTip(branch, work) : revertedTip(branch, work);
}

async function revertedTip(branch: TouchedBranch, work: TipWork): Promise<NewTip> {
  const { checkout, commits, tip } = branch;
  const objects = work.dryRun ? dryObjects(work.scratch(), branch.name, checkout.commonDir) : undefined;
  if (objects !== undefined && posix.lstat(objects.own) === undefined) posix.mkdir(objects.own, 0o700);
  const place = { folder: checkout.folder, objects, context: work.context, by: work.by };
  const nothing: string[] = [];
  let commit = tip;
  for (const one of await newestFirst(new Git(checkout.folder, work.context), commits)) {
    const reverted = await revertCommit(one, commit, work.note, place);
    switch (reverted.kind) {
      case "reverted":
        commit = reverted.commit;
        break;
      case "nothing":
        nothing.push(one);
        break;
      case "conflict":
        return { branch, commit: tip, nothing, conflict: { commit: one, paths: reverted.paths } };
      default:
        reverted satisfies never;
    }
  }
  return { branch, commit, nothing };
}

/** In the order of the branch's history, whatever the order of the document. */
async function newestFirst(git: Git, commits: readonly string[]): Promise<readonly string[]> {
  if (commits.length < 2) return commits;
  const wanted = new Set(commits);
  const found = lines(await git.text(["rev-list", "--topo-order", ...commits])).filter((it) =>
    wanted.has(it)
  );
  return found.length === commits.length ? found : commits.toReversed();
}

async function resetTip(branch: TouchedBranch, { context }: TipWork): Promise<NewTip> {
  const { checkout, commits, tip, name } = branch;
  const git = new Git(checkout.folder, context);
  const oldest = (await newestFirst(git, commits)).at(-1)!;
  const before = await git.maybe(["rev-parse", "-q", "--verify", `${oldest}^`]);
  if (before === undefined) {
    throw new RollbackPolicyViolationError(`Refused: ${name} has no commit before ${oldest.slice(0, 12)}`, {
      hint: "Roll the changeset back without --hard: it is reverted by a new commit then.",
    });
  }
  const dropped = lines(await git.text(["rev-list", "--first-parent", tip, `^${before}`]));
  const others = dropped.filter((it) => !commits.includes(it));
  if (others.length > 0) {
    const shown = others.slice(0, 3).map((it) => it.slice(0, 12)).join(", ");
    throw new RollbackPolicyViolationError(
      `Refused: a reset of ${branch.branch} of ${name} would drop ${others.length} commits that are not of this changeset ` +
        `(${shown}${others.length > 3 ? ", …" : ""})`,
      {
        hint: "Leave --hard out: then it is reverted by new commits.",
        context: { component: name, commits: others },
      },
    );
  }
  return { branch, commit: before, nothing: [] };
}
