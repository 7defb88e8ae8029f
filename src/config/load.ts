/** Finding and loading `backout.yaml`. The YAML and schema libraries load only when there is a file. */
import { dirname, isAbsolute, join, resolve } from "node:path";
import { messageOf, UsageError } from "#/core/errors.ts";
import type { HooksByKind } from "#/core/hook.ts";
import type { NotifyTarget } from "#/core/notify_target.ts";
import type { RetentionSettings } from "#/policy/retention.ts";
import type { SnapshotRetentionSettings } from "#/policy/retention_snapshots.ts";
import type { PolicySettings } from "#/policy/settings.ts";
import type { StoreOptions } from "#/store/options.ts";
import type { TargetSpec } from "#/target/target.ts";
import type { CheckSpec } from "#/verify/check.ts";

/** What `backout.yaml` says, with environment variables filled in and paths made absolute. */
export interface Config {
  /** The file it was read from. */
  readonly path: string;
  readonly version: 1;
  /** An absolute path, or `s3://…`, `gs://…`. */
  readonly repository?: string;
  readonly state_dir?: string;
  readonly storage?: { readonly jobs?: number; readonly lease_ms?: number; readonly allow_unsafe?: boolean };
  readonly policy?: PolicySettings;
  readonly retention?: RetentionSettings;
  readonly audit?: { readonly sign?: boolean; readonly signing_key?: string };
  /** Who is told how an operation ended. */
  readonly notify?: readonly NotifyTarget[];
  readonly hooks?: HooksByKind;
  /** Files with the public keys of those whose releases may bring hooks of their own. */
  readonly trusted_keys?: readonly string[];
  /** Where changing commands and `status` write their numbers for Prometheus. */
  readonly metrics_file?: string;
  /** What rollback points are made of, in the order of the file. */
  readonly targets?: readonly TargetSpec[];
  /** What is tested after a restore. */
  readonly checks?: readonly CheckSpec[];
  /** Where rollback points are kept. */
  readonly store?: StoreOptions;
  readonly snapshots?: {
    readonly retention?: SnapshotRetentionSettings;
    /** For each target that says nothing of its own. */
    readonly timeout_ms?: number;
  };
}

/** Reads an environment variable; undefined where it is not set. */
export type ReadEnv = (name: string) => string | undefined;

export interface LoadConfigOptions {
  /** The file given with `--config`. */
  readonly explicit?: string;
  /** Where the search begins; relative names start here too. */
  readonly cwd: string;
  readonly env: ReadEnv;
}

export const CONFIG_FILE_NAME = "backout.yaml";
const LARGEST_CONFIG_BYTES = 1024 * 1024;

/**
 * The configuration: of `--config`, else of `BACKOUT_CONFIG`, else of the nearest `backout.yaml` in `cwd` or a folder above it.
 * Undefined where there is none.
 * @throws {UsageError} when the file cannot be read or does not say what it must, with file, line and column
 */
export async function loadConfig(options: LoadConfigOptions): Promise<Config | undefined> {
  const path = locateConfig(options);
  if (path === undefined) return undefined;
  const text = readConfigText(path);
  const { parseConfig } = await import("#/config/parse.ts");
  return await parseConfig({ path, text, env: options.env });
}

/** The file that `loadConfig` would read. */
export function locateConfig({ explicit, cwd, env }: LoadConfigOptions): string | undefined {
  const given = explicit ?? nonEmpty(env("BACKOUT_CONFIG"));
  if (given !== undefined) return isAbsolute(given) ? given : resolve(cwd, given);
  for (let folder = resolve(cwd);; folder = dirname(folder)) {
    const path = join(folder, CONFIG_FILE_NAME);
    if (isFile(path)) return path;
    if (dirname(folder) === folder) return undefined;
  }
}

/** @throws {UsageError} when there is no such file, it cannot be read, or it is larger than 1 MiB */
export function readConfigText(path: string, what = "configuration"): string {
  let bytes: Uint8Array;
  try {
    const info = Deno.statSync(path);
    if (!info.isFile) {
      throw new UsageError(`Cannot read the ${what} ${path}: it is not a file`, {
        hint: "Give the file itself, for example --config /etc/backout/backout.yaml.",
        context: { path },
      });
    }
    if (info.size > LARGEST_CONFIG_BYTES) {
      throw new UsageError(`Cannot read the ${what} ${path}: it is larger than 1 MiB`, {
        hint: "Check that --config names a backout.yaml.",
        context: { path, bytes: info.size },
      });
    }
    bytes = Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw unreadable(path, what, error);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UsageError(`Cannot read the ${what} ${path}: it is not UTF-8 text`, {
      hint: "Save the file as UTF-8.",
      context: { path },
      cause,
    });
  }
}

function unreadable(path: string, what: string, cause: unknown): UsageError {
  const missing = cause instanceof Deno.errors.NotFound;
  const why = missing ? "there is no such file" : messageOf(cause);
  return new UsageError(`Cannot read the ${what} ${path}: ${why}`, {
    hint: missing && what !== "configuration"
      ? "Check the name: a relative one starts at the working folder."
      : missing
      ? "Check --config and BACKOUT_CONFIG, or make the file with `backout config init`."
      : "Make the file readable for the user that runs backout.",
    context: { path },
    cause,
  });
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
