/** What Prometheus is told of a repository, from its history and its state. */
import { StorageError } from "#/core/errors.ts";
import { VERSION } from "#/core/version.ts";
import { listHistoryRecords } from "#/operation/history.ts";
import { backupSizes } from "#/release/numbers.ts";
import { existingIndex } from "#/release/read_releases.ts";
import { repositoryStatus } from "#/release/read_state.ts";
import { auditHead } from "#/release/record.ts";
import { openScope } from "#/release/scope.ts";
import { renderMetrics, summariseOperations } from "#/report/metrics.ts";
import type { RepositoryOptions } from "#/repository/options.ts";

/**
 * The file for the textfile collector of node_exporter.
 * @throws {RollbackError} there is no repository, or it cannot be read
 */
export async function repositoryMetrics(options: RepositoryOptions): Promise<string> {
  const { store } = await openScope(options);
  const status = await repositoryStatus(options);
  const unknown = "cannot read the history: this user may not";
  if (status.closed) throw new StorageError(unknown, { context: { location: store.location } });
  const { index } = await existingIndex(store);
  const sizes = await backupSizes(store);
  return renderMetrics({
    repository: status.repository,
    version: VERSION,
    ...summariseOperations(await listHistoryRecords(store, Infinity)),
    backups: status.backups,
    backup_bytes: status.backup_bytes,
    largest_backup_bytes: Math.max(0, ...sizes),
    lock_age_seconds: status.lock_age_seconds,
    unfinished_operations: status.unfinished.length,
    serial: status.serial,
    releases: status.releases,
    audit_entries: (await auditHead(store, index.audit_head))?.seq ?? 0,
    free_bytes: status.free_bytes,
  });
}
