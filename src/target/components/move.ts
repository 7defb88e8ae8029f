/** Brings one checkout to a commit, a branch and refs: git does it, and refuses what would overwrite anything. */
import { join } from "node:path";
import { RollbackError } from "#/core/errors.ts";
import { makeFolders } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { Git, nulLines, unrest } from "../git/git.ts";
import type { TargetContext } from "../target.ts";
import { type Checkout, checkoutFolder, COMMIT, lookAt, openCheckout, readRef } from "./checkout.ts";
import { gitChild } from "./git_child.ts";
import { keepForeignEdits, readTree } from "./foreign_edits.ts";
import { isKept } from "./keep.ts";
import { type CheckoutState, shortCommit } from "./model.ts";
import { holdIndex, openStage, placeIndex, readMove, stagedIndex } from "./stage.ts";

export interface MoveContext extends Pick<TargetContext, "env" | "signal" | "folder" | "warn"> {
  /** The folder with `components/`. */
  readonly root: string;
}

/** `checkout` refuses where it would overwrite a changed, untracked or ignored file, before it touches anything. */
const MOVE = `set -e
[ -z "$1" ] || git checkout -q --no-overwrite-ignore --detach "$1"
[ -z "$2" ] || git update-ref -m "backout: restore" --no-deref --stdin
[ -z "$3" ] || git symbolic-ref -m "backout: restore" HEAD "$3"
git status --porcelain --untracked-files=no --ignore-submodules=all`;

/** Only branches that are not checked out: the work tree is nobody's concern. */
const REFS = `git update-ref -m "backout: restore" --no-deref --stdin`;

/** After an interruption: the index is that of the commit it was going to, a part of which is there; `$1` is put over it. */
const FORCE = `set -e
rm -f "$4/HEAD.lock"
git checkout -q -f --detach "$1"
[ -z "$2" ] || git update-ref -m "backout: restore" --no-deref --stdin
[ -z "$3" ] || git symbolic-ref -m "backout: restore" HEAD "$3"
git status --porcelain --untracked-files=no --ignore-submodules=all`;

/**
 * May be called again after a crash at any point inside it.
 * @returns whether anything was changed
 * @throws {RollbackError} something else is under way in it, or something would be overwritten
 */
export async function moveCheckout(wanted: CheckoutState, context: MoveContext): Promise<boolean> {
  const { root } = context;
  const { name } = wanted;
  let checkout = openCheckout(root, name);
  if (wanted.commit === null) {
    if (checkout === undefined) return false;
    setAside(checkout, context);
    return true;
  }
  if (checkout === undefined) {
    putClone(wanted, root);
    checkout = openCheckout(root, name)!;
  }
  const move = readMove(checkout);
  if (move !== undefined) {
    await moveOn(checkout, wanted, move.from, move.to, context);
    return true;
  }
  if (Object.keys(wanted.refs).length > 0) await waitForGit(checkout, context);
  const now = await lookAt(root, name, Object.keys(wanted.refs), context);
  if (isSame(now, wanted)) return false;
  if (now.commit === wanted.commit && now.branch === wanted.branch && !isFresh(checkout)) {
    await run({ checkout, wanted, now, context, script: REFS, commit: "" });
    return true;
  }
  const problem = unrest(checkout);
  if (problem !== undefined) throw new RollbackError(`${name}: ${problem.message}`, { hint: problem.hint });
  openStage(checkout, { from: now.commit, to: wanted.commit });
  const stays = now.commit === wanted.commit && wanted.branch !== null && !isFresh(checkout);
  await run({ checkout, wanted, now, context, script: MOVE, commit: stays ? "" : wanted.commit });
  placeIndex(checkout);
  return true;
}

/** A clone without an index has no files yet. */
function isFresh({ gitDir }: Checkout): boolean {
  return posix.lstat(join(gitDir, "index")) === undefined;
}

export function isSame(now: CheckoutState, wanted: CheckoutState): boolean {
  return now.branch === wanted.branch && now.commit === wanted.commit &&
    Object.entries(wanted.refs).every(([ref, commit]) => (now.refs[ref] ?? null) === commit);
}

