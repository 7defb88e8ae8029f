/** The one explicit list of built-in rules, in the order in which they are reported. */
import type { Rule } from "#/policy/rule.ts";
import { backupRequired } from "#/policy/rules/backup_required.ts";
import { channelTarget } from "#/policy/rules/channel_target.ts";
import { checksumKnown } from "#/policy/rules/checksum_known.ts";
import { checksDeclared } from "#/policy/rules/checks_declared.ts";
import { dependenciesPublished } from "#/policy/rules/dependencies_published.ts";
import { dependents } from "#/policy/rules/dependents.ts";
import { freeSpace } from "#/policy/rules/free_space.ts";
import { freezeWindow } from "#/policy/rules/freeze_window.ts";
import { hasArtifacts } from "#/policy/rules/has_artifacts.ts";
import { hold } from "#/policy/rules/hold.ts";
import { indexConsistent } from "#/policy/rules/index_consistent.ts";
import { irreversibleStep } from "#/policy/rules/irreversible_step.ts";
import { lastGoodReleaseRemains } from "#/policy/rules/last_good_release_remains.ts";
import { latestRelease } from "#/policy/rules/latest_release.ts";
import { maximumAge } from "#/policy/rules/maximum_age.ts";
import { maximumArtifacts } from "#/policy/rules/maximum_artifacts.ts";
import { maximumBytes } from "#/policy/rules/maximum_bytes.ts";
import { minimumAge } from "#/policy/rules/minimum_age.ts";
import { minimumReleasesKept } from "#/policy/rules/minimum_releases_kept.ts";
import { protectedChannel } from "#/policy/rules/protected_channel.ts";
import { reasonRequired } from "#/policy/rules/reason_required.ts";
import { signatureRequired } from "#/policy/rules/signature_required.ts";
import { snapshotAge } from "#/policy/rules/snapshot_age.ts";
import { typeImplications } from "#/policy/rules/type_implications.ts";
import { uncommittedWork } from "#/policy/rules/uncommitted_work.ts";
import { versionExists } from "#/policy/rules/version_exists.ts";

export const RULES: readonly Rule[] = [
  versionExists,
  hasArtifacts,
  indexConsistent,
  dependents,
  dependenciesPublished,
  channelTarget,
  hold,
  protectedChannel,
  freezeWindow,
  lastGoodReleaseRemains,
  minimumReleasesKept,
  minimumAge,
  maximumAge,
  maximumArtifacts,
  maximumBytes,
  freeSpace,
  backupRequired,
  reasonRequired,
  signatureRequired,
  checksumKnown,
  typeImplications,
  latestRelease,
  uncommittedWork,
  irreversibleStep,
  snapshotAge,
  checksDeclared,
];

/** The built-in rule of this id. */
export function findRule(id: string): Rule | undefined {
  return RULES.find((rule) => rule.id === id);
}
