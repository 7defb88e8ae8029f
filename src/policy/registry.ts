/** The one explicit list of built-in rules, in the order in which they are reported. */
import type { Rule } from "#/policy/rule.ts";
import { channelTarget } from "#/policy/rules/channel_target.ts";
import { dependenciesPublished } from "#/policy/rules/dependencies_published.ts";
import { dependents } from "#/policy/rules/dependents.ts";
import { hasArtifacts } from "#/policy/rules/has_artifacts.ts";
import { indexConsistent } from "#/policy/rules/index_consistent.ts";
import { latestRelease } from "#/policy/rules/latest_release.ts";
import { typeImplications } from "#/policy/rules/type_implications.ts";
import { versionExists } from "#/policy/rules/version_exists.ts";

export const RULES: readonly Rule[] = [
  versionExists,
  hasArtifacts,
  indexConsistent,
  dependents,
  dependenciesPublished,
  channelTarget,
  typeImplications,
  latestRelease,
];
