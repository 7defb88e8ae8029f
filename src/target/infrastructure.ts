/**
 * The working folder of Terraform or OpenTofu. Kept are the configuration, variable files and the lock file of plugins,
 * and for people the state as it was, the workspace and the outputs. A restore never pushes an old state: the things it
 * speaks of would stay as they are. It puts the configuration back, lets the program plan against the state of today,
 * applies exactly that plan, and then asks whether the world matches.
 *
 * The state may hold secrets in plain text; it is stored as it is, so encrypt the store (`store.encryption`).
 */
import * as z from "zod";
import { capture } from "./infrastructure/capture.ts";
import { diff, exportTo, fingerprint } from "./infrastructure/inspect.ts";
import { plan } from "./infrastructure/plan.ts";
import { restore } from "./infrastructure/restore.ts";
import type { TargetDriver } from "./target.ts";

const schema = z.strictObject({
  path: z.string().min(1).describe("The working folder."),
  workspace: z.string().regex(/^[A-Za-z0-9._~-]+$/).optional().describe("Default: the one that is selected."),
  program: z.string().min(1).optional().describe("terraform, tofu, or a path. Default: terraform."),
  var_files: z.array(z.string().min(1)).optional().describe(
    "Given to every plan; those elsewhere are kept as well.",
  ),
  apply: z.boolean().optional().describe(
    "False: a restore puts the configuration back and applies nothing. Default: true.",
  ),
  exclude: z.array(z.string()).optional().describe("Globs of files in the folder that are no part of it."),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()).optional()
    .describe("Variables for the program, TF_VAR_name for example."),
});

export type InfrastructureConfig = z.infer<typeof schema>;

export const driver: TargetDriver<InfrastructureConfig> = {
  type: "infrastructure",
  summary: "A working folder of Terraform or OpenTofu, and what it manages.",
  schema,
  restoreMethod: "infrastructure_apply",
  undo: () => "compensating",
  programs: ({ program }) => [{ program: program ?? "terraform", package: "" }],
  needsNetwork: () => false,
  capture,
  plan,
  restore,
  fingerprint,
  diff,
  exportTo,
};
