/** Which repository a command works on: flags, environment, configuration, in this order. */
import { resolve } from "node:path";
import type { Config } from "#/config/load.ts";
import { UsageError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";
import type { RepositoryOptions } from "#/repository/options.ts";
import type { CommandContext, OptionSpec, OptionValues } from "./command.ts";
import { defined, flagOption, parseCount, textOption } from "./values.ts";

const GROUP = "Repository:";

/** Every command on a repository takes these. */
export const repositoryFlags: readonly OptionSpec[] = [
  {
    flags: "-r, --repository <location>",
    description: "folder, s3://bucket/prefix or gs://bucket/prefix (also: BACKOUT_REPOSITORY, backout.yaml)",
    completes: "folder",
    group: GROUP,
  },
  {
    flags: "--repository-type <type>",
    description: "with the flags below: another spelling of the location",
    choices: ["local", "s3", "gcs"],
    group: GROUP,
  },
  {
    flags: "--repository-path <dir>",
    description: "folder of a local repository",
    completes: "folder",
    group: GROUP,
  },
  { flags: "--repository-bucket <name>", description: "bucket (s3, gcs)", completes: "none", group: GROUP },
  { flags: "--repository-prefix <prefix>", description: "prefix in it", completes: "none", group: GROUP },
  {
    flags: "--jobs <number>",
    description: "requests to object storage at the same time (default: 16)",
    completes: "none",
    group: GROUP,
  },
  {
    flags: "--allow-unsafe-storage",
    description: "write to object storage that does not keep a second writer out",
    group: GROUP,
  },
];

/** As `storage.jobs` of the configuration. */
const MOST_JOBS = 256;

/**
 * How to work with object storage: flags before configuration.
 * @throws {UsageError}
 */
export function storageOptions(
  options: OptionValues,
  configured: Config["storage"],
): Pick<RepositoryOptions, "jobs" | "leaseMs" | "allowUnsafeStorage"> {
  const jobs = textOption(options, "jobs");
  return defined({
    jobs: jobs === undefined ? configured?.jobs : parseCount(jobs, "--jobs", MOST_JOBS),
    leaseMs: configured?.lease_ms,
    allowUnsafeStorage: flagOption(options, "allowUnsafeStorage") || configured?.allow_unsafe,
  });
}

/**
 * The location of the repository, absolute where it is a folder.
 * @throws {UsageError} when there is none, when two differ, or when `--offline` forbids it
 */
export async function repositoryLocation(
  options: OptionValues,
  context: CommandContext,
  configured: () => Promise<string | undefined>,
): Promise<string> {
  const flag = textOption(options, "repository");
  const spelled = spelledLocation(options);
  if (
    flag !== undefined && spelled !== undefined &&
    absoluteLocation(flag, context) !== absoluteLocation(spelled, context)
  ) {
    throw new UsageError(
      `--repository says ${quoteShort(flag)}, the --repository-* flags say ${quoteShort(spelled)}`,
      { hint: "Give one of them." },
    );
  }
  const given = flag ?? spelled ?? context.env("BACKOUT_REPOSITORY") ?? await configured();
  if (given === undefined || given === "") {
    throw new UsageError("No repository was given", {
      hint: "Add -r FOLDER, set BACKOUT_REPOSITORY, or write `repository:` into backout.yaml.",
    });
  }
  if (context.globals.offline && isRemote(given)) {
    throw new UsageError(`Cannot use ${quoteShort(given)} with --offline: it needs the network`, {
      hint: "Leave out --offline, or give a folder.",
    });
  }
  return absoluteLocation(given, context);
}

/** True for a location behind a network. */
export function isRemote(location: string): boolean {
  return /^(s3|gs|https?):\/\//i.test(location);
}

function spelledLocation(options: OptionValues): string | undefined {
  const path = textOption(options, "repositoryPath");
  const bucket = textOption(options, "repositoryBucket");
  const prefix = textOption(options, "repositoryPrefix");
  const type = textOption(options, "repositoryType") ?? (path === undefined ? undefined : "local");
  if (type === undefined) {
    if (bucket === undefined && prefix === undefined) return undefined;
    throw new UsageError("--repository-bucket and --repository-prefix need --repository-type s3 or gcs");
  }
  if (type === "local") {
    if (bucket !== undefined || prefix !== undefined) {
      throw new UsageError("A local repository has no bucket and no prefix", {
        hint: "Give --repository-path, or --repository-type s3 or gcs.",
      });
    }
    // The type alone says nothing about where: the environment or the configuration does.
    return path;
  }
  if (path !== undefined) {
    throw new UsageError(`--repository-path goes with --repository-type local, not ${type}`);
  }
  if (bucket === undefined) throw new UsageError(`--repository-type ${type} needs --repository-bucket`);
  const scheme = type === "s3" ? "s3" : "gs";
  return `${scheme}://${bucket}${prefix === undefined ? "" : `/${prefix.replace(/^\/+|\/+$/g, "")}`}`;
}

/** A folder from the working folder on; a URL as it is. */
export function absoluteLocation(location: string, context: CommandContext): string {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(location) ? location : resolve(context.cwd, location);
}
