/** What is going on in a repository: history, status, unfinished operations, lock. */
import { StorageError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import { findHistory, type HistoryRecord, listHistoryRecords } from "#/operation/history.ts";
import { readJournal, unfinishedIds } from "#/operation/journal.ts";
import { isCommitted } from "#/operation/phases.ts";
import { waitingNotifications } from "#/release/notifications.ts";
import { backupSizes, lockAge, recentOperations, sum } from "#/release/numbers.ts";
import { indexOfScope } from "#/release/read_releases.ts";
import { openScope, type Scope } from "#/release/scope.ts";
import type { RepositoryOptions } from "#/repository/options.ts";
import type { HistoryEntry, LockView, StatusView } from "#/repository/views.ts";
import type { HolderState, LockHolder } from "#/storage/lock.ts";

const DEFAULT_LIMIT = 50;

/** The newest operations, newest first. */
export async function listHistory(
  options: RepositoryOptions & { readonly limit?: number },
): Promise<readonly HistoryEntry[]> {
  const { store } = await openScope(options);
  await indexOfScope(store);
  return (await listHistoryRecords(store, options.limit ?? DEFAULT_LIMIT)).map(toEntry);
}

/** One operation, whole. @throws {RollbackVersionNotFoundError} */
export async function showHistory(options: RepositoryOptions & { readonly id: string }): Promise<JsonObject> {
  const { store } = await openScope(options);
  return await findHistory(store, options.id);
}

function toEntry(record: HistoryRecord): HistoryEntry {
  const { id, operation, status, exit_code, started_at, finished_at, versions, by, host, reason, summary } =
    record;
  const { serial_before, serial_after, dry_run } = record;
  return {
    id,
    operation,
    status,
    exit_code,
    started_at,
    finished_at,
    versions,
    by,
    host,
    reason,
    summary,
    serial_before,
    serial_after,
    dry_run,
  };
}

/** The numbers on one screen. */
export async function repositoryStatus(options: RepositoryOptions): Promise<StatusView> {
  const scope = await openScope(options);
  const { store } = scope;
  const { index } = await indexOfScope(store);
  const channels = Object.entries(index.channels ?? {}).map(([name, channel]) => [name, channel.version]);
  const now = scope.now();
  const sizes = await ifReadable(backupSizes(store));
  const lock = await ifReadable(lockView(scope));
  const unfinished = await ifReadable(unfinishedOperations(scope));
  const newest = await ifReadable(listHistoryRecords(store, 1));
  const recent = await ifReadable(recentOperations(store, now));
  const waiting = await ifReadable(Promise.resolve().then(() => waitingNotifications(scope, options)));
  const last = newest?.[0];
  return {
    repository: store.location,
    repository_type: store.type,
    serial: index.serial ?? 0,
    last_updated: index.last_updated ?? null,
    releases: index.releases.length,
    rolled_back: index.rolled_back?.length ?? 0,
    channels: Object.fromEntries(channels),
    closed: [sizes, lock, unfinished, newest].includes(undefined),
    backups: sizes?.length ?? null,
    backup_bytes: sizes === undefined ? null : sum(sizes),
    lock: lock ?? null,
    lock_age_seconds: lock === undefined ? null : lockAge(lock, now),
    unfinished: unfinished ?? [],
    last_operation: last === undefined ? null : toEntry(last),
    recent_operations: recent ?? null,
    waiting_notifications: waiting ?? null,
    free_bytes: store.freeBytes(),
  };
}

/** Undefined where the state folders are closed to this user: only their owner sees more than the index. */
async function ifReadable<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof StorageError && error.kind === "permission") return undefined;
    throw error;
  }
}

async function lockView(scope: Scope): Promise<LockView | null> {
  const held = await scope.lock.inspect();
  return held === undefined ? null : toLockView(held.holder, held.state);
}

function toLockView(holder: LockHolder, state: HolderState): LockView {
  const { id, operation, by, host, pid, since, reason } = holder;
  return { id, operation, by, host, pid, since, reason, holder: state };
}

/** Operations that left something behind and whose process is gone. */
async function unfinishedOperations(scope: Scope): Promise<StatusView["unfinished"]> {
  const held = await scope.lock.inspect();
  const running = held?.state === "dead" ? undefined : held?.holder.id;
  const found: StatusView["unfinished"][number][] = [];
  for (const id of await unfinishedIds(scope.store)) {
    if (id === running) continue;
    const journal = await readJournal(scope.store, id).catch(() => undefined); // `doctor` names a damaged one
    const committed = journal !== undefined && await isCommitted(scope.store, journal);
    found.push({ id, operation: journal?.title ?? "operation without a journal", committed });
  }
  return found;
}

/** One sentence when an operation is unfinished, for reading commands to mention; undefined when none is. */
export async function unfinishedNote(options: RepositoryOptions): Promise<string | undefined> {
  const scope = await openScope(options);
  try {
    if ((await unfinishedIds(scope.store)).length === 0) return undefined;
    const [first] = await unfinishedOperations(scope);
    if (first === undefined) return undefined;
    return `The ${first.operation} was interrupted; the next change, or \`backout recover\`, ${
      first.committed ? "finishes it" : "takes it back"
    }.`;
  } catch {
    return undefined; // a note must not stop a reading command; `status` and `doctor` report the cause
  }
}

/** Removes the lock. @throws {LockedError} when its holder is alive, unless `force` */
export async function unlockRepository(
  options: RepositoryOptions & { readonly force?: boolean },
): Promise<{ readonly holder: LockView | null }> {
  const scope = await openScope(options);
  const held = await scope.lock.inspect();
  await scope.lock.breakLock({ force: options.force ?? false });
  return { holder: held === undefined ? null : toLockView(held.holder, held.state) };
}
