/** From flags, environment and configuration to the options of a workspace: where targets live and how to work on them. */
import { dirname, join, resolve } from "node:path";
import type { Config } from "#/config/load.ts";
import { ExitCode, UsageError } from "#/core/errors.ts";
import { lstat } from "#/core/posix.ts";
import { quoteShort } from "#/core/safe_path.ts";
import type { OperationEvent, PolicyMode } from "#/report/model.ts";
import type { RepositoryOptions } from "#/repository/options.ts";
import type { StoreOptions, WorkspaceOptions } from "#/snapshot/options.ts";
import type { CommandContext, OptionSpec, OptionValues, ParsedArguments } from "./command.ts";
import {
  assertForceHasReason,
  lazyConfig,
  metricsFlag,
  policyFlags,
  reasonFlag,
  repositoryOptions,
  signingFlags,
  signingKey,
  surroundings,
} from "./context.ts";
import { printView } from "./read.ts";
import { absoluteLocation, isRemote } from "./repository_flags.ts";
import { quoteCommand } from "./shell_quote.ts";
import { defined, flagOption, textOption } from "./values.ts";

const GROUP = "Workspace:";

/** Every command on rollback points takes this. */
export const workspaceFlags: readonly OptionSpec[] = [
  {
    flags: "--store <location>",
    description: "snapshot store: folder, s3://bucket/prefix or gs://bucket/prefix " +
      "(also: BACKOUT_STORE, backout.yaml; default: .backout/store beside the configuration)",
    completes: "folder",
    group: GROUP,
  },
];

/** Flags of every command that changes something in a workspace. */
export const workspaceChangeFlags: readonly OptionSpec[] = [...workspaceFlags, ...signingFlags, metricsFlag];

/** The same with the flags of the policy. */
export const judgedFlags: readonly OptionSpec[] = [...policyFlags, ...workspaceChangeFlags];

/** The same where a reason has a meaning, and nothing is judged. */
export const reasonedFlags: readonly OptionSpec[] = [reasonFlag, ...workspaceChangeFlags];

export const targetFlag: OptionSpec = {
  flags: "--target <name>",
  description: "only this target (repeatable; default: all)",
  repeat: true,
  completes: "none",
};

export const snapshotArgument = {
  name: "<id>",
  description: "id of a snapshot, or a unique beginning of it",
} as const;

/** Like `snapshotArgument`, where `latest` and `last-good` have a meaning. */
export const namedSnapshotArgument = {
  name: "<id>",
  description: "id of a snapshot, a unique beginning of it, latest, or last-good",
} as const;

/**
 * Where a command works: the folder of the configuration, else the working folder.
 * @throws {UsageError}
 */
export async function workspaceOptions(
  values: OptionValues,
  context: CommandContext,
  onEvent: (event: OperationEvent) => void = () => {},
): Promise<WorkspaceOptions> {
  assertForceHasReason(values);
  const config = await lazyConfig(context)();
  const folder = config === undefined ? resolve(context.cwd) : dirname(resolve(config.path));
  const { globals, signal } = context;
  const options: WorkspaceOptions = {
    folder,
    store: storeOptions(values, context, config, folder),
    targets: config?.targets ?? [],
    checks: config?.checks ?? [],
    env: context.env,
    offline: globals.offline,
    around: surroundings(context, config),
    ...defined({
      policy: config?.policy,
      policyMode: (textOption(values, "policy") ?? config?.policy?.mode) as PolicyMode | undefined,
      force: flagOption(values, "force") || undefined,
      reason: textOption(values, "reason"),
      signingKeyFile: signingKey(values, context, config),
      timeoutMs: config?.snapshots?.timeout_ms,
      configFile: config === undefined ? undefined : resolve(config.path),
    }),
    dryRun: globals.dryRun,
    lockTimeoutMs: globals.lockTimeoutMs,
    signal,
    onEvent,
  };
  if (config?.targets !== undefined) return options;
  const { impliedTargets } = await import("#/mod/snapshot.ts");
  return { ...options, targets: await impliedTargets(options) };
}

