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
import { neighbours } from "#/repository/index_change.ts";
import type { Channel } from "#/repository/index_format.ts";
import type { ArtifactView, LeavingRelease } from "#/repository/inspect.ts";
import { planChannels, type RollbackView } from "#/repository/plan_rollback.ts";
import { backupsSoFar } from "#/repository/version_state.ts";
import type { BackupReport } from "#/report/model.ts";
import type { Plan, RepositoryStep } from "#/step/repository_step.ts";
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
    const manifest = makeManifest(view, release, step, seen, context);
    objects.set(manifestKey(step.backup), encodeManifest(manifest));
    backups.push({
      id: step.backup,
      version: step.version,
      location: `${store.location}/${BACKUPS_PREFIX}/${step.backup}`,
      artifacts: manifest.artifacts.length,
      bytes: manifest.total_bytes,
      integrity: manifest.integrity,
    });
  }
  return {
    objects,
    copies: backUps.flatMap((step) => copiesOf(step, seen)),
    moves: plan.steps.flatMap((step) =>
      step.kind === "move_artifacts" ? movesOf(step, backUps, seen, store, context) : []
    ),
    backups,
    warnings: [...seen.values()].flatMap(({ view: artifact, sha256 }) => mismatch(artifact, sha256) ?? []),
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

function mismatch(artifact: ArtifactView, sha256: string | null): string | undefined {
  if (artifact.recorded === undefined || sha256 === null || sha256 === artifact.recorded.sha256) {
    return undefined;
  }
  return `${artifact.path} is not what was published (SHA-256 ${sha256.slice(0, 12)}…, published ` +
    `${artifact.recorded.sha256.slice(0, 12)}…)`;
}

function makeManifest(
  view: RollbackView,
  release: LeavingRelease,
  step: BackUpStep,
  seen: ReadonlyMap<string, Seen>,
  context: RollbackPrepareContext,
): BackupManifest {
  const artifacts = [...step.files, ...step.kept].map((file) => toBackupFile(seen.get(file.path)!));
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
    integrity: context.verify === "full" ? "sha256" : "size",
    entry: release.entry,
    ...neighbours(view.index, release.version),
    channels_before: Object.fromEntries(before),
    channels_after: channelsAfter(view, before.map(([name]) => name), context),
    backups: [...earlier, step.backup],
    artifacts,
    total_bytes: artifacts.reduce((sum, file) => sum + file.size, 0),
  };
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

/** What another release lists too is copied, and so is what cannot be moved without copying. */
function copiesOf(step: BackUpStep, seen: ReadonlyMap<string, Seen>): NonNullable<Prepared["copies"]> {
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
  const backup = backUps.find((candidate) => candidate.version === step.version)?.backup;
  return step.files.map(({ path }) => ({
    version: step.version,
    from: path,
    to: backup === undefined
      ? store.scratchKey(context.binding.id, `trash/${path}`)
      : backupKey(backup, path),
    expected: seen.get(path)!.stat,
  }));
}
