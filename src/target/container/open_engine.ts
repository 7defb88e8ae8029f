/** Which engine a target is of: what the configuration says, what the environment names, or what answers. */
import { resolve } from "node:path";
import { ProgramError, programText } from "../run_program.ts";
import type { TargetContext } from "../target.ts";
import { CliEngine, engineEnv } from "./engine.ts";
import { EngineError, engineError } from "./engine_error.ts";
import type { EngineKind } from "./model.ts";

type Context = Pick<TargetContext, "env" | "signal">;

/** @throws {EngineError} none answers; {ProgramError} none is installed */
export async function openEngine(wanted: EngineKind | undefined, context: Context): Promise<CliEngine> {
  const named = wanted ?? namedByEnvironment(context);
  if (named !== undefined) return await ask(named, context);
  try {
    return await ask("docker", context);
  } catch (error) {
    const isAbsent = error instanceof ProgramError && error.end === "missing" ||
      error instanceof EngineError && error.problem === "unreachable";
    if (!isAbsent) throw error;
    try {
      return await ask("podman", context);
    } catch (second) {
      throw second instanceof ProgramError && second.end === "missing" ? error : second;
    }
  }
}

function namedByEnvironment({ env }: Context): EngineKind | undefined {
  if ((env("DOCKER_HOST") ?? env("DOCKER_CONTEXT") ?? "") !== "") return "docker";
  return (env("CONTAINER_HOST") ?? env("CONTAINER_CONNECTION") ?? "") === "" ? undefined : "podman";
}

async function ask(kind: EngineKind, context: Context): Promise<CliEngine> {
  const format = kind === "docker" ? "{{.Server.Version}}" : "{{.Client.Version}}";
  try {
    const version = await programText({
      program: kind,
      args: ["version", "--format", format],
      package: kind === "docker" ? "docker.io" : "podman",
      context,
      env: engineEnv(context.env),
      doing: `ask ${kind}`,
    });
    return new CliEngine({ kind, context, description: `${kind} ${version.trim()}` });
  } catch (error) {
    throw engineError(error);
  }
}

/**
 * Whether the engine's files are this machine's: only then can a volume's folder be read. A path that exists here too
 * says nothing, since two machines look alike.
 */
export async function isLocal(engine: CliEngine): Promise<boolean> {
  const { env } = engine.context;
  if (engine.kind === "podman") {
    const host = env("CONTAINER_HOST") ?? "";
    return (env("CONTAINER_CONNECTION") ?? "") === "" && (host === "" || host.startsWith("unix:"));
  }
  const host = env("DOCKER_HOST") ?? "";
  if (host !== "") return isLocalHost(host);
  const said = await programText({
    program: "docker",
    args: ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"],
    package: "docker.io",
    context: engine.context,
    env: engineEnv(env),
    doing: "ask docker for its context",
  });
  return isLocalHost(said.trim());
}

function isLocalHost(host: string): boolean {
  return host.startsWith("unix://") && resolve(host.slice("unix://".length)).startsWith("/");
}
