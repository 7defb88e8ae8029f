import { defineRule, type Rule } from "#/policy/rule.ts";

/** Who reads the history wants to know why. */
export const reasonRequired: Rule = defineRule({
  id: "reason-required",
  purpose: "history and audit log say why",
  hint: "Say why with --reason.",
  severity: "off",
  operations: [
    "rollback",
    "restore",
    "yank",
    "unyank",
    "mark",
    "channel_set",
    "channel_rollback",
    "backup_delete",
    "snapshot_restore",
    "component_rollback",
    "changeset_rollback",
    "snapshot_delete",
  ],
  parameters: { operations: { kind: "operations", about: "what needs a reason" } },
  check: ({ operation }) =>
    operation.reason.trim() === ""
      ? [{ reason: "no reason was given", hint: "Say why with --reason 'TEXT'." }]
      : [],
});
