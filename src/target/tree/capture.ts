/**
 * Stores a tree. The walk is synchronous; what an earlier tree knows of an untouched file is taken over, and a segment
 * that is untouched as a whole is not even written again. Files that are read go to the store many at a time.
 */
import { IntegrityError, RollbackBackupError } from "#/core/errors.ts";
import { Pacer } from "#/core/pace.ts";
import type { ContentRef } from "#/store/model.ts";
import type { StoredFile } from "#/store/store.ts";
import type { CaptureContext } from "../target.ts";
import { readAttributes } from "./attributes.ts";
import { beginReading, readChanged } from "./capture_files.ts";
import { captureLimits, noteWarnings } from "./capture_notes.ts";
import type { TreeEntry } from "./entry.ts";
import { HardLinks } from "./links.ts";
import type { Seen } from "./look.ts";
import { excludingOwn, leadingElsewhere } from "./own.ts";
import { type EarlierPart, EarlierTree, spoiled } from "./previous.ts";
import { newNotes, scan, type ScanNotes } from "./scan.ts";
import { endsSegment, readRoot, readSegment, type SegmentLine, type TreeHead, TreeWriter } from "./tree.ts";

/** Files that are given to the store at once. */
const MAX_FILES = 512;
const MAX_BYTES = 512 << 20;
/** A file that was changed this short a time before the walk, in seconds, is read again by the next. */
const RACY_SECONDS = 2;

export interface TreeOptions {
  /** Absolute, none within another. */
  readonly roots: readonly string[];
  /** Absolute globs that some of the roots come from. */
  readonly globs: readonly string[];
  readonly exclude: readonly string[];
  readonly oneFileSystem: boolean;
  /** Paths that are never captured or touched: the store, and what backout keeps of its own. */
  readonly own: readonly string[];
  /** Of how many files the digests are told. @default 0 */
  readonly digests?: number;
}

export interface CapturedTree {
  readonly root: ContentRef;
  readonly fingerprint: string;
  readonly files: number;
  readonly folders: number;
  readonly bytes: number;
  /** Files whose content was read. */
  readonly read: number;
  readonly missing: readonly string[];
  /** SHA-256 by path of the first so many files, where they were asked for. */
  readonly digests: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

/** A segment that waits for the content of its files. */
export type Waiting = { readonly take: SegmentLine } | { readonly entries: WaitingEntry[] };

/** An entry, with the look at it that says whether it changed while it was read. */
export interface WaitingEntry {
  readonly seen: Seen;
  /** Undefined: dropped. */
  entry: TreeEntry | undefined;
  /** To be read; its content in the earlier tree, where there is one. */
  readonly read: boolean;
  readonly previous: ContentRef | undefined;
}

/** @throws {RollbackBackupError} 45: a part of it cannot be read */
export async function captureTree(
  options: TreeOptions,
  previous: ContentRef | undefined,
  context: CaptureContext,
): Promise<CapturedTree> {
  const run = new CaptureRun(options, context);
  await using earlier = await openEarlier(previous, context);
  return await run.go(earlier);
}

async function openEarlier(
  previous: ContentRef | undefined,
  context: CaptureContext,
): Promise<EarlierTree | undefined> {
  if (previous === undefined) return undefined;
  try {
    const { store, writer } = context;
    const onDamage = (error: Error) =>
      context.warn(`A part of the last snapshot cannot be used, so files are read again: ${error.message}`);
    return new EarlierTree(await readRoot(store, previous), { store, known: writer.known, onDamage });
  } catch (error) {
    if (error instanceof IntegrityError && context.writer.known.has(previous)) throw spoiled(error);
    context.warn(
      `The last snapshot cannot be compared with, so every file is read: ${(error as Error).message}`,
    );
    return undefined;
  }
}

class CaptureRun {
  readonly #options: TreeOptions;
  readonly #context: CaptureContext;
  readonly #tree: TreeWriter;
  readonly #notes: ScanNotes = newNotes();
  readonly #links = new HardLinks();
  readonly #racySince = Math.floor(Date.now() / 1000) - RACY_SECONDS;
  readonly #warnings: string[] = [];
  readonly #digests = new Map<string, string>();
  #queue: Waiting[] = [];
  /** The portion that the store reads while the walk goes on, and the one before it. */
  #reading: Promise<void> = Promise.resolve();
  #earlier: Promise<void> = Promise.resolve();
  /** Paths that went or became other files while they were read. */
  readonly #gone = new Set<string>();
  #waitingFiles = 0;
  #waitingBytes = 0;
  #files = 0;
  #folders = 0;
  #bytes = 0;
  #read = 0;

