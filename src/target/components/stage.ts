/**
 * A folder of our own beside a checkout's index, and git's lock on that index, held while the checkout is moved. Both say
 * after a crash that it was ours, from where and to where; the new index comes into its place in one rename.
 */
import { join } from "node:path";
import { removeFolder } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import * as files from "#/core/posix_files.ts";
import { kindOf, readTextIfThere } from "#/core/quick_look.ts";
import { isOwnLock, LOCK_MARK } from "../git/git.ts";
import { type Checkout, COMMIT } from "./checkout.ts";

const FOLDER = "backout-components";
/** The mark of a lock that is ours, then a {@link Move} as JSON: git's lock on the index is this file by another name. */
const NOTE = "move";

/** From which commit to which a checkout is moved. */
export interface Move {
  readonly from: string | null;
  readonly to: string;
}

export function stageFolder({ gitDir }: Pick<Checkout, "gitDir">): string {
  return join(gitDir, FOLDER);
}

export function stagedIndex(checkout: Pick<Checkout, "gitDir">): string {
  return join(stageFolder(checkout), "index");
}

function lockFile({ gitDir }: Pick<Checkout, "gitDir">): string {
  return join(gitDir, "index.lock");
}

/** What a move left behind that did not come to its end: it may have been interrupted anywhere. */
export function readMove(checkout: Pick<Checkout, "gitDir">): Move | undefined {
  const path = join(stageFolder(checkout), NOTE);
  const text = kindOf(path) === "file" ? readTextIfThere(path) : undefined;
  if (text?.startsWith(LOCK_MARK) !== true) return undefined;
  try {
    const move = JSON.parse(text.slice(LOCK_MARK.length)) as Partial<Move>;
    const isCommit = (it: unknown) => typeof it === "string" && COMMIT.test(it);
    if (!isCommit(move.to)) return undefined;
    return move.from === null || isCommit(move.from) ? move as Move : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // cut short: nothing had begun
    throw error;
  }
}

/**
 * Begins a move: the note first, then the index under another name (git writes a new one and never into it), the lock last.
 * A note that was cut short means that nothing had begun.
 * @param durable false where the caller makes many durable at once
 */
export function openStage(checkout: Checkout, move: Move, durable = true): void {
  clearStage(checkout);
  files.mkdir(stageFolder(checkout), 0o700);
  const note = join(stageFolder(checkout), NOTE);
  const bytes = new TextEncoder().encode(`${LOCK_MARK}${JSON.stringify(move)}`);
  if (durable) posix.writeNewFile(note, bytes, 0o600);
  else {
    using file = files.createOutput(note, 0o600);
    file.writeAt(bytes, 0);
  }
  shareIndex(checkout);
  holdIndex(checkout);
}

/** Where a file may have one name only, or is another user's, a copy does as well. */
const NO_LINK: ReadonlySet<string> = new Set(["EPERM", "EACCES", "EMLINK", "ENOTSUP", "EXDEV"]);

function shareIndex(checkout: Checkout): void {
  const index = join(checkout.gitDir, "index");
  const kind = kindOf(index);
  if (kind === undefined) return;
  try {
    if (kind === "file") return files.link(index, stagedIndex(checkout));
  } catch (error) {
    if (!NO_LINK.has(posix.errorCode(error) ?? "")) throw error;
  }
  posix.copyFile(index, stagedIndex(checkout));
}

/** Takes git's lock on the index for a move whose note is there; ours already after a crash. */
export function holdIndex(checkout: Checkout): void {
  const path = lockFile(checkout);
  if (isOwnLock(path)) return;
  files.link(join(stageFolder(checkout), NOTE), path);
}

/** Puts the new index into its place and gives the lock up. The note stays until the whole operation is done. */
export function placeIndex(checkout: Checkout): void {
  const staged = stagedIndex(checkout);
  if (kindOf(staged) !== undefined) files.rename(staged, join(checkout.gitDir, "index"));
  releaseIndex(checkout);
}

function releaseIndex(checkout: Pick<Checkout, "gitDir">): void {
  const path = lockFile(checkout);
  if (isOwnLock(path)) files.unlink(path);
}

/** Removes what a move left, with its lock. */
export function clearStage(checkout: Pick<Checkout, "gitDir">): void {
  const folder = stageFolder(checkout);
  const kind = kindOf(folder);
  if (kind === undefined) return;
  releaseIndex(checkout);
  if (kind !== "folder") return files.unlink(folder);
  const note = join(folder, NOTE);
  if (kindOf(note) === "file") files.unlink(note);
  try {
    files.rmdir(folder);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST"].includes(posix.errorCode(error) ?? "")) throw error;
    removeFolder(folder);
  }
}
