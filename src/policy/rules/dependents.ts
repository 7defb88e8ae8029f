import { defineRule, type Rule } from "#/policy/rule.ts";

/** A release that others need stays until they have left. */
export const dependents: Rule = defineRule({
  id: "dependents",
  purpose: "no other release needs the version",
  hint: "Roll back the dependents first, or everything newer than an older release with --to.",
  severity: "deny",
  denial: "dependency",
  operations: ["rollback"],
  check: ({ plan }) =>
    plan.dependents.map(({ version, needs }) => ({
      reason: `${version} depends on ${needs.join(", ")}`,
      hint: `Roll back ${version} first, or everything newer than an older release with --to.`,
      versions: needs,
    })),
});
