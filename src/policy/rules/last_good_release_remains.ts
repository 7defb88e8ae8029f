import { defineRule, type Rule } from "#/policy/rule.ts";

/** A repository without a good release has nothing to give, and no channel can go anywhere. */
export const lastGoodReleaseRemains: Rule = defineRule({
  id: "last-good-release-remains",
  purpose: "a release that is active and not bad remains",
  hint: "Publish or restore a good release first.",
  severity: "warn",
  operations: ["rollback"],
  check: ({ plan, repository }) => {
    if (plan.good_releases_left > 0 || repository.good_releases === 0) return [];
    return [{
      reason: "no release that is active and not bad remains",
      hint: "Publish or restore a good release first.",
    }];
  },
});
