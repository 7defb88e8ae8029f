/**
 * `index.json`: the T.A.R.S. publisher's format, extended. Typed as it is on disk; unknown fields ride along.
 */
import type { ReleaseHooks } from "#/core/hook.ts";
import type { JsonValue } from "#/core/json.ts";

export const INDEX_SCHEMA_VERSION = 1;

/** What a release is, as the index shows it. `hidden` and `removed` releases are tombstones instead. */
export type ReleaseStatus = "active" | "yanked" | "bad" | "partial" | "emptied";

/** One published version. T.A.R.S. writes only some of these fields. */
export interface ReleaseEntry {
  readonly version: string;
  /** RFC 3339 in UTC: when it was published. */
  readonly timestamp?: string;
  /** Digest of the sorted lines `<sha256>  <path>` of its files, when backout published it. */
  readonly sha256?: string;
  readonly size_bytes?: number;
  /** Paths from the repository's root. */
  readonly artifacts: readonly string[];
  /** Digest of `.backout/releases/<version>.json`. */
  readonly record_sha256?: string;
  readonly depends_on?: readonly string[];
  readonly status?: ReleaseStatus;
  readonly yanked?: { readonly at: string; readonly by: string; readonly reason: string };
  readonly mark?: {
    readonly verdict: "good" | "bad";
    readonly at: string;
    readonly by: string;
    readonly reason: string;
  };
  /** Artifacts taken out by a partial or artifacts_only rollback; still listed in `artifacts`. */
  readonly removed_artifacts?: readonly string[];
  /** Backup folders that hold the removed artifacts, oldest first. */
  readonly backups?: readonly string[];
  /** Its record brings hooks of its own. */
  readonly hooks?: boolean;
  readonly [unknown: string]: JsonValue | undefined;
}

/** A name that points at a version. */
export interface Channel {
  readonly version: string;
  readonly since: string;
  readonly previous: string | null;
  /** Versions the channel named before, newest first; `previous` is the first of them. */
  readonly history?: readonly string[];
  readonly [unknown: string]: JsonValue | undefined;
}

/** The record that a version was taken out; it stops a silent republish. */
export interface Tombstone {
  readonly version: string;
  readonly rolled_back_at: string;
  readonly rollback_id: string;
  readonly reason: string;
  readonly by: string;
  readonly sha256: string | null;
  /** Name of the newest backup folder, null after `--no-backup` or after the backup was deleted. */
  readonly backup: string | null;
  readonly state: "hidden" | "removed";
  /** All backup folders that together hold its artifacts, oldest first. */
  readonly backups: readonly string[];
  /** The index entry, kept where the artifacts are still published (`hidden`). */
  readonly entry?: ReleaseEntry;
  /** When the last of its backups was deleted for good, and by which operation. */
  readonly backup_deleted?: { readonly at: string; readonly operation: string };
  readonly [unknown: string]: JsonValue | undefined;
}

/** A backup that retention and deletion must not touch. */
export type BackupPin = {
  readonly at: string;
  readonly by: string;
  readonly reason: string;
};

/** Stops publishes and channel moves until it is released. */
export type Hold = {
  readonly at: string;
  readonly by: string;
  readonly reason: string;
};

/** History records up to this operation, and so all that began up to this time, were deleted by retention. */
export type HistoryCut = {
  readonly operation: string;
  /** RFC 3339. */
  readonly at: string;
};

export interface RepositoryIndex {
  readonly schema_version?: number;
  /** Only grows. */
  readonly serial?: number;
  readonly last_updated?: string;
  /** Id of the operation that wrote this index. */
  readonly last_operation?: string;
  readonly total_releases?: number;
  /** The newest audit entry when this index was written. */
  readonly audit_head?: { readonly seq: number; readonly sha256: string };
  /** Newest first. */
  readonly releases: readonly ReleaseEntry[];
  readonly channels?: { readonly [name: string]: Channel };
  readonly rolled_back?: readonly Tombstone[];
  readonly backup_pins?: { readonly [backup: string]: BackupPin };
  readonly holds?: { readonly [name: string]: Hold };
  readonly history_cut?: HistoryCut;
  readonly [unknown: string]: JsonValue | undefined;
}

/** One published file. */
export interface FileRecord {
  /** Path from the repository's root. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** Permission bits, e.g. 420 for 0644. */
  readonly mode: number;
}

/** `.backout/releases/<version>.json`: immutable. */
export interface ReleaseRecord {
  readonly format: 1;
  readonly version: string;
  readonly published_at: string;
  readonly sha256: string;
  readonly files: readonly FileRecord[];
  /** What the release wants to be run when it is taken away or brought back. */
  readonly hooks?: ReleaseHooks;
}
