/** Gives files to the store, and looks again: what changed or went meanwhile is read once more, then recorded as it is. */
import type { CaptureContext } from "../target.ts";
import type { StoredFile } from "#/store/store.ts";
import type { WaitingEntry } from "./capture.ts";
import { DIGESTED_BYTES, sameStamp, type TreeEntry } from "./entry.ts";
import { lookAt, type Seen } from "./look.ts";
import { digestsOf } from "./same_content.ts";

const ATTEMPTS = 3;

export interface ReadOutcome {
  /** Files that were read. */
  readonly read: number;
  readonly unreadable: readonly string[];
  readonly warnings: readonly string[];
}

interface ReadOptions {
  readonly context: CaptureContext;
  readonly describe: (seen: Seen) => TreeEntry | undefined;
  /** Paths that went or became other files, and no longer stand for their hard links; added to. */
  readonly gone: Set<string>;
}

function toBeRead(waiting: readonly WaitingEntry[]): WaitingEntry[] {
  return waiting.filter((it) => it.read && it.entry !== undefined);
}

/** Reads the files of the entries that are to be read, in their order, once. */
export async function beginReading(
  waiting: readonly WaitingEntry[],
  { writer, signal }: CaptureContext,
): Promise<readonly StoredFile[]> {
  const files = toBeRead(waiting).map(({ entry, previous }) => ({
    path: entry!.path,
    size: entry!.size ?? 0,
    ...(previous === undefined ? {} : { previous }),
  }));
  return files.length === 0 ? [] : await writer.addFiles(files, { signal });
}

/**
 * Fills in the content of the entries that are to be read, or drops them.
 * @param first what {@link beginReading} told of them
 */
export async function readChanged(
  waiting: readonly WaitingEntry[],
  first: readonly StoredFile[],
  options: ReadOptions,
): Promise<ReadOutcome> {
  const outcome = { read: 0, unreadable: [] as string[], warnings: [] as string[] };
  let open = toBeRead(waiting);
  let stored = first;
  const { gone } = options;
  const went: string[] = [];
  for (let attempt = 1; open.length > 0; attempt++) {
    if (attempt > 1) stored = await beginReading(open, options.context);
    outcome.read += open.length;
    const again: WaitingEntry[] = [];
    open.forEach((it, i) => {
      const last = attempt >= ATTEMPTS;
      const verdict = settle(it, stored[i]!, last, options, outcome);
      if (verdict === "again") again.push(it);
      if (verdict === "gone") went.push(it.seen.path);
    });
    open = again;
  }
  await completeDigests(waiting, options.context.signal);
  for (const path of went) {
    gone.add(path);
    outcome.warnings.push(`Went while it was read, and is not in the snapshot: ${JSON.stringify(path)}`);
  }
  return gone.size === 0 ? outcome : await adoptLinks(waiting, options, outcome);
}

/** A fingerprint needs the digest of every file that is not large; the store may know only those of its chunks. */
async function completeDigests(waiting: readonly WaitingEntry[], signal: AbortSignal): Promise<void> {
  const open = waiting.filter(({ read, entry }) =>
    read && entry?.content !== undefined && entry.content.sha256 === undefined &&
    entry.content.size <= DIGESTED_BYTES
  );
  if (open.length === 0) return;
  const digests = await digestsOf(open.map((it) => it.seen.path), signal);
  for (const it of open) {
    const sha256 = digests.get(it.seen.path);
    if (sha256 !== undefined) it.entry = { ...it.entry!, content: { ...it.entry!.content!, sha256 } };
  }
}

function settle(
  it: WaitingEntry,
  stored: StoredFile,
  last: boolean,
  options: ReadOptions,
  outcome: { unreadable: string[]; warnings: string[] },
): "done" | "again" | "gone" {
  const { path } = it.seen;
  if (stored.kind === "unreadable") {
    outcome.unreadable.push(`${path} (${stored.reason})`);
    it.entry = undefined;
    return "done";
  }
  // What was read is what the walk saw: it need not be looked at again.
  if (
    stored.kind === "stored" && stored.stamp !== undefined &&
    sameStamp(it.entry!, { ...stored.stamp, type: "file" })
  ) {
    it.entry = { ...it.entry!, content: stored.content };
    return "done";
  }
  const now = lookAt(path);
  if (now === undefined || now.type !== "file") {
    it.entry = undefined;
    return "gone";
  }
  if (stored.kind === "stored" && sameStamp(it.entry!, now)) {
    it.entry = { ...it.entry!, content: stored.content };
    return "done";
  }
  // Its further names are still names of the file that was there.
  if (it.seen.nlink > 1 && (now.ino !== it.seen.ino || now.dev !== it.seen.dev)) options.gone.add(path);
  const described = options.describe(now);
  it.entry = described;
  if (described === undefined) return "done";
  if (!last) return "again";
  if (stored.kind === "vanished") {
    it.entry = undefined;
    return "gone";
  }
  it.entry = { ...described, size: stored.content.size, content: stored.content, changing: true };
  outcome.warnings.push(`Changed while it was read, and is kept as last read: ${JSON.stringify(path)}`);
  return "done";
}

/** Further names of a file whose first name went become files of their own. */
async function adoptLinks(
  waiting: readonly WaitingEntry[],
  options: ReadOptions,
  outcome: ReadOutcome,
): Promise<ReadOutcome> {
  const adopted: WaitingEntry[] = [];
  for (const it of waiting) {
    const link = it.entry?.link;
    if (link === undefined || !options.gone.has(link)) continue;
    const { link: _link, ...entry } = it.entry!;
    it.entry = entry;
    adopted.push({ ...it, entry, read: true });
  }
  if (adopted.length === 0) return outcome;
  const more = await readChanged(adopted, await beginReading(adopted, options.context), options);
  const byPath = new Map(adopted.map((it) => [it.seen.path, it.entry]));
  for (const it of waiting) if (byPath.has(it.seen.path)) it.entry = byPath.get(it.seen.path);
  return {
    read: outcome.read + more.read,
    unreadable: [...outcome.unreadable, ...more.unreadable],
    warnings: [...outcome.warnings, ...more.warnings],
  };
}
