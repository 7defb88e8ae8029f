import type { Rule } from "#/policy/rule.ts";

/** Taking out the newest release changes what people get by default. */
export const latestRelease: Rule = {
  id: "latest-release",
  purpose: "it is known when the newest release leaves",
  severity: "warn",
  appliesTo: (facts) => facts.operation === "rollback",
  check: (facts) =>
    facts.leaving
      .filter((release) => release.version === facts.newest)
      .map((release) => ({ reason: `${release.version} is the newest release` })),
};
