/** `type: container` in `backout.yaml`. */
import * as z from "zod";
import { durationMs } from "#/core/quantity.ts";
import { knowHowSetting } from "./know_how/mod.ts";

const pathText = z.string().min(1).refine((it) => !it.includes("\0"), "a path has no NUL");
const word = z.string().min(1).refine((it) => !it.includes("\0"), "it has a NUL");
const serviceName = z.string().regex(
  /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
  "a service has letters, digits and . _ -",
);

export const containerSchema = z.strictObject({
  compose_files: z.array(pathText).min(1).optional().describe(
    "Default: what the running stack was made from, or compose.yaml, docker-compose.yml, … in `path`",
  ),
  path: pathText.optional().describe("The project's folder. Default: that of the first compose file"),
  project: z.string().regex(/^[a-z0-9][a-z0-9_-]*$/).optional().describe("Default: as compose calls it"),
  env_files: z.array(pathText).optional().describe("Given to compose instead of .env, which is kept anyway"),
  profiles: z.array(word).optional().describe("Profiles of compose that are on"),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()).optional().describe(
    "Variables that the compose files use and no .env has",
  ),
  services: z.array(serviceName).min(1).optional().describe("Only these. Default: all"),
  include_volumes: z.boolean().default(false).describe(
    "Also the content of volumes, and of folders below the project's that are mounted",
  ),
  include_images: z.boolean().default(false).describe("Also the images themselves"),
  config_files: z.array(pathText).optional().describe("More files that belong to the configuration"),
  bind_mounts: z.array(pathText).optional().describe(
    "Files and folders outside of the project's folder whose content is kept as well",
  ),
  exclude: z.array(z.string().min(1)).default([]).describe("Globs of files in volumes to leave out"),
  while_copying: z.enum(["pause", "stop", "run"]).default("pause").describe(
    "What a service does while its volumes are copied. Default: pause",
  ),
  health_timeout: z.string().refine((it) => durationMs(it) !== undefined, "must be a duration: 60s").default(
    "60s",
  )
    .describe("How long a service may take to become healthy. Default: 60s"),
  engine: z.enum(["docker", "podman"]).optional().describe("Default: whichever is there"),
  compose: z.array(word).min(1).optional().describe("The program, for example [docker-compose]"),
  know_how: z.record(
    serviceName,
    knowHowSetting,
  ).optional().describe("What a service is, where its image does not say it: {cache: redis}, {web: none}"),
});

export type ContainerConfig = z.infer<typeof containerSchema>;

export function healthTimeoutMs(config: ContainerConfig): number {
  return durationMs(config.health_timeout) ?? 60_000;
}
