import type { Rule } from "#/policy/rule.ts";

/** A release without any artifact left is a sign that somebody removed them by hand. */
export const hasArtifacts: Rule = {
  id: "has-artifacts",
  purpose: "the version has artifacts to roll back",
  severity: "deny",
  appliesTo: (facts) => facts.operation === "rollback" && facts.type !== "index_only",
  check: (facts) =>
    facts.leaving
      .filter((release) => release.state !== "emptied" && release.present === 0)
      .map((release) => ({
        reason: release.listed === 0
          ? `${release.version} lists no artifacts`
          : `none of the ${release.listed} artifacts of ${release.version} is there`,
        hint: "--type index_only takes the entry out of the index alone.",
      })),
};