/** Goes on from wherever the interrupted one was. Edits that somebody made since are kept aside. */
async function moveOn(
  checkout: Checkout,
  wanted: CheckoutState,
  from: string | null,
  to: string,
  context: MoveContext,
): Promise<void> {
  await waitForGit(checkout, context);
  holdIndex(checkout);
  const ends = [from, to].filter((it) => it !== null);
  const staying = await keepForeignEdits(checkout, ends, wanted.commit!, context);
  const git = new Git(checkout.folder, context);
  const index = stagedIndex(checkout);
  await readTree(git, to, index);
  if (staying.length > 0) {
    await git.run(["update-index", "--force-remove", "-z", "--stdin"], { index, stdin: nulLines(staying) });
  }
  const now = await lookAt(context.root, checkout.name, Object.keys(wanted.refs), context);
  await run({ checkout, wanted, now, context, script: FORCE, commit: wanted.commit!, interrupted: to });
  placeIndex(checkout);
}

/** What a killed backout left running ends first. */
async function waitForGit({ name, folder, gitDir }: Checkout, context: MoveContext): Promise<void> {
  await gitChild({ script: ":", words: [], cwd: folder, gitDir, doing: `wait for git in ${name}`, context });
}

interface Run {
  readonly checkout: Checkout;
  readonly wanted: CheckoutState;
  readonly now: CheckoutState;
  readonly context: MoveContext;
  readonly script: string;
  /** Empty: the work tree is there already. */
  readonly commit: string;
  /** To which commit an interrupted move was going. */
  readonly interrupted?: string;
}

async function run(task: Run): Promise<void> {
  const { checkout, wanted, context, script, commit } = task;
  const updates = await refUpdates(task);
  const left = await gitChild({
    script,
    words: [commit, updates === "" ? "" : "refs", wanted.branch ?? "", checkout.gitDir],
    cwd: checkout.folder,
    gitDir: checkout.gitDir,
    index: stagedIndex(checkout),
    stdin: updates,
    doing: `bring ${checkout.name} to ${shortCommit(wanted.commit)}`,
    context,
  });
  if (left.trim() === "") return;
  throw new RollbackError(
    `${checkout.name}: after its checkout these differ from the commit: ${
      left.trim().split("\n").slice(0, 5).join(", ")
    }`,
    { hint: "Something else writes there, or a filter of .gitattributes does not give the same bytes back." },
  );
}

/** Lines for `update-ref --stdin`. What no ref would name any more is kept as `refs/backout/<commit>`. */
async function refUpdates({ checkout, wanted, now, context, interrupted }: Run): Promise<string> {
  const refs: Record<string, string | null> = { ...wanted.refs };
  if (wanted.branch !== null) refs[wanted.branch] = wanted.commit;
  const lines: string[] = [];
  const left: { readonly commit: string; readonly by: string | null }[] = [];
  for (const [ref, commit] of Object.entries(refs)) {
    const before = await readRef(checkout, ref, context) ?? null;
    if (before === commit) continue;
    if (before !== null) left.push({ commit: before, by: commit });
    lines.push(commit === null ? `delete ${ref}` : `update ${ref} ${commit}`);
  }
  if (now.branch === null && now.commit !== null) left.push({ commit: now.commit, by: wanted.commit });
  for (const { commit, by } of left) {
    if (commit === interrupted || commit === by || !COMMIT.test(commit)) continue;
    if (await isKept(checkout, commit, by, context)) continue;
    lines.push(`update refs/backout/${commit} ${commit}`);
  }
  return [...new Set(lines)].map((line) => `${line}\n`).join("");
}

/** A clone that was made before comes into its place in one rename. */
function putClone({ name, clone }: CheckoutState, root: string): void {
  const folder = checkoutFolder(root, name);
  if (clone === undefined || posix.lstat(clone) === undefined) {
    throw new RollbackError(`${name} is not checked out`, {
      hint: "Clone it again, or roll back with the manifest that names its `repo`.",
      context: { component: name },
    });
  }
  makeFolders(join(root, "components"));
  if (posix.lstat(folder) !== undefined) posix.rmdir(folder); // empty, or it would have been a checkout
  posix.rename(clone, folder);
}

/** What was not there before goes out of the way; nobody's work is deleted. */
function setAside({ name, folder }: Checkout, context: MoveContext): void {
  const place = join(context.folder, ".backout", "aside");
  makeFolders(place);
  const to = join(place, `${name}-${crypto.randomUUID().slice(0, 8)}`);
  posix.rename(folder, to);
  context.warn(`${name} was not there before: its checkout is ${to} now, and may be removed`);
}
