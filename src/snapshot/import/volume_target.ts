/**
 * A volume of containers that another tool kept as an archive (`volumes/NAME.tar.gz`), as a `file_system` target: the files
 * below the folder where this machine's engine keeps the volume.
 */
import * as fs from "node:fs";
import { Readable } from "node:stream";
import * as zlib from "node:zlib";
import { createTarDecoder, type ParsedTarEntry } from "modern-tar";
import { messageOf } from "#/core/errors.ts";
import { lstatRegular } from "#/core/digest.ts";
import { native } from "#/core/native.ts";
import { throwIfStopped } from "#/core/pace.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { StoreWriter } from "#/store/store.ts";
import { isLocal, openEngine } from "#/target/container/open_engine.ts";
import type { TargetContext } from "#/target/target.ts";
import type { TreeEntry } from "#/target/tree/entry.ts";
import { childOf, comparePaths, isWithin, parentOf, pathProblem } from "#/target/tree/path.ts";
import { TreeWriter } from "#/target/tree/tree.ts";
import { type FoundVolume, volumeTargetName } from "./found.ts";

const FOLDER_MODE = 0o755;
/** What a decoder puts in the place of bytes that are not UTF-8. */
const REPLACED = "\ufffd";

/**
 * Reads the archive into the store.
 * @throws the reason why it cannot be taken over, for people
 */
export async function volumeTarget(
  volume: FoundVolume,
  writer: StoreWriter,
  context: Pick<TargetContext, "env" | "signal">,
): Promise<SavedTarget> {
  const root = await folderOf(volume.name, context);
  const entries = await readEntries(volume.archive, root, writer, context.signal);
  const tree = new TreeWriter(writer);
  for (const entry of entries) await tree.add(entry);
  const head = {
    format: 1,
    kind: "tree",
    globs: [],
    exclude: [],
    one_file_system: false,
    limits: [],
  } as const;
  const { root: content, fingerprint } = await tree.end({ ...head, roots: [root] });
  return {
    name: volumeTargetName(volume.name),
    type: "file_system",
    undo: "exact",
    config: { paths: [root] },
    method: "filesystem_backup",
    metadata: { paths: [root], volume: volume.name },
    state: { format: 1, tree: { ...content } },
    roots: [{ kind: "tree", content }],
    fingerprint,
    files: entries.filter(({ type }) => type === "file").length,
    bytes: entries.reduce((sum, { size }) => sum + (size ?? 0), 0),
    stored_bytes: writer.storedBytes,
    seconds: 0,
    warnings: [],
  };
}

/** Where the engine of this machine keeps the volume. */
async function folderOf(name: string, context: Pick<TargetContext, "env" | "signal">): Promise<string> {
  const engine = await openEngine(undefined, context);
  if (!await isLocal(engine)) throw new Error("the container engine is on another machine");
  const volume = await engine.volume(name);
  if (volume === undefined) throw new Error(`${engine.kind} has no volume of this name`);
  if (volume.driver !== "local" || volume.hasOptions) {
    throw new Error(`${engine.kind} keeps it by the driver ${volume.driver}, not in a folder of its own`);
  }
  if (volume.mountpoint === "/" || pathProblem(volume.mountpoint) !== undefined) {
    throw new Error(
      `${engine.kind} keeps it at ${JSON.stringify(volume.mountpoint)}, which is no folder of its own`,
    );
  }
  return volume.mountpoint;
}

/** What an archive says, by path; the content of files is in the store already. */
class Entries {
  readonly #root: string;
  readonly #byPath = new Map<string, TreeEntry>();
  /** Hard links, and what they say they are links to. */
  readonly #links = new Map<string, string>();

  constructor(root: string) {
    this.#root = root;
  }

