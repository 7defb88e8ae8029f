/** `backup delete`, `pin` and `unpin`. The backup's full name is looked up before; these are pure of it. */
import { RollbackAlreadyRolledBackError, RollbackPolicyViolationError } from "#/core/errors.ts";
import type { IndexOnlyChange } from "#/release/index_only_change.ts";
import type { IndexChange } from "#/repository/index_change.ts";
import type { RepositoryIndex } from "#/repository/index_format.ts";
import type { Binding } from "#/step/repository_step.ts";

export function deleteBackupChange(backup: string): IndexOnlyChange {
  return {
    operation: "backup_delete",
    title: `delete backup ${backup}`,
    version: "",
    refuse: (view) => {
      const pin = view.index.backup_pins?.[backup];
      if (pin === undefined) return;
      throw new RollbackPolicyViolationError(
        `Refused to delete backup ${backup}: ${pin.by} pinned it${
          pin.reason === "" ? "" : ` (${pin.reason})`
        }`,
        {
          hint: `Unpin it first: backout backup unpin ${backup}`,
          context: { backup },
        },
      );
    },
    changes: (view, binding) => forgetBackups(view.index, new Set([backup]), binding),
    after: [{ kind: "delete_backup", backup }],
    warnings: (view) => lastBackupWarnings(view.index, backup),
    undo: () => null,
    done: () => `Deleted backup ${backup}`,
    intended: `Would delete backup ${backup}`,
  };
}

/** The tombstones and entries that name one of the backups forget it. */
export function forgetBackups(
  index: RepositoryIndex,
  deleted: ReadonlySet<string>,
  { at, id }: Pick<Binding, "at" | "id">,
): readonly IndexChange[] {
  const stones = (index.rolled_back ?? []).flatMap((stone): readonly IndexChange[] => {
    const known = stone.backups ?? (stone.backup === null ? [] : [stone.backup]);
    const backups = known.filter((name) => !deleted.has(name));
    const isNamed = backups.length < known.length || (stone.backup !== null && deleted.has(stone.backup));
    if (!isNamed) return [];
    const gone = backups.length === 0 ? { backup_deleted: { at, operation: id } } : {};
    const tombstone = { ...stone, backups, backup: backups.at(-1) ?? null, ...gone };
    return [{ change: "put_tombstone", tombstone }];
  });
  const entries = index.releases
    .filter((entry) => entry.backups?.some((name) => deleted.has(name)))
    .map((entry): IndexChange => ({
      change: "edit_release",
      version: entry.version,
      set: { backups: entry.backups!.filter((name) => !deleted.has(name)) },
      unset: [],
    }));
  return [...stones, ...entries];
}

function lastBackupWarnings(index: RepositoryIndex, backup: string): readonly string[] {
  const stone = (index.rolled_back ?? []).find((candidate) => candidate.backups?.includes(backup));
  const entry = index.releases.find((candidate) => candidate.backups?.includes(backup));
  const version = stone?.version ?? entry?.version;
  return version === undefined ? [] : [`${version} can no longer be restored whole without this backup`];
}

export function pinBackupChange(backup: string, reason: string): IndexOnlyChange {
  return {
    operation: "backup_pin",
    title: `pin backup ${backup}`,
    version: "",
    refuse: (view) => {
      if (view.index.backup_pins?.[backup] !== undefined) throw already(`Backup ${backup} is pinned already`);
    },
    changes: (
      _view,
      binding,
    ) => [{ change: "set_pin", backup, pin: { at: binding.at, by: binding.by, reason } }],
    undo: () => `backout backup unpin ${backup}`,
    done: () => `Pinned backup ${backup}: nothing deletes it until it is unpinned`,
    intended: `Would pin backup ${backup}`,
  };
}

export function unpinBackupChange(backup: string): IndexOnlyChange {
  return {
    operation: "backup_unpin",
    title: `unpin backup ${backup}`,
    version: "",
    refuse: (view) => {
      if (view.index.backup_pins?.[backup] === undefined) throw already(`Backup ${backup} is not pinned`);
    },
    changes: () => [{ change: "remove_pin", backup }],
    undo: () => `backout backup pin ${backup}`,
    done: () => `Unpinned backup ${backup}`,
    intended: `Would unpin backup ${backup}`,
  };
}

function already(what: string): RollbackAlreadyRolledBackError {
  return new RollbackAlreadyRolledBackError(what, { hint: "There is nothing to do." });
}
