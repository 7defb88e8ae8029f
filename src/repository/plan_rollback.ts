/** The plan of a rollback: a pure function of what was seen and what was asked. */
import type { IndexChange } from "#/repository/index_change.ts";
import { channelTarget, pointedBack } from "#/repository/channel_target.ts";
import type { Channel, ReleaseEntry, Tombstone } from "#/repository/index_format.ts";
import type { ArtifactView, LeavingRelease, RepositoryView } from "#/repository/inspect.ts";
import { backupsSoFar, rollbackResult, stateOf } from "#/repository/version_state.ts";
import type { RollbackType } from "#/report/model.ts";
import type { Binding, Plan, PlannedFile, RepositoryStep } from "#/step/repository_step.ts";

export interface RollbackView extends RepositoryView {
  readonly type: RollbackType;
  readonly partial: boolean;
  /** Newest first. */
  readonly leaving: readonly LeavingRelease[];
  readonly noBackup: boolean;
  /** The storage keeps the versions of what is deleted: a rollback without a backup can be undone, too. */
  readonly keepsVersions: boolean;
  readonly reason: string;
  /** Where its channels go, when the caller said so. */
  readonly channelTo: string | undefined;
  /** Channels that go there too, whatever they name. */
  readonly repoint: readonly string[];
}

/** What becomes of one version. */
export type RollbackOutcome = "removed" | "emptied" | "hidden" | "partial";

export function outcomeOf(view: RollbackView, release: LeavingRelease): RollbackOutcome {
  if (view.partial) return release.complete ? "emptied" : "partial";
  const result = rollbackResult(stateOf(view.index, release.version), view.type);
  if (result === "not_found" || result === "already") throw new Error(`unplanned ${result}`);
  return result;
}

export function planRollback(view: RollbackView, binding: Binding): Plan {
  const channels = planChannels(view, binding);
  const before = view.leaving.flatMap((release) => backUpStep(view, release, binding));
  const after = view.leaving.flatMap((release) => moveStep(view, release));
  const changes = [
    ...view.leaving.flatMap((release) => releaseChanges(view, release, binding)),
    ...channels.changes,
  ];
  const markdown: readonly RepositoryStep[] = view.hasMarkdown ? [{ kind: "update_markdown" }] : [];
  return {
    operation: "rollback",
    versions: view.leaving.map((release) => release.version),
    steps: [...before, { kind: "commit_index", changes }, ...after, ...markdown],
    undo: undoOf(view, binding),
  };
}

function undoOf(view: RollbackView, binding: Binding): string | null {
  if (view.leaving.length === 0) {
    const [moved] = planChannels(view, binding).moves;
    return moved === undefined ? null : `backout channel set ${moved.channel} ${moved.from}`;
  }
  return hasBackup(view) || view.type === "index_only" ? `backout release restore ${binding.id}` : null;
}

/** True when a manifest is written: of a backup folder, or of the versions that the bucket keeps. */
export function hasBackup(view: RollbackView): boolean {
  return !view.noBackup || view.keepsVersions;
}

/** True when the artifacts of a version leave the published tree. */
function movesArtifacts(view: RollbackView, release: LeavingRelease): boolean {
  return outcomeOf(view, release) !== "hidden";
}

function backUpStep(
  view: RollbackView,
  release: LeavingRelease,
  binding: Binding,
): readonly RepositoryStep[] {
  if (!hasBackup(view)) return [];
  const moves = movesArtifacts(view, release);
  return [{
    kind: "back_up",
    version: release.version,
    backup: binding.backupName(release.version),
    rollback_type: view.type,
    files: moves ? usable(release.artifacts) : [],
    kept: moves ? usable(release.kept) : [],
    ...(view.noBackup ? { stored: "versions" } as const : {}),
  }];
}

function moveStep(view: RollbackView, release: LeavingRelease): readonly RepositoryStep[] {
  const files = usable(release.artifacts);
  if (!movesArtifacts(view, release) || files.length === 0) return [];
  return [{
    kind: "move_artifacts",
    version: release.version,
    to: !view.noBackup ? "backup" : view.keepsVersions ? "versions" : "trash",
    files,
  }];
}

