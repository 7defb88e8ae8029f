/** `release publish`: copies a folder in, verified, then names it in the index. */
import { sha256Hex } from "#/core/sha256.ts";
import {
  RollbackAlreadyRolledBackError,
  RollbackError,
  RollbackPolicyViolationError,
  UsageError,
} from "#/core/errors.ts";
import { assertChannelName, assertVersion } from "#/core/safe_path.ts";
import { type Definition, plainFacts, type PrepareContext, type Prepared } from "#/release/definition.ts";
import { signRecord } from "#/release/release_hooks.ts";
import { isTolerant } from "#/release/scope.ts";
import { readReleaseFolder, refuseOwnFolder, type SourceFile } from "#/release/source_folder.ts";
import { largestArtifacts } from "#/report/sizes.ts";
import { formatBytes } from "#/report/units.ts";
import { backupPathProblem } from "#/repository/backup_folder.ts";
import { canBeNamed, pointedAt } from "#/repository/channel_target.ts";
import { contentTagsKey } from "#/repository/content_tags.ts";
import type { IndexChange } from "#/repository/index_change.ts";
import type { FileRecord, ReleaseEntry } from "#/repository/index_format.ts";
import type { RepositoryView } from "#/repository/inspect.ts";
import type { PublishOptions } from "#/repository/options.ts";
import {
  encodeRecord,
  makeRecord,
  recordKey,
  recordSignatureKey,
  releaseDigest,
} from "#/repository/release_record.ts";
import { findEntry, findTombstone, stateOf } from "#/repository/version_state.ts";
import type { VersionState } from "#/repository/views.ts";
import type { OperationReport } from "#/report/model.ts";
import { type Binding, count, type Plan, type RepositoryStep } from "#/step/repository_step.ts";
import type { BatchOptions, ObjectReader } from "#/storage/object_store.ts";

interface PublishView extends RepositoryView {
  readonly version: string;
  readonly directory: string;
  readonly sources: readonly SourceFile[];
  readonly files: readonly FileRecord[];
  /** The same bytes are published already: nothing to do. */
  readonly same: boolean;
  readonly options: PublishOptions;
}

/** Fields of an entry that metadata may not set. */
export const OWN_FIELDS: ReadonlySet<string> = new Set([
  "version",
  "timestamp",
  "sha256",
  "size_bytes",
  "artifacts",
  "record_sha256",
  "depends_on",
  "status",
  "yanked",
  "mark",
  "removed_artifacts",
  "backups",
  "hooks",
]);

/** @throws {UsageError} */
export function publishDefinition(options: PublishOptions): Definition<PublishView> {
  assertVersion(options.version);
  const unkept = backupPathProblem(options.version);
  if (unkept !== undefined) {
    throw new UsageError(`Cannot use ${options.version} as a version: ${unkept}`, {
      hint: "Give it another name, for example v1.0.2.",
    });
  }
  for (const needed of options.dependsOn ?? []) assertVersion(needed);
  if (options.dependsOn?.includes(options.version)) {
    throw new UsageError(`${options.version} cannot depend on itself`, {
      hint: "Leave it out of --depends-on.",
    });
  }
  for (const channel of options.channels ?? []) assertChannelName(channel);
  if (options.hooks !== undefined && options.signingKeyFile === undefined) {
    throw new UsageError("A release with hooks of its own has to be signed: others run them only then", {
      hint:
        "Give --sign-audit-log and --signing-key KEYFILE, or set audit.sign and audit.signing_key in backout.yaml.",
    });
  }
  const own = Object.keys(options.metadata ?? {}).find((key) => OWN_FIELDS.has(key) || key === "__proto__");
  if (own !== undefined) {
    throw new UsageError(`The metadata sets ${own}, which backout sets itself`, {
      hint: `Leave ${own} out of it.`,
    });
  }
  return {
    operation: "publish",
    title: `publish ${options.version}`,
    version: options.version,
    rollbackType: null,
    inspect: (store, view, context) => inspectPublish(store, view, options, context),
    facts: (view) => ({ ...plainFacts("publish", view), missing_dependencies: missingDependencies(view) }),
    plan: planPublish,
    problems: spaceProblems,
    warnings: () => [],
    describe,
    prepare: (store, view, _plan, context) => preparePublish(store, view, context),
    summary,
  };
}

