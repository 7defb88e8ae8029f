/**
 * The steps of an operation on a repository, as data. A step belongs to one phase:
 * what is made before the commit is unseen and can be discarded, the commit is one atomic replace of the index,
 * and what comes after it can only go forward (or be compensated).
 */
import { grouped } from "#/core/quantity.ts";
import { archiveFileName, entryFileName, type EntryRange } from "#/core/audit_key.ts";
import type { IndexChange } from "#/repository/index_change.ts";
import type { FileRecord } from "#/repository/index_format.ts";
import type { OperationKind, RollbackType } from "#/report/model.ts";

/** A file that a rollback takes out. */
export interface PlannedFile {
  readonly path: string;
  /** Bytes, as seen when the plan was made. */
  readonly size: number;
}

/** An archive of the audit log: which entries it holds, and the digest of its bytes. */
export interface ArchiveFile {
  readonly first: number;
  readonly last: number;
  readonly sha256: string;
}

export type RepositoryStep =
  /** Before the commit: record what leaves, with digests; copy what cannot be moved. */
  | {
    readonly kind: "back_up";
    readonly version: string;
    readonly backup: string;
    readonly rollback_type: RollbackType;
    /** Moved into the backup after the commit. */
    readonly files: readonly PlannedFile[];
    /** Copied, because another release lists them too. */
    readonly kept: readonly PlannedFile[];
    /** No copy is made: the bucket's own versions are written down. */
    readonly stored?: "versions";
  }
  /** Before the commit: copy files in, verified, and put them in place. */
  | {
    readonly kind: "add_artifacts";
    readonly version: string;
    readonly from: { readonly directory: string } | { readonly backups: readonly string[] };
    readonly files: readonly FileRecord[];
  }
  /** Before the commit: the immutable record of a release. */
  | { readonly kind: "write_record"; readonly version: string }
  /** Before the commit: write an archive of audit entries; theirs stay as they are. */
  | { readonly kind: "write_audit_archive"; readonly archive: ArchiveFile; readonly size: number }
  /** The commit. */
  | { readonly kind: "commit_index"; readonly changes: readonly IndexChange[] }
  /** After the commit: move the artifacts into the backup, or into the trash that is deleted last. */
  | {
    readonly kind: "move_artifacts";
    readonly version: string;
    readonly to: "backup" | "trash" | "versions";
    readonly files: readonly PlannedFile[];
  }
  /** After the commit: delete a backup's folder, for these reasons where rules asked for it. */
  | { readonly kind: "delete_backup"; readonly backup: string; readonly reasons?: readonly string[] }
  /** After the commit: delete the history records up to this operation. */
  | { readonly kind: "prune_history"; readonly up_to: string; readonly records: number }
  /** After the commit: remove the audit entries that an archive holds, when its bytes are the right ones. */
  | {
    readonly kind: "remove_audit_entries";
    readonly archive: ArchiveFile;
    readonly first: number;
    readonly last: number;
  }
  /** After the commit: bring `index.md` in step. */
  | { readonly kind: "update_markdown" };

/** The full list of what will happen. The same input gives the same plan, byte for byte. */
export interface Plan {
  readonly operation: OperationKind;
  /** Newest first. */
  readonly versions: readonly string[];
  readonly steps: readonly RepositoryStep[];
  /** The command that takes the operation back, null where there is none. `<id>` stands for the operation's id. */
  readonly undo: string | null;
}

/**
 * What only the run itself knows. A dry run and a saved plan use `SYMBOLIC`, so that plans made at other times compare
 * equal.
 */
export interface Binding {
  readonly id: string;
  /** RFC 3339. */
  readonly at: string;
  readonly by: string;
  readonly backupName: (version: string) => string;
}

export const SYMBOLIC: Binding = {
  id: "<id>",
  at: "<time>",
  by: "<user>",
  backupName: (version) => `${version}-<time>-<id>`,
};

