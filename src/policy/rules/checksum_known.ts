import { defineRule, type Rule } from "#/policy/rule.ts";

/** Without digests from when it was published, nobody can tell whether an artifact is still what it was. */
export const checksumKnown: Rule = defineRule({
  id: "checksum-known",
  purpose: "a digest of every artifact was recorded when it was published",
  hint: "Releases that backout publishes have digests; the backup records those that it computes.",
  severity: "warn",
  operations: ["rollback"],
  appliesTo: ({ operation }) => operation.type !== "index_only",
  check: ({ plan }) =>
    plan.releases
      .filter((release) => release.artifacts_without_digest > 0)
      .map(({ version, artifacts, artifacts_without_digest }) => ({
        reason:
          `no digest is recorded for ${artifacts_without_digest} of the ${artifacts} artifacts of ${version}: ` +
          "they are kept as they are now",
        versions: [version],
      })),
});
