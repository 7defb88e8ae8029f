/** Extended attributes: access control lists, capabilities, labels, a user's own. */
import { Buffer } from "node:buffer";
import { native } from "#/core/native.ts";
import { errorCode } from "#/core/posix.ts";
import * as changes from "#/core/posix_native.ts";
import type { TreeEntry } from "./entry.ts";

export type Attributes = NonNullable<TreeEntry["attributes"]>;

/** Undefined when it has none, or where they cannot be read at all (`limits` says so). */
export function readAttributes(path: string): Attributes | undefined {
  const found = native()?.readAttributes(path);
  if (found === undefined || found.size === 0) return undefined;
  return Object.fromEntries([...found].map(([name, value]) => [name, Buffer.from(value).toString("base64")]));
}

/**
 * Makes the attributes those given, and no others.
 * @param warn told of those that this user or filesystem does not allow
 * @returns whether anything was changed: that may have moved the mode
 */
export function writeAttributes(
  path: string,
  wanted: Attributes | undefined,
  warn: (message: string) => void,
): boolean {
  if (native() === undefined) return false;
  const present = readAttributes(path);
  if (present === undefined && wanted === undefined) return false;
  return changeAttributes(path, present ?? {}, wanted ?? {}, warn);
}

function changeAttributes(
  path: string,
  present: Attributes,
  wanted: Attributes,
  warn: (message: string) => void,
): boolean {
  let changed = false;
  for (const [name, value] of Object.entries(wanted)) {
    if (present[name] === value) continue;
    changed = true;
    tolerating(`set ${name} of ${path}`, warn, () => {
      changes.setAttribute(path, name, new Uint8Array(Buffer.from(value, "base64")));
    });
  }
  for (const name of Object.keys(present)) {
    if (Object.hasOwn(wanted, name)) continue;
    changed = true;
    tolerating(`remove ${name} of ${path}`, warn, () => changes.removeAttribute(path, name));
  }
  return changed;
}

function tolerating(what: string, warn: (message: string) => void, change: () => void): void {
  try {
    change();
  } catch (error) {
    const code = errorCode(error);
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EACCES" && code !== "ENODATA") throw error;
    if (code !== "ENODATA") warn(`Cannot ${what} (${code})`);
  }
}

/** Equal as far as this machine can tell. */
export function sameAttributes(a: Attributes | undefined, b: Attributes | undefined): boolean {
  if (a === b) return true;
  const [left, right] = [a ?? {}, b ?? {}];
  const names = Object.keys(left);
  return names.length === Object.keys(right).length && names.every((name) => left[name] === right[name]);
}
