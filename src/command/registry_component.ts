/** The commands on meta repositories: components, their lock files, and changesets. */
import type { CommandGroup, RegistryEntry } from "./registry.ts";

export const componentGroups: readonly CommandGroup[] = [];

export const componentEntries: readonly RegistryEntry[] = [
  {
    path: ["component", "rollback"],
    summary: "Roll components back to a version, a commit, or a lock file",
    load: () => import("./component_rollback.ts"),
  },
];
