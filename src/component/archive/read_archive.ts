/** Unpacks a tar archive into a folder of our own, where nothing can lead out of it. */
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { createTarDecoder, type ParsedTarEntry } from "modern-tar";
import { IntegrityError, messageOf, RollbackError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { attempt, isSystemFailure } from "#/core/system_error.ts";
import { entryPathProblem, linkProblem } from "../entry/entry_path.ts";
import { compressionOf, decompressor } from "./compression.ts";

const FOLDER_MODE = 0o755;
const STAGED_MODE = 0o700;
const MAGIC_BYTES = 4;
/** What a decoder puts in the place of bytes that are not UTF-8. */
const REPLACED = "\ufffd";

interface Unpacked {
  readonly folder: string;
  readonly files: Set<string>;
  readonly folders: Map<string, number>;
  readonly links: Map<string, string>;
}

/**
 * @param folder an empty folder of our own
 * @throws {IntegrityError} 54: it is damaged, cut off, or has a path or a symlink that climbs out
 */
export async function readArchive(
  path: string,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const unpacked: Unpacked = { folder, files: new Set(), folders: new Map(), links: new Map() };
  const file = attempt("read", path, () => fs.createReadStream(path));
  const unpack = decompressor(compressionOf(beginOf(path), path));
  const stream = unpack === undefined
    ? file
    : file.on("error", (error) => unpack.destroy(error)).pipe(unpack);
  try {
    const bytes = Readable.toWeb(stream) as unknown as ReadableStream<Uint8Array>;
    const decoder = createTarDecoder({ strict: true });
    for await (const entry of bytes.pipeThrough(decoder)) {
      throwIfStopped(signal);
      await takeEntry(entry, unpacked, path);
    }
  } catch (error) {
    if (error instanceof RollbackError || isSystemFailure(error)) throw error;
    throw damaged(path, messageOf(error), error);
  } finally {
    file.destroy();
  }
  finish(unpacked, path);
}

function beginOf(path: string): Uint8Array {
  return attempt("read", path, () => {
    using file = Deno.openSync(path, { read: true });
    const bytes = new Uint8Array(MAGIC_BYTES);
    return bytes.subarray(0, file.readSync(bytes) ?? 0);
  });
}

async function takeEntry({ header, body }: ParsedTarEntry, unpacked: Unpacked, path: string): Promise<void> {
  const name = header.name.replace(/^(\.\/)+/, "").replace(/\/+$/, "");
  if (name === "" || name === ".") return await body.cancel();
  const problem = entryPathProblem(name);
  if (problem !== undefined) throw damaged(path, `${JSON.stringify(name).slice(0, 200)}: ${problem}`);
  if (`${name}${header.linkname ?? ""}`.includes(REPLACED)) {
    throw damaged(path, `${JSON.stringify(name).slice(0, 200)}: its name, or what it says, is not UTF-8`);
  }
  makeFoldersOf(dirname(name), unpacked, path);
  const mode = (header.mode ?? FOLDER_MODE) & 0o777;
  switch (header.type ?? "file") {
    case "directory":
      await body.cancel();
      makeFoldersOf(name, unpacked, path);
      return void unpacked.folders.set(name, mode);
    case "symlink":
      await body.cancel();
      assertFree(name, unpacked, path);
      return void unpacked.links.set(name, header.linkname ?? "");
    case "link": {
      await body.cancel();
      const original = (header.linkname ?? "").replace(/^(\.\/)+/, "");
      if (!unpacked.files.has(original)) {
        throw damaged(path, `${JSON.stringify(name)} is a link to what is not before it`);
      }
      assertFree(name, unpacked, path);
      attempt(
        "write",
        name,
        () => posix.copyFile(join(unpacked.folder, original), join(unpacked.folder, name)),
      );
      return void unpacked.files.add(name);
    }
    case "file":
      assertFree(name, unpacked, path);
      await writeFile(join(unpacked.folder, name), body, mode);
      return void unpacked.files.add(name);
    default:
      throw damaged(path, `${JSON.stringify(name)} is a ${header.type}, which no entry can hold`);
  }
}

function assertFree(name: string, { files, folders, links }: Unpacked, path: string): void {
  if (!files.has(name) && !folders.has(name) && !links.has(name)) return;
  throw damaged(path, `${JSON.stringify(name)} is in it twice`);
}

/** Folders that the archive does not name, too. */
function makeFoldersOf(name: string, unpacked: Unpacked, path: string): void {
  if (name === "." || unpacked.folders.has(name)) return;
  makeFoldersOf(dirname(name), unpacked, path);
  assertFree(name, unpacked, path);
  attempt("create", name, () => posix.mkdir(join(unpacked.folder, name), STAGED_MODE));
  unpacked.folders.set(name, FOLDER_MODE);
}

async function writeFile(path: string, body: ReadableStream<Uint8Array>, mode: number): Promise<void> {
  using file = attempt("write", path, () => posix.openNewFile(path, 0o600));
  for await (const part of body) attempt("write", path, () => posix.writeToOpenFile(file, path, part));
  attempt("write", path, () => posix.chmod(path, mode));
}

/** Symlinks last, so that nothing is ever written through one; modes of folders after all that is in them. */
function finish({ folder, folders, links }: Unpacked, path: string): void {
  for (const [name, target] of links) {
    const problem = linkProblem(name, links);
    if (problem !== undefined) {
      throw damaged(path, `the symlink ${JSON.stringify(name).slice(0, 200)}: ${problem}`);
    }
    attempt("write", name, () => posix.symlink(target, join(folder, name)));
  }
  for (const [name, mode] of [...folders].reverse()) {
    attempt("write", name, () => posix.chmod(join(folder, name), mode));
  }
}

function damaged(path: string, why: string, cause?: unknown): IntegrityError {
  return new IntegrityError(`Cannot use the archive ${path}: ${why}`, {
    hint: "Get it once more; nothing of it was kept.",
    context: { path },
    ...(cause === undefined ? {} : { cause }),
  });
}
