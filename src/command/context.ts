/** From flags, environment and configuration to the library's options. */
import { dirname, resolve } from "node:path";
import { UsageError } from "#/core/errors.ts";
import type { Config } from "#/config/load.ts";
import type { ChangeOptions, RepositoryOptions, Surroundings } from "#/repository/options.ts";
import type { OperationEvent, PolicyMode } from "#/report/model.ts";
import type { CommandContext, OptionSpec, OptionValues } from "./command.ts";
import { isRemote, repositoryFlags, repositoryLocation, storageOptions } from "./repository_flags.ts";
import { defined, flagOption, textOption } from "./values.ts";

const SIGNING = "Audit log:";

/** What every changing command takes, `--reason` and `--force` where they have a meaning. */
export const signingFlags: readonly OptionSpec[] = [
  {
    flags: "--sign-audit-log",
    description: "sign the audit entry (key: --signing-key, BACKOUT_SIGNING_KEY, backout.yaml)",
    group: SIGNING,
  },
  {
    flags: "--signing-key <file>",
    description: "private key (PEM, Ed25519 or RSA); implies --sign-audit-log",
    completes: "file",
    group: SIGNING,
  },
];

export const reasonFlag: OptionSpec = {
  flags: "--reason <text>",
  description: "why; kept in history and audit log",
  completes: "none",
};

export const policyFlags: readonly OptionSpec[] = [
  {
    flags: "--policy <mode>",
    description: "lenient turns policy and dependency denials into warnings (default: strict)",
    choices: ["strict", "lenient"],
  },
  { flags: "--force", description: "go on although a rule denies it; needs --reason" },
  reasonFlag,
];

/** The same where the reason is not optional. */
export const policyFlagsWithReason: readonly OptionSpec[] = policyFlags.map((flag) =>
  flag === reasonFlag ? { ...flag, required: true } : flag
);

export const metricsFlag: OptionSpec = {
  flags: "--metrics-file <file>",
  description: "write the repository's numbers for Prometheus, also after a failure",
  completes: "file",
  group: "Reports:",
};

/** Flags of every command that changes a repository. */
export const changeFlags: readonly OptionSpec[] = [...repositoryFlags, ...signingFlags, metricsFlag];

const configs = new WeakMap<CommandContext, Promise<Config | undefined>>();

/** The configuration, read at most once by a command, and only when something is asked of it. */
export function lazyConfig(context: CommandContext): () => Promise<Config | undefined> {
  return () => {
    const config = configs.get(context) ?? readConfig(context);
    configs.set(context, config);
    return config;
  };
}

async function readConfig(context: CommandContext): Promise<Config | undefined> {
  const { loadConfig } = await import("#/config/load.ts");
  const { config } = context.globals;
  return await loadConfig({
    ...(config === undefined ? {} : { explicit: resolve(context.cwd, config) }),
    cwd: context.cwd,
    env: context.env,
  });
}

/**
 * Where a reading command reads.
 * @throws {UsageError}
 */
export async function repositoryOptions(
  options: OptionValues,
  context: CommandContext,
): Promise<RepositoryOptions> {
  return await locatedOptions(options, context, lazyConfig(context));
}

async function locatedOptions(
  options: OptionValues,
  context: CommandContext,
  config: () => Promise<Config | undefined>,
): Promise<RepositoryOptions> {
  const loaded = await config();
  const repository = await repositoryLocation(options, context, () => Promise.resolve(loaded?.repository));
  // The configuration's state folder belongs to its own repository in a folder.
  const stateDir = context.globals.stateDir ?? (isRemote(repository) ? undefined : loaded?.state_dir);
  return defined({
    repository,
    stateDir: stateDir === undefined ? undefined : resolve(context.cwd, stateDir),
    lockTimeoutMs: context.globals.lockTimeoutMs,
    signal: context.signal,
    ...storageOptions(options, loaded?.storage),
    around: surroundings(context, loaded),
  });
}

/** What stands around an operation: hooks and receivers of the configuration. */
export function surroundings(context: CommandContext, config: Config | undefined): Surroundings {
  return {
    hooks: config?.hooks ?? {},
    trustedKeys: config?.trusted_keys ?? [],
    notify: config?.notify ?? [],
    folder: config === undefined ? context.cwd : dirname(resolve(config.path)),
    offline: context.globals.offline,
    env: context.env,
  };
}

/**
 * How a changing command changes.
 * @throws {UsageError} also for `--force` without a reason and for signing without a key
 */
export async function changeOptions(
  options: OptionValues,
  context: CommandContext,
  onEvent: (event: OperationEvent) => void,
): Promise<ChangeOptions> {
  assertForceHasReason(options);
  const config = lazyConfig(context);
  const located = await locatedOptions(options, context, config);
  const loaded = await config();
  return defined({
    ...located,
    dryRun: context.globals.dryRun,
    reason: textOption(options, "reason"),
    policyMode: (textOption(options, "policy") ?? loaded?.policy?.mode) as PolicyMode | undefined,
    policy: loaded?.policy,
    force: flagOption(options, "force") || undefined,
    signingKeyFile: signingKey(options, context, loaded),
    onEvent,
  });
}

/** @throws {UsageError} */
export function assertForceHasReason(options: OptionValues): void {
  if (!flagOption(options, "force") || (textOption(options, "reason") ?? "").trim() !== "") return;
  throw new UsageError("--force needs --reason: who reads the history wants to know why", {
    hint: "Add --reason 'TEXT'.",
  });
}

/** The key that signs the audit entry, undefined where nothing is signed. @throws {UsageError} */
export function signingKey(
  options: OptionValues,
  context: CommandContext,
  config: Config | undefined,
): string | undefined {
  const flag = textOption(options, "signingKey");
  const wanted = flag !== undefined || flagOption(options, "signAuditLog") || config?.audit?.sign === true;
  if (!wanted) return undefined;
  const key = flag ?? context.env("BACKOUT_SIGNING_KEY") ?? config?.audit?.signing_key;
  if (key === undefined || key === "") {
    throw new UsageError("Signing the audit log needs a key, and none was given", {
      hint: "Make one with `backout audit keygen --out key.pem`, then give --signing-key key.pem.",
    });
  }
  const path = resolve(context.cwd, key);
  const info = statOf(path);
  if (info?.isFile === true) return path;
  throw new UsageError(
    `Cannot read the signing key ${path}: ${
      info === undefined ? "there is no such file" : "it is not a file"
    }`,
    {
      hint: "Make one with `backout audit keygen --out key.pem`.",
    },
  );
}

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}
