/**
 * Retention of backups and history: what the rules let go of is forgotten by the index, then deleted, oldest first, in
 * one operation. An interrupted one is finished by recovery: what is deleted for good cannot be taken back.
 */
import { UsageError } from "#/core/errors.ts";
import {
  decideRetention,
  type RetentionDecision,
  type RetentionItem,
  type RetentionSettings,
  unmetLimits,
} from "#/policy/retention.ts";
import { forgetBackups } from "#/release/backup_change.ts";
import { type Definition, plainFacts } from "#/release/definition.ts";
import { existingIndex } from "#/release/read_releases.ts";
import { type BackupFacts, type BackupGroup, inspectBackups } from "#/release/retention_backups.ts";
import { decideHistory, type HistoryDecision, WORTH_A_RUN } from "#/release/retention_history.ts";
import { openScope } from "#/release/scope.ts";
import { formatBytes } from "#/report/units.ts";
import type { IndexChange } from "#/repository/index_change.ts";
import type { RepositoryIndex } from "#/repository/index_format.ts";
import type { RepositoryView } from "#/repository/inspect.ts";
import type { RepositoryOptions, RetentionOptions } from "#/repository/options.ts";
import type { RetainedBackup, RetentionPlan } from "#/repository/views.ts";
import type { OperationReport } from "#/report/model.ts";
import { type Binding, count, type Plan, type RepositoryStep } from "#/step/repository_step.ts";
import type { ObjectReader } from "#/storage/object_store.ts";

/** A backup and what becomes of it. */
interface Decided {
  readonly backup: BackupFacts;
  readonly action: "keep" | "delete";
  readonly reasons: readonly string[];
}

interface Decisions {
  /** Oldest first. */
  readonly backups: readonly Decided[];
  readonly history: HistoryDecision;
  readonly warnings: readonly string[];
}

interface RetentionView extends RepositoryView {
  readonly decisions: Decisions;
}

/**
 * What the rules say of each backup and of the history, now. Nothing is changed or recorded.
 * @throws {UsageError} when a rule makes no sense
 */
export async function planRetention(
  options: RepositoryOptions & Pick<RetentionOptions, "rules">,
): Promise<RetentionPlan> {
  const { store, now } = await openScope(options);
  const at = now();
  const { index } = await existingIndex(store);
  const freeBytes = store.freeBytes();
  const { backups, history, warnings } = await decideAll(store, index, freeBytes, options.rules, at);
  const rows = backups.map(toRow).toReversed();
  return {
    repository: store.location,
    at: at.toISOString(),
    free_bytes: freeBytes,
    backups: rows,
    keep: totals(rows, "keep"),
    delete: totals(rows, "delete"),
    history: { records: history.records, delete: history.delete, up_to: history.upTo },
    warnings: hasRules(options.rules)
      ? warnings
      : ["No retention rule is set: everything is kept", ...warnings],
  };
}

function toRow({ backup, action, reasons }: Decided): RetainedBackup {
  const { name, version, at, bytes } = backup;
  return { id: name, version, created_at: at, bytes, action, reasons };
}

