/** Tries many points at the same time, since each mostly waits for a lease to end. */
import { type BucketSlot, LANES } from "./bucket_slot.ts";

/** How a kind of point is tried. */
export interface Work<P> {
  /** Tries a point in the bucket of a lane; says where it ended. */
  readonly attempt: (slot: BucketSlot, point: P, lane: number) => Promise<"before" | "after">;
  /** The flags of `deno task sweep` that try it again. */
  readonly flags: (point: P) => string;
}

/** One point of one operation. */
export interface Job {
  /** Under which the outcome is counted. */
  readonly group: string;
  readonly run: (lane: number) => Promise<"before" | "after">;
  /** The command that tries it again. */
  readonly again: string;
}

export interface BucketSweepCounts {
  points: number;
  /** How often the state ended before, and after. */
  before: number;
  after: number;
  failures: string[];
}

export function jobsOf<P>(
  sweep: string,
  slot: BucketSlot,
  points: readonly P[],
  { attempt, flags }: Work<P>,
): readonly Job[] {
  const { operation, world } = slot;
  return points.map((point) => ({
    group: `${sweep}, ${operation.name}`,
    run: (lane) => attempt(slot, point, lane),
    again: `deno task sweep ${operation.name} --bucket ${world.service} ${flags(point)}`,
  }));
}

/** @returns what came of them, by group */
export async function runInLanes(jobs: readonly Job[]): Promise<ReadonlyMap<string, BucketSweepCounts>> {
  const counts = new Map<string, BucketSweepCounts>();
  for (const { group } of jobs) counts.set(group, { points: 0, before: 0, after: 0, failures: [] });
  let next = 0;
  await Promise.all(Array.from({ length: LANES }, async (_, lane) => {
    while (next < jobs.length) {
      const job = jobs[next++]!;
      const count = counts.get(job.group)!;
      count.points += 1;
      try {
        count[await runUnstalled(job, lane)] += 1;
      } catch (error) {
        count.failures.push(`${error instanceof Error ? error.message : error}\n  again: ${job.again}`);
      }
    }
  }));
  return counts;
}

/** How a process ends that did not get to renewing its lock: on a machine that stalls for longer than a lease. */
const STALLED = /could not be renewed in time/;
const TRIES = 3;

/** Tries a point again when the machine was too busy, which nobody can tell from a fault when it happens each time. */
async function runUnstalled(job: Job, lane: number): Promise<"before" | "after"> {
  for (let tries = 1;; tries++) {
    try {
      return await job.run(lane);
    } catch (error) {
      if (tries === TRIES || !(error instanceof Error && STALLED.test(error.message))) throw error;
    }
  }
}

export function describeBucketCounts({ points, before, after, failures }: BucketSweepCounts): string {
  return `points: ${points}; ended before: ${before}, after: ${after}; failures: ${failures.length}`;
}
