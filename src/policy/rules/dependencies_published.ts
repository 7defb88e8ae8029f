import type { Rule } from "#/policy/rule.ts";

/** A release that needs what is not there is broken from its first day. */
export const dependenciesPublished: Rule = {
  id: "dependencies-published",
  purpose: "what the release depends on is published",
  severity: "deny",
  denial: "dependency",
  appliesTo: (facts) => facts.missing_dependencies.length > 0,
  check: (facts) =>
    facts.missing_dependencies.map((version) => ({
      reason: `it depends on ${version}, which is not published`,
      hint: `Publish or restore ${version} first.`,
    })),
};
