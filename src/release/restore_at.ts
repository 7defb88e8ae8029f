/** `release restore --at TIME`: undoes what was taken out, yanked or repointed since a time. */
import {
  RollbackAlreadyRolledBackError,
  RollbackError,
  RollbackIndexError,
  UsageError,
} from "#/core/errors.ts";
import { historyIds, type HistoryRecord, readHistory } from "#/operation/history.ts";
import { type Definition, plainFacts, type PrepareContext, type Prepared } from "#/release/definition.ts";
import {
  addStep,
  describeRestore,
  prepareRestore,
  restoreChanges,
  restoreProblems,
  type RestoreView,
} from "#/release/restore.ts";
import { prepareRollback } from "#/release/rollback_prepare.ts";
import { applyChanges, ImpossibleChange, type IndexChange, neighbours } from "#/repository/index_change.ts";
import type { ReleaseEntry, RepositoryIndex } from "#/repository/index_format.ts";
import { inspectLeaving, type LeavingRelease, type RepositoryView } from "#/repository/inspect.ts";
import type { RestoreOptions } from "#/repository/options.ts";
import { planRollback, type RollbackView } from "#/repository/plan_rollback.ts";
import { inspectRestorable, type Restorable } from "#/repository/restorable.ts";
import { withoutRepeats } from "#/repository/restore_targets.ts";
import { findEntry, stateOf, stateOfEntry, statusByMarks } from "#/repository/version_state.ts";
import type { OperationReport } from "#/report/model.ts";
import { type Binding, count, type Plan, type RepositoryStep } from "#/step/repository_step.ts";
import type { BatchOptions, ObjectReader } from "#/storage/object_store.ts";

interface RestoreAtView extends RestoreView {
  readonly at: string;
  /** The index as the history says it was. */
  readonly then: RepositoryIndex;
  /** Published since, and rolled back with `--exact`. */
  readonly rollback: RollbackView;
  readonly exact: boolean;
}

/** @throws {UsageError} */
export function restoreAtDefinition(options: RestoreOptions): Definition<RestoreAtView> {
  const at = parseTime(options.at!);
  if (options.target !== undefined && options.target !== "") {
    throw new UsageError("Give a version to restore, or --at, not both", {
      hint: "Leave one of the two away.",
    });
  }
  return {
    operation: "restore",
    title: `restore the state of ${at}`,
    version: "",
    rollbackType: null,
    inspect: (store, view, context) => inspectAt(store, view, at, options, context),
    facts: (view) => plainFacts("restore", view),
    plan: planAt,
    problems: restoreProblems,
    warnings: (view) => leftOut(view.index, view.then),
    describe: describeAt,
    prepare: (store, view, plan, context) =>
      prepareAt(store, view, plan, context, options.verifyBackup ?? "full"),
    summary,
  };
}

function parseTime(text: string): string {
  const time = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)
    ? Date.parse(text)
    : NaN;
  if (Number.isNaN(time)) {
    throw new UsageError(`Cannot read ${JSON.stringify(text)} as a time`, {
      hint: "Give it as RFC 3339 in UTC, for example 2026-11-20T18:30:00Z.",
    });
  }
  return new Date(time).toISOString();
}

