/** The commands on rollback points. */
import type { RegistryEntry } from "./registry.ts";

export const snapshotEntries: readonly RegistryEntry[] = [
  {
    path: ["snapshot", "create"],
    summary: "Keep what targets look like now",
    load: () => import("./snapshot_create.ts"),
  },
  {
    path: ["snapshot", "list"],
    summary: "List snapshots, newest first",
    load: () => import("./snapshot_list.ts"),
  },
  {
    path: ["snapshot", "show"],
    summary: "Show what a snapshot holds",
    load: () => import("./snapshot_show.ts"),
  },
  {
    path: ["snapshot", "diff"],
    summary: "Show what differs between a snapshot and now, or another one",
    load: () => import("./snapshot_diff.ts"),
  },
  {
    path: ["snapshot", "restore"],
    summary: "Go back to a snapshot",
    load: () => import("./snapshot_restore.ts"),
  },
  {
    path: ["snapshot", "verify"],
    summary: "Check that snapshots can be read",
    load: () => import("./snapshot_verify.ts"),
  },
  {
    path: ["snapshot", "delete"],
    summary: "Delete a snapshot for good",
    load: () => import("./snapshot_delete.ts"),
  },
  {
    path: ["snapshot", "prune"],
    summary: "Delete the snapshots that the rules let go of",
    load: () => import("./snapshot_prune.ts"),
  },
  {
    path: ["snapshot", "pin"],
    summary: "Protect a snapshot from deletion",
    load: () => import("./snapshot_pin.ts"),
  },
  {
    path: ["snapshot", "unpin"],
    summary: "Take a pin away from a snapshot",
    load: () => import("./snapshot_unpin.ts"),
  },
  {
    path: ["snapshot", "mark"],
    summary: "Mark a snapshot good or bad",
    load: () => import("./snapshot_mark.ts"),
  },
  {
    path: ["snapshot", "import"],
    summary: "Take over the snapshots of other tools",
    load: () => import("./snapshot_import.ts"),
  },
  {
    path: ["snapshot", "collect"],
    summary: "Free the space of what no snapshot needs",
    load: () => import("./store_collect.ts"),
  },
  {
    path: ["snapshot", "sync"],
    summary: "Bring snapshots of the fallback into the store",
    load: () => import("./store_sync.ts"),
  },
  {
    path: ["snapshot", "keygen"],
    summary: "Make a key to encrypt a snapshot store",
    load: () => import("./snapshot_keygen.ts"),
  },
  {
    path: ["snapshot", "watch-confirm"],
    summary: "Wait for a confirmation, and take the restore back without one",
    hidden: true,
    load: () => import("./snapshot_watch_confirm.ts"),
  },
  {
    path: ["check", "run"],
    summary: "Run the checks, and change nothing",
    load: () => import("./check_run.ts"),
  },
];

/** Those without a group. */
export const workspaceEntries: readonly RegistryEntry[] = [
  {
    path: ["service", "rollback"],
    summary: "Take one service of a stack back to another image",
    load: () => import("./service_rollback.ts"),
  },
  {
    path: ["guard"],
    section: "The workspace",
    summary: "Run a command, and take its changes back when it fails",
    load: () => import("./guard.ts"),
  },
  {
    path: ["confirm"],
    section: "The workspace",
    summary: "Let a restore stand that waits for it",
    load: () => import("./confirm.ts"),
  },
  {
    path: ["plugin"],
    section: "The workspace",
    summary: "Answer the requests of another program",
    load: () => import("./plugin.ts"),
  },
];
