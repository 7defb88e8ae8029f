/**
 * A folder of our own beside a checkout's index, and git's lock on that index, held while the checkout is moved. Both say
 * after a crash that it was ours, from where and to where; the new index comes into its place in one rename.
 */
import { join } from "node:path";
import { removeFolder } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { isOwnLock, LOCK_MARK } from "../git/git.ts";
import { type Checkout, COMMIT } from "./checkout.ts";

const FOLDER = "backout-components";
const NOTE = "move.json";

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
  if (posix.lstat(path)?.isFile !== true) return undefined;
  try {
    const move = JSON.parse(Deno.readTextFileSync(path)) as Partial<Move>;
    const isCommit = (it: unknown) => typeof it === "string" && COMMIT.test(it);
    if (!isCommit(move.to)) return undefined;
    return move.from === null || isCommit(move.from) ? move as Move : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // cut short: nothing had begun
    throw error;
  }
}

/**
 * Begins a move: the note first, then a copy of the index, the lock last.
 * @param durable false where the caller makes many durable at once
 */
export function openStage(checkout: Checkout, move: Move, durable = true): void {
  clearStage(checkout);
  const folder = stageFolder(checkout);
  posix.mkdir(folder, 0o700);
  const temporary = join(folder, `${NOTE}.new`);
  write(temporary, JSON.stringify(move), durable);
  posix.rename(temporary, join(folder, NOTE));
  const index = join(checkout.gitDir, "index");
  if (posix.lstat(index) !== undefined) posix.copyFile(index, stagedIndex(checkout));
  holdIndex(checkout, durable);
}

function write(path: string, text: string, durable: boolean): void {
  const bytes = new TextEncoder().encode(text);
  if (durable) return posix.writeNewFile(path, bytes, 0o600);
  using file = posix.openNewFile(path, 0o600);
  posix.writeToOpenFile(file, path, bytes);
}

/** Takes git's lock on the index; ours already after a crash. */
export function holdIndex(checkout: Checkout, durable = true): void {
  const path = lockFile(checkout);
  if (isOwnLock(path)) return;
  const written = join(stageFolder(checkout), "lock");
  if (posix.lstat(written) !== undefined) posix.unlink(written);
  write(written, LOCK_MARK, durable);
  try {
    posix.link(written, path);
  } finally {
    posix.unlink(written);
  }
}

/** Puts the new index into its place and gives the lock up. The note stays until the whole operation is done. */
export function placeIndex(checkout: Checkout): void {
  const staged = stagedIndex(checkout);
  if (posix.lstat(staged) !== undefined) posix.rename(staged, join(checkout.gitDir, "index"));
  releaseIndex(checkout);
}

function releaseIndex(checkout: Pick<Checkout, "gitDir">): void {
  const path = lockFile(checkout);
  if (isOwnLock(path)) posix.unlink(path);
}

/** Removes what a move left, with its lock. */
export function clearStage(checkout: Pick<Checkout, "gitDir">): void {
  const folder = stageFolder(checkout);
  if (posix.lstat(folder) === undefined) return;
  releaseIndex(checkout);
  removeFolder(folder);
}