async function inspectAt(
  store: ObjectReader,
  base: RepositoryView,
  at: string,
  options: RestoreOptions,
  context: BatchOptions,
): Promise<RestoreAtView> {
  refuseBeforeCut(base.index, at);
  const since = await recordsSince(store, at);
  const then = indexThen(base.index, since);
  const exact = options.exact ?? false;
  const targets: Restorable[] = [];
  for (const version of versionsToRestore(base.index, then)) {
    const target = await inspectRestorable(store, base.index, version, context);
    targets.push({ ...target, channels: [], entry: findEntry(then, version)!, ...neighbours(then, version) });
  }
  // What a restored release lists stays in place, so it counts as listed already.
  const after = applyChanges(base.index, targets.flatMap((target) => restoreChanges(base.index, target)));
  const leaving = exact ? await leavingReleases(store, after, then) : [];
  const rollback: RollbackView = {
    ...base,
    type: "full",
    partial: false,
    leaving,
    noBackup: false,
    keepsVersions: false,
    repoint: [],
    reason: options.reason ?? "",
    channelTo: undefined,
  };
  const view: RestoreAtView = { ...base, at, then, targets: withoutRepeats(targets), rollback, exact };
  if (targets.length === 0 && leaving.length === 0 && otherChanges(view).length === 0) {
    const [first] = leftOut(base.index, then);
    if (first !== undefined) {
      throw new RollbackError(first, { hint: "Restore it, then roll it back as it was.", context: { at } });
    }
    throw new RollbackAlreadyRolledBackError(`Nothing was taken out, yanked or repointed since ${at}`, {
      hint: Date.parse(at) > Date.now()
        ? "That time has not come yet: give the time to go back to."
        : "See `backout history`.",
      context: { at },
    });
  }
  return view;
}

/** What was deleted from the history cannot be taken back any more, and a guess is worse than a refusal. */
function refuseBeforeCut({ history_cut }: RepositoryIndex, at: string): void {
  if (history_cut === undefined || !(Date.parse(at) < Date.parse(history_cut.at))) return;
  throw new RollbackIndexError(
    `Cannot work out what the index was at ${at}: retention deleted the history up to ${history_cut.at}`,
    {
      hint: `Give a time from ${history_cut.at} on, or restore single versions with: ` +
        "backout release restore VERSION",
      context: { at, history_since: history_cut.at },
    },
  );
}

/** Committed operations that began after `at`, newest first by serial. */
async function recordsSince(store: ObjectReader, at: string): Promise<readonly HistoryRecord[]> {
  const records: HistoryRecord[] = [];
  for (const id of await historyIds(store)) {
    const record = await readHistory(store, id);
    if (record === undefined || record.undo.length === 0) continue;
    if (record.started_at > at) records.push(record);
  }
  return records.toSorted((a, b) => b.serial_after - a.serial_after);
}

function indexThen(index: RepositoryIndex, since: readonly HistoryRecord[]): RepositoryIndex {
  try {
    return since.reduce((current, record) => applyChanges(current, record.undo), index);
  } catch (cause) {
    if (!(cause instanceof ImpossibleChange)) throw cause;
    throw new RollbackIndexError(`Cannot work out what the index was: ${cause.message}`, {
      hint:
        "index.json was changed by hand since. Restore single versions with: backout release restore VERSION",
      cause,
    });
  }
}

/** Whole then, and not whole now. */
function versionsToRestore(index: RepositoryIndex, then: RepositoryIndex): readonly string[] {
  const whole = new Set(["active", "yanked", "bad"]);
  return then.releases.map((entry) => entry.version)
    .filter((version) => whole.has(stateOf(then, version)) && !whole.has(stateOf(index, version)));
}

/** What was not whole then and is less now: there is no way back to just that. */
function leftOut(index: RepositoryIndex, then: RepositoryIndex): readonly string[] {
  const incomplete: ReadonlySet<string> = new Set(["partial", "emptied", "hidden"]);
  const taken: ReadonlySet<string> = new Set([...incomplete, "removed"]);
  return [...then.releases, ...then.rolled_back ?? []].flatMap(({ version }) => {
    const was = stateOf(then, version);
    const is = stateOf(index, version);
    if (!incomplete.has(was) || was === is || !taken.has(is)) return [];
    return [`${version} was ${was} at that time and is ${is} now: it is left as it is`];
  });
}

async function leavingReleases(
  store: ObjectReader,
  index: RepositoryIndex,
  then: RepositoryIndex,
): Promise<readonly LeavingRelease[]> {
  const versions = index.releases.map((entry) => entry.version).filter((version) =>
    findEntry(then, version) === undefined
  );
  const leaving = new Set(versions);
  const releases: LeavingRelease[] = [];
  for (const version of versions) releases.push(await inspectLeaving(store, index, version, { leaving }));
  return releases;
}

