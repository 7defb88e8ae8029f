/** After a guarded command that succeeded: does what it changed work? */
import { messageOf } from "#/core/errors.ts";
import type { CheckOutcome } from "#/report/model.ts";
import type { SavedTarget } from "#/store/model.ts";
import { bindSaved } from "./bind_target.ts";
import type { WorkspaceOptions } from "./options.ts";
import { findSnapshot } from "./snapshot_id.ts";
import { callTarget, temporaryScratch } from "./target_context.ts";
import { inWorkspace, type Workspace } from "./workspace.ts";

export interface Aftermath {
  readonly checks: readonly CheckOutcome[];
  /** What does not work, in sentences; empty: the command's changes stand. */
  readonly wrong: readonly string[];
  /** What should be known besides. */
  readonly warnings: readonly string[];
}

/**
 * Runs the checks, and asks the targets of the snapshot that know how they are (the services of a stack).
 * @param id the snapshot of the state before the command
 */
export function lookAfterCommand(options: WorkspaceOptions, id: string): Promise<Aftermath> {
  return inWorkspace(options, async (workspace) => {
    const { targets } = await findSnapshot(workspace, id);
    const wrong: string[] = [];
    const warnings: string[] = [];
    for (const saved of targets) {
      wrong.push(...await faultsOf(workspace, saved, (it) => void warnings.push(it)));
    }
    const checks = await runThem(workspace);
    for (const { name, detail, passed, required } of checks) {
      if (!passed) (required ? wrong : warnings).push(`${name}: ${detail}`);
    }
    return { checks, wrong, warnings };
  });
}

async function faultsOf(
  workspace: Workspace,
  saved: SavedTarget,
  warn: (message: string) => void,
): Promise<readonly string[]> {
  const { spec, driver } = await bindSaved(workspace.options, saved);
  if (driver.faults === undefined) return [];
  const scratch = temporaryScratch();
  try {
    return await callTarget(
      { workspace, spec, scratch, phase: "checking", warn },
      (context) => driver.faults!(spec, saved, context),
    );
  } catch (error) {
    return [messageOf(error)];
  } finally {
    await scratch.remove();
  }
}

async function runThem({ options, folder }: Workspace): Promise<readonly CheckOutcome[]> {
  if (options.checks.length === 0) return [];
  const { runChecks } = await import("#/verify/run_checks.ts");
  return await runChecks(options.checks, {
    folder,
    env: options.env,
    signal: new AbortController().signal,
    offline: options.offline ?? false,
  });
}
