/** `restore --to DIR`: what a snapshot has, put into a folder elsewhere; the targets stay as they are. */
import { isAbsolute } from "node:path";
import { ExitCode, UsageError } from "#/core/errors.ts";
import { makeFolders } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { seconds } from "#/release/scope.ts";
import { chosenSaved, loadDriver } from "./bind_target.ts";
import type { Change } from "./change.ts";
import { judgeChange, manifestFacts } from "./judge.ts";
import type { RestoreSnapshotOptions } from "./options.ts";
import { capturedOutcome, outcome, restoredOutcome, withTarget } from "./outcome.ts";
import { doStep } from "./execute_restore.ts";
import { driverOptions } from "./plan_restore.ts";
import { findSnapshot } from "./snapshot_id.ts";
import { callTarget, targetCall } from "./target_context.ts";

/** Each target gets a folder of its name in it. @throws {UsageError} it is not empty */
export async function exportSnapshot(
  change: Change,
  options: RestoreSnapshotOptions,
  to: string,
): Promise<void> {
  const { workspace } = change;
  const snapshot = await findSnapshot(workspace, options.snapshot);
  const chosen = chosenSaved(snapshot, options.only);
  refuseFolder(to);
  change.report = {
    ...change.report,
    version: snapshot.id,
    versions: [snapshot.id],
    version_exists: true,
    steps: chosen.map(({ name }) => ({
      kind: "export_target",
      description: `put ${name} into ${folderOf(to, name)}`,
      status: "planned",
      seconds: 0,
    })),
    snapshot: outcome(snapshot.id, {
      targets: chosen.map((saved) => ({ ...capturedOutcome(saved), method: "", status: "planned" })),
    }),
  };
  await judgeChange(change, `export ${snapshot.id}`, manifestFacts(snapshot));
  if (change.dryRun) {
    const summary = `Would put ${snapshot.id} into ${to}`;
    change.report = { ...change.report, status: "dry_run", exit_code: ExitCode.done, summary };
    return;
  }
  const store = await workspace.store();
  for (const [index, saved] of chosen.entries()) {
    throwIfStopped(workspace.scope.signal);
    const driver = await loadDriver(options, saved.type);
    // Nothing of the target itself is needed: it may be gone, with its credentials.
    const spec = { name: saved.name, type: saved.type, config: undefined, written: saved.config, after: [] };
    const began = performance.now();
    const folder = folderOf(to, saved.name);
    makeFolders(folder);
    const call = targetCall(change, spec, "exporting");
    const restored = await doStep(change, index, () =>
      callTarget(
        call,
        (context) => driver.exportTo(saved, folder, { ...context, store, options: driverOptions(options) }),
      ));
    restored.warnings.forEach((warning) => change.warn(`${saved.name}: ${warning}`));
    change.report = withTarget(
      change.report,
      saved.name,
      (target) => restoredOutcome(target, restored, seconds(began)),
    );
  }
  const summary = `Put ${snapshot.id} into ${to}; the targets stay as they are`;
  change.report = { ...change.report, status: "success", exit_code: ExitCode.done, summary };
}

function folderOf(to: string, target: string): string {
  return `${to}/${target.replaceAll(/[^A-Za-z0-9._-]/g, "_").replace(/^\.+/, "_")}`;
}

function refuseFolder(to: string): void {
  if (!isAbsolute(to)) throw new UsageError(`Cannot export to ${JSON.stringify(to)}: it is not absolute`);
  const info = posix.lstat(to);
  if (info === undefined) return;
  const hint = "Give a new or empty folder.";
  if (!info.isDirectory) throw new UsageError(`Cannot export to ${to}: it is not a folder`, { hint });
  if ((posix.readFolder(to) ?? []).length > 0) {
    throw new UsageError(`Cannot export to ${to}: it is not empty`, { hint });
  }
}
