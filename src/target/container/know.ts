/** What is known of the services, asked through the engine. */
import { setTimeout as wait } from "node:timers/promises";
import { VerificationError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { ProgramError } from "../program_error.ts";
import type { TargetContext } from "../target.ts";
import { type ContainerConfig, healthTimeoutMs } from "./config.ts";
import type { CliEngine } from "./engine.ts";
import { containerOf } from "./engine_parse.ts";
import { knowHowFor } from "./know_how/mod.ts";
import type { Container, KnowHow, ServiceAccess, ServiceFacts, ServiceVerdict } from "./model.ts";

const ASK_AGAIN_MS = 250;

/** The services of containers, by name. */
export function servicesOf(containers: readonly Container[]): readonly ServiceFacts[] {
  return [...Map.groupBy(containers, (it) => it.service)].map(([name, own]) => ({
    name,
    image: own[0]!.image,
    labels: own[0]!.labels,
    containers: own,
  }));
}

export function accessTo(engine: CliEngine, context: TargetContext): ServiceAccess {
  return {
    signal: context.signal,
    sleep: async (ms) => {
      await wait(ms, undefined, { signal: context.signal }).catch(() => throwIfStopped(context.signal));
    },
    env: context.env,
    exec: (container, command, options) => engine.exec(container.id, command, options),
    kill: (container, signal) => engine.signal(container.id, signal),
    look: async (container) => {
      const [record] = await engine.records([container.id]);
      return record === undefined ? undefined : containerOf(record, engine.kind);
    },
  };
}

export function knownOf(service: ServiceFacts, config: ContainerConfig): readonly KnowHow[] {
  return knowHowFor(service, config.know_how?.[service.name]);
}

/** What all that is known of a service says of it; undefined: nothing is known that could be asked. */
export async function askOnce(
  service: ServiceFacts,
  config: ContainerConfig,
  access: ServiceAccess,
): Promise<ServiceVerdict | undefined> {
  let last: ServiceVerdict | undefined;
  for (const known of knownOf(service, config)) {
    if (known.check === undefined) continue;
    last = await verdictOf(known.check(service, access), service);
    if (!last.healthy) return last;
  }
  return last;
}

/** One that hangs does not work; it may be asked again. */
async function verdictOf(asked: Promise<ServiceVerdict>, { name }: ServiceFacts): Promise<ServiceVerdict> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof ProgramError) || error.end !== "timed_out") throw error;
    return { healthy: false, message: `${name} hangs: it was asked, and gave no answer in time` };
  }
}

/**
 * Waits until every container of the service runs, and what is known of it says that it works.
 * @param expected false: it did not work when it was saved, so it need not now
 * @throws {VerificationError} the time is over
 */
export async function waitUntilHealthy(
  name: string,
  expected: boolean,
  config: ContainerConfig,
  engine: CliEngine,
  look: () => Promise<readonly Container[]>,
  context: TargetContext,
): Promise<void> {
  if (!expected) return;
  const access = accessTo(engine, context);
  const limit = healthTimeoutMs(config);
  const deadline = performance.now() + limit;
  let message = "nothing was said";
  for (;;) {
    const [service] = servicesOf((await look()).filter((it) => it.service === name));
    const verdict = service === undefined ? undefined : await askOnce(service, config, access);
    if (verdict === undefined || verdict.healthy) return;
    message = verdict.message;
    if (performance.now() > deadline) break;
    await access.sleep(ASK_AGAIN_MS);
  }
  throw new VerificationError(`The service ${name} does not work within ${limit / 1000} s: ${message}`, {
    hint: `Look at what it says: ${engine.kind} logs; give it more time with health_timeout.`,
    context: { service: name },
  });
}
