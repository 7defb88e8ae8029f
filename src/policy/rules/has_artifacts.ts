import { defineRule, type Rule } from "#/policy/rule.ts";

/** A release without any artifact left is a sign that somebody removed them by hand. */
export const hasArtifacts: Rule = defineRule({
  id: "has-artifacts",
  purpose: "the version has artifacts to roll back",
  hint: "--type index_only takes the entry out of the index alone.",
  severity: "deny",
  operations: ["rollback"],
  appliesTo: ({ operation }) => operation.type !== "index_only",
  check: ({ plan }) =>
    plan.releases
      .filter((release) => release.state !== "emptied" && release.artifacts_present === 0)
      .map(({ version, artifacts }) => ({
        reason: artifacts === 0
          ? `${version} lists no artifacts`
          : `none of the ${artifacts} artifacts of ${version} is there`,
        hint: "--type index_only takes the entry out of the index alone.",
        versions: [version],
      })),
});
