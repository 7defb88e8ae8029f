/** Snapshots of other rollback tools become snapshots of this store. */
import { ExitCode, messageOf, RollbackVersionNotFoundError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import type { OperationReport, StepReport } from "#/report/model.ts";
import { count } from "#/report/units.ts";
import type { SavedTarget, SnapshotManifest } from "#/store/model.ts";
import type { StoreWriter } from "#/store/store.ts";
import { type Change, runChange } from "../change.ts";
import { judgeChange } from "../judge.ts";
import type { WorkspaceOptions } from "../options.ts";
import { assertSnapshotId } from "../snapshot_id.ts";
import { configurationTarget } from "./configuration_target.ts";
import type { Found, FoundSnapshot } from "./found.ts";
import { gitTarget } from "./git_target.ts";
import { indexFolder, projectOf, readIndexFolder } from "./index_folder.ts";
import { metadataFolder, readMetadataFiles } from "./metadata_files.ts";
import { volumeTarget } from "./volume_target.ts";

export interface ImportOptions extends WorkspaceOptions {
  /** The other tool's folder, or the project that has it; absolute. */
  readonly from: string;
}

/**
 * Takes over what another tool left, each snapshot under its own id; its files stay as they are. What is here already is
 * left alone, and what cannot be taken over is named in the warnings.
 */
export function importSnapshots(options: ImportOptions): Promise<OperationReport> {
  const definition = {
    operation: "snapshot_import",
    title: `import the snapshots of ${options.from}`,
    version: "",
  } as const;
  return runChange(options, definition, (change) => importAll(change, options));
}

async function importAll(change: Change, options: ImportOptions): Promise<void> {
  const found = findSnapshots(options);
  for (const reason of found.refused) change.warn(`Not imported: ${reason}`);
  const store = await change.workspace.store();
  const wanted: FoundSnapshot[] = [];
  for (const snapshot of found.snapshots) {
    if (!await isNew(change, snapshot, (id) => store.readSnapshot(id))) continue;
    if (holdsSomething(snapshot)) wanted.push(snapshot);
    else tellNothing(change, snapshot.id, snapshot.left_out);
  }
  change.report = {
    ...change.report,
    version_exists: true,
    versions: wanted.map(({ id }) => id),
    steps: wanted.map((snapshot): StepReport => ({
      kind: "import_snapshot",
      description: `import ${snapshot.id} of ${snapshot.created_at} (${contentOf(snapshot)})`,
      status: "planned",
      seconds: 0,
    })),
  };
  await judgeChange(change, `import from ${options.from}`, { id: "" });
  if (change.dryRun) {
    for (const { id, left_out } of wanted) tellLeftOut(change, id, left_out);
    const summary = `Would import ${count(wanted.length, "snapshot")} from ${options.from}`;
    change.report = { ...change.report, status: "dry_run", exit_code: ExitCode.done, summary };
    return;
  }
  const imported: string[] = [];
  for (const [index, snapshot] of wanted.entries()) {
    throwIfStopped(change.workspace.scope.signal);
    const done = await importOne(change, snapshot);
    if (done) imported.push(snapshot.id);
    const steps = change.report.steps.map((step, i): StepReport =>
      i === index ? { ...step, status: done ? "done" : "skipped" } : step
    );
    change.report = { ...change.report, steps };
  }
  change.report = {
    ...change.report,
    status: "success",
    exit_code: ExitCode.done,
    versions: imported,
    summary: `Imported ${count(imported.length, "snapshot")} from ${options.from}`,
  };
}

/** @throws {RollbackVersionNotFoundError} there is nothing of a tool that is known */
function findSnapshots({ from, folder }: ImportOptions): Found {
  const index = indexFolder(from);
  const metadata = metadataFolder(from);
  if (index === undefined && metadata === undefined) {
    const state = posix.lstat(from) === undefined
      ? "there is no such folder"
      : "there are no snapshots of another tool in it";
    throw new RollbackVersionNotFoundError(`Cannot import from ${from}: ${state}`, {
      hint: "Give the folder that has rollback_index.json, or the one with the *_metadata.json files.",
      context: { from },
    });
  }
  const parts: readonly Found[] = [
    ...(index === undefined ? [] : [readIndexFolder(index, projectOf(index) ?? folder)]),
    ...(metadata === undefined ? [] : [readMetadataFiles(metadata, projectAbove(metadata) ?? folder)]),
  ];
  return {
    snapshots: parts.flatMap(({ snapshots }) => snapshots),
    refused: parts.flatMap(({ refused }) => refused),
  };
}

function projectAbove(folder: string): string | undefined {
  return /^(.+)\/pipe_runs\/rollback_snapshots$/.exec(folder)?.[1];
}

async function isNew(
  change: Change,
  { id }: FoundSnapshot,
  read: (id: string) => Promise<SnapshotManifest | undefined>,
): Promise<boolean> {
  try {
    assertSnapshotId(id);
  } catch (error) {
    change.warn(`Not imported: ${messageOf(error)}`);
    return false;
  }
  if (await read(id) === undefined) return true;
  change.warn(`${id} is here already, and is left as it is`);
  return false;
}

function holdsSomething({ files, volumes = [], git }: FoundSnapshot): boolean {
  return files.length > 0 || volumes.length > 0 || git !== undefined;
}

function contentOf({ files, volumes = [], git }: FoundSnapshot): string {
  const parts = [
    ...(files.length === 0 ? [] : [count(files.length, "file")]),
    ...(volumes.length === 0 ? [] : [count(volumes.length, "volume")]),
    ...(git === undefined ? [] : [`commit ${git.commit.slice(0, 12)} of ${git.repo_path}`]),
  ];
  return parts.join(", ");
}

function tellLeftOut(change: Change, id: string, reasons: readonly string[]): void {
  for (const reason of reasons) change.warn(`${id}: left out ${reason}`);
}

function tellNothing(change: Change, id: string, reasons: readonly string[]): void {
  tellLeftOut(change, id, reasons);
  change.warn(`${id}: nothing of it can be restored, so it is not imported`);
}

/** @returns false where nothing of it could be taken over */
async function importOne(change: Change, found: FoundSnapshot): Promise<boolean> {
  const { workspace } = change;
  const { scope, folder } = workspace;
  const store = await workspace.store();
  await using writer = await store.write(scope.signal === undefined ? {} : { signal: scope.signal });
  const leftOut = [...found.left_out];
  const targets = await importTargets(change, found, writer, leftOut);
  if (targets.length === 0) {
    tellNothing(change, found.id, leftOut);
    return false;
  }
  tellLeftOut(change, found.id, leftOut);
  await writer.commit({
    format: 1,
    id: found.id,
    description: found.description,
    created_at: found.created_at,
    origin: "import",
    operation_id: change.id,
    by: scope.by,
    host: scope.host,
    machine_id: scope.machineId,
    workspace: folder,
    pinned: false,
    mark: "",
    labels: found.labels,
    targets,
    warnings: leftOut.map((reason) => `left out at the import: ${reason}`),
  });
  return true;
}

async function importTargets(
  change: Change,
  found: FoundSnapshot,
  writer: StoreWriter,
  leftOut: string[],
): Promise<readonly SavedTarget[]> {
  const targets: SavedTarget[] = [];
  if (found.files.length > 0) {
    const target = await configurationTarget(found, writer, leftOut);
    if (target !== undefined) targets.push(target);
  }
  const { scope, options } = change.workspace;
  const signal = scope.signal ?? new AbortController().signal;
  for (const volume of found.volumes ?? []) {
    try {
      targets.push(await volumeTarget(volume, writer, { env: options.env, signal }));
    } catch (error) {
      throwIfStopped(scope.signal);
      leftOut.push(`the volume ${volume.name}: ${messageOf(error)}`);
    }
  }
  if (found.git !== undefined) {
    try {
      targets.push(await gitTarget(change, found.git, writer));
    } catch (error) {
      leftOut.push(`its commit: ${messageOf(error)}`);
    }
  }
  return targets;
}
