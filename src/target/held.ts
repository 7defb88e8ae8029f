/**
 * A note of what a capture holds still, in its private folder: what holds it may die with the machine, or with
 * everything that belongs to a service of systemd. Then the next command lets it go on.
 */
import { isJsonObject, type JsonObject } from "#/core/json.ts";
import * as posix from "#/core/posix.ts";

const NAME = "held.json";
/** Where the note is: whatever lets it go on removes it. */
export const heldPath = (scratch: string): string => `${scratch}/${NAME}`;
const MAX_BYTES = 1 << 20;

/** @param note enough for the driver of that type to let it go on; durable when this returns */
export function noteHeld(scratch: string, type: string, note: JsonObject): void {
  if (posix.lstat(heldPath(scratch)) !== undefined) posix.unlink(heldPath(scratch));
  const text = JSON.stringify({ type, note });
  posix.writeNewFile(heldPath(scratch), new TextEncoder().encode(text), 0o600);
  posix.syncFolder(scratch);
}

/** Undefined where nothing was held, or nothing yet: a note that was cut off was not durable. */
export function readHeld(scratch: string): { readonly type: string; readonly note: JsonObject } | undefined {
  const path = heldPath(scratch);
  const info = posix.lstat(path);
  if (info === undefined || !info.isFile || info.size > MAX_BYTES) return undefined;
  try {
    const value: unknown = JSON.parse(Deno.readTextFileSync(path));
    if (!isJsonObject(value) || typeof value["type"] !== "string" || !isJsonObject(value["note"])) {
      return undefined;
    }
    return { type: value["type"], note: value["note"] };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
