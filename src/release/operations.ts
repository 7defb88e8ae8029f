/** The changing operations of the library: each one a definition, run through the pipeline. */
import { PlanMismatchError, UsageError } from "#/core/errors.ts";
import { canonicalJson, isJsonObject } from "#/core/json.ts";
import { deleteBackupChange, pinBackupChange, unpinBackupChange } from "#/release/backup_change.ts";
import { channelRollbackChange, channelSetChange } from "#/release/channel.ts";
import type { RunOptions } from "#/release/decide.ts";
import type { Definition } from "#/release/definition.ts";
import { releaseHoldChange, setHoldChange } from "#/release/hold.ts";
import { type IndexOnlyChange, indexOnlyDefinition } from "#/release/index_only_change.ts";
import { namedBackupChange } from "#/release/named_backup.ts";
import { writeOutputFiles } from "#/release/output_files.ts";
import { runOperation } from "#/release/pipeline.ts";
import { publishDefinition } from "#/release/publish.ts";
import { restoreDefinition } from "#/release/restore.ts";
import { restoreAtDefinition } from "#/release/restore_at.ts";
import { retentionDefinition } from "#/release/retention.ts";
import { rollbackDefinition } from "#/release/rollback.ts";
import { openScope } from "#/release/scope.ts";
import { markChange, unyankChange, yankChange } from "#/release/yank.ts";
import type { RepositoryView } from "#/repository/inspect.ts";
import type {
  BackupChangeOptions,
  ChangeOptions,
  ChannelRollbackOptions,
  ChannelSetOptions,
  HoldOptions,
  MarkOptions,
  PublishOptions,
  RestoreOptions,
  RetentionOptions,
  RollbackOptions,
  YankOptions,
} from "#/repository/options.ts";
import type { OperationReport } from "#/report/model.ts";
import type { RepositoryStep } from "#/step/repository_step.ts";

/**
 * Publishes a folder as a release: files first, verified; the index after.
 * Publishing the same bytes again does nothing; other bytes under the same version are refused (46).
 * @throws {UsageError} when the options make no sense
 */
export async function publishRelease(options: PublishOptions): Promise<OperationReport> {
  return await change(publishDefinition(options), options);
}

/**
 * Takes one version (or everything newer than one) out: index first, artifacts into a backup after.
 * @throws {UsageError} when the options make no sense
 */
export async function rollbackRelease(options: RollbackOptions): Promise<OperationReport> {
  return await rollback(options, {});
}

/** Undoes a rollback from its backup, or with `at` everything that was taken out since a time. */
export async function restoreRelease(options: RestoreOptions): Promise<OperationReport> {
  if (options.at !== undefined) return await change(restoreAtDefinition(options), options);
  return await change(restoreDefinition(options), options);
}

/** Marks a version so that nobody picks it anew; its artifacts stay. */
export async function yankRelease(options: YankOptions): Promise<OperationReport> {
  return await changeIndex(yankChange(options), options);
}

/** Takes a yank back. */
export async function unyankRelease(options: YankOptions): Promise<OperationReport> {
  return await changeIndex(unyankChange(options), options);
}

/** Marks a version good or bad; a bad one is never chosen for a channel. */
export async function markRelease(options: MarkOptions): Promise<OperationReport> {
  return await changeIndex(markChange(options), options);
}

/** Points a channel at a version. */
export async function setChannel(options: ChannelSetOptions): Promise<OperationReport> {
  return await changeIndex(channelSetChange(options), options);
}

/** Points a channel at the version that it named before. */
export async function rollbackChannel(options: ChannelRollbackOptions): Promise<OperationReport> {
  return await changeIndex(channelRollbackChange(options), options);
}

/** Stops publishes and channel moves until the hold is released. */
export async function setHold(options: HoldOptions): Promise<OperationReport> {
  return await changeIndex(setHoldChange(options.hold, options.reason ?? ""), options);
}

/** Releases a hold. */
export async function releaseHold(options: HoldOptions): Promise<OperationReport> {
  return await changeIndex(releaseHoldChange(options.hold), options);
}

/** Deletes a backup for good. */
export async function deleteBackup(options: BackupChangeOptions): Promise<OperationReport> {
  return await changeBackup(options, deleteBackupChange);
}

/**
 * Deletes the backups and the history that the rules let go of, oldest first. Nothing to do is a success without a trace.
 * @throws {UsageError} when no rule is set, or one makes no sense
 */
export async function applyRetention(options: RetentionOptions): Promise<OperationReport> {
  return await change(retentionDefinition(options), options);
}

/** Keeps a backup from being deleted. */
export async function pinBackup(options: BackupChangeOptions): Promise<OperationReport> {
  return await changeBackup(options, (backup) => pinBackupChange(backup, options.reason ?? ""));
}

/** Takes a pin back. */
export async function unpinBackup(options: BackupChangeOptions): Promise<OperationReport> {
  return await changeBackup(options, unpinBackupChange);
}

/** A plan that was saved to be looked at and applied later. A promise, not a program: it holds what was asked. */
export interface SavedPlan {
  readonly format: 1;
  readonly kind: "backout.plan";
  readonly created_at: string;
  readonly repository: string;
  readonly options: SavedOptions;
  readonly steps: readonly RepositoryStep[];
}

