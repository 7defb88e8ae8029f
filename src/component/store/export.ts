/** `store export`: an entry as one archive, for what can carry a single file only. */
import { resolve } from "node:path";
import { UsageError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { type EntryView, viewOf } from "../entry/entry.ts";
import { provenTree } from "../entry/stage_entry.ts";
import { type EntryOptions, withStores } from "../entry/stores.ts";
import { compressionFor } from "../archive/compression.ts";
import { writeArchive } from "../archive/write_archive.ts";
import { findAnywhere } from "./get.ts";

export interface ExportOptions extends EntryOptions {
  /** Of an entry, or a unique beginning of it. */
  readonly hash: string;
  /** Ends with `.tar.zst`, `.tar.gz` or `.tar`; relative to the folder. */
  readonly out: string;
  /** Whether a file that is there goes. @default false */
  readonly replace?: boolean;
}

export interface ExportedView {
  readonly entry: EntryView;
  /** Absolute. */
  readonly archive: string;
  readonly archive_bytes: number;
}

/** @throws {UsageError} the name says no compression, something is there, or the entry is one file */
export async function exportEntry(options: ExportOptions): Promise<ExportedView> {
  const { folder, hash, signal } = options;
  const archive = resolve(folder, options.out);
  compressionFor(archive);
  if (options.replace !== true && posix.lstat(archive) !== undefined) {
    throw new UsageError(`Cannot write ${archive}: it is there already`, {
      hint: "Give another name, or --replace.",
    });
  }
  return await withStores(options, async (stores) => {
    const { manifest } = await findAnywhere(stores, options, "store", hash);
    const tree = await provenTree(stores.local, manifest);
    if (tree.shape === "file") {
      throw new UsageError(`The entry ${hash} is one file, which needs no archive`, {
        hint: `Write it with \`backout store get ${hash} --target FILE\`.`,
      });
    }
    const archive_bytes = await writeArchive(stores.local, tree, archive, signal);
    return { entry: viewOf(manifest), archive, archive_bytes };
  });
}
