/** What can be asked of snapshots without changing anything. */
import type { SnapshotManifest } from "#/store/model.ts";
import { mapLimited } from "#/storage/limit.ts";
import type { TargetChange } from "#/target/target.ts";
import { bindSaved, chosenSaved } from "./bind_target.ts";
import { TargetJournal, unfinishedTargetIds } from "./journal.ts";
import type { SnapshotOptions } from "./manage.ts";
import type { WorkspaceOptions } from "./options.ts";
import { findSnapshot, isOwnSnapshot } from "./snapshot_id.ts";
import { callTarget, temporaryScratch } from "./target_context.ts";
import { inWorkspace, type Workspace } from "./workspace.ts";

/** A restore that has not ended. */
export interface UnfinishedRestore {
  readonly id: string;
  /** `restore of rb-0123456789ab`; empty where its journal cannot be read. */
  readonly title: string;
  /** RFC 3339: it stands, and waits for its confirmation until then; null where it was interrupted, or runs. */
  readonly waiting_until: string | null;
}

export interface SnapshotList {
  /** Newest first. */
  readonly snapshots: readonly SnapshotManifest[];
  /** Manifests that cannot be read. */
  readonly damaged: readonly string[];
  readonly unfinished: readonly UnfinishedRestore[];
}

export interface ListOptions extends WorkspaceOptions {
  /** Also those of other folders and machines in the same store. @default false */
  readonly all?: boolean;
}

export function listSnapshots(options: ListOptions): Promise<SnapshotList> {
  return inWorkspace(options, async (workspace) => {
    const store = await workspace.store();
    const { snapshots, damaged } = await store.listSnapshots();
    const shown = snapshots.filter((snapshot) => options.all === true || isOwnSnapshot(workspace, snapshot));
    return { snapshots: shown.toReversed(), damaged, unfinished: await unfinishedRestores(workspace) };
  });
}

async function unfinishedRestores({ scope }: Workspace): Promise<readonly UnfinishedRestore[]> {
  const ids = await unfinishedTargetIds(scope).catch(() => []); // closed to other users, who may only look
  const found = await mapLimited(ids, 4, async (id): Promise<UnfinishedRestore | undefined> => {
    try {
      const state = (await TargetJournal.open(scope, id))?.state;
      return state && { id, title: state.plan.title, waiting_until: state.waitingUntil ?? null };
    } catch {
      return { id, title: "", waiting_until: null }; // the next changing command says what is wrong with it
    }
  });
  return found.filter((one) => one !== undefined);
}

/** @throws {RollbackVersionNotFoundError} @throws {IntegrityError} */
export function showSnapshot(options: SnapshotOptions): Promise<SnapshotManifest> {
  return inWorkspace(options, (workspace) => findSnapshot(workspace, options.snapshot));
}

export interface DiffOptions extends WorkspaceOptions {
  readonly from: string;
  /** What is there now when not given. */
  readonly to?: string;
  /** Names; empty: all of `from`. */
  readonly only?: readonly string[];
  readonly paths?: readonly string[];
}

export interface TargetDiff {
  readonly target: string;
  readonly type: string;
  readonly changes: readonly TargetChange[];
}

/** What changed from one snapshot to another, or to now. A target that only one of the two has is one change. */
export function diffSnapshots(options: DiffOptions): Promise<readonly TargetDiff[]> {
  return inWorkspace(options, async (workspace) => {
    const from = await findSnapshot(workspace, options.from);
    const to = options.to === undefined ? undefined : await findSnapshot(workspace, options.to);
    const scratch = temporaryScratch();
    try {
      const diffs: TargetDiff[] = [];
      for (const saved of chosenSaved(from, options.only)) {
        const other = to?.targets.find(({ name, type }) => name === saved.name && type === saved.type);
        const gone = to !== undefined && other === undefined;
        const changes = gone
          ? [{ action: "remove", path: saved.name, detail: `${to.id} does not have it` } as const]
          : await diffOne(workspace, options, scratch, saved, other);
        diffs.push({ target: saved.name, type: saved.type, changes });
      }
      const named = (name: string) => (options.only ?? []).length === 0 || options.only!.includes(name);
      const added = to?.targets.filter(({ name }) =>
        named(name) && !from.targets.some((saved) => saved.name === name)
      ) ?? [];
      const more = added.map(({ name, type }): TargetDiff => ({
        target: name,
        type,
        changes: [{ action: "create", path: name, detail: `${from.id} does not have it` }],
      }));
      return [...diffs, ...more];
    } finally {
      await scratch.remove();
    }
  });
}

async function diffOne(
  workspace: Workspace,
  options: DiffOptions,
  scratch: ReturnType<typeof temporaryScratch>,
  from: SnapshotManifest["targets"][number],
  to: SnapshotManifest["targets"][number] | undefined,
): Promise<readonly TargetChange[]> {
  const { spec, driver } = await bindSaved(workspace.options, from);
  const store = await workspace.store();
  const { signal } = workspace.scope;
  const warn = (message: string) =>
    workspace.scope.emit({ event: "warning", time: workspace.scope.now().toISOString(), message });
  const restoring = { paths: options.paths ?? [], discardChanges: true };
  return await callTarget(
    { workspace, spec, scratch, phase: "comparing", signal, warn },
    (context) => driver.diff(spec, from, to, { ...context, store, options: restoring }),
  );
}
