/** Where a tag is, told from files, without a process. What only git can tell is said to be unknown. */
import { constants, inflateSync } from "node:zlib";
import { join } from "node:path";
import { readStartIfThere, readTextIfThere } from "#/core/quick_look.ts";
import { type Checkout, isTable } from "./checkout.ts";

/**
 * Where a tag is: at this commit, nowhere, or unknown: then git must be asked.
 * @param ref full name
 * @param commit full
 */
export function lookAtTag(checkout: Checkout, ref: string, commit: string): "at" | "missing" | "unknown" {
  if (isTable(checkout)) return "unknown";
  const loose = readTextIfThere(join(checkout.commonDir, ref))?.trim();
  if (loose !== undefined) return loose === commit && isLooseCommit(checkout, commit) ? "at" : "unknown";
  const packed = readTextIfThere(join(checkout.commonDir, "packed-refs")) ?? "";
  const end = packed.indexOf(` ${ref}\n`);
  if (end < 0) return "missing";
  const from = packed.lastIndexOf("\n", end) + 1;
  const next = packed.slice(end + ref.length + 2, end + ref.length + 2 + 66);
  const peeled = /^\^([0-9a-f]+)\n/.exec(next)?.[1];
  // Only where the file says so, what has no line for what it comes to is no annotated tag.
  if (peeled === undefined && !/^# pack-refs with:.* fully-peeled /.test(packed)) return "unknown";
  return (peeled ?? packed.slice(from, end)) === commit ? "at" : "unknown";
}

/** It may also be a tag that comes to a commit, whose id somebody took for the commit's. */
function isLooseCommit({ commonDir }: Checkout, oid: string): boolean {
  const packed = readStartIfThere(join(commonDir, "objects", oid.slice(0, 2), oid.slice(2)));
  if (packed === undefined) return false;
  try {
    const start = inflateSync(packed, { finishFlush: constants.Z_SYNC_FLUSH });
    return start.subarray(0, 7).toString("latin1") === "commit ";
  } catch {
    return false; // git says what is wrong with it
  }
}