  pathOf(name: string): string {
    const parts = name.split("/").filter((part) => part !== "" && part !== ".");
    const path = parts.reduce(childOf, this.#root);
    if (
      name.startsWith("/") || name.includes(REPLACED) || pathProblem(path) !== undefined ||
      !isWithin(path, this.#root)
    ) {
      throw new Error(`its archive has the path ${JSON.stringify(name)}`);
    }
    return path;
  }

  add(entry: TreeEntry): void {
    this.#links.delete(entry.path);
    this.#byPath.set(entry.path, entry);
  }

  addLink(path: string, to: string): void {
    this.#byPath.delete(path);
    this.#links.set(path, to);
  }

  /** In the order of a walk, with the folders that the archive does not name. */
  all(): readonly TreeEntry[] {
    for (const [path, to] of this.#links) this.#resolveLink(path, to);
    for (const path of [...this.#byPath.keys()]) this.#addFolders(path);
    const sorted = [...this.#byPath.values()].toSorted((a, b) => comparePaths(a.path, b.path));
    return this.#linked(sorted);
  }

  #resolveLink(path: string, to: string): void {
    const file = this.#byPath.get(to);
    if (file?.type !== "file") {
      throw new Error(`its archive has a link to ${JSON.stringify(to)}, which it lacks`);
    }
    this.#byPath.set(path, { ...file, path, ino: to });
    this.#byPath.set(to, { ...file, ino: to });
  }

  #addFolders(path: string): void {
    for (let folder = path; folder !== this.#root;) {
      folder = parentOf(folder);
      const there = this.#byPath.get(folder);
      if (there === undefined) this.#byPath.set(folder, plainFolder(folder));
      else if (there.type !== "folder") {
        throw new Error(`its archive has files below ${JSON.stringify(folder)}`);
      }
    }
  }

  /** Of the names of one file the first has the content, the others are links to it. */
  #linked(sorted: readonly TreeEntry[]): readonly TreeEntry[] {
    const first = new Map<number | string, string>();
    return sorted.map((entry) => {
      if (entry.ino === 0) return entry;
      const link = first.get(entry.ino);
      first.set(entry.ino, link ?? entry.path);
      const { content, ...rest } = { ...entry, ino: 0 };
      return link === undefined || content === undefined ? { ...entry, ino: 0 } : { ...rest, link };
    });
  }
}

function plainFolder(path: string): TreeEntry {
  const now = timeText(new Date(0));
  return { path, type: "folder", mode: FOLDER_MODE, uid: 0, gid: 0, mtime: now, ctime: now, ino: 0 };
}

async function readEntries(
  archive: string,
  root: string,
  writer: StoreWriter,
  signal: AbortSignal,
): Promise<readonly TreeEntry[]> {
  lstatRegular(archive); // a symlink could lead anywhere
  const entries = new Entries(root);
  const file = fs.createReadStream(archive);
  const unpack = zlib.createGunzip();
  file.on("error", (error) => unpack.destroy(error));
  try {
    const bytes = Readable.toWeb(file.pipe(unpack)) as unknown as ReadableStream<Uint8Array>;
    for await (const entry of bytes.pipeThrough(createTarDecoder({ strict: true }))) {
      throwIfStopped(signal);
      await takeEntry(entry, entries, writer, signal);
    }
  } catch (error) {
    throw new Error(messageOf(error), { cause: error });
  } finally {
    file.destroy();
    unpack.destroy();
  }
  const all = entries.all();
  if (all.length === 0) throw new Error("its archive is empty");
  return all;
}

async function takeEntry(
  { header, body }: ParsedTarEntry,
  entries: Entries,
  writer: StoreWriter,
  signal: AbortSignal,
): Promise<void> {
  const { type = "file", mode = 0o644, uid = 0, gid = 0, mtime } = header;
  const path = entries.pathOf(header.name);
  const time = timeText(mtime ?? new Date(0));
  const common = { path, mode: mode & 0o7777, uid, gid, mtime: time, ctime: time, ino: 0 };
  if (type === "file") {
    const content = await writer.addStream(body, { signal });
    return entries.add({ ...common, type, size: content.size, content });
  }
  await body.cancel();
  if (type === "directory") return entries.add({ ...common, type: "folder" });
  if (type === "link") return entries.addLink(path, entries.pathOf(header.linkname ?? ""));
  if (type === "symlink") return entries.add({ ...common, type, mode: 0o777, target: header.linkname ?? "" });
  throw new Error(`its archive has ${JSON.stringify(header.name)}, a ${type}`);
}

/** As precise as a look at a file says it here: else it would not be equal after its restore. */
function timeText(time: Date): string {
  return `${Math.floor(time.getTime() / 1000)}.${native() === undefined ? "000" : "000000000"}`;
}