function storeOptions(
  values: OptionValues,
  context: CommandContext,
  config: Config | undefined,
  folder: string,
): StoreOptions {
  const given = textOption(values, "store") ?? nonEmpty(context.env("BACKOUT_STORE"));
  const configured = config?.store;
  const location = given === undefined
    ? configured?.location ?? join(folder, ".backout", "store")
    : absoluteLocation(given, context);
  if (context.globals.offline && isRemote(location)) {
    throw new UsageError(`Cannot use ${quoteShort(location)} with --offline: it needs the network`, {
      hint: "Leave out --offline, or give a folder with --store.",
    });
  }
  if (configured === undefined) return { location };
  if (location === configured.location) return configured;
  // A fallback stands for its own store; the key and the level belong to whichever is used.
  const { fallback: _other, ...rest } = configured;
  return { ...rest, location };
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

/** @throws {UsageError} where neither the configuration nor the command line names a target */
export function assertTargets(options: WorkspaceOptions): void {
  if (options.targets.length > 0) return;
  throw new UsageError(`No targets are configured for ${options.folder}`, {
    hint: "Write `targets:` into backout.yaml (see `backout config init`), or name one here with " +
      "--type file_system --set paths=/var/lib/app. A folder with a compose file needs neither.",
  });
}

/** The flags that name the place, as this command line named it; the others are found again by the next command. */
export function workspacePlace(values: OptionValues, context: CommandContext): string {
  const { config } = context.globals;
  const store = textOption(values, "store");
  return quoteCommand([
    ...(config === undefined ? [] : ["--config", resolve(context.cwd, config)]),
    ...(store === undefined ? [] : ["--store", absoluteLocation(store, context)]),
  ]);
}

export interface WorkspaceReading<View> {
  readonly read: (options: WorkspaceOptions) => Promise<View>;
  readonly text: (view: View) => string;
  /** What `--json` prints. @default the view */
  readonly json?: (view: View) => unknown;
  /** @default 0 */
  readonly exitCode?: (view: View) => ExitCode;
}

/** Runs a reading command on a workspace. @throws {RollbackError} */
export async function runWorkspaceReading<View>(
  args: ParsedArguments,
  context: CommandContext,
  reading: WorkspaceReading<View>,
): Promise<ExitCode> {
  const options = await workspaceOptions(args.options, context);
  const view = await reading.read(options);
  printView(reading.json?.(view) ?? view, () => reading.text(view), context);
  await noteUnfinished(options, context);
  return reading.exitCode?.(view) ?? ExitCode.done;
}

async function noteUnfinished(options: WorkspaceOptions, context: CommandContext): Promise<void> {
  const { workspaceNote } = await import("#/mod/snapshot.ts");
  const note = await workspaceNote(options);
  if (note !== undefined) context.printer.line(context.printer.style.yellow(note));
}

/** What a command is about that works on a repository, on a workspace, or on both. */
export interface Places {
  readonly repository: boolean;
  readonly workspace: boolean;
}

const REPOSITORY_FLAGS = ["repository", "repositoryPath", "repositoryBucket", "repositoryType"] as const;

/**
 * A repository that is named by flags is meant alone. Otherwise the configuration and the environment say what there
 * is; where they name nothing, the working folder may be a workspace.
 */
export async function placesOf(values: OptionValues, context: CommandContext): Promise<Places> {
  if (REPOSITORY_FLAGS.some((name) => values[name] !== undefined)) {
    return { repository: true, workspace: false };
  }
  const config = await lazyConfig(context)();
  const repository = (context.env("BACKOUT_REPOSITORY") ?? config?.repository ?? "") !== "";
  if (config?.targets !== undefined || textOption(values, "store") !== undefined) {
    return { repository, workspace: true };
  }
  if (repository) return { repository, workspace: false };
  const { hasWorkspace } = await import("#/mod/snapshot.ts");
  const workspace = await hasWorkspace(await workspaceOptions(values, context));
  return { repository: !workspace, workspace };
}

/**
 * The same, without a repository that the configuration names beside targets and that nobody has published to: it must
 * not keep people from seeing how their targets are.
 */
export async function madePlaces(values: OptionValues, context: CommandContext): Promise<Places> {
  const places = await placesOf(values, context);
  if (!places.repository || !places.workspace) return places;
  const { repository } = await repositoryOptions(values, context);
  if (
    isRemote(repository) ||
    ["index.json", ".backout"].some((name) => lstat(join(repository, name)) !== undefined)
  ) {
    return places;
  }
  context.printer.line(`There is no repository at ${repository} yet: this is about the targets alone.`);
  return { repository: false, workspace: true };
}

/**
 * Where the history and the audit log are: of the repository; where only targets are configured, of the workspace.
 * @throws {UsageError}
 */
export async function scopeOptions(
  values: OptionValues,
  context: CommandContext,
): Promise<RepositoryOptions> {
  const places = await madePlaces(values, context);
  const repository = places.repository ? await repositoryOptions(values, context) : undefined;
  if (repository !== undefined && !places.workspace) return repository;
  const { folder, around } = await workspaceOptions(values, context);
  if (repository !== undefined) {
    context.printer.line(
      `This is about the repository ${repository.repository}; about the targets of ${folder} with: ${
        quoteCommand(["-r", folder])
      }`,
    );
    return repository;
  }
  const { lockTimeoutMs } = context.globals;
  return { repository: folder, lockTimeoutMs, signal: context.signal, ...defined({ around }) };
}
