/** What a snapshot keeps of the services: which images, how many, whether they work. */
import { RollbackError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import type { CaptureContext } from "../target.ts";
import { isEngineAway } from "./engine_error.ts";
import { accessTo, askOnce, servicesOf } from "./know.ts";
import type { Target, World } from "./look.ts";
import type { Container, SavedService, ServiceAccess, ServiceFacts, ServiceVerdict } from "./model.ts";

export async function describeServices(
  target: Target,
  { engine, containers, project }: World,
  tags: ReadonlyMap<string, string>,
  context: CaptureContext,
): Promise<readonly SavedService[]> {
  const access = accessTo(engine, context);
  const described: SavedService[] = [];
  for (const service of servicesOf(containers)) {
    const runs = service.containers.some((it) => it.state === "running");
    const verdict = runs ? await asked(service, target, access, context) : undefined;
    const first = service.containers[0]!;
    const mounts = service.containers.flatMap((it) => it.mounts);
    const from = (kind: string) =>
      [...new Set(mounts.filter((it) => it.kind === kind).map((it) => it.source))].sort();
    described.push({
      name: service.name,
      verdict: verdict === undefined ? "" : verdict.healthy ? "healthy" : "unhealthy",
      image: first.image,
      image_id: first.imageId,
      digests: (await engine.image(first.imageId))?.digests ?? [],
      tag_id: tags.get(first.image) ?? "",
      containers: service.containers.map(savedContainer),
      depends_on: [...project.facts.needs.get(service.name) ?? labelledNeeds(first)],
      volumes: from("volume").filter((it) => it !== ""),
      binds: from("bind"),
    });
  }
  return described;
}

function savedContainer(it: Container): SavedService["containers"][number] {
  return {
    number: it.number,
    name: it.name,
    id: it.id,
    image_id: it.imageId,
    config_hash: it.configHash,
    state: it.state,
    health: it.health,
    networks: it.networks,
  };
}

/** `db:service_started:false,cache:…`: compose v2 says it on the container. */
function labelledNeeds({ labels }: Container): readonly string[] {
  const said = labels["com.docker.compose.depends_on"] ?? "";
  return said.split(",").filter((it) => it !== "").map((it) => it.split(":")[0]!);
}

/** A service that cannot even be asked counts as one of which nothing is known. */
async function asked(
  service: ServiceFacts,
  { config }: Target,
  access: ServiceAccess,
  context: CaptureContext,
): Promise<ServiceVerdict | undefined> {
  try {
    return await askOnce(service, config, access);
  } catch (error) {
    throwIfStopped(context.signal);
    if (!(error instanceof RollbackError) || isEngineAway(error)) throw error;
    context.warn(`${service.name} could not be asked whether it works: ${error.message}`);
    return undefined;
  }
}
