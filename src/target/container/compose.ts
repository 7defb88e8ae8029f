/** The compose program: only to have it say what it makes of the files. Containers are made by the engine itself. */
import { ProgramError, programText, runProgram } from "../run_program.ts";
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

export async function resolveFiles(
  project: Project,
  config: ContainerConfig,
  kind: EngineKind,
  context: TargetContext,
): Promise<Resolved> {
  const program = config.compose ?? await findCompose(kind, context);
  if (program === undefined) return { program: "", text: undefined, problem: undefined };
  if (project.composeFiles.length === 0) return { program: program.join(" "), text: undefined, problem: undefined };
  const words = [
    ...program.slice(1),
    ...existing(project.composeFiles).flatMap((it) => ["-f", it]),
    "-p",
    project.name,
    ...(config.env_files ?? []).flatMap((it) => ["--env-file", resolve(context.folder, it)]),
    "config",
  ];
  try {
    const text = await programText({
      program: program[0]!,
      args: words,
      package: "docker-compose",
      context,
      cwd: project.folder,
      env: {
        ...engineEnv(context.env),
        ...config.env,
        ...(config.profiles === undefined ? {} : { COMPOSE_PROFILES: config.profiles.join(",") }),
      },
      secrets: Object.values(config.env ?? {}),
      doing: "read the compose files",
    });
    return { program: program.join(" "), text, problem: undefined };
  } catch (error) {
    if (!(error instanceof ProgramError) || error.end !== "failed") throw error;
    return { program: program.join(" "), text: undefined, problem: error.stderr };
  }
}

async function findCompose(kind: EngineKind, context: TargetContext): Promise<readonly string[] | undefined> {
  for (const candidate of PROGRAMS[kind]) {
    const [program, ...words] = candidate;
    const request = { program: program!, args: [...words, "version"], package: "", context };
    try {
      await runProgram({ ...request, env: engineEnv(context.env), timeoutMs: 30_000 });
      return candidate;
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
    }
  }
  return undefined;
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

