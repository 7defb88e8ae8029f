/** What a file of know-how declares: a kind of service, how it is recognised, and its settings. */
import type * as z from "zod";
import type { Container, KnowHow, ServiceAccess, ServiceFacts, ServiceVerdict } from "../model.ts";

export interface Kind<Settings = unknown> {
  readonly kind: string;
  /** For the docs: what is done, in one sentence. */
  readonly summary: string;
  /** Names of images, without registry and tag, that are this kind. Exact: `redis-exporter` is no Redis. */
  readonly images: readonly string[];
  /** The keys besides `kind`. Strict. All have defaults, so that a service is known by its image alone. */
  readonly schema: z.ZodType<Settings>;
  /** Recognises a service by something else than its image. */
  readonly recognises?: (service: ServiceFacts) => boolean;
  readonly acts: (settings: Settings) => Omit<KnowHow, "kind" | "matches">;
}

/** Containers that can be asked something. */
export function running(service: ServiceFacts): readonly Container[] {
  return service.containers.filter((it) => it.state === "running");
}

/** One look at each container that runs; the first that is not healthy is the answer. */
export async function everyContainer(
  service: ServiceFacts,
  access: ServiceAccess,
  look: (container: Container) => Promise<ServiceVerdict>,
): Promise<ServiceVerdict> {
  const containers = running(service);
  let last: ServiceVerdict = { healthy: false, message: `${service.name} has no container that runs` };
  for (const container of containers) {
    access.signal.throwIfAborted();
    last = await look(container);
    if (!last.healthy) return last;
  }
  return last;
}

export function healthy(message: string): ServiceVerdict {
  return { healthy: true, message };
}

export function unhealthy(message: string): ServiceVerdict {
  return { healthy: false, message };
}