const MOVED = {
  backup: ["move", "into the backup"],
  trash: ["delete", "for good"],
  versions: ["delete", "(the bucket keeps them as older versions)"],
} as const;

/** One line for people. */
export function describeStep(step: RepositoryStep): string {
  switch (step.kind) {
    case "back_up": {
      if (step.stored === "versions") {
        const files = count(step.files.length + step.kept.length, "artifact");
        return `write down the bucket's versions of ${step.version}: ${files}`;
      }
      const copied = step.kept.length > 0 ? `, copying ${count(step.kept.length, "shared artifact")}` : "";
      return `back up ${step.version}: ${count(step.files.length + step.kept.length, "artifact")}${copied}`;
    }
    case "add_artifacts":
      return "directory" in step.from
        ? `copy ${count(step.files.length, "artifact")} of ${step.version} in, and verify them`
        : `copy ${
          count(step.files.length, "artifact")
        } of ${step.version} back from the backup, and verify them`;
    case "write_record":
      return `write the release record of ${step.version}`;
    case "commit_index":
      return `replace index.json: ${step.changes.map(describeChange).join("; ") || "name the operation"}`;
    case "move_artifacts":
      return `${MOVED[step.to][0]} ${count(step.files.length, "artifact")} of ${step.version} ${
        MOVED[step.to][1]
      }`;
    case "delete_backup":
      return `delete the backup ${step.backup}${
        step.reasons === undefined ? "" : ` (${step.reasons.join("; ")})`
      }`;
    case "prune_history":
      return `delete the ${count(step.records, "history record")} up to ${step.up_to}`;
    case "write_audit_archive":
      return `write ${archiveFileName(step.archive)}: ${numbers(step.archive, "entry", "entries")}, ${
        count(step.size, "byte")
      }`;
    case "remove_audit_entries":
      return `remove the files of ${numbers(step, "archived entry", "archived entries")}, ${
        entryFileName(step.first)
      } to ${entryFileName(step.last)}`;
    case "update_markdown":
      return "update index.md";
    default:
      return step satisfies never;
  }
}

/** One clause for people. */
export function describeChange(change: IndexChange): string {
  switch (change.change) {
    case "put_release":
      return `list ${change.entry.version}`;
    case "remove_release":
      return `take ${change.version} out`;
    case "edit_release":
      return `mark ${change.version} ${String(change.set.status ?? "changed")}`;
    case "put_tombstone":
      return change.tombstone.backup_deleted === undefined
        ? `record ${change.tombstone.version} as ${change.tombstone.state}`
        : `record that the backup of ${change.tombstone.version} was deleted`;
    case "remove_tombstone":
      return `forget the rollback of ${change.version}`;
    case "set_channel":
      return `point channel ${change.name} at ${change.channel.version}`;
    case "remove_channel":
      return `remove channel ${change.name}`;
    case "set_pin":
      return `pin backup ${change.backup}`;
    case "remove_pin":
      return `unpin backup ${change.backup}`;
    case "set_hold":
      return `set hold ${change.name}`;
    case "remove_hold":
      return `release hold ${change.name}`;
    case "set_history_cut":
      return change.cut === null
        ? "forget where the history begins"
        : `note that the history begins after ${change.cut.at}`;
    default:
      return change satisfies never;
  }
}

/** `1 file`, `2 files`. */
export function count(n: number, noun: string): string {
  return `${grouped(n)} ${noun}${n === 1 ? "" : "s"}`;
}

function numbers({ first, last }: EntryRange, one: string, many: string): string {
  const n = last - first + 1;
  return `${grouped(n)} ${n === 1 ? one : many}`;
}

/** The index changes of a plan: those of its commit. */
export function changesOf(steps: readonly RepositoryStep[]): readonly IndexChange[] {
  return steps.flatMap((step) => step.kind === "commit_index" ? step.changes : []);
}