async function inspectPublish(
  store: ObjectReader,
  base: RepositoryView,
  options: PublishOptions,
  context: BatchOptions,
): Promise<PublishView> {
  const state = stateOf(base.index, options.version);
  if (store.type === "local") refuseOwnFolder(options.directory, store.location);
  const sources = await readReleaseFolder(options.directory, options.version, context);
  const files = sources.map((source) => source.record);
  const same = refuseOtherBytes(base, options.version, state, files);
  if (!same) await refuseOccupied(store, files);
  else refuseChannels(base, options);
  return { ...base, version: options.version, directory: options.directory, sources, files, same, options };
}

/** @returns true when the same bytes are published already */
function refuseOtherBytes(
  view: RepositoryView,
  version: string,
  state: VersionState,
  files: readonly FileRecord[],
): boolean {
  if (state === "absent") return false;
  const published = state === "active" || state === "yanked" || state === "bad";
  const known = findEntry(view.index, version)?.sha256 ?? findTombstone(view.index, version)?.sha256;
  if (published && known === releaseDigest(files)) return true;
  const restorable = !published;
  throw new RollbackAlreadyRolledBackError(
    published
      ? `${version} is published already, with other bytes`
      : `${version} was published before and is ${state}; a version is never published twice`,
    {
      hint: restorable
        ? `Put it back with: backout release restore ${version}; or publish under a new version.`
        : "Publish the new bytes under a new version.",
      context: { version, state },
    },
  );
}

/** What the release depends on and the index does not list. */
function missingDependencies(view: PublishView): readonly string[] {
  return (view.options.dependsOn ?? []).filter((version) => findEntry(view.index, version) === undefined);
}

/** A channel that would move to a release that is published already: the same rule as for `channel set`. */
function refuseChannels(view: RepositoryView, options: PublishOptions): void {
  const { version } = options;
  const moved = (options.channels ?? []).filter((name) => view.index.channels?.[name]?.version !== version);
  if (moved.length === 0 || isTolerant(options) || canBeNamed(view.index, version, new Set())) return;
  throw new RollbackPolicyViolationError(
    `Refused to point ${moved.join(", ")} at ${version}: it is ${stateOf(view.index, version)}`,
    { hint: "Choose an active version, or go on with --force and --reason.", context: { version } },
  );
}

/** Files in the way that no release lists are not overwritten. */
async function refuseOccupied(store: ObjectReader, files: readonly FileRecord[]): Promise<void> {
  const stats = await store.statMany(files.map((file) => file.path));
  const taken = files.filter((_, i) => stats[i] !== undefined);
  if (taken.length === 0) return;
  throw new RollbackError(`${taken[0]!.path} exists already and belongs to no release of this version`, {
    hint: `Look at it and move it away (${count(taken.length, "file")} in the way), then publish again.`,
    context: { paths: taken.slice(0, 20).map((file) => file.path) },
  });
}

function planPublish(view: PublishView, binding: Binding): Plan {
  const markdown: readonly RepositoryStep[] = view.hasMarkdown ? [{ kind: "update_markdown" }] : [];
  if (view.same) {
    const changes = channelChanges(view, binding);
    const steps: readonly RepositoryStep[] = changes.length === 0
      ? []
      : [{ kind: "commit_index", changes }, ...markdown];
    return { operation: "publish", versions: [view.version], steps, undo: null };
  }
  return {
    operation: "publish",
    versions: [view.version],
    steps: [
      { kind: "write_record", version: view.version },
      {
        kind: "add_artifacts",
        version: view.version,
        from: { directory: view.directory },
        files: view.files,
      },
      { kind: "commit_index", changes: publishChanges(view, binding) },
      ...markdown,
    ],
    undo: undoOf(view),
  };
}

