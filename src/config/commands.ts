/** What the `config` commands do: check a file, print the schema, write a first file. */
import { UsageError } from "#/core/errors.ts";
import { writeNewFile } from "#/core/posix.ts";
import { type Config, readConfigText, type ReadEnv } from "#/config/load.ts";
import type { ConfigProblem } from "#/config/parse.ts";

export type { ConfigProblem } from "#/config/parse.ts";

export interface ConfigCheck {
  readonly path: string;
  /** What the file says, null when something is wrong with it. */
  readonly config: Config | null;
  /** In the order of the file. */
  readonly problems: readonly ConfigProblem[];
}

/**
 * Reads a configuration and lists everything that is wrong with it.
 * @param env for `${NAME}` @default the process's environment
 * @throws {UsageError} when the file itself cannot be read
 */
export async function checkConfigFile(
  path: string,
  env: ReadEnv = (name) => Deno.env.get(name),
): Promise<ConfigCheck> {
  const text = readConfigText(path);
  const { readConfig } = await import("#/config/parse.ts");
  const { config, problems } = readConfig({ path, text, env });
  return { path, config: config ?? null, problems };
}

/** The JSON Schema of `backout.yaml`. */
export async function configSchema(): Promise<Record<string, unknown>> {
  return (await import("#/config/schema.ts")).jsonSchema();
}

/**
 * Writes a commented `backout.yaml` to start from.
 * @throws {UsageError} when there is already something at `path`, or it cannot be written
 */
export function initConfig(path: string): Promise<void> {
  try {
    writeNewFile(path, new TextEncoder().encode(EXAMPLE_CONFIG), 0o644);
  } catch (cause) {
    return Promise.reject(cannotWrite(path, cause));
  }
  return Promise.resolve();
}

function cannotWrite(path: string, cause: unknown): UsageError {
  if ((cause as { code?: string }).code === "EEXIST") {
    return new UsageError(`Cannot write ${path}: it is already there`, {
      hint: "Edit it, or move it away first. `backout config check` tells whether it is right.",
      context: { path },
      cause,
    });
  }
  const why = (cause as { code?: string }).code === "ENOENT"
    ? "its folder does not exist"
    : (cause as Error).message;
  return new UsageError(`Cannot write ${path}: ${why}`, {
    hint: "Give a path in a folder that exists and that you may write to.",
    context: { path },
    cause,
  });
}

/** What `config init` writes. */
export const EXAMPLE_CONFIG =
  `# Settings of backout. Found in the working folder or above it, or given with --config or BACKOUT_CONFIG.
# Check it with: backout config check          All keys: backout config schema
# \${NAME} is the value of an environment variable. Relative paths start at this file's folder.
version: 1

# Where the releases live. --repository and BACKOUT_REPOSITORY come before it.
repository: ./releases

# Keep backout's own files (.backout, .rollback-backups) out of the repository, for example
# because a web server shows it as it stands. Must be on the same filesystem to be fast.
# state_dir: /var/lib/backout

policy:
  # strict refuses what a rule denies; lenient warns and goes on.
  mode: strict

audit:
  # Sign every audit entry. Make a key with: backout audit keygen --out /etc/backout/key.pem
  sign: false
  # signing_key: /etc/backout/key.pem
`;
