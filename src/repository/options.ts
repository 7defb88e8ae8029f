/** What a caller asks of the release operations: the library's and the commands' options alike. */
import type { HooksByKind, ReleaseHooks } from "#/core/hook.ts";
import type { NotifyTarget } from "#/core/notify_target.ts";
import type { PolicySettings } from "#/policy/settings.ts";
import type { RetentionSettings } from "#/policy/retention.ts";
import type { OperationEvent, PolicyMode, RollbackType } from "#/report/model.ts";

/** Where and how to work; the same for every operation on a repository. */
export interface RepositoryOptions {
  /** A path, `file://…`, `s3://bucket/prefix` or `gs://bucket/prefix`. */
  readonly repository: string;
  /** Folder for `.backout` and `.rollback-backups` instead of the repository itself; only for a folder. */
  readonly stateDir?: string;
  /** Requests to object storage in flight at the same time. @default 16 */
  readonly jobs?: number;
  /** How long a writer on object storage may be silent before another may take over, in milliseconds. @default 60000 */
  readonly leaseMs?: number;
  /** Write to object storage that ignores the conditions of writes: a second writer is not kept out there. */
  readonly allowUnsafeStorage?: boolean;
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
  /** Programs around the operation, and who is told of it. @default none, nobody */
  readonly around?: Surroundings;
}

/** What stands around an operation. */
export interface Surroundings {
  readonly hooks: HooksByKind;
  /** Files with public keys (PEM): a release whose record one of them signed may bring hooks of its own. @default none */
  readonly trustedKeys?: readonly string[];
  readonly notify: readonly NotifyTarget[];
  /** Where programs run: the configuration's folder. */
  readonly folder: string;
  /** Nothing is sent; messages wait. */
  readonly offline: boolean;
  /** Reads this process's environment; undefined also where that is not allowed. */
  readonly env: (name: string) => string | undefined;
}

/** Options that every changing operation takes. */
export interface ChangeOptions extends RepositoryOptions {
  readonly dryRun?: boolean;
  readonly reason?: string;
  /** @default "strict" */
  readonly policyMode?: PolicyMode;
  /** Severities, parameters, own rules and waivers, as in backout.yaml; its mode is `policyMode`. @default the built-in rules */
  readonly policy?: PolicySettings;
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
  /** Programs that the release brings along; needs a signing key. */
  readonly hooks?: ReleaseHooks;
}

export interface RollbackOptions extends ChangeOptions {
  /** The version to take out. Exactly one of `version`, `to` and `toLastGood`. */
  readonly version?: string;
  /** Take out everything newer than this version. */
  readonly to?: string;
  /** Take out what is newer than the last good release and marked bad; its channels go there. */
  readonly toLastGood?: boolean;
  /** With `toLastGood`: point this channel at the last good release, whatever it names now. */
  readonly channel?: string;
  /** @default "full" */
  readonly type?: RollbackType;
  /** Only the artifacts that match one of these globs. */
  readonly artifacts?: readonly string[];
  readonly noBackup?: boolean;
  /** `full` reads every byte; `size` compares what the storage tells. @default "full" in a folder, "size" on object storage */
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

export interface HoldOptions extends ChangeOptions {
  /** The hold's name; setting one needs a reason. */
  readonly hold: string;
}

export interface BackupChangeOptions extends ChangeOptions {
  /** The backup's folder name, a rollback id, or a version (its newest backup). */
  readonly backup: string;
}

export interface RetentionOptions extends ChangeOptions {
  /** What to keep, of the backups and of the history. */
  readonly rules: RetentionSettings;
}
