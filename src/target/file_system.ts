/** Files and folders of a server: data, uploads, a program's own tree. */
import * as z from "zod";
import type { TargetDriver } from "./target.ts";
import { treeDriver } from "./tree/driver.ts";
import { coverageOf } from "./tree/roots.ts";

const pathText = z.string().min(1).refine((it) => !it.includes("\0"), "a path has no NUL");

export const fileSystemSchema = z.strictObject({
  paths: z.array(pathText).min(1).describe("Files and folders, each with everything below it"),
  exclude: z.array(z.string().min(1)).default([]).describe(
    "Globs to leave out: a name (*.log), a path below one of the paths (cache/**), or an absolute path",
  ),
  one_file_system: z.boolean().default(false).describe(
    "Do not enter filesystems that are mounted below the paths",
  ),
  backup_location: pathText.optional().describe("A folder for a plain copy of what is captured"),
});
export type FileSystemConfig = z.infer<typeof fileSystemSchema>;

export const driver: TargetDriver<FileSystemConfig> = treeDriver<FileSystemConfig>({
  type: "file_system",
  summary: "Files and folders: content, modes, owners, times, links, attributes",
  schema: fileSystemSchema,
  method: "filesystem_backup",
  restoreMethod: "filesystem_restore",
  coverage: (config, folder) => coverageOf(config.paths, folder, false),
  exclude: (config) => config.exclude,
  oneFileSystem: (config) => config.one_file_system,
  backupLocation: (config) => config.backup_location,
});
