/** What a rollback makes before its commit: digests, backup manifests, copies of what cannot be moved. */
import { RollbackBackupError } from "#/core/errors.ts";
import type { JournalMove } from "#/operation/journal.ts";
import type { PrepareContext, Prepared } from "#/release/definition.ts";
import {
  type BackupFile,
  backupKey,
  type BackupManifest,
  BACKUPS_PREFIX,
  encodeManifest,
  manifestKey,
} from "#/repository/backup_folder.ts";
import { contentTagOf, loadContentTags } from "#/repository/content_tags.ts";
import { neighbours } from "#/repository/index_change.ts";
import type { Channel } from "#/repository/index_format.ts";
import type { ArtifactView, LeavingRelease } from "#/repository/inspect.ts";
import { planChannels, type RollbackView } from "#/repository/plan_rollback.ts";
import { backupsSoFar } from "#/repository/version_state.ts";
import type { BackupReport, Integrity } from "#/report/model.ts";
import { count, type Plan, type RepositoryStep } from "#/step/repository_step.ts";
import type { ObjectReader, ObjectStat } from "#/storage/object_store.ts";

export interface RollbackPrepareContext extends PrepareContext {
  readonly verify: "full" | "size";
}

type BackUpStep = Extract<RepositoryStep, { kind: "back_up" }>;
type MoveStep = Extract<RepositoryStep, { kind: "move_artifacts" }>;

/** An artifact as it is when it leaves. */
interface Seen {
  readonly view: ArtifactView;
  readonly stat: ObjectStat;
  readonly sha256: string | null;
  /** The storage says that it is not the object that was published; its bytes may still be the same. */
  readonly replaced?: boolean;
}

export async function prepareRollback(
  store: ObjectReader,
  view: RollbackView,
  plan: Plan,
  context: RollbackPrepareContext,
): Promise<Prepared> {
  const seen = await look(store, view, plan, context);
  const backUps = plan.steps.filter((step): step is BackUpStep => step.kind === "back_up");
  const objects = new Map<string, Uint8Array>();
  const backups: BackupReport[] = [];
  for (const step of backUps) {
    const release = view.leaving.find((candidate) => candidate.version === step.version)!;
    const manifest = makeManifest(store, view, release, step, seen, context);
    objects.set(manifestKey(step.backup), encodeManifest(manifest));
    backups.push({
      id: step.backup,
      version: step.version,
      location: `${store.location}/${BACKUPS_PREFIX}/${step.backup}`,
      artifacts: manifest.artifacts.length,
      bytes: manifest.total_bytes,
      integrity: manifest.integrity,
      ...(step.stored === undefined ? {} : { stored: step.stored }),
    });
  }
  return {
    objects,
    copies: backUps.flatMap((step) => copiesOf(step, seen)),
    moves: plan.steps.flatMap((step) =>
      step.kind === "move_artifacts" ? movesOf(step, backUps, seen, store, context) : []
    ),
    backups,
    warnings: [
      ...[...seen.values()].flatMap(({ view: artifact, sha256 }) => mismatch(artifact, sha256) ?? []),
      ...replacedWarnings([...seen.values()]),
    ],
  };
}

/** Reads every artifact that leaves, once, and compares it with what was recorded at its publication. */
async function look(
  store: ObjectReader,
  view: RollbackView,
  plan: Plan,
  context: RollbackPrepareContext,
): Promise<ReadonlyMap<string, Seen>> {
  const artifacts = usedArtifacts(view, plan);
  const read = context.verify === "full" && !view.noBackup;
  if (!read && store.capabilities.remote) return await trustTags(store, view, artifacts);
  if (!read) return new Map(artifacts.map((artifact) => [artifact.path, unread(artifact)]));
  const digests = await store.digest(artifacts.map((artifact) => artifact.path), context);
  const seen = artifacts.map((artifact, i): Seen => {
    const { stat, sha256 } = digests[i]!;
    return { view: artifact, stat, sha256 };
  });
  const wrong = seen.flatMap(({ view: artifact, sha256 }) => mismatch(artifact, sha256) ?? []);
  if (wrong.length > 0 && !context.tolerant) {
    throw new RollbackBackupError(`Cannot back up as published: ${wrong.slice(0, 3).join("; ")}`, {
      hint:
        "Nothing was touched. To back up the bytes as they are now, use --policy lenient, or --force and --reason.",
      context: { artifacts: wrong.slice(0, 20) },
    });
  }
  return new Map(seen.map((each) => [each.view.path, each]));
}

function usedArtifacts(view: RollbackView, plan: Plan): readonly ArtifactView[] {
  const used = new Set(plan.steps.flatMap((step) => {
    if (step.kind === "back_up") return [...step.files, ...step.kept].map((file) => file.path);
    return step.kind === "move_artifacts" ? step.files.map((file) => file.path) : [];
  }));
  const all = view.leaving.flatMap((release) => [...release.artifacts, ...release.kept]);
  return [
    ...new Map(all.filter((artifact) => used.has(artifact.path)).map((artifact) => [artifact.path, artifact]))
      .values(),
  ];
}

function unread(artifact: ArtifactView): Seen {
  return { view: artifact, stat: artifact.stat!, sha256: artifact.recorded?.sha256 ?? null };
}

