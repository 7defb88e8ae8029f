/** The target as a whole: its repository, submodules and configuration files, as they are now or were saved. */
import { join, resolve } from "node:path";
import { RollbackError } from "#/core/errors.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { GitCommitConfig } from "../git_commit.ts";
import type { PlanContext, TargetContext, TargetSpec } from "../target.ts";
import { openRepository, type Repository } from "./git.ts";
import { describeConfigFiles } from "../kept/files.ts";
import { look, type Looked, type LookOptions } from "./look.ts";
import type { GitState } from "./model.ts";
import { type Listing, openSavedIndex } from "./saved.ts";

export type Target = TargetSpec<GitCommitConfig>;

/** What the target looks like now. */
export interface World {
  readonly repository: Repository;
  readonly looked: readonly Looked[];
  readonly state: GitState;
}

export function optionsOf(config: GitCommitConfig): LookOptions {
  return { includeIgnored: config.include_ignored ?? false, submodules: config.submodules ?? true };
}

export function openTarget({ config }: Target, context: TargetContext): Promise<Repository> {
  return openRepository(resolve(context.folder, config.repo_path), context);
}

/** Absolute. */
export function configFilesOf({ config }: Target, context: TargetContext): readonly string[] {
  return [...new Set((config.config_files ?? []).map((it) => resolve(context.folder, it)))];
}

/** @throws {RollbackError} it is no repository, or something is under way in it */
export async function lookAtTarget(target: Target, context: TargetContext): Promise<World> {
  const repository = await openTarget(target, context);
  const looked = await look(repository, optionsOf(target.config));
  const configFiles = await describeConfigFiles(configFilesOf(target, context), context.signal);
  return { repository, looked, state: { repositories: looked.map((it) => it.state), configFiles } };
}

/** What the snapshot says, with the entries of the indexes. They are put into the scratch folder for it. */
export async function savedState(
  repository: Repository,
  listing: Listing,
  saved: SavedTarget,
  context: PlanContext,
): Promise<GitState> {
  const repositories = [];
  for (const it of listing.repositories) {
    repositories.push((await openSavedIndex(repository, it, context.store, context.scratch, saved)).state);
  }
  return { repositories, configFiles: listing.config_files };
}

/** Only files that the target's configuration names: a snapshot cannot name others. */
export function assertConfigFiles(target: Target, listing: Listing, context: TargetContext): void {
  const known = new Set(configFilesOf(target, context));
  const other = listing.config_files.find((it) => !known.has(it.path));
  if (other === undefined) return;
  throw new RollbackError(
    `The snapshot has ${other.path}, which is not in config_files of ${target.name} any more`,
    {
      hint: "Put it back into `config_files`, or restore with --to elsewhere and copy what you need.",
      context: { path: other.path },
    },
  );
}

/** Whether a path (absolute) is asked for, by `--path`. */
export function isAskedFor(paths: readonly string[], path: string): boolean {
  return paths.length === 0 ||
    paths.some((it) => path === it || path.startsWith(it.endsWith("/") ? it : `${it}/`));
}

export function folderOf(repository: Repository, path: string): string {
  return join(repository.folder, path);
}
