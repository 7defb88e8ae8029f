import { showValue } from "#/policy/parameters.ts";
import { defineRule, type Rule } from "#/policy/rule.ts";

/** A disk that is nearly full breaks more than this operation. Unknown on object storage: nothing to say there. */
export const freeSpace: Rule = defineRule({
  id: "free-space",
  purpose: "enough space stays free on the disk of the repository, or of the rollback points",
  hint: "Make room first: delete backups and rollback points that nobody needs.",
  severity: "deny",
  operations: ["publish", "rollback", "restore", "snapshot_create", "snapshot_restore", "guard"],
  parameters: { minimum: { kind: "size", about: "how much must stay free afterwards", required: true } },
  appliesTo: ({ repository }) => repository.free_bytes !== undefined,
  check: ({ repository, plan, snapshot }, { minimum }) => {
    const left = Math.max(0, (repository.free_bytes ?? 0) - plan.bytes_added);
    if (left >= minimum) return [];
    return [{
      reason: `${showValue("size", left)} would stay free, and ${showValue("size", minimum)} must`,
      hint: snapshot === undefined
        ? "Make room first: `backout backup list` shows what rollbacks keep."
        : "Make room first: `backout snapshot list` shows what rollback points take.",
    }];
  },
});
