/** The commands on meta repositories: components, their lock files, and changesets. */
import type { CommandGroup, RegistryEntry } from "./registry.ts";

export const componentGroups: readonly CommandGroup[] = [
  { name: "lock", summary: "Lock files of components" },
  { name: "changeset", summary: "Changes that went through several repositories" },
];

export const componentEntries: readonly RegistryEntry[] = [
  {
    path: ["component", "rollback"],
    summary: "Roll components back to a version, a commit, a lock file, or a store entry",
    load: () => import("./component_rollback.ts"),
  },
  {
    path: ["component", "targets"],
    summary: "List what components can be rolled back to",
    load: () => import("./component_targets.ts"),
  },
  {
    path: ["component", "health"],
    summary: "Check that components are where they should be",
    load: () => import("./component_health.ts"),
  },
  {
    path: ["component", "lock"],
    summary: "Write what is checked out into a lock file",
    load: () => import("./component_lock.ts"),
  },
  {
    path: ["component", "snapshot"],
    summary: "Write where components are into a file, or go back to one",
    load: () => import("./component_snapshot.ts"),
  },
  {
    path: ["component", "mark"],
    summary: "Mark a version of a component good or bad",
    load: () => import("./component_mark.ts"),
  },
  {
    path: ["lock", "promote"],
    summary: "Make the lock file of one environment that of another",
    load: () => import("./lock_promote.ts"),
  },
  {
    path: ["lock", "compare"],
    summary: "Show what differs between two lock files",
    load: () => import("./lock_compare.ts"),
  },
  {
    path: ["changeset", "list"],
    summary: "List changes that went through several repositories",
    load: () => import("./changeset_list.ts"),
  },
  {
    path: ["changeset", "show"],
    summary: "Show a changeset with its commits",
    load: () => import("./changeset_show.ts"),
  },
  {
    path: ["changeset", "rollback"],
    summary: "Take back a change that went through several repositories",
    load: () => import("./changeset_rollback.ts"),
  },
];
