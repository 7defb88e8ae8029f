/** What of a stack does not work after somebody changed it. Looks only. */
import { setTimeout as wait } from "node:timers/promises";
import { VerificationError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { TargetContext } from "../target.ts";
import { servicesOf, waitUntilHealthy } from "./know.ts";
import { lookAtStack, type Target } from "./look.ts";
import type { Container, SavedService } from "./model.ts";
import { readStack } from "./stack.ts";

/** A service that cannot start shows it by then: it has ended, or was started again. */
const SETTLE_MS = 2_000;

/** Sentences; empty: every service that is there works, but for those that did not when it was saved. */
export async function faults(
  target: Target,
  saved: SavedTarget,
  context: TargetContext,
): Promise<readonly string[]> {
  const stack = readStack(saved);
  const before = new Map(stack.services.map((it) => [it.name, it]));
  const first = await lookAtStack(target, context, stack);
  const look = async () => (await lookAtStack(target, context, stack)).containers;
  await wait(SETTLE_MS, undefined, { signal: context.signal }).catch(() => throwIfStopped(context.signal));
  const services = servicesOf(await look()).filter(({ name }) => !didNotWork(before.get(name)));
  const found = await Promise.all(services.map(async ({ name, containers }) => {
    const ended = containers.flatMap((it) => endedBadly(it, first.containers));
    if (ended.length > 0) return ended;
    if (containers.every((it) => it.state !== "running")) return [];
    try {
      await waitUntilHealthy(name, true, target.config, first.engine, look, context);
    } catch (error) {
      if (error instanceof VerificationError) return [error.message];
      throw error;
    }
    return (await look()).filter((it) => it.service === name).flatMap((it) =>
      endedBadly(it, first.containers)
    );
  }));
  return found.flat();
}

/** What was broken already is no reason to take a change back. */
function didNotWork(saved: SavedService | undefined): boolean {
  if (saved === undefined) return false;
  return saved.verdict === "unhealthy" || saved.containers.every((it) => it.state === "stopped");
}

function endedBadly(now: Container, earlier: readonly Container[]): readonly string[] {
  if (now.state === "stopped") {
    return now.exitCode === 0 ? [] : [`${now.name} ended with code ${now.exitCode}`];
  }
  const before = earlier.find((it) => it.id === now.id);
  return before !== undefined && now.restarts > before.restarts ? [`${now.name} ends again and again`] : [];
}
