/** What is known of a component beside its files, and what people say of an entry. */
import { UsageError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { quoteShort } from "#/core/safe_path.ts";
import { join } from "node:path";
import { readManifest } from "../manifest.ts";
import { type Component, type Manifest, MANIFEST_PATH } from "../model.ts";

const LABEL = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const MAX_VALUE = 256;
const OWN = "backout.";

/** The manifest, where there is one. @throws {RollbackManifestError} 48: it is there and cannot be used */
export function manifestIfThere(folder: string): Manifest | undefined {
  return posix.lstat(join(folder, MANIFEST_PATH)) === undefined ? undefined : readManifest(folder);
}

/** What the manifest says of a component; undefined where it says nothing. */
export function componentIfNamed(folder: string, name: string): Component | undefined {
  return manifestIfThere(folder)?.components.get(name);
}

export function manifestVersion(folder: string, name: string): string | undefined {
  return componentIfNamed(folder, name)?.version;
}

/** @throws {UsageError} */
export function assertLabels(labels: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(labels)) {
    const isOwn = name.startsWith(OWN);
    if (LABEL.test(name) && !isOwn && value.length <= MAX_VALUE) continue;
    const why = isOwn
      ? "names that begin with backout. are backout's own"
      : value.length > MAX_VALUE
      ? `its value is longer than ${MAX_VALUE} characters`
      : "a name has lower-case letters, digits and . _ -, 63 at most";
    throw new UsageError(`Cannot use ${quoteShort(name)} as a label: ${why}`, {
      hint: "Write --label NAME=VALUE, for example --label build=1234.",
    });
  }
}
