/** `service rollback`: one service of a stack at another image, by the way of every restore. */
import { ExitCode, UnfinishedOperationError, UsageError } from "#/core/errors.ts";
import { makeTemporaryFolder, removeFolder } from "#/core/output_file.ts";
import type { OperationReport } from "#/report/model.ts";
import { openSnapshotStore } from "#/store/open.ts";
import type { SavedTarget, SnapshotManifest } from "#/store/model.ts";
import type { SnapshotStore } from "#/store/store.ts";
import {
  captureOnImage,
  chooseImage,
  imageText,
  type ServiceImage,
} from "#/target/container/service_image.ts";
import type { ContainerConfig } from "#/target/container/config.ts";
import type { CaptureContext, Captured, TargetContext, TargetSpec } from "#/target/target.ts";
import { type Change, runChange } from "./change.ts";
import type { WorkspaceOptions } from "./options.ts";
import { restore } from "./restore.ts";
import { newSnapshotId, ownSnapshots } from "./snapshot_id.ts";
import { callTarget, targetCall } from "./target_context.ts";

export interface ServiceRollbackOptions extends WorkspaceOptions {
  readonly service: string;
  /** A tag of its image, a reference, an id or a digest. @default the image of the last snapshot that a person or `guard` made */
  readonly image?: string;
  /** The name of the stack, where there are several. */
  readonly target?: string;
  readonly rollbackOnFailure?: boolean;
}

type Stack = TargetSpec<ContainerConfig>;

/**
 * Makes the containers of one service again from another image. Its volumes, the configuration files and all other
 * services stay as they are; the state before is kept in a safety snapshot.
 * @throws {UsageError} there is no stack, or there are several and none is named
 */
export function rollBackService(options: ServiceRollbackOptions): Promise<OperationReport> {
  const stack = stackOf(options);
  const narrow = narrowed(stack, options.service);
  const targets = options.targets.map((it) => (it === stack ? narrow : it));
  const definition = {
    operation: "snapshot_restore",
    title: `roll the service ${options.service} back`,
    version: options.image ?? "latest",
  } as const;
  return runChange(
    { ...options, targets },
    definition,
    (change) => rollBack(change, { ...options, targets }, stack as Stack, narrow),
  );
}

function stackOf({ targets, target, folder }: ServiceRollbackOptions): TargetSpec {
  const stacks = targets.filter(({ type, name }) => type === "container" && (target ?? name) === name);
  if (stacks.length === 1) return stacks[0]!;
  if (stacks.length === 0) {
    throw new UsageError(
      target === undefined
        ? `There is no stack of containers in ${folder}`
        : `There is no stack of containers ${JSON.stringify(target)}`,
      { hint: "Go to the folder of its compose file, or configure a target of the type container." },
    );
  }
  throw new UsageError(`There are several stacks: ${stacks.map(({ name }) => name).join(", ")}`, {
    hint: "Say which one with --target.",
  });
}

function narrowed(stack: TargetSpec, service: string): Stack {
  const keys = { services: [service], include_volumes: false, include_images: false };
  return {
    ...stack,
    config: { ...stack.config as ContainerConfig, ...keys },
    written: { ...stack.written, ...keys },
  };
}

