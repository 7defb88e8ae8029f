/** `release rollback`: takes one or several versions out, into backups. */
import picomatch from "picomatch";
import {
  RollbackAlreadyRolledBackError,
  RollbackIndexError,
  RollbackPolicyViolationError,
  RollbackVersionNotFoundError,
  UsageError,
} from "#/core/errors.ts";
import { assertVersion, quoteShort, versionProblem } from "#/core/safe_path.ts";
import type { Definition } from "#/release/definition.ts";
import { prepareRollback } from "#/release/rollback_prepare.ts";
import { isTolerant } from "#/release/scope.ts";
import { BACKUPS_PREFIX } from "#/repository/backup_folder.ts";
import { canBeNamed } from "#/repository/channel_target.ts";
import { inspectLeaving, type LeavingRelease, type RepositoryView } from "#/repository/inspect.ts";
import type { RollbackOptions } from "#/repository/options.ts";
import { outcomeOf, planChannels, planRollback, type RollbackView } from "#/repository/plan_rollback.ts";
import { dependentsOf, rollbackResult, stateOf } from "#/repository/version_state.ts";
import type { OperationReport, RollbackType } from "#/report/model.ts";
import type { PolicyFacts } from "#/policy/rule.ts";
import { count, type Plan, SYMBOLIC } from "#/step/repository_step.ts";
import type { ObjectReader } from "#/storage/object_store.ts";

/** @throws {UsageError} when the options contradict each other */
export function rollbackDefinition(options: RollbackOptions): Definition<RollbackView> {
  checkOptions(options);
  const type = options.type ?? "full";
  const wanted = options.version ?? options.to!;
  return {
    operation: "rollback",
    title: options.to === undefined ? `roll back ${wanted}` : `roll back everything newer than ${wanted}`,
    version: wanted,
    rollbackType: type,
    inspect: (store, view) => inspectRollback(store, view, options),
    facts,
    plan: planRollback,
    problems: (view, tolerant) => tolerant ? [] : artifactProblems(view),
    warnings: (view, tolerant) => tolerant ? artifactProblems(view) : [],
    describe,
    prepare: (store, view, plan, context) =>
      prepareRollback(store, view, plan, { ...context, verify: options.verifyBackup ?? "full" }),
    summary,
  };
}

function checkOptions(options: RollbackOptions): void {
  if ((options.version === undefined) === (options.to === undefined)) {
    throw new UsageError("Give the version to roll back, or --to the version to go back to, not both", {
      hint: "For example: backout release rollback v1.0.2",
    });
  }
  assertVersion(options.version ?? options.to!);
  if (options.channelTo !== undefined) assertVersion(options.channelTo);
  if ((options.artifacts?.length ?? 0) > 0 && options.type === "index_only") {
    throw new UsageError("--artifact takes artifacts out, and --type index_only leaves them all", {
      hint: "Leave one of the two away.",
    });
  }
}

async function inspectRollback(
  store: ObjectReader,
  base: RepositoryView,
  options: RollbackOptions,
): Promise<RollbackView> {
  const type = options.type ?? "full";
  const versions = options.version === undefined ? newerThan(base, options.to!) : [options.version];
  const ready = versions.filter((version) =>
    options.version === undefined && isSkipped(base, version, type) ? false : true
  );
  for (const version of ready) refuse(base, version, type);
  if (ready.length === 0) throw nothingNewer(options.to!);
  if (options.channelTo !== undefined && stateOf(base.index, options.channelTo) === "absent") {
    throw notFound(base, options.channelTo);
  }
  const leaving = new Set(ready);
  refuseChannelTarget(base, options, leaving);
  const select = selector(options.artifacts ?? []);
  const releases: LeavingRelease[] = [];
  for (const version of ready) {
    releases.push(
      await inspectLeaving(store, base.index, version, {
        leaving,
        ...(select === undefined ? {} : { select }),
      }),
    );
  }
  const partial = select !== undefined;
  for (const release of partial ? releases : []) refusePartial(base, release);
  const closed = options.noBackup === true ? undefined : store.writeProblem(`${BACKUPS_PREFIX}/new`);
  return {
    ...base,
    writeProblems: [...new Set([...base.writeProblems, ...(closed === undefined ? [] : [closed])])],
    type,
    partial,
    leaving: releases,
    noBackup: options.noBackup ?? false,
    reason: options.reason ?? "",
    channelTo: options.channelTo,
  };
}