  constructor(options: TreeOptions, context: CaptureContext) {
    this.#options = options;
    this.#context = context;
    this.#tree = new TreeWriter(context.writer);
  }

  async go(earlier: EarlierTree | undefined): Promise<CapturedTree> {
    const { roots, oneFileSystem } = this.#options;
    try {
      await this.#walk(earlier);
      this.#refuseUnreadable();
      await this.#flush();
    } finally {
      await this.#reading.catch(() => {}); // it ends before this does, also where something else failed
    }
    await this.#reading;
    const limits = captureLimits();
    const head: TreeHead = {
      format: 1,
      kind: "tree",
      roots,
      globs: this.#options.globs,
      exclude: this.#options.exclude,
      one_file_system: oneFileSystem,
      limits,
    };
    const { root, fingerprint } = await this.#tree.end(head);
    return {
      root,
      fingerprint,
      files: this.#files,
      folders: this.#folders,
      bytes: this.#bytes,
      read: this.#read,
      missing: this.#notes.missing,
      digests: Object.fromEntries(this.#digests),
      warnings: [
        ...this.#warnings,
        ...noteWarnings(this.#notes, leadingElsewhere(roots)),
        ...limits,
      ],
    };
  }

  async #walk(earlier: EarlierTree | undefined): Promise<void> {
    const { roots, oneFileSystem } = this.#options;
    const exclude = excludingOwn(this.#options);
    const pacer = new Pacer(this.#context.signal);
    let segment: Seen[] = [];
    for (const seen of scan({ roots, exclude, oneFileSystem }, this.#notes)) {
      segment.push(this.#links.linked(seen));
      if (!endsSegment(seen, segment.length)) continue;
      await this.#addSegment(segment, earlier);
      segment = [];
      if (pacer.due()) await pacer.rest();
    }
    if (segment.length > 0) await this.#addSegment(segment, earlier);
  }

  async #addSegment(segment: readonly Seen[], earlier: EarlierTree | undefined): Promise<void> {
    const proven = this.#options.digests === undefined ? earlier?.proven(segment) : undefined;
    if (proven !== undefined && await this.#hasItsFirstLinks(segment)) {
      this.#queue.push({ take: proven });
      for (const entry of segment) this.#count(entry);
      return;
    }
    const part = await earlier?.between(segment[0]!.path, segment.at(-1)!.path);
    const take = part?.sameSegment(segment);
    if (take !== undefined && await this.#hasItsFirstLinks(segment)) {
      this.#queue.push({ take });
      for (const entry of segment) {
        this.#count(this.#options.digests === undefined ? entry : part!.get(entry.path)!);
      }
    } else {
      const entries = segment.map((seen) => this.#waiting(seen, part));
      for (const { read, seen } of entries) {
        if (!read) continue;
        this.#waitingFiles++;
        this.#waitingBytes += seen.size ?? 0;
      }
      this.#queue.push({ entries });
    }
    if (this.#waitingFiles >= MAX_FILES || this.#waitingBytes >= MAX_BYTES) await this.#flush();
  }

  /** The file that a hard link stands for may just be found to be gone. */
  async #hasItsFirstLinks(segment: readonly Seen[]): Promise<boolean> {
    if (segment.every(({ link }) => link === undefined)) return true;
    await this.#flush();
    await this.#reading;
    return segment.every(({ link }) => link === undefined || !this.#gone.has(link));
  }

  #waiting(seen: Seen, part: EarlierPart | undefined): WaitingEntry {
    const untouched = part?.untouched(seen);
    if (untouched !== undefined) return { seen, entry: untouched, read: false, previous: undefined };
    const read = seen.type === "file" && seen.link === undefined;
    const previous = read ? part?.get(seen.path)?.content : undefined;
    return { seen, entry: this.#describe(seen), read, previous };
  }

  /** What is stored of a path: without what only the walk needs, with its attributes. */
  #describe(seen: Seen): TreeEntry | undefined {
    const { dev: _dev, nlink: _nlink, holdsMore: _more, ...entry } = seen;
    try {
      const attributes = readAttributes(seen.path);
      const racy = seen.type === "file" &&
        (Number.parseInt(seen.mtime) >= this.#racySince || Number.parseInt(seen.ctime) >= this.#racySince);
      return {
        ...entry,
        ...(attributes === undefined ? {} : { attributes }),
        ...(racy ? { racy: true as const } : {}),
      };
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") {
        this.#notes.vanished.push(seen.path);
        if (seen.type === "folder") return entry; // what was in it, and was seen, cannot be without it
        this.#gone.add(seen.path);
        this.#links.forget(seen.path);
        return undefined;
      }
      this.#notes.unreadable.push(`${seen.path} (${(error as { code?: string }).code ?? String(error)})`);
      return undefined;
    }
  }

  /** Begins to read the queue, while the one before it may still be read, and the one before that is written down. */
  async #flush(): Promise<void> {
    const queue = this.#queue;
    this.#queue = [];
    this.#waitingFiles = this.#waitingBytes = 0;
    await this.#earlier;
    this.#earlier = this.#reading;
    const waiting = queue.flatMap((it) => "entries" in it ? it.entries : []);
    const read = beginReading(waiting, this.#context);
    read.catch(() => {}); // thrown to who waits for it
    this.#reading = this.#earlier.finally(() => read.catch(() => {})).then(() =>
      this.#writeQueue(queue, waiting, read)
    );
    this.#reading.catch(() => {});
  }

  async #writeQueue(
    queue: readonly Waiting[],
    waiting: readonly WaitingEntry[],
    read: Promise<readonly StoredFile[]>,
  ): Promise<void> {
    const outcome = await readChanged(waiting, await read, {
      context: this.#context,
      describe: (seen) => this.#describe(seen),
      gone: this.#gone,
    });
    for (const path of this.#gone) this.#links.forget(path);
    this.#read += outcome.read;
    this.#warnings.push(...outcome.warnings);
    this.#notes.unreadable.push(...outcome.unreadable);
    this.#refuseUnreadable();
    for (const part of queue) {
      if ("entries" in part) await this.#write(part.entries);
      else if (this.#tree.atStart) this.#tree.take(part.take);
      else for (const entry of await readSegment(this.#context.store, part.take)) await this.#tree.add(entry);
    }
    this.#context.onProgress(this.#files, this.#files, "files");
  }

  /** Where the last entry of a segment was dropped, the segment runs on into the next. */
  async #write(entries: readonly WaitingEntry[]): Promise<void> {
    for (const { entry } of entries) {
      if (entry === undefined) continue;
      this.#count(entry);
      await this.#tree.add(entry);
    }
  }

  #count(entry: TreeEntry): void {
    const sha256 = entry.content?.sha256;
    if (sha256 !== undefined && this.#digests.size < (this.#options.digests ?? 0)) {
      this.#digests.set(entry.path, sha256);
    }
    if (entry.type === "folder") this.#folders++;
    else this.#files++;
    if (entry.link === undefined) this.#bytes += entry.size ?? 0;
  }

  #refuseUnreadable(): void {
    const { unreadable } = this.#notes;
    if (unreadable.length === 0) return;
    const more = unreadable.length > 5 ? ` and ${unreadable.length - 5} more` : "";
    throw new RollbackBackupError(`Cannot read ${unreadable.slice(0, 5).join(", ")}${more}`, {
      hint: "Run as a user who may read them, or leave them out with `exclude`.",
      context: { unreadable: unreadable.slice(0, 100) },
    });
  }
}
