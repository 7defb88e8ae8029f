import { defineRule, type Rule } from "#/policy/rule.ts";

const MOST_NAMED = 5;

/** Work that is in no snapshot exists once. */
export const uncommittedWork: Rule = defineRule({
  id: "uncommitted-work",
  purpose: "a restore does not throw work away that nobody has saved",
  hint: "Commit it, or go on with --discard-changes: it is kept in the safety snapshot.",
  severity: "deny",
  operations: ["snapshot_restore"],
  check: ({ snapshot }) => {
    if (snapshot === undefined || snapshot.discard_changes) return [];
    return snapshot.targets.filter(({ uncommitted }) => uncommitted.length > 0)
      .map(({ name, uncommitted }) => ({
        reason: `${name} has work that is not in the snapshot: ${named(uncommitted)}`,
        hint: "Commit it, or go on with --discard-changes: it is kept in the safety snapshot.",
      }));
  },
});

function named(all: readonly string[]): string {
  const rest = all.length - MOST_NAMED;
  return `${all.slice(0, MOST_NAMED).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
