/** The names under which a restore prepares what it then renames into place. */
import { childOf, hashOf, parentOf } from "./path.ts";

const LEFTOVER = /^\.backout-tmp-[0-9a-f]{16}$/;

/** Random numbers for names to come: nobody can guess them, and one call gives many. */
const random = new Uint32Array(1024);
let used = random.length;

/** A new temporary name in a folder. */
export function temporaryIn(folder: string): string {
  return childOf(folder, `.backout-tmp-${randomHex()}${randomHex()}`);
}

function randomHex(): string {
  if (used === random.length) {
    crypto.getRandomValues(random);
    used = 0;
  }
  return random[used++]!.toString(16).padStart(8, "0");
}

/**
 * The temporary name for a root itself. The folder that it is in is not walked, so the name is always the same: what a
 * killed restore left is found by it.
 * @param globs those of the target: what they match differs from time to time, so the name tells of them too
 */
export function temporaryForRoot(root: string, globs: readonly string[]): string {
  return childOf(parentOf(root), `.backout-tmp-${hex(root)}${hex(globs.join("\n"))}`);
}

/** Whether it is the temporary name of something that the globs of a target matched once. */
export function isRootLeftover(name: string, globs: readonly string[]): boolean {
  return isLeftover(name) && name.endsWith(hex(globs.join("\n")));
}

function hex(text: string): string {
  return hashOf(text).toString(16).padStart(8, "0");
}

/** True for the name of a temporary file: one that is still there when nothing runs was left by a killed restore. */
export function isLeftover(name: string): boolean {
  return name.length === 29 && LEFTOVER.test(name);
}
