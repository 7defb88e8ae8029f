/** What a driver is given for one call: where it may write, when it must stop, whom it tells. */
import { InterruptedError, RollbackBackupError, RollbackError } from "#/core/errors.ts";
import { makeTemporaryFolder, removeFolder } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { stopReason } from "#/release/scope.ts";
import { FilesystemTree } from "#/storage/filesystem/tree.ts";
import type { TargetContext, TargetSpec } from "#/target/target.ts";
import { TARGET_OPERATIONS } from "./journal.ts";
import type { Workspace } from "./workspace.ts";

/** Where private folders of an operation's targets are: the same again after a crash. */
export interface Scratch {
  readonly folder: (target: string) => string;
  readonly remove: () => Promise<void>;
}

/** Below the operation's own folder. @param id of the operation */
export function operationScratch(workspace: Workspace, id: string): Scratch {
  const { store } = workspace.scope;
  const key = `${TARGET_OPERATIONS}/${id}/scratch`;
  return {
    folder: (target) => {
      const tree = new FilesystemTree(store.location);
      const own = `${key}/${folderName(target)}`;
      tree.guard().resolveFolder(own);
      return tree.makeFolder(own, false);
    },
    remove: () => store.removeTree(key),
  };
}

/** The folders that `operationScratch` has made of an operation. */
export function heldFolders({ scope }: Workspace, id: string): readonly string[] {
  const { store } = scope;
  const path = new FilesystemTree(store.location).guard().resolveFolder(`${TARGET_OPERATIONS}/${id}/scratch`);
  return (posix.readFolder(path) ?? []).filter((it) => it.isDirectory).map(({ name }) => `${path}/${name}`);
}

/** In the system's temporary folder, for what only looks. */
export function temporaryScratch(): Scratch {
  let root: string | undefined;
  return {
    folder: (target) => {
      root ??= makeTemporaryFolder("backout-");
      const own = `${root}/${folderName(target)}`;
      if (posix.lstat(own) === undefined) posix.mkdir(own, 0o700);
      return own;
    },
    remove: () => {
      if (root !== undefined && posix.lstat(root) !== undefined) removeFolder(root);
      return Promise.resolve();
    },
  };
}

/** A target's name as that of a folder. */
function folderName(target: string): string {
  const plain = target.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 60);
  return plain === target ? plain : `${plain}.${hash(target)}`;
}

function hash(text: string): string {
  let sum = 2166136261;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 16777619) >>> 0;
  return sum.toString(16);
}

export interface TargetCall {
  readonly workspace: Workspace;
  readonly spec: TargetSpec;
  readonly scratch: Scratch;
  /** For progress: `reading`, `restoring`. */
  readonly phase: string;
  /** Stops it; undefined where it must not be stopped: while it is taken back. */
  readonly signal?: AbortSignal | undefined;
  readonly warn: (message: string) => void;
}

/** A call that the signal of the whole operation stops. */
export function targetCall(
  { workspace, scratch, warn }: Pick<TargetCall, "workspace" | "scratch" | "warn">,
  spec: TargetSpec,
  phase: string,
): TargetCall {
  return { workspace, spec, scratch, phase, signal: workspace.scope.signal, warn };
}

/**
 * Calls a driver, with the target's time limit. What it throws names the target.
 * @throws {RollbackBackupError} it took too long
 */
export async function callTarget<T>(
  call: TargetCall,
  work: (context: TargetContext) => Promise<T>,
): Promise<T> {
  const { workspace, spec, signal } = call;
  const { options, scope } = workspace;
  const limit = spec.timeoutMs ?? options.timeoutMs;
  const controller = new AbortController();
  const forward = () => controller.abort(signal?.reason);
  if (signal?.aborted === true) forward();
  signal?.addEventListener("abort", forward);
  let isLate = false;
  const timer = limit === undefined ? undefined : setTimeout(() => {
    isLate = true;
    controller.abort("timeout");
  }, limit);
  try {
    controller.signal.throwIfAborted();
    return await work({
      folder: workspace.folder,
      env: options.env,
      signal: controller.signal,
      scratch: call.scratch.folder(spec.name),
      offline: options.offline ?? false,
      own: [options.store.location, options.store.fallback].filter((it) => it?.startsWith("/")) as string[],
      now: scope.now,
      onProgress: (done, total, unit) =>
        scope.emit({
          event: "progress",
          time: scope.now().toISOString(),
          phase: `${call.phase} ${spec.name}`,
          done,
          total,
          unit,
        }),
      warn: (message) => call.warn(`${spec.name}: ${message}`),
    });
  } catch (error) {
    if (isLate) throw late(spec, limit ?? 0, error);
    if (signal?.aborted === true) throw stopped(signal, error);
    throw named(spec, error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", forward);
  }
}

/** Why the signal was aborted: a stop of ours, or the failure of another target. */
function stopped(signal: AbortSignal, error: unknown): unknown {
  if (signal.reason instanceof Error && !(signal.reason instanceof DOMException)) return signal.reason;
  return new InterruptedError(stopReason(signal) ?? "SIGTERM", { cause: error });
}

function late(spec: TargetSpec, limit: number, cause: unknown): RollbackBackupError {
  return new RollbackBackupError(`${spec.name}: it did not end within ${limit / 1000} s`, {
    hint: `Give it more time with \`timeout\` of the target ${spec.name} in backout.yaml, or with --timeout.`,
    context: { target: spec.name },
    cause,
  });
}

/** The failure with the target's name in front. */
function named(spec: TargetSpec, error: unknown): unknown {
  if (!(error instanceof RollbackError)) {
    const message = error instanceof Error ? error.message : String(error);
    return new RollbackBackupError(`${spec.name}: ${message}`, {
      context: { target: spec.name },
      cause: error,
    });
  }
  if (!error.message.includes(spec.name)) error.message = `${spec.name}: ${error.message}`;
  return error;
}
