/** All commands. Adding one is a file and a line here (or in `registry_snapshot.ts`). */
import type { Command } from "./command.ts";
import { componentEntries, componentGroups } from "./registry_component.ts";
import { entryEntries, entryGroups } from "./registry_entries.ts";
import { snapshotEntries, workspaceEntries } from "./registry_snapshot.ts";

export interface RegistryEntry {
  /** The words after `backout`. */
  readonly path: readonly string[];
  readonly summary: string;
  /** Heading in the overview, for a command without a group. */
  readonly section?: string;
  /** Started by backout itself: not shown to people. */
  readonly hidden?: true;
  readonly load: () => Promise<{ readonly command: Command }>;
}

export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  /** The command that runs when the group's word stands alone; help otherwise. */
  readonly fallback?: string;
}

export const groups: readonly CommandGroup[] = [
  { name: "release", summary: "Publish, roll back and restore releases" },
  { name: "channel", summary: "Names that point at a version" },
  { name: "backup", summary: "What rollbacks keep" },
  { name: "snapshot", summary: "Rollback points of files, git, databases, stacks and more" },
  { name: "component", summary: "Components of a meta repository" },
  ...componentGroups,
  ...entryGroups,
  { name: "service", summary: "Single services of a stack of containers" },
  { name: "check", summary: "What is tested after a restore" },
  { name: "retention", summary: "How long backups and history are kept" },
  { name: "hold", summary: "Stopping publishes and channel moves", fallback: "list" },
  { name: "history", summary: "What was done, by whom and why", fallback: "list" },
  { name: "policy", summary: "What may be done, and when" },
  { name: "audit", summary: "The tamper-evident log" },
  { name: "notify", summary: "Messages about what was done" },
  { name: "config", summary: "The file backout.yaml" },
];