/** A channel that this publish makes has nowhere to go back to: only force removes it. */
function undoOf(view: PublishView): string {
  const isNew = movedChannels(view).some((name) => view.index.channels?.[name] === undefined);
  return `backout release rollback ${view.version}${isNew ? " --force --reason TEXT" : ""}`;
}

function publishChanges(view: PublishView, binding: Binding): readonly IndexChange[] {
  const older = view.index.releases[0]?.version ?? null;
  const entry = makeEntry(view, binding);
  return [{ change: "put_release", entry, newer: null, older }, ...channelChanges(view, binding)];
}

function channelChanges(view: PublishView, binding: Binding): readonly IndexChange[] {
  return movedChannels(view).map((name) => ({
    change: "set_channel",
    name,
    channel: pointedAt(view.index.channels?.[name], view.version, binding.at),
  }));
}

/** The channels asked for that do not name the version yet. */
function movedChannels(view: PublishView): readonly string[] {
  const wanted = new Set(view.options.channels ?? []);
  return [...wanted].filter((name) => view.index.channels?.[name]?.version !== view.version);
}

function makeEntry(view: PublishView, binding: Binding): ReleaseEntry {
  return {
    version: view.version,
    timestamp: binding.at,
    sha256: releaseDigest(view.files),
    size_bytes: totalBytes(view.files),
    artifacts: view.files.map((file) => file.path),
    record_sha256: sha256Hex(recordBytes(view, binding)),
    depends_on: [...view.options.dependsOn ?? []],
    status: "active",
    ...(view.options.hooks === undefined ? {} : { hooks: true }),
    ...(view.options.metadata as Record<string, string> | undefined),
  };
}

function recordBytes(view: PublishView, binding: Binding): Uint8Array {
  return encodeRecord(makeRecord(view.version, binding.at, view.files, view.options.hooks));
}

async function preparePublish(
  store: ObjectReader,
  view: PublishView,
  { binding, signer }: PrepareContext,
): Promise<Prepared> {
  if (view.same) return {}; // what is there stays: taking this back must not remove it
  const record = recordBytes(view, binding);
  const signature: readonly [string, Uint8Array][] = view.options.hooks === undefined || signer === undefined
    ? []
    : [[recordSignatureKey(view.version), await signRecord(record, signer)]];
  return {
    ...(store.capabilities.remote ? { contentTagsKey: contentTagsKey(view.version) } : {}),
    objects: new Map([[recordKey(view.version), record], ...signature]),
    staged: view.sources.map(({ record, path, mtime }) => ({ record, source: { path }, mtime })),
  };
}

function spaceProblems(view: PublishView): readonly string[] {
  const needed = totalBytes(view.files);
  if (view.same || view.freeBytes === null || view.freeBytes >= needed) return [];
  return [
    `not enough space: the release needs ${formatBytes(needed)}, and ${formatBytes(view.freeBytes)} are free`,
  ];
}

function totalBytes(files: readonly FileRecord[]): number {
  return files.reduce((sum, file) => sum + file.size, 0);
}

function describe(view: PublishView): Partial<OperationReport> {
  const channels_moved = movedChannels(view).map((channel) => ({
    channel,
    from: view.index.channels?.[channel]?.version ?? "",
    to: view.version,
  }));
  if (view.same) return { channels_moved };
  return {
    artifacts_published: view.files.map((file) => file.path),
    largest_artifacts: largestArtifacts(view.files),
    total_bytes_added: totalBytes(view.files),
    channels_moved,
  };
}

function summary(report: OperationReport): string {
  const files = count(report.artifacts_published.length, "artifact");
  if (report.artifacts_published.length === 0) {
    const moved = report.channels_moved.map((move) => move.channel).join(", ");
    const then = moved === "" ? "nothing to do" : `only ${moved} moved`;
    return `${report.version} is published already, with the same bytes: ${then}`;
  }
  return report.dry_run
    ? `Would publish ${report.version}: ${files}`
    : `Published ${report.version}: ${files}`;
}
