/** `release restore`: undoes a rollback from its backup. Artifacts are copied and verified before the index names them. */
import { UsageError } from "#/core/errors.ts";
import { type Definition, plainFacts, type Prepared } from "#/release/definition.ts";
import { largestArtifacts } from "#/report/sizes.ts";
import { formatBytes } from "#/report/units.ts";
import type { IndexChange } from "#/repository/index_change.ts";
import type { Channel, FileRecord, RepositoryIndex } from "#/repository/index_format.ts";
import type { RepositoryView } from "#/repository/inspect.ts";
import type { RestoreOptions } from "#/repository/options.ts";
import type { RestorableFile } from "#/repository/backup_files.ts";
import type { Restorable } from "#/repository/restorable.ts";
import { inspectTargets } from "#/repository/restore_targets.ts";
import { findTombstone } from "#/repository/version_state.ts";
import type { OperationReport } from "#/report/model.ts";
import { count, type Plan, type RepositoryStep } from "#/step/repository_step.ts";

export interface RestoreView extends RepositoryView {
  readonly targets: readonly Restorable[];
}

/** @throws {UsageError} */
export function restoreDefinition(options: RestoreOptions): Definition<RestoreView> {
  const wanted = options.target;
  if (wanted === undefined || wanted === "") {
    throw new UsageError("Give the version or the rollback id to restore", {
      hint: "For example: backout release restore v1.0.2",
    });
  }
  return {
    operation: "restore",
    title: `restore ${wanted}`,
    version: wanted,
    rollbackType: null,
    inspect: async (store, view, context) => ({
      ...view,
      targets: await inspectTargets(store, view.index, wanted, context),
    }),
    facts: (view) => plainFacts("restore", view),
    plan: planRestore,
    problems: restoreProblems,
    warnings: () => [],
    describe: describeRestore,
    prepare: (_store, view) => Promise.resolve(prepareRestore(view.targets)),
    summary,
  };
}

function planRestore(view: RestoreView): Plan {
  const markdown: readonly RepositoryStep[] = view.hasMarkdown ? [{ kind: "update_markdown" }] : [];
  const changes = view.targets.flatMap((target) => restoreChanges(view.index, target));
  return {
    operation: "restore",
    versions: view.targets.map((target) => target.version),
    steps: [...view.targets.flatMap(addStep), { kind: "commit_index", changes }, ...markdown],
    undo: view.targets.length === 1 ? undoOf(view.targets[0]!) : null,
  };
}

/** The rollback that leaves the version as the restore found it; single artifacts have no one command. */
function undoOf({ version, state }: Restorable): string | null {
  const rollback = `backout release rollback ${version}`;
  switch (state) {
    case "hidden":
      return `${rollback} --type index_only`;
    case "emptied":
      return `${rollback} --type artifacts_only`;
    case "removed":
    case "absent":
      return rollback;
    default:
      return null;
  }
}

export function addStep(target: Restorable): readonly RepositoryStep[] {
  if (target.files.length === 0) return [];
  return [{
    kind: "add_artifacts",
    version: target.version,
    from: { backups: target.backups },
    files: target.files.map(toRecord),
  }];
}

function toRecord({ path, size, sha256, mode }: RestorableFile): FileRecord {
  return { path, size, sha256, mode };
}

export function restoreChanges(
  index: RepositoryIndex,
  target: Restorable,
): readonly IndexChange[] {
  const { version, entry, newer, older } = target;
  const tombstone = findTombstone(index, version);
  const forget: readonly IndexChange[] = tombstone === undefined
    ? []
    : [{ change: "remove_tombstone", version }];
  return [
    ...forget,
    { change: "put_release", entry, newer, older },
    ...channelChanges(index, target),
  ];
}

/** Channels that the rollback moved go back, unless somebody moved them since. */
function channelChanges(
  index: RepositoryIndex,
  target: Restorable,
): readonly IndexChange[] {
  let channels: Readonly<Record<string, Channel>> = index.channels ?? {};
  const changes: IndexChange[] = [];
  for (const { name, before, after } of target.channels) {
    const now = channels[name];
    const untouched = after === undefined
      ? now === undefined
      : now?.version === after.version && now.since === after.since;
    if (!untouched) continue;
    channels = { ...channels, [name]: before };
    changes.push({ change: "set_channel", name, channel: before });
  }
  return changes;
}

export function restoreProblems(view: RestoreView): readonly string[] {
  const needed = view.targets.flatMap((target) => target.files).reduce((sum, file) => sum + file.size, 0);
  const full = view.freeBytes !== null && view.freeBytes < needed
    ? [
      `not enough space: the artifacts need ${formatBytes(needed)}, and ${
        formatBytes(view.freeBytes)
      } are free`,
    ]
    : [];
  return [...view.targets.flatMap((target) => target.problems), ...full];
}

export function prepareRestore(targets: readonly Restorable[]): Prepared {
  return {
    staged: targets.flatMap((target) =>
      target.files.map((file) => ({
        record: toRecord(file),
        source: typeof file.source === "string" ? { key: file.source } : file.source,
        ...(file.content_tag === undefined ? {} : { contentTag: file.content_tag }),
        ...(file.uid === null || file.gid === null ? {} : { owner: { uid: file.uid, gid: file.gid } }),
        ...(file.mtime === null ? {} : { mtime: file.mtime }),
      }))
    ),
  };
}

export function describeRestore(view: RestoreView, plan: Plan): Partial<OperationReport> {
  const files = view.targets.flatMap((target) => target.files);
  const moves = plan.steps.flatMap((step) => step.kind === "commit_index" ? step.changes : [])
    .flatMap((change) =>
      change.change !== "set_channel" ? [] : [{
        channel: change.name,
        from: view.index.channels?.[change.name]?.version ?? "",
        to: change.channel.version,
      }]
    );
  return {
    version: plan.versions.join(","),
    artifacts_restored: files.map((file) => file.path),
    largest_artifacts: largestArtifacts(files),
    total_bytes_added: files.reduce((sum, file) => sum + file.size, 0),
    channels_moved: moves,
  };
}

function summary(report: OperationReport): string {
  const files = count(report.artifacts_restored.length, "artifact");
  const what = report.versions.join(", ");
  if (report.dry_run) return `Would restore ${what}: ${files} from the backup`;
  return report.artifacts_restored.length === 0
    ? `Restored ${what}: it is in the index again`
    : `Restored ${what}: ${files} copied back and verified`;
}
