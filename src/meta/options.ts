/** What operations on a meta repository are asked. */
import type { RestoreSnapshotOptions, WorkspaceOptions } from "#/snapshot/options.ts";

/** The workspace's folder is the root of the meta repository. */
export type MetaOptions = WorkspaceOptions;

/** How a change ends: checks, taken back where they fail, or unless confirmed. */
export type EndOptions = Pick<RestoreSnapshotOptions, "checks" | "rollbackOnFailure" | "confirmWithinMs">;

/** What components are rolled back to. */
export type RollbackTarget =
  | { readonly kind: "version"; readonly component: string; readonly version: string }
  | { readonly kind: "commit"; readonly component: string; readonly commit: string }
  | { readonly kind: "last_good"; readonly component: string }
  /** @property path absolute. @property components empty: all of it */
  | { readonly kind: "lock"; readonly path: string; readonly components: readonly string[] }
  /** The same for a file of `component snapshot`. */
  | { readonly kind: "snapshot"; readonly path: string };

export interface ComponentRollbackOptions extends MetaOptions, EndOptions {
  readonly target: RollbackTarget;
  /** Whose lock file is meant. */
  readonly environment?: string;
}
