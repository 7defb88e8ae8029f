/** Files that are kept as they lie there, by targets that keep other things besides. */
import * as z from "zod";
import type { ContentRef } from "#/store/model.ts";

/** A path that is kept as it lies there. */
export interface KeptFile {
  /** Below the root of what it belongs to; absolute for files elsewhere. */
  readonly path: string;
  readonly kind: "file" | "symlink" | "absent";
  /** Permission bits. */
  readonly mode?: number;
  /** User and group id; only of files elsewhere. */
  readonly owner?: readonly [number, number];
  readonly size?: number;
  readonly sha256?: string;
  /** What git would call the content, where git has a word for the path. */
  readonly oid?: string;
  /** Of a symlink. */
  readonly target?: string;
  /** Only in a snapshot. */
  readonly content?: ContentRef;
}

export const contentSchema = z.object({
  size: z.number(),
  chunks: z.array(z.string()),
  sha256: z.string().optional(),
});

/** As it stands in a listing that may have been made up. */
export const keptFileSchema = z.object({
  path: z.string(),
  kind: z.enum(["file", "symlink", "absent"]),
  mode: z.number().int().min(0).max(0o7777).optional(),
  owner: z.tuple([z.number(), z.number()]).optional(),
  size: z.number().optional(),
  sha256: z.string().optional(),
  oid: z.string().optional(),
  target: z.string().optional(),
  content: contentSchema.optional(),
});
