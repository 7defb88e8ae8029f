/** Takes a restore back: every target that was begun is brought to the state before, last one first. */
import { messageOf, UnfinishedOperationError } from "#/core/errors.ts";
import type { SavedTarget, SnapshotManifest } from "#/store/model.ts";
import type { SnapshotStore } from "#/store/store.ts";
import { bindSaved, type BoundTarget } from "./bind_target.ts";
import type { JournalState, PlannedTarget, TargetJournal } from "./journal.ts";
import { callTarget, type Scratch } from "./target_context.ts";
import type { Workspace } from "./workspace.ts";

export interface TakeBackWorld {
  readonly workspace: Workspace;
  readonly scratch: Scratch;
  readonly warn: (message: string) => void;
}

export interface TakenBack {
  /** Targets that are as before. */
  readonly restored: readonly string[];
  /** What stays as the restore left it, since nothing can take it back: one sentence for each. */
  readonly remains: readonly string[];
}

/**
 * Nothing stops it but a failure. May be called again after a crash at any point.
 * @param why one sentence, for the journal
 * @throws {UnfinishedOperationError} a target could not be brought back; the journal stays, and recovery tries again
 */
export async function takeBack(
  world: TakeBackWorld,
  journal: TargetJournal,
  why: string,
): Promise<TakenBack> {
  noteDirection(journal, why);
  const { plan, begun, kept } = journal.state;
  if (begun.length === 0) {
    await dropSafety(world, plan.safety);
    return { restored: [], remains: [] };
  }
  const safety = await findSafety(world.workspace, plan.safety);
  const restored: string[] = [];
  const remains: string[] = [];
  const failures: string[] = [];
  for (const { step } of begun.toReversed()) {
    const target = plan.targets[step]!;
    const problem = finalProblem(target, kept);
    if (problem !== undefined) {
      remains.push(problem);
      continue;
    }
    try {
      const saved = savedOf(safety?.manifest, target);
      await takeOneBack(world, saved, safety!.store);
      restored.push(target.name);
    } catch (error) {
      failures.push(messageOf(error));
    }
  }
  if (failures.length === 0) return { restored, remains };
  throw unfinished(journal.state, [...failures, ...remains], why);
}

/** Without the record the direction is the same, unless the restore was complete already. */
function noteDirection(journal: TargetJournal, why: string): void {
  if (journal.state.reverting !== undefined) return;
  try {
    journal.append({ record: "reverting", why });
  } catch (error) {
    if (journal.state.waitingUntil !== undefined) throw error;
  }
}

interface Safety {
  readonly manifest: SnapshotManifest;
  readonly store: SnapshotStore;
}

/** It may have been taken while the store was away. */
async function findSafety(workspace: Workspace, id: string): Promise<Safety | undefined> {
  for (const open of [workspace.store, workspace.fallback]) {
    const store = await open();
    const manifest = await store?.readSnapshot(id);
    if (store !== undefined && manifest !== undefined) return { manifest, store };
  }
  return undefined;
}

/** Nothing was touched, so nobody needs the state before. */
async function dropSafety({ workspace, warn }: TakeBackWorld, id: string): Promise<void> {
  try {
    await (await workspace.store()).deleteSnapshot(id);
  } catch (error) {
    warn(`The snapshot ${id}, which nobody needs, could not be deleted: ${messageOf(error)}`);
  }
}

function finalProblem({ name, undo }: PlannedTarget, kept: readonly string[]): string | undefined {
  if (undo === "none") return `${name} cannot be taken back`;
  if (!kept.includes(name)) return `${name} did not exist before, so nothing can take it back`;
  return undefined;
}

function savedOf(safety: SnapshotManifest | undefined, { name }: PlannedTarget): SavedTarget {
  const saved = safety?.targets.find((target) => target.name === name);
  if (saved !== undefined) return saved;
  throw new UnfinishedOperationError(`${name}: the snapshot of its state before is gone`);
}

async function takeOneBack(world: TakeBackWorld, saved: SavedTarget, store: SnapshotStore): Promise<void> {
  const { workspace, scratch, warn } = world;
  const bound = await bindSaved(workspace.options, saved);
  const { spec, driver } = bound;
  const call = { workspace, spec, scratch, phase: "taking back", warn };
  const options = { paths: [], discardChanges: true };
  const restored = await callTarget(
    call,
    (context) => driver.restore(spec, saved, { ...context, store, options }),
  );
  restored.warnings.forEach((warning) => warn(`${spec.name}: ${warning}`));
  const fingerprint = await callTarget(call, (context) => driver.fingerprint(spec, context));
  if (fingerprint !== saved.fingerprint) {
    warn(`${spec.name}: it was taken back, but is not quite as before: something else changes it`);
  }
  await finishTarget(world, bound, saved);
}

/** Lets a driver remove what it kept for its own undo. What it cannot remove is a warning. */
export async function finishTarget(
  { workspace, scratch, warn }: TakeBackWorld,
  { spec, driver }: BoundTarget,
  saved: SavedTarget,
): Promise<void> {
  if (driver.finish === undefined) return;
  try {
    const call = { workspace, spec, scratch, phase: "finishing", warn };
    await callTarget(call, (context) => driver.finish!(spec, saved, context));
  } catch (error) {
    warn(`${messageOf(error)}; what the restore kept for its own undo may still be there`);
  }
}

function unfinished(
  { plan }: JournalState,
  remains: readonly string[],
  why: string,
): UnfinishedOperationError {
  return new UnfinishedOperationError(
    `The ${plan.title} is to be taken back (${why}), and that failed: ${remains.join("; ")}`,
    {
      hint:
        `Mend the cause, then run \`backout recover\`: it tries again. The state before is the snapshot ${plan.safety}.`,
      context: { operation: plan.id, safety: plan.safety, remains },
    },
  );
}
