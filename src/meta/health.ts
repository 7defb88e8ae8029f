/** `component health`: is what is checked out what is wanted? Changes nothing. */
import { join } from "node:path";
import * as posix from "#/core/posix.ts";
import { readLock } from "#/component/lock.ts";
import { readManifest } from "#/component/manifest.ts";
import { readMarks } from "#/component/marks.ts";
import { chosenComponents, type Component, type Lock, lockPath } from "#/component/model.ts";
import { isSameVersion } from "#/component/versions.ts";
import { mapLimited } from "#/storage/limit.ts";
import { shortCommit } from "#/target/components/model.ts";
import { runChecks } from "#/verify/run_checks.ts";
import type { CheckResult, CheckSpec } from "#/verify/check.ts";
import { gitContext, lookAtComponent } from "./look.ts";
import type { MetaOptions } from "./options.ts";

const AT_ONCE = 4;

export interface HealthOptions extends MetaOptions {
  /** Empty: all. */
  readonly components: readonly string[];
  readonly environment?: string;
  /** Checks of the configuration, run once. */
  readonly checks: readonly CheckSpec[];
}

export interface ComponentHealth {
  readonly component: string;
  readonly healthy: boolean;
  readonly commit: string | null;
  readonly version: string | null;
  /** What it should be at, by the lock file, else by the manifest. */
  readonly wanted: { readonly version: string | null; readonly commit: string | null };
  /** What is wrong; empty where it is healthy. */
  readonly problems: readonly string[];
}

export interface HealthReport {
  readonly healthy: boolean;
  /** The lock file that says what is wanted; null: the manifest does. */
  readonly lock: string | null;
  readonly components: readonly ComponentHealth[];
  readonly checks: readonly CheckResult[];
}

/**
 * @throws {RollbackVersionNotFoundError} 40: no such component, or no lock file of that environment
 */
export async function componentHealth(options: HealthOptions): Promise<HealthReport> {
  const { folder, environment } = options;
  const manifest = readManifest(folder);
  const chosen = options.components.length === 0
    ? [...manifest.components.values()]
    : chosenComponents(manifest, options.components);
  const path = lockPath(environment);
  const isThere = environment !== undefined || posix.lstat(join(folder, path)) !== undefined;
  const lock = isThere ? readLock(join(folder, path)) : undefined;
  const components = await mapLimited(chosen, AT_ONCE, (one) => healthOf(one, lock, options), options.signal);
  const { env, offline = false } = options;
  const { signal } = gitContext(options);
  const checks = await runChecks(options.checks, { folder, env, offline, signal });
  const passed = checks.every((check) => check.passed || !check.required);
  const healthy = components.every((one) => one.healthy) && passed;
  return { healthy, lock: lock === undefined ? null : path, components, checks };
}

async function healthOf(
  component: Component,
  lock: Lock | undefined,
  options: HealthOptions,
): Promise<ComponentHealth> {
  const { name, version } = component;
  const locked = lock?.components.get(name);
  const wanted = { version: locked?.version ?? version ?? null, commit: locked?.commit ?? null };
  const now = await lookAtComponent(component, options);
  const shown = now.tags[0] ?? null;
  const problems: string[] = [];
  if (now.commit === null) problems.push("it is not checked out");
  else if (lock !== undefined && locked === undefined) problems.push("the lock file does not have it");
  else if (wanted.commit !== null && !now.commit.startsWith(wanted.commit)) {
    const is = shown === null ? shortCommit(now.commit) : `${shown} (${shortCommit(now.commit)})`;
    problems.push(
      `it is at ${is}, and should be at ${wanted.version ?? ""} (${shortCommit(wanted.commit)})`.replace(
        "at  (",
        "at (",
      ),
    );
  } else if (wanted.commit === null && wanted.version !== null && !isAt(now, wanted.version)) {
    problems.push(`it is at ${shown ?? shortCommit(now.commit)}, and should be at ${wanted.version}`);
  }
  if (now.uncommitted.length > 0) {
    const more = now.uncommitted.length > 3 ? ` and ${now.uncommitted.length - 3} more` : "";
    problems.push(`uncommitted: ${now.uncommitted.slice(0, 3).join(", ")}${more}`);
  }
  const mark = readMarks(options.folder, name).find(({ commit }) => commit === now.commit);
  if (mark?.mark === "bad") {
    problems.push(`${mark.version} is marked bad${mark.reason === "" ? "" : ` (${mark.reason})`}`);
  }
  return {
    component: name,
    healthy: problems.length === 0,
    commit: now.commit,
    version: shown,
    wanted,
    problems,
  };
}

/** The manifest may say a tag, a branch, or a commit. */
function isAt(
  now: { readonly tags: readonly string[]; readonly branch: string | null; readonly commit: string | null },
  version: string,
): boolean {
  return now.tags.some((tag) => isSameVersion(tag, version)) || now.branch === version ||
    (/^[0-9a-f]{7,64}$/.test(version) && now.commit!.startsWith(version));
}