export const registry: readonly RegistryEntry[] = [
  {
    path: ["release", "publish"],
    summary: "Publish a folder as a new version",
    load: () => import("./release_publish.ts"),
  },
  {
    path: ["release", "list"],
    summary: "List published and rolled-back versions",
    load: () => import("./release_list.ts"),
  },
  {
    path: ["release", "show"],
    summary: "Show one version: state, files, channels, backups",
    load: () => import("./release_show.ts"),
  },
  {
    path: ["release", "verify"],
    summary: "Check published files against their digests",
    load: () => import("./release_verify.ts"),
  },
  {
    path: ["release", "mark"],
    summary: "Mark a version good or bad",
    load: () => import("./release_mark.ts"),
  },
  {
    path: ["release", "rollback"],
    summary: "Take a version out and keep it in a backup",
    load: () => import("./release_rollback.ts"),
  },
  { path: ["release", "apply"], summary: "Run a saved plan", load: () => import("./release_apply.ts") },
  {
    path: ["release", "restore"],
    summary: "Undo a rollback from its backup",
    load: () => import("./release_restore.ts"),
  },
  {
    path: ["release", "yank"],
    summary: "Mark a version so that nobody picks it up anew",
    load: () => import("./release_yank.ts"),
  },
  { path: ["release", "unyank"], summary: "Take a yank back", load: () => import("./release_unyank.ts") },
  {
    path: ["channel", "list"],
    summary: "List channels and their versions",
    load: () => import("./channel_list.ts"),
  },
  {
    path: ["channel", "set"],
    summary: "Point a channel at a version",
    load: () => import("./channel_set.ts"),
  },
  {
    path: ["channel", "rollback"],
    summary: "Point a channel back at its previous version",
    load: () => import("./channel_rollback.ts"),
  },
  { path: ["backup", "list"], summary: "List backups", load: () => import("./backup_list.ts") },
  { path: ["backup", "show"], summary: "Show what a backup holds", load: () => import("./backup_show.ts") },
  {
    path: ["backup", "verify"],
    summary: "Check backups: presence and sizes, or every byte",
    load: () => import("./backup_verify.ts"),
  },
  {
    path: ["backup", "drill"],
    summary: "Restore a backup into a scratch folder and compare",
    load: () => import("./backup_drill.ts"),
  },
  {
    path: ["backup", "delete"],
    summary: "Delete a backup for good",
    load: () => import("./backup_delete.ts"),
  },
  {
    path: ["backup", "pin"],
    summary: "Protect a backup from deletion",
    load: () => import("./backup_pin.ts"),
  },
  { path: ["backup", "unpin"], summary: "Take a pin away", load: () => import("./backup_unpin.ts") },
  ...snapshotEntries,
  ...componentEntries,
  ...entryEntries,
  {
    path: ["retention", "plan"],
    summary: "Show which backups the rules keep, and why",
    load: () => import("./retention_plan.ts"),
  },
  {
    path: ["retention", "apply"],
    summary: "Delete the backups that the rules let go of",
    load: () => import("./retention_apply.ts"),
  },
  { path: ["hold", "list"], summary: "List what holds the repository", load: () => import("./hold_list.ts") },
  { path: ["hold", "set"], summary: "Stop publishes and channel moves", load: () => import("./hold_set.ts") },
  { path: ["hold", "release"], summary: "Release a hold", load: () => import("./hold_release.ts") },
  {
    path: ["history", "list"],
    summary: "List operations, newest first",
    load: () => import("./history_list.ts"),
  },
  { path: ["history", "show"], summary: "Show one operation", load: () => import("./history_show.ts") },
  {
    path: ["policy", "check"],
    summary: "What the policy would say to a rollback",
    load: () => import("./policy_check.ts"),
  },
  {
    path: ["policy", "explain"],
    summary: "What a rule protects, and what the configuration says of it",
    load: () => import("./policy_explain.ts"),
  },
  {
    path: ["policy", "test"],
    summary: "Run cases against the policy",
    load: () => import("./policy_test.ts"),
  },
  {
    path: ["audit", "verify"],
    summary: "Find changed, removed or cut-off audit entries",
    load: () => import("./audit_verify.ts"),
  },
  {
    path: ["audit", "export"],
    summary: "Write the audit log as signed attestations",
    load: () => import("./audit_export.ts"),
  },
  {
    path: ["audit", "archive"],
    summary: "Move old audit entries into a compressed archive",
    load: () => import("./audit_archive.ts"),
  },
  {
    path: ["audit", "keygen"],
    summary: "Make a key to sign the audit log",
    load: () => import("./audit_keygen.ts"),
  },
  {
    path: ["notify", "flush"],
    summary: "Send the messages that wait for a receiver",
    load: () => import("./notify_flush.ts"),
  },
  ...workspaceEntries,
  {
    path: ["recover"],
    section: "The repository and the workspace",
    summary: "Finish or take back an interrupted operation",
    load: () => import("./recover.ts"),
  },
  {
    path: ["unlock"],
    section: "The repository and the workspace",
    summary: "Remove the lock of a dead operation",
    load: () => import("./unlock.ts"),
  },
  {
    path: ["status"],
    section: "The repository and the workspace",
    summary: "Show the repository at a glance",
    load: () => import("./status.ts"),
  },
  {
    path: ["doctor"],
    section: "The repository and the workspace",
    summary: "Check repository, store, lock, journal and permissions",
    load: () => import("./doctor.ts"),
  },
  { path: ["config", "schema"], summary: "Print the JSON Schema", load: () => import("./config_schema.ts") },
  {
    path: ["config", "check"],
    summary: "Check a configuration file",
    load: () => import("./config_check.ts"),
  },
  {
    path: ["config", "init"],
    summary: "Write a commented configuration",
    load: () => import("./config_init.ts"),
  },
  {
    path: ["completions"],
    section: "backout itself",
    summary: "Print completions for bash, zsh or fish",
    load: () => import("./completions.ts"),
  },
  {
    path: ["version"],
    section: "backout itself",
    summary: "Show version, commit and runtime",
    load: () => import("./version.ts"),
  },
];

/** The commands for people. */
export const shownEntries: readonly RegistryEntry[] = registry.filter((entry) => entry.hidden !== true);

/** The entry whose words are exactly `path`. */
export function findEntry(path: readonly string[]): RegistryEntry | undefined {
  return registry.find((entry) => entry.path.join(" ") === path.join(" "));
}

/** The group with this name. */
export function findGroup(name: string): CommandGroup | undefined {
  return groups.find((group) => group.name === name);
}

/** The commands of a group, in the registry's order. */
export function entriesOf(group: string): readonly RegistryEntry[] {
  return shownEntries.filter((entry) => entry.path.length > 1 && entry.path[0] === group);
}