function totals(rows: readonly RetainedBackup[], action: RetainedBackup["action"]): RetentionPlan["keep"] {
  const chosen = rows.filter((row) => row.action === action);
  return { backups: chosen.length, bytes: chosen.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** @throws {UsageError} when no rule is set: whoever runs it every night wants to hear of that */
export function retentionDefinition({ rules, now }: RetentionOptions): Definition<RetentionView> {
  if (!hasRules(rules)) {
    throw new UsageError("No retention rule is set: nothing would ever be deleted", {
      hint:
        "Give some, for example --keep-last 10 --keep-within 90d, or a `retention:` block in backout.yaml.",
    });
  }
  return {
    operation: "retention",
    title: "delete what retention lets go of",
    version: "",
    rollbackType: null,
    silentWhenIdle: true,
    inspect: async (store, view) => ({
      ...view,
      decisions: await decideAll(store, view.index, view.freeBytes, rules, now?.() ?? new Date()),
    }),
    facts: (view) => plainFacts("retention", view),
    plan: planOf,
    problems: () => [],
    warnings: (view) => view.decisions.warnings,
    describe,
    prepare: () => Promise.resolve({}),
    summary,
  };
}

function hasRules({ history, ...backups }: RetentionSettings): boolean {
  return [...Object.values(backups), ...Object.values(history ?? {})]
    .some((value) => typeof value === "number" && value > 0);
}

async function decideAll(
  store: ObjectReader,
  index: RepositoryIndex,
  freeBytes: number | null,
  { history, ...rules }: RetentionSettings,
  now: Date,
): Promise<Decisions> {
  const groups = await inspectBackups(store, index, now);
  const items = groups.map(({ item }) => item);
  const facts = freeBytes === null ? {} : { freeBytes };
  const decisions = decideRetention(items, rules, now, facts);
  const backups = groups.flatMap((group, i) => decidedOf(group, decisions[i]!));
  return {
    backups: backups.toSorted((a, b) => oldestFirst(a.backup, b.backup)),
    history: await decideHistory(store, history, now),
    warnings: [
      ...unmetLimits(items, decisions, rules, facts).map(({ message }) => message),
      ...doubts(items, now),
    ],
  };
}

/** The older ones of a group share the fate of the newest. */
function decidedOf({ members }: BackupGroup, { id, action, reasons }: RetentionDecision): readonly Decided[] {
  return members.map((backup) => ({
    backup,
    action,
    reasons: backup.name === id ? reasons : [`restores ${backup.version} together with ${id}`, ...reasons],
  }));
}

function oldestFirst(a: BackupFacts, b: BackupFacts): number {
  return (a.at ?? "").localeCompare(b.at ?? "") || a.name.localeCompare(b.name);
}

/** A wrong clock or a stray folder keeps backups for ever: somebody should know. */
function doubts(items: readonly RetentionItem[], now: Date): readonly string[] {
  return items.flatMap(({ id, at }) => {
    const time = Date.parse(at);
    if (Number.isNaN(time)) return [`The time of backup ${id} cannot be read: it is kept`];
    return time > now.getTime() ? [`Backup ${id} is of ${at}, ahead of the clock: it is kept`] : [];
  });
}

function planOf(view: RetentionView, binding: Binding): Plan {
  const { backups, history } = view.decisions;
  const deleted = backups.filter(({ action }) => action === "delete");
  const cut = deleted.length > 0 || history.delete >= WORTH_A_RUN ? history.upTo : null;
  const changes: readonly IndexChange[] = [
    ...forgetBackups(view.index, new Set(deleted.map(({ backup }) => backup.name)), binding),
    ...(cut === null ? [] : [{ change: "set_history_cut", cut } as const]),
  ];
  const removals: readonly RepositoryStep[] = [
    ...deleted.map(({ backup, reasons }) =>
      ({ kind: "delete_backup", backup: backup.name, reasons }) as const
    ),
    ...(cut === null
      ? []
      : [{ kind: "prune_history", up_to: cut.operation, records: history.delete } as const]),
  ];
  const markdown: readonly RepositoryStep[] = view.hasMarkdown ? [{ kind: "update_markdown" }] : [];
  const steps = removals.length === 0
    ? []
    : [{ kind: "commit_index", changes } as const, ...removals, ...markdown];
  return { operation: "retention", versions: [], steps, undo: null };
}

function describe({ decisions }: RetentionView, plan: Plan): Partial<OperationReport> {
  const { backups } = decisions;
  const deleted = backups.filter(({ action }) => action === "delete");
  const pruned = plan.steps.flatMap((step) => step.kind === "prune_history" ? [step.records] : []);
  return {
    bytes_reclaimed: deleted.reduce((sum, { backup }) => sum + backup.bytes, 0),
    retention: {
      to_delete: deleted.map(({ backup: { name, version, bytes }, reasons }) => ({
        id: name,
        version,
        bytes,
        reasons,
      })),
      kept: backups.length - deleted.length,
      history_records_to_delete: pruned[0] ?? 0,
    },
  };
}

function summary({ dry_run, bytes_reclaimed, retention }: OperationReport): string {
  const { to_delete = [], kept = 0, history_records_to_delete = 0 } = retention ?? {};
  const stay = `${count(kept, "backup")} ${kept === 1 ? "stays" : "stay"}`;
  const parts = [
    ...(to_delete.length > 0
      ? [`${count(to_delete.length, "backup")} (${formatBytes(bytes_reclaimed)})`]
      : []),
    ...(history_records_to_delete > 0 ? [count(history_records_to_delete, "history record")] : []),
  ];
  if (parts.length === 0) return `Nothing to delete: ${stay}`;
  return `${dry_run ? "Would delete" : "Deleted"} ${parts.join(" and ")}; ${stay}`;
}
