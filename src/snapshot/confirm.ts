/** The confirmation of a restore, and what happens without one. The lock decides who of the two comes first. */
import { pause } from "#/core/pace.ts";
import { ExitCode, LockedError, RollbackAtomicError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import { listHistoryRecords } from "#/operation/history.ts";
import type { OperationReport } from "#/report/model.ts";
import { bindSaved } from "./bind_target.ts";
import { type Change, runChange } from "./change.ts";
import { backOut } from "./execute_restore.ts";
import { forgetOperation, TargetJournal, unfinishedTargetIds } from "./journal.ts";
import { judgeChange } from "./judge.ts";
import type { WorkspaceOptions } from "./options.ts";
import { outcome } from "./outcome.ts";
import { isOver } from "./recover_targets.ts";
import { beginHooksAgain } from "./complete_restore.ts";
import { finishTarget } from "./take_back.ts";
import { operationScratch } from "./target_context.ts";
import { inWorkspace, type Workspace } from "./workspace.ts";

/** A restore that waits for its confirmation. */
export interface WaitingRestore {
  readonly operation_id: string;
  readonly snapshot: string;
  readonly safety_id: string;
  readonly by: string;
  readonly host: string;
  /** RFC 3339. */
  readonly until: string;
}

/** Undefined when nothing waits. Reads only. */
export function waitingRestore(options: WorkspaceOptions): Promise<WaitingRestore | undefined> {
  return inWorkspace(options, async (workspace) => {
    const state = (await waitingJournal(workspace))?.state;
    if (state?.waitingUntil === undefined) return undefined;
    const { id, snapshot, safety, by, host } = state.plan;
    return { operation_id: id, snapshot, safety_id: safety, by, host, until: state.waitingUntil };
  });
}

async function waitingJournal({ scope }: Workspace): Promise<TargetJournal | undefined> {
  for (const id of await unfinishedTargetIds(scope)) {
    const journal = await TargetJournal.open(scope, id);
    if (journal?.state.waitingUntil !== undefined) return journal;
  }
  return undefined;
}

/** Keeps the restore that waits for it. Too late is 43, nothing to confirm is 40. */
export function confirmRestore(options: WorkspaceOptions): Promise<OperationReport> {
  const definition = {
    operation: "confirm",
    title: "confirm the restore",
    version: "",
    whileWaiting: true,
  } as const;
  return runChange(options, definition, async (change) => {
    const journal = await foundJournal(change, earlierExpiry);
    const { plan } = journal.state;
    if (isOver(change.workspace, journal.state.waitingUntil ?? "")) throw tooLate(`The ${plan.title}`);
    await judgeChange(change, `confirm the ${plan.title}`, { id: plan.snapshot });
    const summary = `The ${plan.title} is confirmed: it stands`;
    if (!change.dryRun) await keep(change, journal);
    change.report = {
      ...change.report,
      status: change.dryRun ? "dry_run" : "success",
      exit_code: ExitCode.done,
      summary: change.dryRun ? `Would confirm the ${plan.title}` : summary,
      undo: change.dryRun ? null : `backout snapshot restore ${plan.safety}`,
    };
  });
}

/** @param earlier what was taken back before this operation began, where that matters */
async function foundJournal(
  change: Change,
  earlier: (change: Change) => Promise<string | undefined> = () => Promise.resolve(undefined),
): Promise<TargetJournal> {
  const journal = await waitingJournal(change.workspace);
  if (journal !== undefined) {
    const { plan } = journal.state;
    change.report = {
      ...change.report,
      version: plan.snapshot,
      versions: [plan.snapshot],
      version_exists: true,
      snapshot: outcome(plan.snapshot, { safety_id: plan.safety }),
    };
    return journal;
  }
  const expired = change.recoveries.find((recovery) => recovery.expired)?.title ?? await earlier(change);
  if (expired !== undefined) throw tooLate(`The ${expired}`);
  throw new RollbackVersionNotFoundError("No restore waits for a confirmation", {
    hint: "See `backout history`: it was confirmed already, or taken back because nobody did in time.",
  });
}

/** How many outcomes are looked at: refused attempts may stand between. */
const EARLIER_OUTCOMES = 100;

/**
 * The restore that was taken back for want of a confirmation, where that was the last one: its process is often faster
 * than somebody who is a second late, and must not be told that there was nothing to confirm.
 */
async function earlierExpiry({ workspace: { scope } }: Change): Promise<string | undefined> {
  const records = await listHistoryRecords(scope.store, EARLIER_OUTCOMES);
  const [end, begin] = records.filter(({ operation, dry_run, exit_code }) =>
    !dry_run && (operation === "confirm" ? exit_code === ExitCode.done : operation === "snapshot_restore") &&
    (exit_code === ExitCode.done || exit_code === ExitCode.takenBack)
  );
  if (end?.exit_code !== ExitCode.takenBack || (begin?.snapshot?.confirm_by ?? null) === null) {
    return undefined;
  }
  return `restore of ${end.versions[0] ?? ""}`;
}

function tooLate(what: string): RollbackAtomicError {
  return new RollbackAtomicError(`The confirmation came too late: ${what.toLowerCase()} was taken back`, {
    hint: "Restore it again, with more time to confirm it.",
  });
}

/** From here on nothing takes it back by itself. */
async function keep(change: Change, journal: TargetJournal): Promise<void> {
  const { workspace } = change;
  const { plan } = journal.state;
  journal.append({ record: "committed" });
  change.afterRecord = () => forgetOperation(workspace.scope, plan.id);
  const store = await workspace.store();
  const snapshot = await store.readSnapshot(plan.snapshot);
  const world = { workspace, scratch: operationScratch(workspace, plan.id), warn: change.warn };
  for (const target of plan.targets) {
    const saved = snapshot?.targets.find(({ name }) => name === target.name);
    if (saved !== undefined) await finishTarget(world, await bindSaved(workspace.options, saved), saved);
  }
}

/** Takes back the restore that waits for its confirmation, now. Its report says so: 43. Nothing to take back is 40. */
export function revertUnconfirmed(options: WorkspaceOptions): Promise<OperationReport> {
  const definition = {
    operation: "snapshot_restore",
    title: "take back the restore that was not confirmed",
    version: "",
    whileWaiting: true,
    tellsExpired: true,
  } as const;
  return runChange(options, definition, async (change) => {
    const expired = change.recoveries.find((recovery) => recovery.expired);
    if (expired !== undefined) {
      const { snapshot, safety } = expired.plan;
      change.report = {
        ...change.report,
        version: snapshot,
        versions: [snapshot],
        version_exists: true,
        snapshot: outcome(snapshot, { safety_id: safety }),
      };
      throw new RollbackAtomicError(expired.summary, { context: { snapshot, safety } });
    }
    const journal = await foundJournal(change);
    const { plan } = journal.state;
    if (change.dryRun) {
      const summary = `Would take the ${plan.title} back`;
      change.report = { ...change.report, status: "dry_run", exit_code: ExitCode.done, summary };
      return;
    }
    await beginHooksAgain(change, options);
    const error = await backOut(change, journal, new Error("it was not confirmed"));
    throw error;
  });
}

/** How often it is looked whether somebody confirmed, in milliseconds. */
const LOOK_EVERY_MS = 500;
/** How long another operation is waited for, in milliseconds. */
const LOCK_TIMEOUT_MS = 600_000;

/**
 * Waits until the restore is confirmed, or its time is over, and takes it back then. What the hidden command runs.
 * @returns the report of taking it back; undefined when somebody confirmed it
 */
export async function watchConfirmation(options: WorkspaceOptions): Promise<OperationReport | undefined> {
  const now = options.now ?? (() => new Date());
  for (;;) {
    const waiting = await waitingRestore(options);
    if (waiting === undefined) return undefined;
    const left = Date.parse(waiting.until) - now().getTime();
    if (left > 0) {
      await pause(Math.min(left, LOOK_EVERY_MS), options.signal);
      options.signal?.throwIfAborted();
      continue;
    }
    const report = await revertUnconfirmed({ ...options, lockTimeoutMs: LOCK_TIMEOUT_MS });
    if (report.exit_code === ExitCode.notFound) return undefined; // somebody was faster
    if (report.exit_code !== new LockedError("").code) return report;
  }
}