/** Marks and channels as they were. */
function otherChanges(view: RestoreAtView): readonly IndexChange[] {
  const left = new Set(view.rollback.leaving.map((release) => release.version));
  const restored = new Set(view.targets.map((target) => target.version)); // with the marks they had
  const marks = view.then.releases.flatMap((entry) =>
    restored.has(entry.version) ? [] : markChange(findEntry(view.index, entry.version), entry)
  );
  const channels = Object.entries(view.then.channels ?? {}).flatMap(([name, channel]): IndexChange[] => {
    const listed = findEntry(view.index, channel.version) !== undefined && !left.has(channel.version);
    const named = restored.has(channel.version) || listed;
    const same = view.index.channels?.[name]?.version === channel.version;
    return named && !same ? [{ change: "set_channel", name, channel }] : [];
  });
  const gone = Object.entries(view.index.channels ?? {}).flatMap(([name, channel]): IndexChange[] => {
    const created = view.then.channels?.[name] === undefined;
    return created && (view.exact || left.has(channel.version)) ? [{ change: "remove_channel", name }] : [];
  });
  return [...marks, ...channels, ...gone];
}

function markChange(now: ReleaseEntry | undefined, then: ReleaseEntry): readonly IndexChange[] {
  if (now === undefined) return [];
  const fields = ["yanked", "mark"] as const;
  if (fields.every((field) => JSON.stringify(now[field]) === JSON.stringify(then[field]))) return [];
  const marks = Object.fromEntries(
    fields.filter((field) => then[field] !== undefined).map((field) => [field, then[field]]),
  );
  // Which artifacts are published is not changed here, so `partial` and `emptied` stay as they are now.
  const state = stateOfEntry(now);
  const status = state === "partial" || state === "emptied" ? state : statusByMarks(then);
  return [{
    change: "edit_release",
    version: then.version,
    set: { ...marks, status },
    unset: fields.filter((field) => then[field] === undefined),
  }];
}

function planAt(view: RestoreAtView, binding: Binding): Plan {
  const rollback = planRollback(view.rollback, binding);
  const taken = rollback.steps.flatMap((step) => step.kind === "commit_index" ? step.changes : [])
    .filter((change) => change.change !== "set_channel" && change.change !== "remove_channel");
  const changes = [
    ...view.targets.flatMap((target) => restoreChanges(view.index, target)),
    ...taken,
    ...otherChanges(view),
  ];
  const markdown: readonly RepositoryStep[] = view.hasMarkdown ? [{ kind: "update_markdown" }] : [];
  return {
    operation: "restore",
    versions: [...view.targets.map((target) => target.version), ...rollback.versions],
    steps: [
      ...rollback.steps.filter((step) => step.kind === "back_up"),
      ...view.targets.flatMap(addStep),
      { kind: "commit_index", changes },
      ...rollback.steps.filter((step) => step.kind === "move_artifacts"),
      ...markdown,
    ],
    undo: null,
  };
}

async function prepareAt(
  store: ObjectReader,
  view: RestoreAtView,
  plan: Plan,
  context: PrepareContext,
  verify: "full" | "size",
): Promise<Prepared> {
  const taken = await prepareRollback(store, view.rollback, plan, { ...context, verify });
  return { ...taken, ...prepareRestore(view.targets) };
}

function describeAt(view: RestoreAtView, plan: Plan): Partial<OperationReport> {
  const moved = plan.steps.flatMap((step) => step.kind === "move_artifacts" ? step.files : []);
  return {
    ...describeRestore(view, plan),
    artifacts_removed: moved.map((file) => file.path),
    artifacts_to_remove: moved.map((file) => file.path),
    total_artifacts_removed: moved.length,
    total_bytes_freed: moved.reduce((sum, file) => sum + file.size, 0),
  };
}

function summary(report: OperationReport): string {
  const back = count(report.versions.length, "release");
  const moves = count(report.channels_moved.length, "channel");
  return report.dry_run
    ? `Would bring ${back} and ${moves} to the state of that time`
    : `Brought ${back} and ${moves} to the state of that time`;
}