/** The recorded digest stands as long as the object is, by its content tag, the one that was published. */
async function trustTags(
  store: ObjectReader,
  view: RollbackView,
  artifacts: readonly ArtifactView[],
): Promise<ReadonlyMap<string, Seen>> {
  const noted = new Map<string, string>();
  for (const { version } of view.leaving) {
    for (const [path, tag] of await loadContentTags(store, version)) noted.set(path, tag);
  }
  return new Map(artifacts.map((artifact) => {
    const seen = unread(artifact);
    const published = noted.get(artifact.path);
    // A listing may take a tag that says nothing of the bytes for one that does: the object's own counts as well.
    if (published !== undefined && [contentTagOf(seen.stat), seen.stat.tag].includes(published)) {
      return [artifact.path, seen];
    }
    return [artifact.path, { ...seen, sha256: null, replaced: published !== undefined }];
  }));
}

function replacedWarnings(seen: readonly Seen[]): readonly string[] {
  const replaced = seen.filter((each) => each.replaced === true);
  if (replaced.length === 0) return [];
  const example = replaced[0]!.view.path;
  return [
    `${count(replaced.length, "artifact")} (e.g. ${example}) were written anew since the publication; ` +
    "--verify-backup full compares their bytes",
  ];
}

function mismatch(artifact: ArtifactView, sha256: string | null): string | undefined {
  if (artifact.recorded === undefined || sha256 === null || sha256 === artifact.recorded.sha256) {
    return undefined;
  }
  return `${artifact.path} is not what was published (SHA-256 ${sha256.slice(0, 12)}…, published ` +
    `${artifact.recorded.sha256.slice(0, 12)}…)`;
}

function makeManifest(
  store: ObjectReader,
  view: RollbackView,
  release: LeavingRelease,
  step: BackUpStep,
  seen: ReadonlyMap<string, Seen>,
  context: RollbackPrepareContext,
): BackupManifest {
  const files = [...step.files, ...step.kept].map((file) => seen.get(file.path)!);
  const artifacts = files.map(store.capabilities.remote ? toRemoteBackupFile : toBackupFile);
  const earlier = backupsSoFar(view.index, release.version);
  const before = Object.entries(view.index.channels ?? {}).filter(([, channel]) =>
    channel.version === release.version
  );
  return {
    format: 1,
    kind: "backout.backup",
    id: step.backup,
    rollback_id: context.binding.id,
    version: release.version,
    rollback_type: view.type,
    created_at: context.binding.at,
    by: context.binding.by,
    host: context.host,
    reason: context.reason,
    integrity: integrityOf(store, artifacts, context),
    ...(step.stored === undefined ? {} : { stored: step.stored }),
    entry: release.entry,
    ...neighbours(view.index, release.version),
    channels_before: Object.fromEntries(before),
    channels_after: channelsAfter(view, before.map(([name]) => name), context),
    backups: [...earlier, step.backup],
    artifacts,
    total_bytes: artifacts.reduce((sum, file) => sum + file.size, 0),
  };
}

function integrityOf(
  store: ObjectReader,
  artifacts: readonly BackupFile[],
  { verify }: RollbackPrepareContext,
): Integrity {
  if (!store.capabilities.remote) return verify === "full" ? "sha256" : "size";
  return artifacts.every((file) => file.sha256 !== null) ? "sha256" : "etag";
}

function channelsAfter(
  view: RollbackView,
  names: readonly string[],
  context: RollbackPrepareContext,
): Readonly<Record<string, Channel>> {
  const { changes } = planChannels(view, context.binding);
  return Object.fromEntries(
    changes.flatMap((change) =>
      change.change === "set_channel" && names.includes(change.name) ? [[change.name, change.channel]] : []
    ),
  );
}

function toBackupFile({ view, stat, sha256 }: Seen): BackupFile {
  return {
    path: view.path,
    size: stat.size,
    sha256,
    mode: stat.mode,
    uid: stat.uid,
    gid: stat.gid,
    mtime: stat.mtime,
  };
}

/** Object storage has no permission bits: those of the publication count. */
function toRemoteBackupFile(seen: Seen): BackupFile {
  const { tag, versionId } = seen.stat;
  const mode = seen.view.recorded?.mode ?? 0o644;
  return {
    ...toBackupFile(seen),
    mode,
    tag,
    ...(seen.sha256 === null ? {} : { content_tag: contentTagOf(seen.stat) }),
    ...(versionId === undefined ? {} : { version_id: versionId }),
  };
}

/** What another release lists too is copied, and so is what cannot be moved without copying. */
function copiesOf(step: BackUpStep, seen: ReadonlyMap<string, Seen>): NonNullable<Prepared["copies"]> {
  if (step.stored === "versions") return [];
  const unmovable = step.files.filter((file) => seen.get(file.path)!.stat.movable === false);
  return [...step.kept, ...unmovable].map((file) => ({
    from: file.path,
    to: backupKey(step.backup, file.path),
    sha256: seen.get(file.path)!.sha256,
  }));
}

function movesOf(
  step: MoveStep,
  backUps: readonly BackUpStep[],
  seen: ReadonlyMap<string, Seen>,
  store: ObjectReader,
  context: RollbackPrepareContext,
): readonly JournalMove[] {
  const backup = step.to === "backup"
    ? backUps.find((candidate) => candidate.version === step.version)?.backup
    : undefined;
  return step.files.map(({ path }) => ({
    version: step.version,
    from: path,
    to: backup === undefined
      ? store.scratchKey(context.binding.id, `trash/${path}`)
      : backupKey(backup, path),
    expected: seen.get(path)!.stat,
  }));
}
