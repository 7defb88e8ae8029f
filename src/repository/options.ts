/** What a caller asks of the release operations: the library's and the commands' options alike. */
import type { OperationEvent, PolicyMode, RollbackType } from "#/report/model.ts";

/** Where and how to work; the same for every operation on a repository. */
export interface RepositoryOptions {
  /** A path, `file://…` (later `s3://…`, `gs://…`). */
  readonly repository: string;
  /** Folder for `.backout` and `.rollback-backups` instead of the repository itself. */
  readonly stateDir?: string;
  /** How long to wait for the lock, in milliseconds. @default 0 */
  readonly lockTimeoutMs?: number;
  /** Aborting stops the operation between items; before the commit it is taken back. Reason: a `StopSignal`. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: OperationEvent) => void;
  /** The clock. @default () => new Date() */
  readonly now?: () => Date;
  /** Who is doing this, for index, journal and audit. @default the system's user */
  readonly by?: string;
  /** Sign the audit entry with this private key (PEM file: Ed25519 or RSA). */
  readonly signingKeyFile?: string;
}

/** Options that every changing operation takes. */
export interface ChangeOptions extends RepositoryOptions {
  readonly dryRun?: boolean;
  readonly reason?: string;
  /** @default "strict" */
  readonly policyMode?: PolicyMode;
  /** Turns denials into warnings; needs a reason. */
  readonly force?: boolean;
}

export interface PublishOptions extends ChangeOptions {
  readonly version: string;
  /** The folder whose files become the release. */
  readonly directory: string;
  readonly channels?: readonly string[];
  readonly dependsOn?: readonly string[];
  /** Further fields for the index entry. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export interface RollbackOptions extends ChangeOptions {
  /** The version to take out. Exactly one of `version` and `to`. */
  readonly version?: string;
  /** Take out everything newer than this version. */
  readonly to?: string;
  /** @default "full" */
  readonly type?: RollbackType;
  /** Only the artifacts that match one of these globs. */
  readonly artifacts?: readonly string[];
  readonly noBackup?: boolean;
  /** @default "full" */
  readonly verifyBackup?: "full" | "size";
  readonly channelTo?: string;
  /** Write `<version>.rollback-manifest.json` here. */
  readonly manifestOutputDir?: string;
  /** Write `<version>.rollback-audit.json` (and `.sig`) here. */
  readonly auditOutputDir?: string;
}

export interface RestoreOptions extends ChangeOptions {
  /** A rollback id (or a unique beginning of one), a backup's name, or a version (its newest backup). */
  readonly target?: string;
  /** Undo everything that was taken out since this time (RFC 3339). */
  readonly at?: string;
  /** With `at`: also roll back what was published since. */
  readonly exact?: boolean;
  readonly verifyBackup?: "full" | "size";
}

export interface YankOptions extends ChangeOptions {
  readonly version: string;
}

export interface MarkOptions extends ChangeOptions {
  readonly version: string;
  readonly verdict: "good" | "bad";
}

export interface ChannelSetOptions extends ChangeOptions {
  readonly channel: string;
  readonly version: string;
}

export interface ChannelRollbackOptions extends ChangeOptions {
  readonly channel: string;
}

export interface BackupChangeOptions extends ChangeOptions {
  /** The backup's folder name, a rollback id, or a version (its newest backup). */
  readonly backup: string;
}
