/** What every kind of target can do. A kind is one file and a line of the registry. */
import type * as z from "zod";
import type { JsonObject } from "#/core/json.ts";
import type { SavedTarget, UndoClass } from "#/store/model.ts";
import type { StoreReader, StoreWriter } from "#/store/store.ts";

/** A target as `backout.yaml` or the command line names it. */
export interface TargetSpec<Config = unknown> {
  readonly name: string;
  readonly type: string;
  /** Parsed by the driver's schema; environment references are filled in, paths absolute. */
  readonly config: Config;
  /** The same as it was written, for the manifest: environment references unexpanded. */
  readonly written: JsonObject;
  /** Targets that are captured and restored before this one. */
  readonly after: readonly string[];
  readonly timeoutMs?: number;
}

/** What a driver is given to look at the world with. */
export interface TargetContext {
  /** The workspace: relative paths start here. */
  readonly folder: string;
  readonly env: (name: string) => string | undefined;
  /** Aborted on a signal, a timeout, or when another target failed. */
  readonly signal: AbortSignal;
  /** A private folder (0700) of this operation and target, removed when it ends. Same after a crash. */
  readonly scratch: string;
  readonly offline: boolean;
  /** Folders that no target touches besides `.backout` of the workspace: the store, and its fallback. Absolute. */
  readonly own?: readonly string[];
  readonly now: () => Date;
  readonly onProgress: (done: number, total: number, unit: "bytes" | "files") => void;
  readonly warn: (message: string) => void;
}

export interface CaptureContext extends TargetContext {
  readonly store: StoreReader;
  readonly writer: StoreWriter;
  /** The same target in the newest snapshot of this workspace: what did not change since is not read. */
  readonly previous: SavedTarget | undefined;
}

/** What a capture says; the engine adds name, type, undo, seconds. */
export type Captured = Pick<
  SavedTarget,
  "method" | "metadata" | "state" | "roots" | "fingerprint" | "files" | "bytes" | "warnings"
>;

/** One difference between what is there and what a restore makes. Paths are absolute, or names of the target's own. */
export interface TargetChange {
  readonly action: "create" | "replace" | "remove" | "attributes" | "run";
  readonly path: string;
  readonly bytes?: number;
  /** For people, where the action and path do not say it. */
  readonly detail?: string;
}

export interface RestoreOptions {
  /** Only these paths (absolute) and what is below them; empty: everything. */
  readonly paths: readonly string[];
  /** Uncommitted work and the like may be destroyed (it is in the safety snapshot). */
  readonly discardChanges: boolean;
}

/** What a restore would do, worked out by looking only. The dry run shows it; the run does exactly this. */
export interface TargetPlan {
  readonly changes: readonly TargetChange[];
  /** One line for people: `restore 3 files, remove 1`. Empty changes: nothing to do. */
  readonly summary: string;
  /** Why it would fail: exit 47 in a dry run, 45 or 49 in a run. */
  readonly problems: readonly string[];
  /** What would be lost of work that is not in the snapshot; refused (exit 41) unless `discardChanges`. */
  readonly uncommitted: readonly string[];
  readonly warnings: readonly string[];
}

export interface PlanContext extends TargetContext {
  readonly store: StoreReader;
  readonly options: RestoreOptions;
}

export type RestoreContext = PlanContext;

/** What a restore did. */
export interface Restored {
  /** Its established name: `git_reset`, `configuration_restore`, … */
  readonly method: string;
  readonly changed: number;
  readonly removed: number;
  readonly bytes: number;
  readonly details: JsonObject;
  readonly warnings: readonly string[];
}

/**
 * A kind of target. The engine takes a target back by `restore` to the saved state, and takes that back by `restore` to
 * the state that was captured just before. So `restore` brings the world to the saved state whatever it finds, and may be
 * called again after a crash at any point inside it.
 */
export interface TargetDriver<Config = unknown> {
  readonly type: string;
  /** For `config schema` and messages: what it is, in one sentence. */
  readonly summary: string;
  /** The keys of its own in `backout.yaml` (besides type, after, timeout). Strict: unknown keys are errors. */
  readonly schema: z.ZodType<Config>;
  /** `method` of what `restore` answers, for a target that needs none. @default that of the capture */
  readonly restoreMethod?: string;
  /** Other spellings that mean the same are mapped in the schema. */
  undo(config: Config): UndoClass;
  /** Programs that it runs, each with the Debian package that has it: for `doctor` and for permissions. */
  programs(config: Config): readonly { readonly program: string; readonly package: string }[];
  /** Hosts or sockets it talks to beyond programs it runs. @default false */
  needsNetwork?(config: Config): boolean;
  /**
   * Stores what the target looks like.
   * @throws {RollbackVersionNotFoundError} 40: it does not exist
   * @throws {RollbackBackupError} 45: it cannot be read whole
   */
  capture(target: TargetSpec<Config>, context: CaptureContext): Promise<Captured>;
  /** What a restore would do. Reads only. */
  plan(target: TargetSpec<Config>, saved: SavedTarget, context: PlanContext): Promise<TargetPlan>;
  /** Makes it so; see above. What it throws is taken back by the engine. */
  restore(target: TargetSpec<Config>, saved: SavedTarget, context: RestoreContext): Promise<Restored>;
  /** What the target is now, as `fingerprint` of a snapshot says it. */
  fingerprint(target: TargetSpec<Config>, context: TargetContext): Promise<string>;
  /** Differences from `from` to `to`; with `to` undefined, to what is there now. */
  diff(
    target: TargetSpec<Config>,
    from: SavedTarget,
    to: SavedTarget | undefined,
    context: PlanContext,
  ): Promise<readonly TargetChange[]>;
  /** Puts what was saved into a folder elsewhere; the target itself stays as it is. */
  exportTo(saved: SavedTarget, folder: string, context: PlanContext): Promise<Restored>;
  /**
   * What does not work of it now, a sentence each, where a command changed it since `saved`; empty: it all does. What did
   * not work then is no fault. Looks only.
   */
  faults?(target: TargetSpec<Config>, saved: SavedTarget, context: TargetContext): Promise<readonly string[]>;
  /**
   * Lets go on what a capture held still and died with, by the note that it left (`held.ts`).
   * @returns what goes on now, undefined when nothing had to
   * @throws when it does not
   */
  letGo?(note: JsonObject, context: Pick<TargetContext, "env" | "signal">): Promise<string | undefined>;
  /** Removes what a restore kept for its own undo (an old database under another name). After the commit. */
  finish?(target: TargetSpec<Config>, saved: SavedTarget, context: TargetContext): Promise<void>;
}
