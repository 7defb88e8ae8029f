/** `release rollback`: takes one or several versions out, into backups. */
import picomatch from "picomatch";
import {
  RollbackAlreadyRolledBackError,
  RollbackIndexError,
  RollbackPolicyViolationError,
  RollbackVersionNotFoundError,
  UsageError,
} from "#/core/errors.ts";
import { assertChannelName, assertVersion, quoteShort, versionProblem } from "#/core/safe_path.ts";
import type { Definition, OwnFacts } from "#/release/definition.ts";
import { prepareRollback } from "#/release/rollback_prepare.ts";
import { describeRollback, summarizeRollback } from "#/release/rollback_report.ts";
import { notFound, rollbackTarget } from "#/release/rollback_target.ts";
import { isTolerant } from "#/release/scope.ts";
import { BACKUPS_PREFIX } from "#/repository/backup_folder.ts";
import { canBeNamed } from "#/repository/channel_target.ts";
import { inspectLeaving, type LeavingRelease, type RepositoryView } from "#/repository/inspect.ts";
import type { RollbackOptions } from "#/repository/options.ts";
import {
  hasBackup,
  outcomeOf,
  planChannels,
  planRollback,
  type RollbackView,
} from "#/repository/plan_rollback.ts";
import { dependentsOf, rollbackResult, stateOf } from "#/repository/version_state.ts";
import type { RollbackType } from "#/report/model.ts";
import { SYMBOLIC } from "#/step/repository_step.ts";
import type { ObjectReader } from "#/storage/object_store.ts";

/** @throws {UsageError} when the options contradict each other */
export function rollbackDefinition(options: RollbackOptions): Definition<RollbackView> {
  checkOptions(options);
  const type = options.type ?? "full";
  return {
    operation: "rollback",
    title: titleOf(options),
    version: options.version ?? options.to ?? "",
    rollbackType: type,
    inspect: (store, view) => inspectRollback(store, view, options),
    facts,
    plan: planRollback,
    problems: (view, tolerant) => tolerant ? [] : artifactProblems(view),
    warnings: (view, tolerant) => tolerant ? artifactProblems(view) : [],
    describe: describeRollback,
    prepare: (store, view, plan, context) =>
      prepareRollback(store, view, plan, {
        ...context,
        verify: options.verifyBackup ?? defaultVerify(store),
      }),
    summary: summarizeRollback,
  };
}

function titleOf({ version, to }: RollbackOptions): string {
  if (version !== undefined) return `roll back ${version}`;
  return to === undefined ? "go back to the last good release" : `roll back everything newer than ${to}`;
}

/** Reading what is remote costs what the server-side copies save. */
function defaultVerify(store: ObjectReader): "full" | "size" {
  return store.capabilities.remote ? "size" : "full";
}

function checkOptions(options: RollbackOptions): void {
  const goals = [options.version, options.to, options.toLastGood || undefined];
  if (goals.filter((goal) => goal !== undefined).length !== 1) {
    throw new UsageError(
      "Give one of the version to roll back, --to the version to go back to, and --to-last-good",
      { hint: "For example: backout release rollback v1.0.2" },
    );
  }
  if (options.toLastGood !== true) assertVersion(options.version ?? options.to!);
  if (options.channel !== undefined) assertChannel(options);
  if (options.channelTo !== undefined) assertVersion(options.channelTo);
  if ((options.artifacts?.length ?? 0) > 0 && options.type === "index_only") {
    throw new UsageError("--artifact takes artifacts out, and --type index_only leaves them all", {
      hint: "Leave one of the two away.",
    });
  }
}

function assertChannel({ channel, toLastGood, channelTo }: RollbackOptions): void {
  assertChannelName(channel!);
  if (toLastGood === true && channelTo === undefined) return;
  throw new UsageError("--channel goes with --to-last-good, and without --channel-to", {
    hint: "`backout channel set NAME VERSION` points a channel at any other version.",
  });
}

async function inspectRollback(
  store: ObjectReader,
  base: RepositoryView,
  options: RollbackOptions,
): Promise<RollbackView> {
  const type = options.type ?? "full";
  const { versions, channelTo, repoint } = rollbackTarget(base, options);
  for (const version of versions) refuse(base, version, type);
  if (options.channelTo !== undefined && stateOf(base.index, options.channelTo) === "absent") {
    throw notFound(base, options.channelTo);
  }
  const leaving = new Set(versions);
  refuseChannelTarget(base, options, leaving);
  const select = selector(options.artifacts ?? []);
  const releases: LeavingRelease[] = [];
  for (const version of versions) {
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
    keepsVersions: options.noBackup === true && await store.keepsVersions(),
    reason: options.reason ?? "",
    channelTo,
    repoint,
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

/** Globs match the path below the version's folder, or the whole path. */
function selector(globs: readonly string[]): ((version: string, path: string) => boolean) | undefined {
  if (globs.length === 0) return undefined;
  const matches = picomatch([...globs], { dot: true });
  return (version, path) => {
    const inside = path.startsWith(`${version}/`) ? path.slice(version.length + 1) : path;
    return matches(path) || matches(inside);
  };
}

function facts(view: RollbackView): OwnFacts {
  const leaving = view.leaving.map((release) => release.version);
  const set = new Set(leaving);
  const badTarget = view.channelTo !== undefined && !canBeNamed(view.index, view.channelTo, set)
    ? `${view.channelTo} cannot take over the channels: it is ${describeTarget(view, set)}`
    : null;
  return {
    operation: "rollback",
    type: view.type,
    partial: view.partial,
    no_backup: !hasBackup(view),
    leaving: view.leaving.map((release) => ({
      version: release.version,
      listed: release.artifacts.length + release.kept.length,
      present:
        [...release.artifacts, ...release.kept].filter((artifact) => artifact.stat !== undefined).length,
      undigested:
        [...release.artifacts, ...release.kept].filter((artifact) => artifact.recorded === undefined).length,
    })),
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
