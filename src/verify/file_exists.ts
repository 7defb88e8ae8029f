import { resolve } from "node:path";
import * as z from "zod";
import { messageOf } from "#/core/errors.ts";
import type { CheckDriver } from "./check.ts";
import { sight } from "./sight.ts";

const schema = z.strictObject({
  path: z.string().min(1).describe("The file or folder; relative paths start at the folder of backout.yaml."),
});

/** Something is at the path: a file, a folder, or a symlink that leads to one. */
export const driver: CheckDriver<z.output<typeof schema>> = {
  type: "file_exists",
  summary: "A file or folder is there.",
  schema,
  subject: ({ path }) => path,
  run: async ({ path }, { folder }) => {
    const found = await kindOf(resolve(folder, path));
    const passed = found === "a file" || found === "a folder";
    return sight(passed, path, passed ? found : "a file or folder", found);
  },
};

async function kindOf(path: string): Promise<string> {
  try {
    const { isFile, isDirectory } = await Deno.stat(path);
    return isDirectory ? "a folder" : isFile ? "a file" : "something that is neither file nor folder";
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) return messageOf(error);
    return await isLink(path) ? "a symlink that leads nowhere" : "nothing";
  }
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await Deno.lstat(path)).isSymlink;
  } catch {
    return false;
  }
}
