/**
 * A stack of services that docker compose, or podman with it, runs. Kept are the compose files and what they name, what
 * really runs (images by id, how each container was made), and on request the content of volumes and the images. A
 * restore needs no compose: containers are made again from what the engine said of them, so neither a tag that has moved
 * nor a file that was edited before the snapshot matters.
 */
import { capture } from "./container/capture.ts";
import { type ContainerConfig, containerSchema } from "./container/config.ts";
import { faults } from "./container/faults.ts";
import { fingerprint } from "./container/fingerprint.ts";
import { diff, exportTo } from "./container/inspect.ts";
import { plan } from "./container/plan.ts";
import { letGo } from "./container/let_go.ts";
import { finish, restore } from "./container/restore.ts";
import type { TargetDriver } from "./target.ts";

export const driver: TargetDriver<ContainerConfig> = {
  type: "container",
  summary: "A compose stack: what runs, from which images and files, and on request volumes and images.",
  schema: containerSchema,
  restoreMethod: "compose_restore",
  undo: () => "exact",
  // Where none is named, whichever is there will do.
  programs: ({ engine }) => {
    if (engine === undefined) return [];
    return [{ program: engine, package: engine === "podman" ? "podman" : "docker.io" }];
  },
  // By the engine's own program.
  needsNetwork: () => false,
  capture,
  plan,
  restore,
  fingerprint,
  diff,
  exportTo,
  faults,
  letGo,
  finish,
};
