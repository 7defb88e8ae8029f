import { defineRule, type Rule } from "#/policy/rule.ts";

/** What leaves can come back. */
export const backupRequired: Rule = defineRule({
  id: "backup-required",
  purpose: "what leaves can be restored",
  hint: "Leave --no-backup out.",
  severity: "off",
  operations: ["rollback"],
  appliesTo: ({ operation }) => operation.type !== "index_only",
  check: ({ operation }) =>
    operation.no_backup ? [{ reason: "it would keep no backup", hint: "Leave --no-backup out." }] : [],
});
