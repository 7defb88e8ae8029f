/** Moves many checkouts at once where nothing is special about them; the others are left to `move.ts`, one by one. */
import { join } from "node:path";
import { RollbackError } from "#/core/errors.ts";
import { syncFilesystem } from "#/core/posix_native.ts";
import { unrest } from "../git/git.ts";
import { type Checkout, lookAt, openCheckout } from "./checkout.ts";
import { gitBatch } from "./git_batch.ts";
import { isNamed } from "./keep.ts";
import { type CheckoutState, shortCommit } from "./model.ts";
import { isSame, type MoveContext } from "./move.ts";
import { openStage, placeIndex, readMove } from "./stage.ts";

/** In `components/`: `$1` the checkout, `$2` the commit. The lock is held until git has ended, whoever else has. */
const MOVE = `  exec 9<"$1/.git" && { ! command -v flock >/dev/null || flock 9; } &&
  [ -e "$1/.git/backout-components/move.json" ] &&
  export GIT_INDEX_FILE="$PWD/$1/.git/backout-components/index" &&
  git -C "$1" checkout -q --no-overwrite-ignore --detach "$2" &&
  left=$(git -C "$1" status --porcelain --untracked-files=no --ignore-submodules=all) &&
  { [ -z "$left" ] || { echo "these differ from the commit: $left"; false; }; }
  code=$?
  exec 9<&-
  return $code`;

/** What became of each: in the order of the states. */
export type Outcome = "moved" | "unchanged" | "alone";

interface Plain {
  readonly at: number;
  readonly checkout: Checkout;
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
  for (const { checkout, wanted } of plain) {
    const now = await lookAt(context.root, wanted.name, [], context);
    openStage(checkout, { from: now.commit, to: wanted.commit! }, false);
  }
  // What says after a power loss from where to where they went is there before anything is moved.
  syncFilesystem(join(context.root, "components"));
  const results = await gitBatch({
    script: MOVE,
    jobs: plain.map(({ wanted }) => [wanted.name, wanted.commit!]),
    cwd: join(context.root, "components"),
    doing: "check components out",
    context,
    onDone,
    stopOnFailure: true,
  });
  for (const [i, { at, checkout }] of plain.entries()) {
    if (results[i]?.code !== 0) continue;
    placeIndex(checkout);
    outcomes[at] = "moved";
  }
  const failed = plain.findIndex((_, i) => results[i] !== undefined && results[i].code !== 0);
  if (failed < 0) return outcomes;
  const { name, commit } = plain[failed]!.wanted;
  const said = results[failed]!.output.toString().trim().replaceAll(/\s*\n\s*/g, " | ");
  throw new RollbackError(`Cannot bring ${name} to ${shortCommit(commit)}: ${said}`);
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
  return { checkout, wanted };
}
