import type { Rule } from "#/policy/rule.ts";

/** What does not exist cannot be rolled back (a missing version ends earlier, with its own code). */
export const versionExists: Rule = {
  id: "version-exists",
  purpose: "the version is in the repository",
  severity: "deny",
  appliesTo: (facts) => facts.operation === "rollback",
  check: (facts) =>
    facts.leaving
      .filter((release) => release.state === "absent")
      .map((release) => ({ reason: `${release.version} is not in the index` })),
};
