/** Moves many checkouts at once where nothing is special about them; the others are left to `move.ts`, one by one. */
import { join } from "node:path";
import { RollbackError } from "#/core/errors.ts";
import { syncFilesystem } from "#/core/posix_native.ts";
import { unrest } from "../git/git.ts";
import { type Checkout, lookAt, openCheckout } from "./checkout.ts";
import { type BatchResult, gitBatch } from "./git_batch.ts";
import { isNamed } from "./keep.ts";
import { type CheckoutState, shortCommit } from "./model.ts";
import { isSame, type MoveContext } from "./move.ts";
import { openStage, placeIndex, readMove } from "./stage.ts";

/**
 * In `components/`: `$1` the checkout, `$2` the commit. Without `-q`, git says what differs from the commit afterwards, as
 * `M<tab>path`: no second process is needed for that.
 */
const MOVE = `  [ -e "$1/.git/backout-components/move" ] &&
  GIT_INDEX_FILE="$PWD/$1/.git/backout-components/index" git -C "$1" checkout --no-overwrite-ignore --detach "$2"`;

/** The same index: what of it differs, without what a configuration may make of a submodule. */
const LEFT = `  GIT_INDEX_FILE="$PWD/$1/.git/backout-components/index" \\
    git -C "$1" status --porcelain --untracked-files=no --ignore-submodules=all`;
const DIFFERS = /^[A-Z]\t/m;
/** How many a shell is given at once. */
const AHEAD = 2;

/** What became of each: in the order of the states. */
export type Outcome = "moved" | "unchanged" | "alone";

interface Plain {
  readonly at: number;
  readonly checkout: Checkout;
  readonly from: string;
  readonly wanted: CheckoutState;
}

/**
 * Moves what is plain: from a branch, or from a commit that a tag or a remote has, to a commit, and no other refs.
 * @throws {RollbackError} one could not be moved; others may have been
 */
export async function moveMany(
  states: readonly CheckoutState[],
  context: MoveContext,
  onDone: () => void,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = states.map(() => "alone");
  const plain: Plain[] = [];
  for (const [at, wanted] of states.entries()) {
    const found = await look(wanted, context);
    if (found === "unchanged") outcomes[at] = "unchanged";
    else if (found !== "alone") plain.push({ at, ...found });
  }
  if (plain.length < 2) return outcomes;
  for (const { checkout, from, wanted } of plain) openStage(checkout, { from, to: wanted.commit! }, false);
  // What says after a power loss from where to where they went is there before anything is moved.
  const cwd = join(context.root, "components");
  syncFilesystem(cwd);
  const common = { cwd, lock: cwd, doing: "check components out", context, ahead: AHEAD };
  const results = await gitBatch({
    ...common,
    script: MOVE,
    jobs: plain.map(({ wanted }) => [wanted.name, wanted.commit!]),
    onDone,
    stopOnFailure: true,
  });
  const suspect = plain.filter((_, i) => {
    const result = results[i];
    return result?.code === 0 && DIFFERS.test(result.output.toString());
  });
  const left = await gitBatch({ ...common, script: LEFT, jobs: suspect.map(({ wanted }) => [wanted.name]) });
  const differing = new Map(suspect.map((one, i) => [one, left[i]!]));
  let failed: RollbackError | undefined;
  for (const [i, one] of plain.entries()) {
    const result = results[i];
    if (result === undefined) continue;
    const problem = problemOf(result, differing.get(one));
    if (problem !== undefined) {
      failed ??= failure(one.wanted, problem);
      continue;
    }
    placeIndex(one.checkout);
    outcomes[one.at] = "moved";
  }
  if (failed !== undefined) throw failed;
  return outcomes;
}

function problemOf(moved: BatchResult, left: BatchResult | undefined): string | undefined {
  if (moved.code !== 0) return moved.output.toString();
  const said = left?.output.toString().trim() ?? "";
  if (said !== "") return `these differ from the commit: ${said}`;
  return left === undefined || left.code === 0 ? undefined : "git cannot say what differs from the commit";
}

function failure({ name, commit }: CheckoutState, said: string): RollbackError {
  const line = said.trim().replaceAll(/\s*\n\s*/g, " | ");
  return new RollbackError(`Cannot bring ${name} to ${shortCommit(commit)}: ${line}`);
}

async function look(
  wanted: CheckoutState,
  context: MoveContext,
): Promise<Omit<Plain, "at"> | Exclude<Outcome, "moved">> {
  const { name, commit, branch, refs } = wanted;
  const checkout = openCheckout(context.root, name);
  if (checkout === undefined || commit === null || branch !== null || Object.keys(refs).length > 0) {
    return "alone";
  }
  if (checkout.gitDir !== join(checkout.folder, ".git") || readMove(checkout) !== undefined) return "alone";
  const now = await lookAt(context.root, name, [], context);
  if (isSame(now, wanted)) return "unchanged";
  if (now.commit === null || unrest(checkout) !== undefined) return "alone";
  if (now.branch === null && !isNamed(checkout, now.commit)) return "alone";
  return { checkout, from: now.commit, wanted };
}
