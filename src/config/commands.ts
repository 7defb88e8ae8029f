/** What the `config` commands do: check a file, print the schema, write a first file. */
import { UsageError } from "#/core/errors.ts";
import type { Hook } from "#/core/hook.ts";
import type { NotifyTarget } from "#/core/notify_target.ts";
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
  const { config, problems } = await readConfig({ path, text, env });
  return { path, config: config === undefined ? null : withoutSecrets(config), problems };
}

/** What `${NAME}` may have filled in where it is a secret is not shown: paths of webhooks, arguments of programs. */
function withoutSecrets(config: Config): Config {
  const { notify, hooks, targets, checks } = config;
  const words = ([program = "", ...rest]: readonly string[]) =>
    rest.length === 0 ? [program] : [program, "…"];
  const hidden = (list: readonly Hook[]) => list.map((it) => ({ ...it, command: words(it.command) }));
  const target = (it: NotifyTarget): NotifyTarget => {
    if ("webhook" in it) return { ...it, webhook: `${new URL(it.webhook).origin}/…` };
    return "command" in it ? { ...it, command: words(it.command) } : it;
  };
  return {
    ...config,
    ...(notify === undefined ? {} : { notify: notify.map(target) }),
    ...(targets === undefined ? {} : { targets: targets.map((it) => ({ ...it, config: it.written })) }),
    ...(checks === undefined ? {} : { checks: checks.map((it) => ({ ...it, config: {} })) }),
    ...(hooks === undefined ? {} : {
      hooks: Object.fromEntries(
        Object.entries(hooks).map(([kind, lists]) => [
          kind,
          Object.fromEntries(Object.entries(lists).map(([phase, list]) => [phase, hidden(list)])),
        ]),
      ),
    }),
  };
}

/** The JSON Schema of `backout.yaml`. */
export async function configSchema(): Promise<Record<string, unknown>> {
  const { jsonSchema } = await import("#/config/schema.ts");
  return await jsonSchema();
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
repository: ./releases        # or s3://bucket/prefix, gs://bucket/prefix

# Keep backout's own files (.backout, .rollback-backups) out of the repository, for example
# because a web server shows it as it stands. Must be on the same filesystem to be fast.
# state_dir: /var/lib/backout

# Only for s3:// and gs://
# storage:
#   jobs: 16        # requests at the same time
#   lease: 60s      # how long a writer may be silent before another may take over

policy:
  # strict refuses what a rule denies; lenient warns and goes on.
  mode: strict
  # All rules and what they protect: backout policy explain
  # rules:
  #   protected-channel: {channels: [stable]}
  #   freeze-window: {windows: [{days: [fri], hours: 16:00-24:00, time_zone: Europe/Berlin}]}

# What \`backout retention apply\` keeps, for a timer or cron. Try it: backout retention plan
# retention:
#   keep_last: 10       # never below these
#   keep_daily: 7
#   keep_within: 90d
#   max_size: 20GiB     # the oldest go first
#   history: {keep_within: 400d}

audit:
  # Sign every audit entry. Make a key with: backout audit keygen --out /etc/backout/key.pem
  sign: false
  # signing_key: /etc/backout/key.pem

# What \`backout snapshot create\` takes a rollback point of, and what is tested after a restore.
# targets:
#   app: {type: git_commit, repo_path: /app/source}
#   config: {type: configuration, config_files: [/etc/app/config.yml]}
#   data: {type: file_system, paths: [/var/lib/app/data], exclude: ["**/*.tmp"]}
#   db: {type: database, connection_string: "\${DATABASE_URL}", after: [config], timeout: 10m}
# checks:
#   - {type: health_check, url: "http://localhost:8080/health", retries: 5}
#   - {type: service_status, services: [nginx], required: false}
# store: .backout/store     # or s3://bucket/prefix, gs://bucket/prefix, or {location: …, encryption: {key_file: …}}
# snapshots:
#   retention: {keep_last: 20, keep_daily: 7, safety: {keep_last: 5}}
#   timeout: 30m

# Who is told how an operation ended, and which programs run around it.
# notify:
#   - {webhook: "https://ops.example/hook", secret_env: BACKOUT_WEBHOOK_SECRET, on: [failure, denial]}
#   - {command: [/usr/local/bin/tell-ops], on: [failure], timeout: 10s}
#   - {file: /var/log/backout/events.jsonl}
# hooks:
#   rollback: {before: [[systemctl, stop, app]], after: [[systemctl, start, app]]}
#   recover: {after: [[systemctl, start, app]]}       # after a crash in between

# Numbers for the textfile collector of Prometheus.
# metrics_file: /var/lib/prometheus/node-exporter/backout.prom
`;
