/** `targets:`, `checks:`, `store:` and `snapshots:` of `backout.yaml`, read. */
import { join, resolve } from "node:path";
import { given, keepRules, retentionSettings } from "#/config/retention.ts";
import type { Config } from "#/config/load.ts";
import type { ParsedConfig } from "#/config/schema.ts";
import { durationMs } from "#/core/quantity.ts";
import { isBlock, own, type Problems } from "#/policy/problem.ts";
import type { SnapshotRetentionSettings } from "#/policy/retention_snapshots.ts";
import type { StoreEncryption, StoreOptions } from "#/store/options.ts";

/** The folder of backout's own files beside `backout.yaml`. */
const OWN_FOLDER = ".backout";

/** Where rollback points are kept when nothing else is said. @param folder that of `backout.yaml` */
export function defaultStore(folder: string): StoreOptions {
  return { location: join(folder, OWN_FOLDER, "store") };
}

/**
 * Reads the blocks whose parts are read by their own kind; what they need is loaded only where there are any.
 * @param written the document before `${NAME}` was filled in
 */
export async function readWorkspace(
  document: unknown,
  written: unknown,
  folder: string,
  problems: Problems,
): Promise<Pick<Config, "targets" | "checks">> {
  const block = isBlock(document) ? document : {};
  const targets = own(block, "targets");
  const checks = own(block, "checks");
  const settings: { -readonly [Key in "targets" | "checks"]?: Config[Key] } = {};
  if (targets !== undefined) {
    const { readTargets } = await import("#/config/targets.ts");
    const originals = isBlock(written) ? own(written, "targets") : undefined;
    settings.targets = await readTargets(targets, originals, folder, ownFolders(block, folder), problems);
  }
  if (checks !== undefined) {
    const { readChecks } = await import("#/config/checks.ts");
    settings.checks = await readChecks(checks, ["checks"], problems);
  }
  await readAutomaticTests(block, problems);
  return settings as Pick<Config, "targets" | "checks">;
}

/** The tests of `policy.automatic` are checks; a rollback that needs them must not be the first to read them. */
async function readAutomaticTests(
  block: Readonly<Record<string, unknown>>,
  problems: Problems,
): Promise<void> {
  const policy = own(block, "policy");
  const automatic = isBlock(policy) ? own(policy, "automatic") : undefined;
  const list = Array.isArray(automatic) ? automatic : [automatic];
  for (const [i, item] of list.entries()) {
    const tests = isBlock(item) ? own(item, "tests") : undefined;
    if (!Array.isArray(tests)) continue;
    const { readChecks } = await import("#/config/checks.ts");
    await readChecks(
      tests,
      ["policy", "automatic", ...Array.isArray(automatic) ? [i] : [], "tests"],
      problems,
    );
  }
}

/** In these no target may lie. */
function ownFolders(block: Readonly<Record<string, unknown>>, folder: string): readonly string[] {
  const store = own(block, "store");
  const places = isBlock(store) ? [own(store, "location"), own(store, "fallback")] : [store];
  const local = places.flatMap((place) =>
    typeof place === "string" && place !== "" ? [resolveLocation(folder, place)] : []
  );
  return [...new Set([join(folder, OWN_FOLDER), ...local.filter((place) => place.startsWith("/"))])];
}

/** The schema has read these. */
export function workspaceSettings(parsed: ParsedConfig, folder: string): Pick<Config, "store" | "snapshots"> {
  const { store, snapshots } = parsed;
  const timeout_ms = durationMs(snapshots?.timeout ?? "");
  const retention = snapshots?.retention;
  return {
    ...(store === undefined ? {} : { store: storeOptions(store, folder) }),
    ...(snapshots === undefined ? {} : {
      snapshots: {
        ...(retention === undefined ? {} : { retention: snapshotRetention(retention) }),
        ...(timeout_ms === undefined ? {} : { timeout_ms }),
      },
    }),
  };
}

type SnapshotRetentionBlock = NonNullable<NonNullable<ParsedConfig["snapshots"]>["retention"]>;

function snapshotRetention(block: SnapshotRetentionBlock): SnapshotRetentionSettings {
  const { safety, guard, with_volumes, stacks, ...common } = block;
  const rules = (own: typeof safety) => own === undefined ? undefined : keepRules(own);
  return given({
    ...retentionSettings(common),
    safety: rules(safety),
    guard: rules(guard),
    withVolumes: rules(with_volumes),
    stacks: rules(stacks),
  });
}

function storeOptions(store: NonNullable<ParsedConfig["store"]>, folder: string): StoreOptions {
  if (typeof store === "string") return { location: resolveLocation(folder, store) };
  const { location, fallback, encryption, level } = store;
  return {
    ...defaultStore(folder),
    ...(location === undefined ? {} : { location: resolveLocation(folder, location) }),
    ...(fallback === undefined ? {} : { fallback: resolve(folder, fallback) }),
    ...(encryption === undefined ? {} : { encryption: storeEncryption(encryption, folder) }),
    ...(level === undefined ? {} : { level }),
  };
}

interface EncryptionBlock {
  readonly key_file?: string | undefined;
  readonly passphrase_env?: string | undefined;
  readonly passphrase_file?: string | undefined;
}

/** The schema has seen that it is one of the three. */
function storeEncryption(block: EncryptionBlock, folder: string): StoreEncryption {
  const { key_file, passphrase_env, passphrase_file } = block;
  if (key_file !== undefined) return { keyFile: resolve(folder, key_file) };
  if (passphrase_env !== undefined) return { passphraseEnv: passphrase_env };
  return { passphraseFile: resolve(folder, passphrase_file!) };
}

/** URLs (`s3://`, `gs://`, `file://`) stay; paths are relative to the file's folder. */
export function resolveLocation(folder: string, location: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(location) ? location : resolve(folder, location);
}
