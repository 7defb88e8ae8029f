/** Carries out the requests of other programs. Every request is answered; nothing is thrown. */
import { checksFromValue } from "#/config/checks.ts";
import { ExitCode, UsageError, VerificationError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import { VERSION } from "#/core/version.ts";
import { listHistoryRecords } from "#/operation/history.ts";
import { openScope } from "#/release/scope.ts";
import type { OperationReport } from "#/report/model.ts";
import {
  createSnapshot,
  listSnapshots,
  restoreSnapshot,
  showSnapshot,
  snapshotNumbers,
} from "#/snapshot/mod.ts";
import type { CreateOptions, WorkspaceOptions } from "#/snapshot/options.ts";
import { targetTypes } from "#/target/registry.ts";
import type { TargetSpec } from "#/target/target.ts";
import { checkTypes } from "#/verify/registry.ts";
import { runChecks } from "#/verify/run_checks.ts";
import { adHocTarget } from "./ad_hoc.ts";
import {
  createAnswer,
  failure,
  historyDocument,
  type PluginAnswer,
  rollbackAnswer,
  snapshotDocument,
} from "./answer.ts";
import { snapshotFiles } from "./files.ts";
import { ACTIONS, parseRequest, type PluginRequest, readRequest } from "./request.ts";

const DEFAULT_HISTORY = 100;

/** Answers one request, given as JSON text or as a value. */
export async function answerRequest(
  request: string | JsonObject,
  options: WorkspaceOptions,
): Promise<PluginAnswer> {
  let read: PluginRequest | undefined;
  try {
    read = typeof request === "string" ? parseRequest(request) : readRequest(request);
    return withRequest(await carryOut(read, options), read);
  } catch (error) {
    const id = read?.snapshotId;
    return withRequest(failure(error, id === undefined ? {} : { snapshot_id: id }), read);
  }
}

function withRequest(answer: PluginAnswer, request: PluginRequest | undefined): PluginAnswer {
  if (request === undefined) return answer;
  const { requestId, unknown } = request;
  const notes = unknown.map((key) => `the field ${JSON.stringify(key)} is not known and was ignored`);
  const warnings = [...answer.document.warnings as readonly string[] | undefined ?? [], ...notes];
  return {
    ...answer,
    document: {
      ...answer.document,
      ...(warnings.length === 0 ? {} : { warnings }),
      ...(requestId === undefined ? {} : { request_id: requestId }),
    },
  };
}

async function carryOut(request: PluginRequest, options: WorkspaceOptions): Promise<PluginAnswer> {
  using limited = withTimeout(request, options);
  const asked: WorkspaceOptions = {
    ...limited.options,
    ...(request.dryRun ? { dryRun: true } : {}),
    ...(request.reason === undefined ? {} : { reason: request.reason }),
  };
  switch (request.action) {
    case "create_snapshot":
      return await create(request, asked);
    case "execute_rollback":
      return await rollback(request, asked);
    case "list_snapshots":
      return await list(asked);
    case "get_rollback_history":
      return await history(request, asked);
    case "status":
      return await status(asked);
    case "evaluate_rollback_policy":
      return await evaluatePolicy(request, asked);
    default:
      return request.action satisfies never;
  }
}

function withTimeout({ timeoutMs }: PluginRequest, options: WorkspaceOptions) {
  if (timeoutMs === undefined) return { options, [Symbol.dispose]: () => {} };
  const late = new AbortController();
  const timer = setTimeout(() => late.abort("timeout"), timeoutMs);
  const signal = options.signal === undefined ? late.signal : AbortSignal.any([options.signal, late.signal]);
  return { options: { ...options, signal }, [Symbol.dispose]: () => clearTimeout(timer) };
}

async function create(request: PluginRequest, options: WorkspaceOptions): Promise<PluginAnswer> {
  const { snapshotId, description } = request;
  const chosen = await whatToCapture(request, options);
  const report = await createSnapshot({
    ...options,
    ...chosen,
    ...(snapshotId === undefined ? {} : { id: snapshotId }),
    ...(description === undefined ? {} : { description }),
  });
  if (report.dry_run || report.exit_code !== ExitCode.done) {
    return createAnswer(report, undefined, options.store.location, new Map());
  }
  const manifest = await showSnapshot({ ...options, snapshot: report.version });
  const files = await snapshotFiles(manifest, options, request.includeContent);
  return createAnswer(report, manifest, options.store.location, files);
}

/** The target of the request; with a type alone those of the configuration; with nothing all of them. */
async function whatToCapture(
  { type, config }: PluginRequest,
  options: WorkspaceOptions,
): Promise<Pick<CreateOptions, "adHoc" | "only">> {
  if (type === undefined) {
    if (config !== undefined) throw new UsageError("The request has a config, and lacks its type");
    if (options.targets.length > 0) return {};
    throw new UsageError("The request lacks type, and no targets are configured here", {
      hint: `Types: ${Object.keys(targetTypes).join(", ")}.`,
    });
  }
  if (config === undefined) {
    const own = options.targets.filter((target) => target.type === type).map(({ name }) => name);
    if (own.length > 0) return { only: own };
  }
  return { adHoc: await requestedTarget(type, config, options) };
}

async function requestedTarget(
  type: string,
  config: JsonObject | undefined,
  options: WorkspaceOptions,
): Promise<TargetSpec> {
  const { folder, env } = options;
  // Where nothing is said, the repository is the one that the program runs in.
  const given = type === "git_commit" ? { repo_path: folder, ...config } : config;
  if (given !== undefined) return await adHocTarget({ type, config: given, folder, env });
  throw new UsageError(`The request lacks config: a target of type ${JSON.stringify(type)} needs it`);
}

async function rollback(request: PluginRequest, options: WorkspaceOptions): Promise<PluginAnswer> {
  const { snapshotId, type, config, tests } = request;
  if (snapshotId === undefined) throw new UsageError("The request lacks snapshot_id");
  const checks = tests.length === 0 ? options.checks : await checksFromValue(tests, options.env);
  // Given again, the target has the credentials that no snapshot keeps.
  const targets = type === undefined || config === undefined
    ? options.targets
    : [...options.targets, await adHocTarget({ type, config, folder: options.folder, env: options.env })];
  const report = await restoreSnapshot({
    ...options,
    targets,
    snapshot: snapshotId,
    checks,
    rollbackOnFailure: request.rollbackOnFailure,
    discardChanges: request.discardChanges,
  });
  return rollbackAnswer(await checkedAnyway(report, checks, options), tests);
}

/** Where everything was as the snapshot has it nothing was restored, so nothing was checked yet. */
async function checkedAnyway(
  report: OperationReport,
  checks: WorkspaceOptions["checks"],
  options: WorkspaceOptions,
): Promise<OperationReport> {
  const { snapshot } = report;
  const idle = report.status === "success" && report.steps.length === 0 && snapshot?.checks.length === 0;
  if (!idle || snapshot === undefined || checks.length === 0) return report;
  const { folder, env, offline = false, signal = new AbortController().signal } = options;
  const results = await runChecks(checks, { folder, env, offline, signal });
  const seen = { ...report, snapshot: { ...snapshot, checks: results } };
  const failed = results.filter(({ passed, required }) => required && !passed);
  if (failed.length === 0) return seen;
  const error = new VerificationError(
    `Nothing had to be restored, but a check failed: ${failed.map(({ name }) => name).join(", ")}`,
  );
  const { code, kind, message } = error;
  return {
    ...seen,
    status: "partial",
    exit_code: code,
    error: { code, kind, message, hint: null, context: {} },
    summary: message,
  };
}

async function list(options: WorkspaceOptions): Promise<PluginAnswer> {
  const { snapshots, damaged } = await listSnapshots(options);
  const documents = snapshots.map((manifest) => snapshotDocument(manifest, options.store.location));
  return answered({
    status: "success",
    total: documents.length,
    snapshots: documents,
    ...(damaged.length === 0 ? {} : { damaged }),
  });
}

async function history(request: PluginRequest, options: WorkspaceOptions): Promise<PluginAnswer> {
  const { store } = await openScope({ repository: options.folder });
  const records = await listHistoryRecords(store, Infinity);
  const rollbacks = records.filter(({ operation, dry_run }) => operation === "snapshot_restore" && !dry_run);
  const shown = rollbacks.slice(0, request.limit ?? DEFAULT_HISTORY);
  return answered({
    status: "success",
    total: rollbacks.length,
    history: shown.map(historyDocument),
  });
}

async function status(options: WorkspaceOptions): Promise<PluginAnswer> {
  const numbers = await snapshotNumbers(options);
  return answered({
    status: "success",
    plugin: "backout",
    version: VERSION,
    workspace: options.folder,
    store: options.store.location,
    capabilities: {
      actions: ACTIONS,
      snapshot_types: Object.keys(targetTypes),
      verification_tests: Object.keys(checkTypes),
    },
    statistics: numbers as unknown as JsonObject,
  });
}

/** Whether the policy rolls a failure back without asking anybody, and how that is checked. */
async function evaluatePolicy(
  { failureContext }: PluginRequest,
  { policy, now }: WorkspaceOptions,
): Promise<PluginAnswer> {
  if (failureContext === undefined) throw new UsageError("The request lacks failure_context");
  const { automaticRollback } = await import("#/policy/automatic.ts"); // expressions load only where they are asked
  return answered({ ...automaticRollback(policy, failureContext, now?.() ?? new Date()) });
}

function answered(document: JsonObject): PluginAnswer {
  return { document: { ...document, exit_code: ExitCode.done }, exitCode: ExitCode.done };
}
