/** Which engine a target is of: what the configuration says, what the environment names, or what answers. */
import { ProgramError, programText } from "../run_program.ts";
import type { TargetContext } from "../target.ts";
import { CliEngine, engineEnv } from "./engine.ts";
import { EngineError } from "./engine_error.ts";
import type { EngineKind } from "./model.ts";

type Context = Pick<TargetContext, "env" | "signal">;

/** Which of the two it is in this process: it is asked once. */
let answered: EngineKind | undefined;

/**
 * @param saved the engine that a snapshot was taken with: while it is down, another one's stack is not meant
 * @throws {EngineError} none answers; {ProgramError} none is installed
 */
export async function openEngine(
  wanted: EngineKind | undefined,
  context: Context,
  saved?: EngineKind,
): Promise<CliEngine> {
  const named = wanted ?? namedByEnvironment(context);
  if (named !== undefined) return new CliEngine({ kind: named, context });
  answered = saved ?? answered ?? await whoAnswers(context);
  return new CliEngine({ kind: answered, context });
}

/**
 * Docker, or podman where docker is not installed. Where only docker's daemon is down, podman is meant if it has
 * containers: else a stack of docker would look as if nothing of it were there.
 * @throws {EngineError} none answers; {ProgramError} none is installed
 */
export async function whoAnswers(context: Context): Promise<EngineKind> {
  try {
    await new CliEngine({ kind: "docker", context }).describe();
    return "docker";
  } catch (error) {
    const isDown = error instanceof EngineError && error.problem === "unreachable";
    const isMissing = error instanceof ProgramError && error.end === "missing";
    if (!isDown && !isMissing) throw error;
    const podman = new CliEngine({ kind: "podman", context });
    try {
      await podman.describe();
    } catch (second) {
      throw second instanceof ProgramError && second.end === "missing" ? error : second;
    }
    if (isDown && !await podman.hasContainers()) throw error;
    return "podman";
  }
}

function namedByEnvironment({ env }: Context): EngineKind | undefined {
  if ((env("DOCKER_HOST") ?? env("DOCKER_CONTEXT") ?? "") !== "") return "docker";
  return (env("CONTAINER_HOST") ?? env("CONTAINER_CONNECTION") ?? "") === "" ? undefined : "podman";
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
  const context = env("DOCKER_CONTEXT") ?? "";
  const known = contextHosts.get(context);
  if (known !== undefined) return isLocalHost(known);
  const said = await programText({
    program: "docker",
    args: ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"],
    package: "docker.io",
    context: engine.context,
    env: engineEnv(env),
    doing: "ask docker for its context",
  });
  contextHosts.set(context, said.trim());
  return isLocalHost(said.trim());
}

/** Where docker's contexts lead, as far as they were asked for. */
const contextHosts = new Map<string, string>();

function isLocalHost(host: string): boolean {
  return host.startsWith("unix://");
}
