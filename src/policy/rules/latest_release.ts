import { defineRule, type Rule } from "#/policy/rule.ts";

/** Taking out the newest release changes what people get by default. */
export const latestRelease: Rule = defineRule({
  id: "latest-release",
  purpose: "it is known when the newest release leaves",
  hint: "Whoever takes the newest release gets an older one afterwards: tell them.",
  severity: "warn",
  operations: ["rollback"],
  check: ({ plan, repository }) =>
    plan.releases
      .filter((release) => release.version === repository.newest)
      .map(({ version }) => ({ reason: `${version} is the newest release`, versions: [version] })),
});
