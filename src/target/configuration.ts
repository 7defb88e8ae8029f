/** Configuration files of a server, by name or by glob. */
import * as z from "zod";
import type { TargetDriver } from "./target.ts";
import { treeDriver } from "./tree/driver.ts";
import { coverageOf } from "./tree/roots.ts";

/** Files whose digests are named in the metadata; of more only so many. */
const MAX_NAMED = 1000;

const pathText = z.string().min(1).refine((it) => !it.includes("\0"), "a path has no NUL");

export const configurationSchema = z.strictObject({
  config_files: z.array(pathText).min(1).describe("Files, folders, or globs (/etc/app/*.conf)"),
  exclude: z.array(z.string().min(1)).default([]).describe("Globs to leave out"),
  backup_location: pathText.optional().describe("A folder for a plain copy of what is captured"),
});
export type ConfigurationConfig = z.infer<typeof configurationSchema>;

export const driver: TargetDriver<ConfigurationConfig> = treeDriver<ConfigurationConfig>({
  type: "configuration",
  summary: "Configuration files: content, modes, owners, times, links, attributes",
  schema: configurationSchema,
  method: "configuration_files",
  restoreMethod: "configuration_restore",
  coverage: (config, folder) => coverageOf(config.config_files, folder, true),
  exclude: (config) => config.exclude,
  oneFileSystem: () => false,
  backupLocation: (config) => config.backup_location,
  digests: MAX_NAMED,
});
