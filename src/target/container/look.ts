/** The stack as it is now: what runs, from which files, with which data. Looks only. */
import { dirname, join, resolve } from "node:path";
import { lstat } from "#/core/posix.ts";
import type { TargetContext, TargetSpec } from "../target.ts";
import { isWithin, outermost } from "../tree/path.ts";
import { type ComposeFacts, defaultFiles, defaultProject, readComposeFiles } from "./compose_files.ts";
import type { ContainerConfig } from "./config.ts";
import type { CliEngine } from "./engine.ts";
import type { Container, SavedStack } from "./model.ts";
import { openEngine } from "./open_engine.ts";

export type Target = TargetSpec<ContainerConfig>;

/** Where a project's files are. */
export interface Project {
  readonly name: string;
  readonly folder: string;
  /** In the order that compose is given them. */
  readonly composeFiles: readonly string[];
  readonly facts: ComposeFacts;
}

export interface World {
  readonly engine: CliEngine;
  readonly project: Project;
  /** Of the services that the target covers. */
  readonly containers: readonly Container[];
  /** Files that are kept as configuration: absolute, none within another. Some may not be there. */
  readonly configRoots: readonly string[];
  /** Names of the volumes that the services mount. */
  readonly volumes: readonly string[];
  /** Folders of the host that they mount and whose content is data of the stack. */
  readonly binds: readonly string[];
  /** Mounted, but outside of what the target covers. */
  readonly outside: readonly string[];
}

/** What a target covers of the services; null: all. */
export function isCovered(scope: readonly string[] | null | undefined): (service: string) => boolean {
  return scope === null || scope === undefined ? () => true : (service) => scope.includes(service);
}

/** @param saved what a snapshot has of it, where one is meant; else the project is called as compose would call it now */
export async function lookAtStack(
  target: Target,
  context: TargetContext,
  saved?: Pick<SavedStack, "engine" | "project">,
): Promise<World> {
  const opened = await openEngine(target.config.engine, context, saved?.engine);
  const { project, all } = await findProject(target.config, context, opened, saved?.project);
  const covers = isCovered(target.config.services);
  const containers = all.filter((it) => covers(it.service));
  const mounts = mountsOf(containers, project, target.config, context);
  const named = (target.config.config_files ?? []).map((it) => resolve(context.folder, it));
  const configRoots = outermost(
    [...filesOf(project, target.config, context), ...mounts.files, ...named]
      .filter((it) => isOurs(it, project, target.config, context)),
  );
  return { engine: opened, project, containers, configRoots, ...mounts };
}

/** The project's files: those that are named, those that the running stack was made from, or those that lie there. */
async function findProject(
  config: ContainerConfig,
  context: TargetContext,
  engine: CliEngine,
  called: string | undefined,
): Promise<{ readonly project: Project; readonly all: readonly Container[] }> {
  const given = config.compose_files?.map((it) => resolve(context.folder, it));
  const folder = resolve(context.folder, config.path ?? (given === undefined ? "." : dirname(given[0]!)));
  const known = given ?? defaultFiles(folder);
  const facts = readComposeFiles(known);
  const name = called ?? config.project ?? nameOf(facts, folder, context);
  const all = await engine.containersOf(name);
  const composeFiles = given ?? (known.length > 0 ? known : labelledFiles(all[0], folder));
  const project = {
    name,
    folder,
    composeFiles,
    facts: composeFiles === known ? facts : readComposeFiles(composeFiles),
  };
  return { project, all };
}

function nameOf(facts: ComposeFacts, folder: string, { env }: TargetContext): string {
  const named = env("COMPOSE_PROJECT_NAME") ?? variableOf(join(folder, ".env"), "COMPOSE_PROJECT_NAME");
  return named || facts.name || defaultProject(folder);
}

/** One variable of an env file; the last one counts. */
function variableOf(file: string, name: string): string {
  if (lstat(file)?.isFile !== true) return "";
  const found = Deno.readTextFileSync(file).matchAll(
    new RegExp(`^\\s*(?:export\\s+)?${name}\\s*=(.*)$`, "gm"),
  );
  return ([...found].at(-1)?.[1] ?? "").trim().replace(/^(["'])(.*)\1$/, "$2");
}

/** As compose labels what it makes: relative to the folder, or absolute. */
function labelledFiles(container: Container | undefined, folder: string): readonly string[] {
  const names = container?.labels["com.docker.compose.project.config_files"] ?? "";
  const base = container?.labels["com.docker.compose.project.working_dir"] ?? folder;
  return names.split(",").filter((it) => it !== "").map((it) => resolve(base, it));
}

function filesOf(project: Project, config: ContainerConfig, context: TargetContext): readonly string[] {
  const env = (config.env_files ?? []).map((it) => resolve(context.folder, it));
  const { files, referenced } = project.facts;
  return [...project.composeFiles, ...files, ...referenced, join(project.folder, ".env"), ...env];
}

/** Below the project's folder, or named by the configuration: nothing else is ever written. */
function isOurs(path: string, project: Project, config: ContainerConfig, context: TargetContext): boolean {
  return allowedRoots(project.folder, config, context).some((it) => isWithin(path, it));
}

/** What a restore may write: a snapshot that names more is not believed. */
export function allowedRoots(
  folder: string,
  config: ContainerConfig,
  context: TargetContext,
): readonly string[] {
  const named = [
    ...config.compose_files ?? [],
    ...config.env_files ?? [],
    ...config.config_files ?? [],
    ...config.bind_mounts ?? [],
  ];
  return [folder, ...named.map((it) => resolve(context.folder, it))];
}

function mountsOf(
  containers: readonly Container[],
  project: Project,
  config: ContainerConfig,
  context: TargetContext,
): Pick<World, "volumes" | "binds" | "outside"> & { readonly files: readonly string[] } {
  const mounts = containers.flatMap((it) => it.mounts);
  const volumes = new Set(
    mounts.filter((it) => it.kind === "volume" && it.source !== "").map((it) => it.source),
  );
  const sources = [...new Set(mounts.filter((it) => it.kind === "bind").map((it) => resolve(it.source)))];
  const mine = sources.filter((it) => isOurs(it, project, config, context));
  const isFolder = (path: string) => lstat(path)?.isDirectory === true;
  return {
    volumes: [...volumes].sort(),
    binds: outermost(mine.filter(isFolder)),
    files: mine.filter((it) => !isFolder(it)),
    outside: sources.filter((it) => !mine.includes(it)).sort(),
  };
}
