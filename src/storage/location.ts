/** What a user gives as LOCATION, taken apart. Pure: nothing is looked up. */
import { fileURLToPath } from "node:url";
import { UsageError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";
import { isOwnFolder } from "./key.ts";

export type Location =
  /** `path` is as given: it may be relative to the working folder. */
  | { readonly type: "local"; readonly path: string }
  /** `prefix` has no slash at either end; empty for the whole bucket. */
  | { readonly type: "s3" | "gcs"; readonly bucket: string; readonly prefix: string };

const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//;
const HINT =
  "Give a folder, or a location such as file:///srv/releases, s3://bucket/prefix or gs://bucket/prefix.";

/** Takes a path, `file://…`, `s3://bucket/prefix` or `gs://bucket/prefix` apart. @throws {UsageError} */
export function parseLocation(location: string): Location {
  if (location.trim() === "") throw new UsageError("Cannot use an empty location", { hint: HINT });
  if (location.includes("\0")) {
    throw new UsageError(`Cannot use ${quoteShort(location)} as a location: it contains a NUL`, {
      hint: HINT,
    });
  }
  const scheme = SCHEME.exec(location)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      return { type: "local", path: location };
    case "file":
      return { type: "local", path: pathOfFileUrl(location) };
    case "s3":
      return bucketLocation("s3", location);
    case "gs":
      return bucketLocation("gcs", location);
    default:
      throw new UsageError(`Cannot use ${quoteShort(location)} as a location: ${scheme}:// is not known`, {
        hint: HINT,
      });
  }
}

function pathOfFileUrl(location: string): string {
  try {
    const url = new URL(location);
    if (url.search !== "" || url.hash !== "") throw new Error("it has a ? or # (write %3F or %23)");
    return fileURLToPath(url);
  } catch (cause) {
    throw new UsageError(
      `Cannot use ${quoteShort(location)} as a location: ${cause instanceof Error ? cause.message : cause}`,
      { hint: HINT, cause },
    );
  }
}

function bucketLocation(type: "s3" | "gcs", location: string): Location {
  const [bucket = "", ...rest] = location.replace(SCHEME, "").split("/");
  const prefix = rest.filter((part) => part !== "").join("/");
  if (!/^[a-z0-9][a-z0-9._-]{1,221}$/.test(bucket)) {
    throw new UsageError(
      `Cannot use ${quoteShort(location)} as a location: ${quoteShort(bucket)} is not a bucket name`,
      {
        hint: HINT,
      },
    );
  }
  if (rest.includes("..") || rest.includes(".")) {
    throw new UsageError(`Cannot use ${quoteShort(location)} as a location: its prefix has a . or .. part`, {
      hint: HINT,
    });
  }
  const own = rest.find(isOwnFolder);
  if (own !== undefined) {
    throw new UsageError(
      `Cannot use ${quoteShort(location)} as a location: ${own} is a folder of backout's own`,
      {
        hint: "Give the prefix above it.",
      },
    );
  }
  return { type, bucket, prefix };
}