type SavedOptions = Pick<
  RollbackOptions,
  | "version"
  | "to"
  | "toLastGood"
  | "channel"
  | "type"
  | "artifacts"
  | "noBackup"
  | "verifyBackup"
  | "channelTo"
  | "reason"
  | "policyMode"
  | "force"
>;

const SAVED_OPTIONS = [
  "version",
  "to",
  "toLastGood",
  "channel",
  "type",
  "artifacts",
  "noBackup",
  "verifyBackup",
  "channelTo",
  "reason",
  "policyMode",
  "force",
] as const satisfies readonly (keyof SavedOptions)[];

const isText = (value: unknown): boolean => typeof value === "string";
const isFlag = (value: unknown): boolean => typeof value === "boolean";
const oneOf = (...names: readonly string[]) => (value: unknown): boolean =>
  names.some((name) => name === value);

/** A plan is a file that anybody may have edited. */
const OPTION_CHECKS: Readonly<Record<keyof SavedOptions, (value: unknown) => boolean>> = {
  version: isText,
  to: isText,
  toLastGood: isFlag,
  channel: isText,
  type: oneOf("full", "artifacts_only", "index_only"),
  artifacts: (value) => Array.isArray(value) && value.every(isText),
  noBackup: isFlag,
  verifyBackup: oneOf("full", "size"),
  channelTo: isText,
  reason: isText,
  policyMode: oneOf("strict", "lenient"),
  force: isFlag,
};

/** Plans a rollback without doing it. The plan is undefined when the report says that it is refused. */
export async function planRollback(
  options: RollbackOptions,
): Promise<{ readonly report: OperationReport; readonly plan: SavedPlan | undefined }> {
  const scope = await openScope(options);
  const outcome = await runOperation(scope, rollbackDefinition(options), { ...options, dryRun: true });
  if (outcome.plan === undefined || outcome.report.exit_code !== 0) {
    return { report: outcome.report, plan: undefined };
  }
  const given = SAVED_OPTIONS.filter((name) => options[name] !== undefined);
  const plan: SavedPlan = {
    format: 1,
    kind: "backout.plan",
    created_at: outcome.report.timestamp,
    repository: options.repository,
    options: Object.fromEntries(given.map((name) => [name, options[name]])),
    steps: outcome.plan.steps,
  };
  return { report: outcome.report, plan };
}

export interface ApplyOptions extends ChangeOptions {
  /** The saved plan, as parsed JSON. */
  readonly plan: unknown;
  readonly manifestOutputDir?: string;
  readonly auditOutputDir?: string;
}

/**
 * Runs a saved plan: inspects and plans again with today's policy, and runs if the steps come out equal (else 55).
 * @throws {UsageError} when it is not a saved plan
 */
export async function applyPlan(options: ApplyOptions): Promise<OperationReport> {
  const saved = parsePlan(options.plan);
  const { plan: _plan, ...rest } = options;
  const asked: RollbackOptions = { ...saved.options, ...rest };
  return await rollback(asked, {
    checkPlan: (plan) => {
      if (canonicalJson(plan.steps) === canonicalJson(saved.steps)) return;
      throw new PlanMismatchError("The saved plan no longer matches the repository; nothing was touched", {
        hint: "Make a new plan with --out, look at it, and apply that one.",
      });
    },
  });
}

function parsePlan(plan: unknown): SavedPlan {
  const good = isJsonObject(plan) && plan.kind === "backout.plan" && plan.format === 1 &&
    isJsonObject(plan.options) &&
    Array.isArray(plan.steps);
  if (!good) {
    throw new UsageError("This is not a plan that `release rollback --out` wrote", {
      hint: "Make one with: backout release rollback VERSION --out PLANFILE",
    });
  }
  const saved = plan as unknown as SavedPlan;
  const known = SAVED_OPTIONS.filter((name) => saved.options[name] !== undefined);
  const wrong = known.find((name) => !OPTION_CHECKS[name](saved.options[name]));
  if (wrong !== undefined) {
    throw new UsageError(`The plan's option ${wrong} is not one that backout wrote`, {
      hint: "The file was changed. Make a new plan with: backout release rollback VERSION --out PLANFILE",
      context: { option: wrong },
    });
  }
  return { ...saved, options: Object.fromEntries(known.map((name) => [name, saved.options[name]])) };
}

async function rollback(options: RollbackOptions, run: RunOptions): Promise<OperationReport> {
  const scope = await openScope(options);
  const complete: RunOptions["complete"] = (outcome) => writeOutputFiles(scope, outcome, options);
  return (await runOperation(scope, rollbackDefinition(options), options, { ...run, complete })).report;
}

async function change<V extends RepositoryView>(
  definition: Definition<V>,
  options: ChangeOptions,
): Promise<OperationReport> {
  return (await runOperation(await openScope(options), definition, options)).report;
}

async function changeIndex(definition: IndexOnlyChange, options: ChangeOptions): Promise<OperationReport> {
  return await change(indexOnlyDefinition(definition), options);
}

async function changeBackup(
  options: BackupChangeOptions,
  make: (backup: string) => IndexOnlyChange,
): Promise<OperationReport> {
  return await changeIndex(await namedBackupChange(options, make), options);
}
