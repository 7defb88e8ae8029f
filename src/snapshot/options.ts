/** What the operations on snapshots are asked: options of a workspace, and of each operation. */
import type { PolicySettings } from "#/policy/settings.ts";
import type { SnapshotRetentionSettings } from "#/policy/retention_snapshots.ts";
import type { Surroundings } from "#/repository/options.ts";
import type { OperationEvent, PolicyMode } from "#/report/model.ts";
import type { SnapshotManifest, SnapshotOrigin } from "#/store/model.ts";
import type { StoreOptions } from "#/store/options.ts";
import type { SnapshotStore } from "#/store/store.ts";
import type { TargetDriver, TargetSpec } from "#/target/target.ts";
import type { CheckSpec } from "#/verify/check.ts";

export type { StoreOptions } from "#/store/options.ts";

/** Where targets live and how they are worked on. */
export interface WorkspaceOptions {
  /** The folder of `backout.yaml`, absolute: lock, journal, history and audit are in its `.backout`. */
  readonly folder: string;
  readonly store: StoreOptions;
  /** All targets of the configuration, in its order. */
  readonly targets: readonly TargetSpec[];
  /** The checks of the configuration. */
  readonly checks: readonly CheckSpec[];
  readonly env: (name: string) => string | undefined;
  readonly offline?: boolean;
  readonly around?: Surroundings;
  readonly policy?: PolicySettings;
  readonly policyMode?: PolicyMode;
  readonly force?: boolean;
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly by?: string;
  readonly now?: () => Date;
  readonly lockTimeoutMs?: number;
  /** For each target that says nothing of its own. */
  readonly timeoutMs?: number;
  readonly signingKeyFile?: string;
  /** The configuration's file, for the process that takes an unconfirmed restore back. @default what is found in the folder */
  readonly configFile?: string;
  /** Kinds of targets of the caller's own, by type. */
  readonly drivers?: Readonly<Record<string, TargetDriver>>;
  /** Opens the store. @default the one at `store.location` */
  readonly openStore?: () => Promise<SnapshotStore>;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: OperationEvent) => void;
}

export interface CreateOptions extends WorkspaceOptions {
  readonly description?: string;
  /** Made when not given: `rb-` and 12 hex digits. */
  readonly id?: string;
  /** Names; empty: all. */
  readonly only?: readonly string[];
  /** A target of the command line's own (`--type`, `--set`), instead of those of the configuration. */
  readonly adHoc?: TargetSpec;
  readonly origin?: SnapshotOrigin;
  readonly labels?: Readonly<Record<string, string>>;
  /** Limits that apply as soon as a new point is made. */
  readonly retention?: SnapshotRetentionSettings;
}

export interface RestoreSnapshotOptions extends WorkspaceOptions {
  /** An id, a unique beginning of one, `latest` (manual ones only) or `last-good`. */
  readonly snapshot: string;
  /** The snapshot itself, where it is at hand: a dry run may have one that is nowhere else. */
  readonly manifest?: SnapshotManifest;
  /** Names; empty: all of the snapshot. */
  readonly only?: readonly string[];
  readonly paths?: readonly string[];
  /** Puts it into this folder instead; the targets stay. */
  readonly to?: string;
  readonly discardChanges?: boolean;
  readonly rollbackOnFailure?: boolean;
  /** Taken back unless confirmed within this time. */
  readonly confirmWithinMs?: number;
  /** Instead of the configuration's checks. */
  readonly checks: readonly CheckSpec[];
}
