import { createHash } from "node:crypto";
import { resolve } from "node:path";
import * as z from "zod";
import { messageOf } from "#/core/errors.ts";
import type { CheckContext, CheckDriver } from "./check.ts";
import { sight } from "./sight.ts";

const schema = z.strictObject({
  path: z.string().min(1).describe("The file; relative paths start at the folder of backout.yaml."),
  sha256: z.string().regex(/^[0-9a-fA-F]{64}$/, { error: "must be 64 hex digits" }).describe(
    "SHA-256 of its content.",
  ),
});

/** The content of a file is what it should be. */
export const driver: CheckDriver<z.output<typeof schema>> = {
  type: "file_checksum",
  summary: "A file has the content of a given SHA-256.",
  schema,
  subject: ({ path }) => path,
  run: async ({ path, sha256 }, context) => {
    let found: string;
    try {
      found = await digestOf(resolve(context.folder, path), context);
    } catch (error) {
      if (context.signal.aborted) throw error;
      found = error instanceof Deno.errors.NotFound ? "no such file" : messageOf(error);
    }
    const expected = sha256.toLowerCase();
    return sight(found === expected, `SHA-256 of ${path}`, expected, found);
  },
};

/** Reads in pieces: a file may be larger than the memory. */
async function digestOf(path: string, { signal }: CheckContext): Promise<string> {
  if (!(await Deno.stat(path)).isFile) return "something that is not a file";
  using file = await Deno.open(path, { read: true });
  const hash = createHash("sha256");
  const buffer = new Uint8Array(1 << 20);
  for (;;) {
    signal.throwIfAborted();
    const size = await file.read(buffer);
    if (size === null) return hash.digest("hex");
    hash.update(buffer.subarray(0, size));
  }
}
