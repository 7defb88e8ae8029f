/**
 * Kills an operation on object storage at its requests: before the service gets one, after it answered, and with the
 * request still under way. Somebody else recovers, and is killed too. Each time the repository has to end before or
 * after, recorded once, with nothing lost and nothing left over.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { type FaultAction, PASS } from "../support/servers/fault_proxy.ts";
import {
  assertInstant,
  assertWhole,
  type BucketSlot,
  commandOn,
  type Ended,
  freshPlace,
  isChanging,
  isCounted,
  type Place,
  recoverElsewhere,
  said,
} from "./bucket_slot.ts";
import type { Work } from "./bucket_lanes.ts";
import type { SweepWorld } from "./bucket_world.ts";

/**
 * When the process dies: before the service gets the request, when it has answered, or while the request is under way,
 * which then arrives soon after somebody else has the lock, or later.
 */
export const MOMENTS = ["before", "after", "late", "later"] as const;
export type Moment = typeof MOMENTS[number];

/** How much later, in milliseconds; less than half a lease, which is the deadline of a request. */
const DELAYS_MS: Readonly<Record<"late" | "later", readonly number[]>> = {
  late: [0, 30, 80],
  later: [250, 600, 1_100],
};

export interface KillPoint {
  /** Which request, from 1. */
  readonly point: number;
  readonly moment: Moment;
  /** The recovery of that is killed here as well. */
  readonly second?: { readonly point: number; readonly moment: Moment };
}

/** The points of an operation: all of its requests, or those that change something. */
export function killPoints({ requests, operation }: BucketSlot): readonly KillPoint[] {
  return requests.flatMap((kind, i) => {
    const point = i + 1;
    const changes = isChanging(kind);
    if (!changes && !operation.everywhere) return [];
    const moments = MOMENTS.filter((moment) => {
      return moment === "late" ? changes && operation.everywhere : moment === "later" ? changes : true;
    });
    return moments.map((moment) => ({ point, moment }));
  });
}

function isLate(moment: Moment): moment is "late" | "later" {
  return moment === "late" || moment === "later";
}

/** Adds to every `every`-th point a kill in its recovery, each time at another request. */
export function withSeconds(points: readonly KillPoint[], every: number): readonly KillPoint[] {
  const prompt = points.filter(({ moment }) => !isLate(moment));
  return prompt.filter((_, i) => i % every === every - 1).map((kill, i) => {
    // 17 is prime to the number of requests that a recovery has: all of them come by.
    const moment = i % 2 === 0 ? "before" : "after";
    const second = { point: 1 + (i * 17) % MOST_RECOVERY_REQUESTS, moment } as const;
    return { ...kill, second };
  });
}

const MOST_RECOVERY_REQUESTS = 48;

export const CRASHES: Work<KillPoint> = {
  attempt: crashOnce,
  flags: ({ point, moment, second }) => {
    const more = second === undefined ? "" : ` --second ${second.point} --second-moment ${second.moment}`;
    return `--point ${point} --moment ${moment}${more}`;
  },
};

async function crashOnce(slot: BucketSlot, kill: KillPoint, lane: number): Promise<"before" | "after"> {
  const { world, operation, requests } = slot;
  const place = await freshPlace(slot, lane);
  const first = await runAndKill(world, place, commandOn(slot, place), kill);
  const where = `${operation.name} killed ${told(kill)} (${requests[kill.point - 1]}, of ${requests.length})`;
  assertEnd(first, where);
  await assertInstant(slot, place, where);
  if (kill.second !== undefined) {
    const argv = ["recover", "-r", place.location, "--lock-timeout", "20s", "--json"];
    const second = await runAndKill(world, place, argv, kill.second);
    assertEnd(second, `${where}, recovery killed ${told(kill.second)}`);
    await assertInstant(slot, place, `${where}, recovery killed ${told(kill.second)}`);
  }
  const how = kill.point % 3 === 0 ? "next command" : "recover";
  // What is late comes through the proxy, and so does who it may disturb.
  await recoverElsewhere(slot, place, where, how, isLate(kill.moment) ? world.proxied : world.direct);
  await first.arrived;
  // Before there is a journal nobody waits for what is under way: a later command removes that.
  if (isLate(kill.moment)) await recoverElsewhere(slot, place, where);
  const ended = await assertWhole(slot, place, `${where}, then ${how}`, { deep: true });
  if (!first.killed) assert.equal(ended, "after", `${where}: it succeeded, but the state is as before`);
  return ended;
}

function told({ point, moment }: { readonly point: number; readonly moment: Moment }): string {
  const when = {
    before: "before",
    after: "after the answer to",
    late: "with a late",
    later: "with a very late",
  }[moment];
  return `${when} request ${point}`;
}

/** A run with fewer requests than the last time (of renewals of the lock there are more or less) ends well. */
function assertEnd(run: KilledRun, where: string): void {
  assert.ok(run.killed || run.code === 0, `${where}: not killed but ${said(run)}`);
}

interface KilledRun extends Ended {
  readonly killed: boolean;
  /** Resolves when nothing of it is under way any more. */
  readonly arrived: Promise<void>;
}

/** Runs a command through the proxy and kills it at that request. */
async function runAndKill(
  world: SweepWorld,
  place: Place,
  argv: readonly string[],
  { point, moment }: { readonly point: number; readonly moment: Moment },
): Promise<KilledRun> {
  const child = world.spawn(argv);
  const ending = child.output();
  const taken = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  let count = 0;
  let dead = false;
  const kill = async () => {
    dead = true;
    child.kill("SIGKILL");
    await child.status;
  };
  const killAndWait = async (moment: "late" | "later") => {
    await kill();
    await taken.promise;
    const delays = DELAYS_MS[moment];
    await sleep(delays[point % delays.length]!);
  };
  world.decide(place.bucket, async (request): Promise<FaultAction> => {
    if (dead && isLate(moment)) {
      if (request.path.includes("probe-")) taken.resolve(); // the first that is done with the lock
      return PASS;
    }
    if (dead) return { kind: "reset_before" };
    if (!isCounted(request) || ++count !== point) return PASS;
    if (moment === "after") return { kind: "pass", afterReply: kill };
    if (isLate(moment)) {
      const beforeForward = () => killAndWait(moment); // all of it has been sent by then
      return { kind: "pass", beforeForward, afterReply: arrived.resolve };
    }
    await kill();
    return { kind: "reset_before" };
  });
  const { code, signal, stdout, stderr } = await ending;
  if (!dead || !isLate(moment)) arrived.resolve();
  const decoder = new TextDecoder();
  return {
    code,
    killed: signal === "SIGKILL",
    arrived: arrived.promise,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}
