/** Finds the backup that a change is about; one that cannot be found becomes a refusal with a report of its own. */
import { RollbackError } from "#/core/errors.ts";
import type { IndexOnlyChange } from "#/release/index_only_change.ts";
import { openScope } from "#/release/scope.ts";
import { findBackup } from "#/repository/backup_folder.ts";
import { loadIndex } from "#/repository/index_file.ts";
import type { BackupChangeOptions } from "#/repository/options.ts";

export async function namedBackupChange(
  options: BackupChangeOptions,
  make: (backup: string) => IndexOnlyChange,
): Promise<IndexOnlyChange> {
  const { store } = await openScope(options);
  try {
    const { index } = await loadIndex(store);
    return make(await findBackup(store, index, options.backup));
  } catch (error) {
    if (!(error instanceof RollbackError)) throw error;
    return {
      ...make(options.backup),
      refuse: () => {
        throw error;
      },
    };
  }
}
