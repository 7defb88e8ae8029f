/** Carries a worked-out state of components out, by the engine that restores snapshots: all of it, or none. */
import { RollbackPolicyViolationError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import { sha256Hex } from "#/core/sha256.ts";
import type { Change } from "#/snapshot/change.ts";
import type { RestoreSnapshotOptions } from "#/snapshot/options.ts";
import type { RestoreStep, RestoreWording } from "#/snapshot/plan_restore.ts";
import { restoreWorkedOut } from "#/snapshot/restore.ts";
import { callTarget, targetCall } from "#/snapshot/target_context.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { ComponentsConfig } from "#/target/components.ts";
import { documentNow } from "#/target/components/files.ts";
import {
  type CheckoutState,
  type ComponentsState,
  type FileState,
  fingerprintOf,
  stateJson,
} from "#/target/components/model.ts";
import type { RemoteBranch, RemoteBranchesConfig } from "#/target/remote_branches.ts";
import type { TargetDriver, TargetSpec } from "#/target/target.ts";
import type { EndOptions, MetaOptions } from "./options.ts";

export const TARGET_NAME = "components";
const MOST_NAMED = 5;

/** A document that is to get another text. Undefined: it is to be removed. */
export interface DocumentChange {
  /** From the root. */
  readonly path: string;
  readonly text: string | undefined;
}

export interface WorkedOut {
  readonly checkouts: readonly CheckoutState[];
  readonly documents: readonly DocumentChange[];
  /** Branches that are pushed when everything else is done. */
  readonly pushes?: readonly RemoteBranch[];
  readonly wording: RestoreWording;
}

/**
 * @throws {RollbackPolicyViolationError} 41: uncommitted work is in the way; force does not change that, since nothing
 *   would keep that work
 */
export async function carryOutWorkedOut(
  change: Change,
  options: MetaOptions & EndOptions,
  { checkouts, documents, pushes = [], wording }: WorkedOut,
): Promise<void> {
  const root = options.folder;
  const state: ComponentsState = {
    checkouts,
    files: documents.map((document) => documentState(root, document)),
  };
  const { driver } = await import("#/target/components.ts");
  const spec = specOf(root, state);
  const saved = savedOf(spec, state);
  const store = await change.workspace.store();
  const restoreOptions: RestoreSnapshotOptions = { ...options, snapshot: "", discardChanges: false };
  const plan = await callTarget(
    targetCall(change, spec, "comparing"),
    (context) =>
      driver.plan(spec, saved, { ...context, store, options: { paths: [], discardChanges: false } }),
  );
  refuseUncommitted(plan.uncommitted, wording);
  const all: RestoreStep[] = [{ saved, bound: { spec, driver: driver as unknown as TargetDriver }, plan }];
  if (pushes.length > 0) all.push(await pushStep(change, root, pushes));
  const snapshot = {
    format: 1 as const,
    id: "",
    description: wording.noun,
    created_at: change.report.timestamp,
    origin: "manual" as const,
    operation_id: change.id,
    by: change.report.by,
    host: change.report.host,
    machine_id: change.workspace.scope.machineId,
    workspace: root,
    pinned: false,
    mark: "" as const,
    labels: {},
    targets: all.map((step) => step.saved),
    warnings: [],
  };
  const steps = all.filter((step) => step.plan.changes.length > 0);
  await restoreWorkedOut(change, restoreOptions, { snapshot, all, steps, wording });
}

/** The last one: what others can see is changed when nothing else can fail any more. */
async function pushStep(change: Change, root: string, pushes: readonly RemoteBranch[]): Promise<RestoreStep> {
  const { driver, fingerprintOfBranches, stateOfBranches } = await import("#/target/remote_branches.ts");
  const config: RemoteBranchesConfig = {
    path: root,
    branches: pushes.map(({ component, ref }) => ({ component, ref })),
  };
  const written = config as unknown as JsonObject;
  const spec = { name: "remotes", type: "remote_branches", config, written, after: [TARGET_NAME] };
  const saved: SavedTarget = {
    ...{ name: spec.name, type: spec.type, undo: "compensating", config: written, method: "remote_branches" },
    ...{
      metadata: {},
      state: stateOfBranches(pushes),
      roots: [],
      fingerprint: fingerprintOfBranches(pushes),
    },
    ...{ files: 0, bytes: 0, stored_bytes: 0, seconds: 0, warnings: [] },
  };
  const store = await change.workspace.store();
  const plan = await callTarget(
    targetCall(change, spec, "comparing"),
    (context) =>
      driver.plan(spec, saved, { ...context, store, options: { paths: [], discardChanges: false } }),
  );
  return { saved, bound: { spec, driver: driver as unknown as TargetDriver }, plan };
}

function documentState(root: string, { path, text }: DocumentChange): FileState {
  const { sha256: from } = documentNow(root, path);
  if (text === undefined) return { path, sha256: null, from };
  return { path, sha256: sha256Hex(text), text, from };
}

function specOf(root: string, { checkouts, files }: ComponentsState): TargetSpec<ComponentsConfig> {
  const refs = checkouts.filter((it) => Object.keys(it.refs).length > 0)
    .map(({ name, refs: own }) => [name, Object.keys(own)] as const);
  const config: ComponentsConfig = {
    path: root,
    components: checkouts.map(({ name }) => name),
    files: files.map(({ path }) => path),
    ...(refs.length === 0 ? {} : { refs: Object.fromEntries(refs) }),
  };
  return {
    name: TARGET_NAME,
    type: "components",
    config,
    written: config as unknown as JsonObject,
    after: [],
  };
}

function savedOf(spec: TargetSpec<ComponentsConfig>, state: ComponentsState): SavedTarget {
  return {
    name: spec.name,
    type: spec.type,
    undo: "exact",
    config: spec.written,
    method: "components",
    metadata: { components: Object.fromEntries(state.checkouts.map(({ name, commit }) => [name, commit])) },
    state: stateJson(state),
    roots: [],
    fingerprint: fingerprintOf(state),
    files: state.files.length,
    bytes: 0,
    stored_bytes: 0,
    seconds: 0,
    warnings: [],
  };
}

function refuseUncommitted(uncommitted: readonly string[], { title }: RestoreWording): void {
  if (uncommitted.length === 0) return;
  const more = uncommitted.length > MOST_NAMED ? `; and ${uncommitted.length - MOST_NAMED} more` : "";
  throw new RollbackPolicyViolationError(
    `Refused to ${title}: there is uncommitted work (${uncommitted.slice(0, MOST_NAMED).join("; ")}${more})`,
    {
      hint: "Commit or stash it first; not even --force gives it up, since nothing would keep it.",
      context: { uncommitted: [...uncommitted] },
    },
  );
}