function usable(artifacts: readonly ArtifactView[]): readonly PlannedFile[] {
  return artifacts.flatMap(({ path, stat }) => stat === undefined ? [] : [{ path, size: stat.size }]);
}

function releaseChanges(
  view: RollbackView,
  release: LeavingRelease,
  binding: Binding,
): readonly IndexChange[] {
  const outcome = outcomeOf(view, release);
  const backups = backupsAfter(view, release, binding);
  if (outcome === "partial" || outcome === "emptied") {
    return [{
      change: "edit_release",
      version: release.version,
      set: { status: outcome, removed_artifacts: removedAfter(release), backups },
      unset: [],
    }];
  }
  const tombstone: Tombstone = {
    version: release.version,
    rolled_back_at: binding.at,
    rollback_id: binding.id,
    reason: view.reason,
    by: binding.by,
    sha256: release.entry.sha256 ?? null,
    backup: backups.at(-1) ?? null,
    state: outcome,
    backups,
    ...(outcome === "hidden" ? { entry: release.entry } : {}),
  };
  const listed = view.index.releases.some((entry) => entry.version === release.version);
  return [
    ...(listed ? [{ change: "remove_release", version: release.version } as const] : []),
    { change: "put_tombstone", tombstone },
  ];
}

/** All backups that together hold the version afterwards, oldest first. */
function backupsAfter(view: RollbackView, release: LeavingRelease, binding: Binding): readonly string[] {
  const earlier = backupsSoFar(view.index, release.version);
  return hasBackup(view) ? [...earlier, binding.backupName(release.version)] : earlier;
}

function removedAfter(release: LeavingRelease): readonly string[] {
  const now = [...release.artifacts, ...release.kept].map((artifact) => artifact.path);
  return [...(release.entry.removed_artifacts ?? []), ...now];
}

export interface ChannelMove {
  readonly channel: string;
  readonly from: string;
  readonly to: string | null;
}

export interface ChannelPlan {
  readonly moves: readonly ChannelMove[];
  readonly changes: readonly IndexChange[];
  /** Channels for which no safe version was found, with the candidates. */
  readonly stuck: readonly { readonly channel: string; readonly candidates: readonly string[] }[];
}

/** Where the channels that name a leaving version go. A partial rollback moves them too: the release is broken. */
export function planChannels(view: RollbackView, binding: Binding): ChannelPlan {
  const leaving = new Set(view.leaving.map((release) => release.version));
  const moves: ChannelMove[] = [];
  const changes: IndexChange[] = [];
  const stuck: ChannelPlan["stuck"][number][] = [];
  for (const [name, channel] of Object.entries(view.index.channels ?? {})) {
    if (!leaving.has(channel.version) && !view.repoint.includes(name)) continue;
    const to = view.channelTo ?? targetOf(view, channel, leaving);
    if (typeof to === "string") {
      moves.push({ channel: name, from: channel.version, to });
      changes.push({ change: "set_channel", name, channel: pointedBack(channel, to, leaving, binding.at) });
      continue;
    }
    stuck.push({ channel: name, candidates: to.candidates });
    moves.push({ channel: name, from: channel.version, to: null });
    changes.push({ change: "remove_channel", name });
  }
  return { moves, changes, stuck };
}

function targetOf(
  view: RollbackView,
  channel: Channel,
  leaving: ReadonlySet<string>,
): string | { readonly candidates: readonly string[] } {
  const target = channelTarget(view.index, channel, leaving);
  return "found" in target ? target.found : target;
}

/** The entry as it will be restored: without the traces of earlier partial rollbacks. */
export function wholeEntry(entry: ReleaseEntry, status: "active" | "yanked" | "bad"): ReleaseEntry {
  const { removed_artifacts: _removed, backups: _backups, ...rest } = entry;
  const known = entry.status === undefined ? {} : { status };
  return { ...rest, ...known } as unknown as ReleaseEntry;
}
