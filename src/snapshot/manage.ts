/** What is changed of snapshots that exist: deleted, pinned, marked. */
import { ExitCode, RollbackPolicyViolationError } from "#/core/errors.ts";
import type { OperationKind, OperationReport } from "#/report/model.ts";
import type { SnapshotManifest } from "#/store/model.ts";
import type { SnapshotStore } from "#/store/store.ts";
import { runChange } from "./change.ts";
import { forgetKilledGuard, guardNotes } from "./guard_note.ts";
import { judgeChange, manifestFacts } from "./judge.ts";
import type { WorkspaceOptions } from "./options.ts";
import { outcomeOfManifest } from "./outcome.ts";
import { findSnapshot } from "./snapshot_id.ts";
import type { Workspace } from "./workspace.ts";

export interface SnapshotOptions extends WorkspaceOptions {
  /** An id, a unique beginning of one, `latest` or `last-good`. */
  readonly snapshot: string;
}

interface Managed {
  readonly operation: OperationKind;
  /** `delete`, `pin`, … */
  readonly verb: string;
  /** `Deleted`, `Pinned`, … */
  readonly done: string;
  readonly undo: (id: string) => string | null;
  /** @throws what refuses it */
  readonly check?: (manifest: SnapshotManifest, workspace: Workspace) => Promise<void>;
  readonly work: (store: SnapshotStore, id: string, workspace: Workspace) => Promise<unknown>;
}

function manage(options: SnapshotOptions, managed: Managed): Promise<OperationReport> {
  const { operation, verb, done } = managed;
  const definition = { operation, title: `${verb} ${options.snapshot}`, version: options.snapshot };
  return runChange(options, definition, async (change) => {
    const manifest = await findSnapshot(change.workspace, options.snapshot);
    const { id } = manifest;
    change.report = {
      ...change.report,
      version: id,
      versions: [id],
      version_exists: true,
      snapshot: outcomeOfManifest(manifest),
      steps: [{ kind: operation, description: `${verb} ${id}`, status: "planned", seconds: 0 }],
    };
    await managed.check?.(manifest, change.workspace);
    await judgeChange(change, `${verb} ${id}`, manifestFacts(manifest));
    if (change.dryRun) {
      const summary = `Would ${verb} ${id}`;
      change.report = { ...change.report, status: "dry_run", exit_code: ExitCode.done, summary };
      return;
    }
    await change.hooks.before(change.report);
    await managed.work(await change.workspace.store(), id, change.workspace);
    change.report = {
      ...change.report,
      status: "success",
      exit_code: ExitCode.done,
      steps: change.report.steps.map((step) => ({ ...step, status: "done" })),
      undo: managed.undo(id),
      summary: `${done} ${id}`,
    };
  });
}

/** Deletes a snapshot; its bytes go with the next collection. One that is pinned, or that a guard may go back to, is refused (41) unless forced. */
export function deleteSnapshot(options: SnapshotOptions): Promise<OperationReport> {
  return manage(options, {
    operation: "snapshot_delete",
    verb: "delete",
    done: "Deleted",
    undo: () => null,
    check: async ({ id, pinned }, workspace) => {
      if (options.force === true) return;
      if (pinned) throw refused(id, "it is pinned", `Unpin it first: backout snapshot unpin ${id}.`);
      const guard = (await guardNotes(workspace)).find((it) => it.snapshot === id && it.isRunning);
      if (guard === undefined) return;
      throw refused(id, `the guard of ${guard.program} may go back to it`, "Wait until the guard has ended.");
    },
    work: async (store, id, workspace) => {
      await store.deleteSnapshot(id);
      await forgetKilledGuard(workspace, id);
    },
  });
}

function refused(id: string, why: string, hint: string): RollbackPolicyViolationError {
  return new RollbackPolicyViolationError(`Refused to delete ${id}: ${why}`, {
    hint,
    context: { snapshot: id },
  });
}

/** A pinned snapshot is kept by retention, and not deleted by accident. */
export function pinSnapshot(
  options: SnapshotOptions & { readonly pinned: boolean },
): Promise<OperationReport> {
  const { pinned } = options;
  return manage(options, {
    operation: pinned ? "snapshot_pin" : "snapshot_unpin",
    verb: pinned ? "pin" : "unpin",
    done: pinned ? "Pinned" : "Unpinned",
    undo: (id) => `backout snapshot ${pinned ? "unpin" : "pin"} ${id}`,
    work: (store, id) => store.updateSnapshot(id, { pinned }),
  });
}

/** Says what is thought of a snapshot: `last-good` is the newest that is marked good. Empty takes the mark away. */
export function markSnapshot(
  options: SnapshotOptions & { readonly mark: SnapshotManifest["mark"] },
): Promise<OperationReport> {
  const { mark } = options;
  return manage(options, {
    operation: "snapshot_mark",
    verb: mark === "" ? "unmark" : `mark as ${mark}`,
    done: mark === "" ? "Took the mark from" : `Marked as ${mark}:`,
    undo: () => null,
    work: (store, id) => store.updateSnapshot(id, { mark }),
  });
}