/** Force allows a version that is marked bad or incomplete, never one that readers could not fetch. */
function refuseChannelTarget(
  view: RepositoryView,
  options: RollbackOptions,
  leaving: ReadonlySet<string>,
): void {
  const { channelTo } = options;
  if (channelTo === undefined || !isTolerant(options)) return; // the policy refuses it, in its order
  const listed = view.index.releases.some((entry) => entry.version === channelTo);
  if (listed && !leaving.has(channelTo)) return;
  const why = listed ? "it is rolled back too" : `it is ${stateOf(view.index, channelTo)}`;
  throw new RollbackPolicyViolationError(`${channelTo} cannot take over the channels: ${why}`, {
    hint: "Choose an active version with --channel-to, or leave it out.",
    context: { version: channelTo },
  });
}

/** Everything listed before `to`, newest first. */
function newerThan(view: RepositoryView, to: string): readonly string[] {
  const at = view.index.releases.findIndex((entry) => entry.version === to);
  if (at < 0) throw notFound(view, to);
  if (at === 0) throw nothingNewer(to);
  return view.index.releases.slice(0, at).map((entry) => entry.version);
}

/** In an operation on several versions, one that is already there is no reason to refuse the others. */
function isSkipped(view: RepositoryView, version: string, type: RollbackType): boolean {
  return rollbackResult(stateOf(view.index, version), type) === "already";
}

function refuse(view: RepositoryView, version: string, type: RollbackType): void {
  const problem = versionProblem(version);
  if (problem !== undefined) {
    throw new RollbackIndexError(
      `The index names a version ${quoteShort(version)} that cannot be used: ${problem}`,
      {
        hint: "Nothing was touched. Mend the entry in index.json.",
      },
    );
  }
  const state = stateOf(view.index, version);
  if (view.index.releases.filter((entry) => entry.version === version).length > 1) {
    throw new RollbackIndexError(
      `The index lists ${version} twice, so it is not clear which one to roll back`,
      {
        hint: "Nothing was touched. Remove one of the two entries from index.json.",
        context: { version },
      },
    );
  }
  const result = rollbackResult(state, type);
  if (result === "not_found") throw notFound(view, version);
  if (result !== "already") return;
  throw new RollbackAlreadyRolledBackError(`${version} is already rolled back: it is ${state}`, {
    hint: `Put it back with: backout release restore ${version}`,
    context: { version, state },
  });
}

function refusePartial(view: RepositoryView, release: LeavingRelease): void {
  const state = stateOf(view.index, release.version);
  if (state === "hidden" || state === "emptied") {
    throw new RollbackAlreadyRolledBackError(
      `${release.version} is ${state}: single artifacts cannot be rolled back from it`,
      {
        hint: "Roll it back without --artifact, or restore it first.",
        context: { version: release.version, state },
      },
    );
  }
  if (release.artifacts.length + release.kept.length > 0) return;
  throw new RollbackVersionNotFoundError(`No artifact of ${release.version} matches`, {
    hint: `See what it has: backout release show ${release.version}`,
    context: { version: release.version },
  });
}

function notFound(view: RepositoryView, version: string): RollbackVersionNotFoundError {
  const known = view.index.releases.slice(0, 5).map((entry) => entry.version);
  const hint = known.length === 0 ? "The index lists no release." : `The newest are: ${known.join(", ")}.`;
  return new RollbackVersionNotFoundError(`There is no version ${quoteShort(version)} in ${view.location}`, {
    hint: `${hint} See \`backout release list\`.`,
    context: { version },
  });
}

function nothingNewer(to: string): RollbackAlreadyRolledBackError {
  return new RollbackAlreadyRolledBackError(`Nothing is newer than ${to}`, {
    hint: "There is nothing to roll back.",
    context: { version: to },
  });
}

