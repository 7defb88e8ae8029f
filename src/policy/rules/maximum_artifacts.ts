import { grouped } from "#/core/quantity.ts";
import { defineRule, type Rule } from "#/policy/rule.ts";

/** An operation that touches more than anybody expects is often a slip. */
export const maximumArtifacts: Rule = defineRule({
  id: "maximum-artifacts",
  purpose: "one operation does not touch more artifacts than expected",
  hint: "Do it in parts, or go on with --force and --reason.",
  severity: "deny",
  operations: ["rollback"],
  parameters: {
    count: { kind: "count", about: "how many artifacts may leave or come", required: true },
    operations: { kind: "operations", about: "what is limited" },
  },
  check: ({ plan }, { count }) => {
    const touched = plan.total_artifacts + plan.artifacts_added;
    if (touched <= count) return [];
    return [{
      reason: `it touches ${grouped(touched)} artifacts, and at most ${grouped(count)} are allowed`,
      hint: "Check with --dry-run that this is what you want, or do it in parts.",
    }];
  },
});
