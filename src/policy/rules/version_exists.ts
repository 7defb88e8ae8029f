import { defineRule, type Rule } from "#/policy/rule.ts";

/** What does not exist cannot be rolled back (a missing version ends earlier, with its own code). */
export const versionExists: Rule = defineRule({
  id: "version-exists",
  purpose: "the version is in the repository",
  hint: "See `backout release list`.",
  severity: "deny",
  operations: ["rollback"],
  check: ({ plan }) =>
    plan.releases
      .filter((release) => release.state === "absent")
      .map(({ version }) => ({ reason: `${version} is not in the index`, versions: [version] })),
});