/** Globs match the path below the version's folder, or the whole path. */
function selector(globs: readonly string[]): ((version: string, path: string) => boolean) | undefined {
  if (globs.length === 0) return undefined;
  const matches = picomatch([...globs], { dot: true });
  return (version, path) => {
    const inside = path.startsWith(`${version}/`) ? path.slice(version.length + 1) : path;
    return matches(path) || matches(inside);
  };
}

function facts(view: RollbackView): PolicyFacts {
  const leaving = view.leaving.map((release) => release.version);
  const set = new Set(leaving);
  const badTarget = view.channelTo !== undefined && !canBeNamed(view.index, view.channelTo, set)
    ? `${view.channelTo} cannot take over the channels: it is ${describeTarget(view, set)}`
    : null;
  return {
    operation: "rollback",
    type: view.type,
    partial: view.partial,
    no_backup: view.noBackup,
    leaving: view.leaving.map((release) => ({
      version: release.version,
      state: stateOf(view.index, release.version),
      listed: release.artifacts.length + release.kept.length,
      present:
        [...release.artifacts, ...release.kept].filter((artifact) => artifact.stat !== undefined).length,
    })),
    newest: view.index.releases[0]?.version ?? null,
    index_problems: view.indexProblems,
    missing_dependencies: [],
    dependents: dependentsOf(view.index, leaving),
    stuck_channels: planChannels(view, SYMBOLIC).stuck,
    bad_channel_target: badTarget,
  };
}

function describeTarget(view: RollbackView, leaving: ReadonlySet<string>): string {
  if (leaving.has(view.channelTo!)) return "rolled back too";
  const state = stateOf(view.index, view.channelTo!);
  return state === "absent" ? "not in the index" : state;
}

function artifactProblems(view: RollbackView): readonly string[] {
  return view.leaving.flatMap((release) => {
    const record = release.recordProblem === undefined ? [] : [release.recordProblem];
    const touched = outcomeOf(view, release) === "hidden" ? [] : [...release.artifacts, ...release.kept];
    return [
      ...record,
      ...touched.flatMap((artifact) => artifact.problem === undefined ? [] : [artifact.problem]),
    ];
  });
}

function describe(view: RollbackView, plan: Plan): Partial<OperationReport> {
  const moved = plan.steps.flatMap((step) => step.kind === "move_artifacts" ? step.files : []);
  const paths = moved.map((file) => file.path);
  const bytes = moved.reduce((sum, file) => sum + file.size, 0);
  const gone = new Set(paths);
  const kept = view.leaving.flatMap((release) => outcomeOf(view, release) === "hidden" ? [] : release.kept)
    .map((artifact) => artifact.path)
    .filter((path) => !gone.has(path)); // another of the leaving releases takes it
  return {
    version: view.leaving.map((release) => release.version).join(","),
    artifacts_removed: paths,
    artifacts_to_remove: paths,
    total_artifacts_removed: paths.length,
    total_bytes_freed: bytes,
    bytes_reclaimed: view.noBackup ? bytes : 0,
    artifacts_kept: [...new Set(kept)],
    channels_moved: planChannels(view, SYMBOLIC).moves,
    index_entry_to_remove: view.leaving[0]?.entry ?? null,
    estimated_duration_seconds: estimate(paths.length, view.noBackup ? 0 : bytes),
  };
}

/** Hashing runs at some 600 MiB/s on two cores and a move costs 10 µs; rounded to hundredths. */
function estimate(files: number, bytes: number): number {
  return Math.round(100 * (0.1 + files * 0.0001 + bytes / (600 * 1024 * 1024))) / 100;
}

function summary(report: OperationReport): string {
  const what = report.versions.length > 3
    ? count(report.versions.length, "release")
    : report.versions.join(", ");
  const moved = count(report.total_artifacts_removed, "artifact");
  if (report.dry_run) return `Would roll back ${what}: ${moved}`;
  if (report.rollback_type === "index_only" && report.total_artifacts_removed === 0) {
    return `Rolled back ${what}: it is out of the index, its artifacts stay`;
  }
  return report.backup_created
    ? `Rolled back ${what}: ${moved} moved into the backup`
    : `Rolled back ${what}: ${moved} deleted without a backup`;
}
