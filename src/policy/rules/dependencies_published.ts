import { defineRule, type Rule } from "#/policy/rule.ts";

/** A release that needs what is not there is broken from its first day. */
export const dependenciesPublished: Rule = defineRule({
  id: "dependencies-published",
  purpose: "what the release depends on is published",
  hint: "Publish or restore what it depends on first.",
  severity: "deny",
  denial: "dependency",
  operations: ["publish"],
  appliesTo: ({ plan }) => plan.missing_dependencies.length > 0,
  check: ({ plan }) =>
    plan.missing_dependencies.map((version) => ({
      reason: `it depends on ${version}, which is not published`,
      hint: `Publish or restore ${version} first.`,
    })),
});
