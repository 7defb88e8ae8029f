import type { Rule } from "#/policy/rule.ts";

/** A release that others need stays until they have left. */
export const dependents: Rule = {
  id: "dependents",
  purpose: "no other release needs the version",
  severity: "deny",
  denial: "dependency",
  appliesTo: (facts) => facts.operation === "rollback",
  check: (facts) =>
    facts.dependents.map(({ version, needs }) => ({
      reason: `${version} depends on ${needs.join(", ")}`,
      hint: `Roll back ${version} first, or everything newer than an older release with --to.`,
    })),
};
