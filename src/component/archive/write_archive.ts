/** An entry as one tar archive. The same entry gives the same bytes: sorted paths, no owner, no time. */
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { createTarPacker, type TarHeader } from "modern-tar";
import { throwIfStopped } from "#/core/pace.ts";
import { makeFolders } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { attempt } from "#/core/system_error.ts";
import type { StoreReader } from "#/store/store.ts";
import type { EntryItem, EntryTree } from "../entry/entry_tree.ts";
import { compressionFor, compressor } from "./compression.ts";

const EPOCH = new Date(0);
const FILE_MODE = 0o644;

/**
 * Writes a tree to a file, whole or not at all. Every byte is proven when it is read.
 * @returns bytes of the archive
 */
export async function writeArchive(
  store: StoreReader,
  tree: EntryTree,
  path: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const compress = compressor(compressionFor(path));
  attempt("create the folder of", path, () => makeFolders(dirname(path)));
  const temporary = join(dirname(path), `.backout-new-${crypto.randomUUID()}`);
  const tar = Readable.from(tarOf(store, tree));
  const stream = compress === undefined
    ? tar
    : tar.on("error", (error) => compress.destroy(error)).pipe(compress);
  try {
    using file = attempt("write", path, () => posix.openNewFile(temporary, FILE_MODE));
    let size = 0;
    for await (const part of stream) {
      throwIfStopped(signal);
      attempt("write", path, () => posix.writeToOpenFile(file, temporary, part as Uint8Array));
      size += (part as Uint8Array).length;
    }
    attempt("write", path, () => {
      posix.syncFile(temporary);
      posix.rename(temporary, path);
      posix.syncFolder(dirname(path));
    });
    return size;
  } finally {
    tar.destroy();
    if (posix.lstat(temporary) !== undefined) posix.unlink(temporary);
  }
}

/** A part at a time: what goes into the packer is taken out of it before more goes in. */
async function* tarOf(store: StoreReader, tree: EntryTree): AsyncGenerator<Uint8Array> {
  const { readable, controller } = createTarPacker();
  const reader = readable.getReader();
  let [given, taken] = [0, 0];
  for (const item of tree.items) {
    const header = headerOf(item);
    const body = controller.add(header).getWriter();
    const parts = item.type === "file" ? store.readStream(item.content) : [];
    for await (const part of parts) {
      const written = body.write(part);
      given += part.length;
      while (taken < given) {
        const { value } = await reader.read();
        if (value === undefined) break;
        taken += value.length;
        yield value;
      }
      await written;
    }
    await body.close();
  }
  controller.finalize();
  for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
}

function headerOf(item: EntryItem): TarHeader {
  const common = { mtime: EPOCH, uid: 0, gid: 0, uname: "", gname: "" };
  switch (item.type) {
    case "folder":
      return { ...common, name: `${item.path}/`, type: "directory", size: 0, mode: item.mode };
    case "file":
      return { ...common, name: item.path, type: "file", size: item.size, mode: item.mode };
    case "symlink":
      return { ...common, name: item.path, type: "symlink", size: 0, mode: 0o777, linkname: item.target };
    default:
      return item satisfies never;
  }
}
