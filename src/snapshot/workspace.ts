/** The scope of operations on targets: the folder of `backout.yaml`, its lock, history, audit and snapshot store. */
import { UsageError } from "#/core/errors.ts";
import { openScope, type Scope } from "#/release/scope.ts";
import type { OperationEvent } from "#/report/model.ts";
import type { ChangeOptions } from "#/repository/options.ts";
import { isAbsolute } from "node:path";
import type { SnapshotStore } from "#/store/store.ts";
import type { WorkspaceOptions } from "./options.ts";
import { openFallbackStore, openWorkspaceStore } from "./open_store.ts";

export interface Workspace {
  readonly folder: string;
  readonly scope: Scope;
  readonly options: WorkspaceOptions;
  /** The same, as history, hooks, messages and reports want it: the workspace stands for the repository. */
  readonly change: ChangeOptions;
  /** The store, opened when it is first asked for. */
  readonly store: () => Promise<SnapshotStore>;
  /** Its fallback, where there is one: a snapshot may be there that was taken while the store was away. */
  readonly fallback: () => Promise<SnapshotStore | undefined>;
  /** What is to be known of the store. */
  readonly warnings: readonly string[];
  /** Tells it now, and in the report. */
  readonly warn: (message: string) => void;
  /** Closes what was opened. */
  readonly close: () => Promise<void>;
}

/** @throws {UsageError} the folder is not absolute, or the signing key cannot be used */
export async function openWorkspace(options: WorkspaceOptions): Promise<Workspace> {
  if (!isAbsolute(options.folder)) {
    throw new UsageError(`Cannot use ${JSON.stringify(options.folder)} as a workspace: it is not absolute`, {
      hint: "Give the folder of backout.yaml with its whole path.",
    });
  }
  const change = changeOptions(options);
  const scope = await openScope(change);
  const warnings: string[] = [];
  const warn = (message: string) => {
    warnings.push(message);
    scope.emit({ event: "warning", time: scope.now().toISOString(), message });
  };
  const onWait = (holders: readonly string[]) => scope.emit(waitingFor(holders, scope.now()));
  let opened: Promise<SnapshotStore> | undefined;
  let fallback: Promise<SnapshotStore | undefined> | undefined;
  return {
    folder: options.folder,
    scope,
    options,
    change,
    warnings,
    warn,
    store: () => opened ??= openWorkspaceStore(options, { by: scope.by, onWarning: warn, onWait }),
    fallback: () => fallback ??= openFallbackStore(options, scope.by),
    close: async () => {
      for (const one of [opened, fallback]) {
        const store = await one?.catch(() => undefined); // whoever asked for it was told
        await store?.[Symbol.asyncDispose]();
      }
    },
  };
}

/** What is told while others have the store for themselves. @param holders a sentence about each */
export function waitingFor(holders: readonly string[], now: Date): OperationEvent {
  const holder = holders.length === 0 ? "an operation that left no note" : holders.join("; ");
  return { event: "waiting_for_lock", time: now.toISOString(), holder };
}

function changeOptions(options: WorkspaceOptions): ChangeOptions {
  const { folder, around, policy, policyMode, force, reason, dryRun } = options;
  const { by, now, lockTimeoutMs, signingKeyFile, signal, onEvent } = options;
  const given = {
    ...{ around, policy, policyMode, force, reason, dryRun },
    ...{ by, now, lockTimeoutMs, signingKeyFile, signal, onEvent },
  };
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(entries) as Omit<ChangeOptions, "repository">, repository: folder };
}

/** Runs `work` in a workspace, and closes it. */
export async function inWorkspace<T>(
  options: WorkspaceOptions,
  work: (workspace: Workspace) => Promise<T>,
): Promise<T> {
  const workspace = await openWorkspace(options);
  try {
    return await work(workspace);
  } finally {
    await workspace.close();
  }
}
