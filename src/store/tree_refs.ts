/**
 * What a tree keeps alive. A tree is content: JSON lines, the first `{"format": 1, …}`, then one `{"segment": ContentRef}`
 * for each segment. A segment is content too: JSON lines of entries, of which some have a `content`.
 */
import { IntegrityError } from "#/core/errors.ts";
import { isJsonObject } from "#/core/json.ts";
import type { ContentRef } from "./model.ts";

const CHUNK_ID = /^[0-9a-f]{64}$/;

/**
 * The segments that a tree's root names.
 * @throws {IntegrityError} it is no tree, or of a format that this version does not know
 */
export function treeSegments(root: Uint8Array): readonly ContentRef[] {
  const [head, ...segments] = jsonLines(root, "The root of a tree");
  if (!isJsonObject(head) || head.format !== 1) {
    throw damaged(
      "The root of a tree",
      `has format ${JSON.stringify(isJsonObject(head) ? head.format : head)}, not 1`,
    );
  }
  return segments.map((line) => {
    if (!isJsonObject(line) || !isContentRef(line.segment)) {
      throw damaged("The root of a tree", "names no segment in a line");
    }
    return line.segment;
  });
}

/** What the entries of a segment refer to. @throws {IntegrityError} */
export function segmentContents(segment: Uint8Array): readonly ContentRef[] {
  const contents: ContentRef[] = [];
  for (const entry of jsonLines(segment, "A segment of a tree")) {
    if (!isJsonObject(entry)) throw damaged("A segment of a tree", "has a line that is no entry");
    if (entry.content === undefined) continue;
    if (!isContentRef(entry.content)) {
      throw damaged("A segment of a tree", "has an entry without its content");
    }
    contents.push(entry.content);
  }
  return contents;
}

/** Whether a value that was read has the form of a reference to content. */
export function isContentRef(value: unknown): value is ContentRef {
  if (!isJsonObject(value) || !Number.isSafeInteger(value.size) || (value.size as number) < 0) return false;
  return Array.isArray(value.chunks) &&
    value.chunks.every((it) => typeof it === "string" && CHUNK_ID.test(it));
}

function jsonLines(bytes: Uint8Array, what: string): unknown[] {
  const text = new TextDecoder().decode(bytes);
  try {
    return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as unknown);
  } catch (cause) {
    throw damaged(what, "is not JSON lines", cause);
  }
}

function damaged(what: string, state: string, cause?: unknown): IntegrityError {
  return new IntegrityError(`${what} in the snapshot store ${state}`, {
    hint: "Run `backout snapshot verify --read-data` to see which snapshots are whole.",
    cause,
  });
}
