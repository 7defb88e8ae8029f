import { defineRule, type Rule } from "#/policy/rule.ts";

/** So many releases stay listed that there is something to go back to. */
export const minimumReleasesKept: Rule = defineRule({
  id: "minimum-releases-kept",
  purpose: "enough releases remain in the index",
  hint: "Publish or restore releases first, or lower the count.",
  severity: "deny",
  operations: ["rollback"],
  parameters: { count: { kind: "count", about: "how many releases must remain", required: true } },
  check: ({ plan, repository }, { count }) => {
    const left = plan.releases_left;
    if (left >= count || left >= repository.releases) return [];
    return [{
      reason: `${left} of the ${repository.releases} releases would remain, and ${count} must`,
      hint: "Publish or restore releases first.",
    }];
  },
});
