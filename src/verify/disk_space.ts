import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import * as z from "zod";
import { errorCode } from "#/core/posix.ts";
import { SIZE_HINT, sizeBytes } from "#/core/quantity.ts";
import type { CheckDriver } from "./check.ts";
import { sight } from "./sight.ts";

const schema = z.strictObject({
  path: z.string().min(1).describe("A path on the disk; relative paths start at the folder of backout.yaml."),
  min_free: z.union([z.int().min(0), z.string()]).refine((it) => sizeBytes(String(it)) !== undefined, {
    error: `is not a size. ${SIZE_HINT}`,
  }).describe("What must be free for this user, e.g. 2GiB."),
});

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** A disk has room. */
export const driver: CheckDriver<z.output<typeof schema>> = {
  type: "disk_space",
  summary: "A disk has enough free space.",
  schema,
  subject: ({ path, min_free }) => `${path} (${min_free})`,
  run: async ({ path, min_free }, { folder }) => {
    const wanted = sizeBytes(String(min_free))!;
    const free = await freeBytes(resolve(folder, path));
    return sight(free >= wanted, `free space at ${path}`, `at least ${sizeText(wanted)}`, sizeText(free));
  },
};

/** Of what does not exist: the space where it would be. */
async function freeBytes(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(path);
    return Number(bavail) * Number(bsize);
  } catch (error) {
    const parent = dirname(path);
    if (errorCode(error) !== "ENOENT" || parent === path) throw error;
    return await freeBytes(parent);
  }
}

function sizeText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  const amount = bytes / 1024 ** power;
  return `${power === 0 ? amount : amount.toFixed(1)} ${UNITS[power]}`;
}
