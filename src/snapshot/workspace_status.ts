/** A workspace at a glance. */
import { listHistoryRecords } from "#/operation/history.ts";
import type { HistoryEntry, LockView } from "#/repository/views.ts";
import { type WaitingRestore, waitingRestore } from "./confirm.ts";
import { describeKilled, type KilledGuard, killedGuards } from "./guard_note.ts";
import { TargetJournal, unfinishedTargetIds } from "./journal.ts";
import { type SnapshotNumbers, snapshotNumbers } from "./numbers.ts";
import type { WorkspaceOptions } from "./options.ts";
import { inWorkspace, type Workspace } from "./workspace.ts";

export interface WorkspaceStatus {
  readonly workspace: string;
  /** Where snapshots are kept, as shown to people. */
  readonly store: string;
  /** Names of the targets of the configuration. */
  readonly targets: readonly string[];
  readonly checks: number;
  readonly numbers: SnapshotNumbers;
  readonly lock: LockView | null;
  readonly waiting: WaitingRestore | null;
  /** Restores whose process is gone. */
  readonly unfinished: readonly { readonly id: string; readonly operation: string }[];
  /** Guards that were killed while their commands ran: their changes stand, until somebody goes back. */
  readonly killed_guards: readonly KilledGuard[];
  readonly last_operation:
    | Pick<HistoryEntry, "id" | "operation" | "status" | "finished_at" | "summary">
    | null;
}

/** @throws {RollbackError} the workspace or its store cannot be read */
export async function workspaceStatus(options: WorkspaceOptions): Promise<WorkspaceStatus> {
  const numbers = await snapshotNumbers(options);
  const waiting = await waitingRestore(options);
  return await inWorkspace(options, async (workspace) => {
    const { scope } = workspace;
    const held = await scope.lock.inspect();
    const [newest] = await listHistoryRecords(scope.store, 1);
    return {
      workspace: options.folder,
      store: (await workspace.store()).location,
      targets: options.targets.map(({ name }) => name),
      checks: options.checks.length,
      numbers,
      lock: held === undefined ? null : lockView(held),
      waiting: waiting ?? null,
      unfinished: await interrupted(workspace),
      killed_guards: await killedGuards(workspace),
      last_operation: newest === undefined ? null : {
        id: newest.id,
        operation: newest.operation,
        status: newest.status,
        finished_at: newest.finished_at,
        summary: newest.summary,
      },
    };
  });
}

type Held = NonNullable<Awaited<ReturnType<Workspace["scope"]["lock"]["inspect"]>>>;

function lockView({ holder, state }: Held): LockView {
  const { id, operation, by, host, pid, since, reason } = holder;
  return { id, operation, by, host, pid, since, reason, holder: state };
}

/** Operations that left something behind and whose process is gone; those that wait for a confirmation do not count. */
async function interrupted({ scope }: Workspace): Promise<WorkspaceStatus["unfinished"]> {
  const held = await scope.lock.inspect();
  const running = held?.state === "dead" ? undefined : held?.holder.id;
  const found: { readonly id: string; readonly operation: string }[] = [];
  for (const id of await unfinishedTargetIds(scope)) {
    if (id === running) continue;
    const journal = await TargetJournal.open(scope, id).catch(() => undefined); // `doctor` names a damaged one
    if (journal?.state.waitingUntil !== undefined) continue;
    found.push({ id, operation: journal?.state.plan.title ?? "operation without a journal" });
  }
  return found;
}

/** One sentence when a restore waits or is unfinished, for reading commands to mention; undefined when none is. */
export async function workspaceNote(options: WorkspaceOptions): Promise<string | undefined> {
  try {
    const waiting = await waitingRestore(options);
    if (waiting !== undefined) {
      return `The restore of ${waiting.snapshot} waits for \`backout confirm\` until ${waiting.until}; ` +
        "without it everything is taken back.";
    }
    const [first] = await inWorkspace(options, interrupted);
    if (first === undefined) {
      const [guard] = await inWorkspace(options, killedGuards);
      return guard === undefined ? undefined : describeKilled(guard);
    }
    return `The ${first.operation} was interrupted; the next change, or \`backout recover\`, takes it back or finishes it.`;
  } catch {
    return undefined; // a note must not stop a reading command; `status` and `doctor` report the cause
  }
}

/** Whether something was ever done in this folder as a workspace. */
export async function hasWorkspace(options: WorkspaceOptions): Promise<boolean> {
  return await inWorkspace(options, async ({ scope }) => {
    const places = [".backout/target-operations", ".backout/store", "manifests/components.yaml"];
    const found = await Promise.all(places.map((key) => scope.store.stat(key)));
    return found.some((one) => one !== undefined);
  }).catch(() => false);
}