async function rollBack(
  change: Change,
  options: ServiceRollbackOptions,
  stack: Stack,
  narrow: Stack,
): Promise<void> {
  const store = await change.workspace.store();
  const { snapshots } = await store.listSnapshots();
  const question = {
    service: options.service,
    image: options.image,
    snapshots: ownSnapshots(change.workspace, snapshots),
  };
  const image = await call(change, stack, (context) => chooseImage(stack, question, context));
  change.report = {
    ...change.report,
    version: image.reference,
    versions: [image.reference],
    version_exists: true,
  };
  if (image.isRunning) return nothingToDo(change, options.service, image);
  const manifest = await wantedState(change, options, narrow, image);
  try {
    await restore(change, { ...options, snapshot: manifest.id, manifest });
  } catch (error) {
    if (!(error instanceof UnfinishedOperationError)) await forget(change, manifest.id, store);
    throw error;
  }
  await forget(change, manifest.id, store);
  change.report = { ...change.report, version: image.reference, versions: [image.reference] };
  const done = change.report.exit_code === ExitCode.done && !change.dryRun;
  const what = `${options.service} to ${imageText(image)}`;
  if (done) change.report = { ...change.report, summary: `Rolled ${what} back` };
  else if (change.dryRun) change.report = { ...change.report, summary: `Would roll ${what} back` };
  change.warn(
    `The compose file is as it was: where it names another image than ${image.reference}, the next \`up\` brings that back`,
  );
}

function nothingToDo(change: Change, service: string, image: ServiceImage): void {
  change.report = {
    ...change.report,
    status: change.dryRun ? "dry_run" : "success",
    exit_code: ExitCode.done,
    summary: `Nothing to do: ${service} runs ${image.from} already`,
  };
}

/** What is to be brought about, as a snapshot: in the store, since a recovery may need it; only here in a dry run. */
async function wantedState(
  change: Change,
  options: ServiceRollbackOptions,
  narrow: Stack,
  image: ServiceImage,
): Promise<SnapshotManifest> {
  if (!change.dryRun) {
    const store = await change.workspace.store();
    return await captureInto(store, change, options, narrow, image);
  }
  const folder = makeTemporaryFolder("backout-");
  try {
    await using store = await openSnapshotStore({ location: folder, env: options.env, by: "dry run" });
    return await captureInto(store, change, options, narrow, image);
  } finally {
    removeFolder(folder);
  }
}

async function captureInto(
  store: SnapshotStore,
  change: Change,
  { service }: ServiceRollbackOptions,
  narrow: Stack,
  image: ServiceImage,
): Promise<SnapshotManifest> {
  await using writer = await store.write();
  const reader = await change.workspace.store();
  const captured = await call(change, narrow, (context) => {
    const full: CaptureContext = { ...context, store: reader, writer, previous: undefined };
    return captureOnImage(narrow, service, image, full);
  });
  const manifest = manifestOf(change, savedTarget(narrow, captured), service, image);
  if (!change.dryRun) await writer.commit(manifest);
  return manifest;
}

function savedTarget(narrow: Stack, captured: Captured): SavedTarget {
  return {
    name: narrow.name,
    type: narrow.type,
    undo: "exact",
    config: narrow.written,
    ...captured,
    stored_bytes: 0,
    seconds: 0,
  };
}

/** Its id says what it was also when it is gone again. */
function manifestOf(
  { workspace, id }: Change,
  target: SavedTarget,
  service: string,
  image: ServiceImage,
): SnapshotManifest {
  const { scope, folder } = workspace;
  return {
    format: 1,
    id: `service-${service.slice(0, 40)}-${newSnapshotId().slice(-8)}`,
    description: `${service} at ${image.reference}`,
    created_at: scope.now().toISOString(),
    origin: "safety",
    operation_id: id,
    by: scope.by,
    host: scope.host,
    machine_id: scope.machineId,
    workspace: folder,
    pinned: false,
    mark: "",
    labels: {},
    targets: [target],
    warnings: [],
  };
}

/** Nobody needs it once nothing is unfinished: what it says is what runs then. */
async function forget(change: Change, id: string, store: SnapshotStore): Promise<void> {
  if (change.dryRun) return;
  const { afterRecord } = change;
  if (afterRecord === undefined) return void await store.deleteSnapshot(id).catch(() => {});
  change.afterRecord = async () => {
    await afterRecord();
    await store.deleteSnapshot(id);
  };
}

function call<T>(change: Change, spec: TargetSpec, work: (context: TargetContext) => Promise<T>): Promise<T> {
  return callTarget(targetCall(change, spec, "comparing"), work);
}
