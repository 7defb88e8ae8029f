/** Captures targets into one snapshot: all of them, or none is recorded. */
import { RollbackError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { seconds } from "#/release/scope.ts";
import type { SavedTarget, SnapshotManifest, SnapshotOrigin } from "#/store/model.ts";
import type { SharedStoreWriter, SnapshotStore } from "#/store/store.ts";
import type { CaptureContext } from "#/target/target.ts";
import { withoutPasswords } from "#/config/written.ts";
import type { BoundTarget } from "./bind_target.ts";
import type { Change } from "./change.ts";
import { inOrder, type Ordered, restoreOrder } from "./order.ts";
import { isOwnSnapshot } from "./snapshot_id.ts";
import { callTarget } from "./target_context.ts";
import type { Workspace } from "./workspace.ts";

/** Each uses both cores where it reads much. */
const CAPTURES_AT_ONCE = 4;

export interface CaptureRequest {
  readonly id: string;
  readonly targets: readonly BoundTarget[];
  readonly origin: SnapshotOrigin;
  readonly description: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** A target that does not exist is left out, with a warning, instead of failing all. @default false */
  readonly tolerateMissing?: boolean;
}

/**
 * Captures targets, those that do not wait for another at the same time, and records the snapshot (unless nothing was
 * there to capture).
 * @throws the first failure; nothing is recorded then, and what was stored is left to the collection
 */
export async function captureSnapshot(change: Change, request: CaptureRequest): Promise<SnapshotManifest> {
  const { workspace } = change;
  const { scope } = workspace;
  const store = await workspace.store();
  const previous = await lastSaved(workspace, store, request.targets);
  const controller = new AbortController();
  const forward = () => controller.abort(scope.signal?.reason);
  if (scope.signal?.aborted === true) forward();
  scope.signal?.addEventListener("abort", forward);
  try {
    await using writer = await store.write({ signal: controller.signal });
    const items = orderedTargets(request.targets);
    const world = { change, store, writer, previous, signal: controller.signal };
    const captured = await inOrder(
      items,
      CAPTURES_AT_ONCE,
      ({ bound }) => request.tolerateMissing ? captureIfThere(world, bound) : captureOne(world, bound),
      (error) => {
        if (!controller.signal.aborted) controller.abort(stopOthers(error));
      },
    );
    throwIfStopped(scope.signal);
    const manifest = manifestOf(change, request, captured.filter((saved) => saved !== undefined));
    if (manifest.targets.length > 0) await writer.commit(manifest);
    return manifest;
  } finally {
    scope.signal?.removeEventListener("abort", forward);
  }
}

function stopOthers(error: unknown): Error {
  return new RollbackError("Another target failed, so nothing is recorded", { cause: error });
}

/** A target with what its place depends on. */
export interface PlacedTarget extends Ordered {
  readonly bound: BoundTarget;
}

/** Targets in the order in which they are restored. @throws {UsageError} they cannot be ordered */
export function orderedTargets(targets: readonly BoundTarget[]): readonly PlacedTarget[] {
  return restoreOrder(targets.map((bound) => ({
    name: bound.spec.name,
    undo: bound.driver.undo(bound.spec.config),
    after: bound.spec.after,
    bound,
  })));
}

interface CaptureWorld {
  readonly change: Change;
  readonly store: SnapshotStore;
  readonly writer: SharedStoreWriter;
  readonly previous: ReadonlyMap<BoundTarget, SavedTarget>;
  readonly signal: AbortSignal;
}

async function captureOne(world: CaptureWorld, target: BoundTarget): Promise<SavedTarget> {
  const { spec, driver } = target;
  const { change, store, signal } = world;
  const writer = world.writer.share(); // the others write at the same time
  const began = performance.now();
  const call = {
    workspace: change.workspace,
    spec,
    scratch: change.scratch,
    phase: "reading",
    signal,
    warn: change.warn,
  };
  const captured = await callTarget(call, (context) => {
    const full: CaptureContext = { ...context, store, writer, previous: world.previous.get(target) };
    return driver.capture(spec, full);
  });
  captured.warnings.forEach((warning) => change.warn(`${spec.name}: ${warning}`));
  return {
    name: spec.name,
    type: spec.type,
    undo: driver.undo(spec.config),
    config: withoutPasswords(spec.written),
    ...captured,
    stored_bytes: writer.storedBytes,
    seconds: seconds(began),
  };
}

async function captureIfThere(world: CaptureWorld, bound: BoundTarget): Promise<SavedTarget | undefined> {
  try {
    return await captureOne(world, bound);
  } catch (error) {
    if (!(error instanceof RollbackVersionNotFoundError)) throw error;
    world.change.warn(`${error.message}; so nothing of it is kept, and its restore cannot be taken back`);
    return undefined;
  }
}

/** What the workspace's last snapshots have of these targets: from there on a capture reads only what changed. */
async function lastSaved(
  workspace: Workspace,
  store: SnapshotStore,
  targets: readonly BoundTarget[],
): Promise<ReadonlyMap<BoundTarget, SavedTarget>> {
  const found = new Map<BoundTarget, SavedTarget>();
  for await (const snapshot of store.recentSnapshots()) {
    if (!isOwnSnapshot(workspace, snapshot)) continue;
    for (const target of targets) {
      const { name, type } = target.spec;
      const same = snapshot.targets.find((it) => it.name === name && it.type === type);
      if (same !== undefined && !found.has(target)) found.set(target, same);
    }
    if (found.size === targets.length) break;
  }
  return found;
}

function manifestOf(
  change: Change,
  request: CaptureRequest,
  targets: readonly SavedTarget[],
): SnapshotManifest {
  const { scope, folder } = change.workspace;
  return {
    format: 1,
    id: request.id,
    description: request.description,
    created_at: scope.now().toISOString(),
    origin: request.origin,
    operation_id: change.id,
    by: scope.by,
    host: scope.host,
    machine_id: scope.machineId,
    workspace: folder,
    pinned: false,
    mark: "",
    labels: request.labels ?? {},
    targets,
    warnings: targets.flatMap(({ name, warnings }) => warnings.map((warning) => `${name}: ${warning}`)),
  };
}
