/** The compose program: only to have it say what it makes of the files. Containers are made by the engine itself. */
import { ProgramError, programText } from "../run_program.ts";
import type { TargetContext } from "../target.ts";
import { engineEnv } from "./engine.ts";
import type { EngineKind } from "./model.ts";
import { resolve } from "node:path";
import type { ContainerConfig } from "./config.ts";
import type { Project } from "./look.ts";

const PROGRAMS: Readonly<Record<EngineKind, readonly (readonly string[])[]>> = {
  docker: [["docker", "compose"], ["docker-compose"]],
  podman: [["podman", "compose"], ["podman-compose"], ["docker-compose"]],
};

/** What compose made of the files: text for people, or why it refuses them. */
export interface Resolved {
  /** `docker-compose`; empty where there is no compose at all. */
  readonly program: string;
  readonly text: string | undefined;
  readonly problem: string | undefined;
}

const LONGEST_MS = 120_000;

/** Tries one program after the other until one is there. */
export async function resolveFiles(
  project: Project,
  config: ContainerConfig,
  kind: EngineKind,
  context: TargetContext,
): Promise<Resolved> {
  const files = existing(project.composeFiles);
  if (files.length === 0) return { program: "", text: undefined, problem: undefined };
  for (const program of config.compose === undefined ? PROGRAMS[kind] : [config.compose]) {
    const name = program.join(" ");
    if (config.compose === undefined && !await isThere(program, context)) continue;
    try {
      const text = await askCompose(program, files, project, config, context);
      return { program: name, text, problem: undefined };
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
      if (error.end === "missing") continue;
      if (error.end === "timed_out") return { program: name, text: undefined, problem: error.message };
      if (error.end !== "failed") throw error;
      return { program: name, text: undefined, problem: withoutValues(error.stderr) };
    }
  }
  return { program: "", text: undefined, problem: undefined };
}

/**
 * Whether an engine's client has its plugin for compose: without one some take the words for their own, and answer with a
 * page of help. A program of its own is found out by running it.
 */
async function isThere(program: readonly string[], context: TargetContext): Promise<boolean> {
  const [client, ...words] = program;
  if (words.length === 0) return true;
  try {
    const args = [...words, "version"];
    const said = await programText({
      ...{ program: client!, args, package: "docker-compose", context, cwd: context.folder },
      ...{ env: engineEnv(context.env), timeoutMs: LONGEST_MS, doing: "look for compose" },
    });
    return /compose/i.test(said);
  } catch (error) {
    if (error instanceof ProgramError) return false;
    throw error;
  }
}

/** compose quotes what it does not understand, and that may be a password. Names of files stay. */
function withoutValues(said: string): string {
  return said.replaceAll(/(["'`])(?:(?!\1).)*\1/g, (quoted) => /\.ya?ml.$/.test(quoted) ? quoted : "…");
}

async function askCompose(
  [program, ...words]: readonly string[],
  files: readonly string[],
  project: Project,
  config: ContainerConfig,
  context: TargetContext,
): Promise<string> {
  return await programText({
    program: program!,
    args: [
      ...words,
      ...files.flatMap((it) => ["-f", it]),
      "-p",
      project.name,
      ...(config.env_files ?? []).flatMap((it) => ["--env-file", resolve(context.folder, it)]),
      "config",
    ],
    package: "docker-compose",
    context,
    cwd: project.folder,
    env: {
      ...engineEnv(context.env),
      ...config.env,
      ...(config.profiles === undefined ? {} : { COMPOSE_PROFILES: config.profiles.join(",") }),
    },
    secrets: Object.values(config.env ?? {}),
    // It may fetch what the files include.
    timeoutMs: LONGEST_MS,
    doing: "read the compose files",
  });
}

function existing(files: readonly string[]): readonly string[] {
  return files.filter((it) => {
    try {
      return Deno.statSync(it).isFile;
    } catch {
      return false;
    }
  });
}
