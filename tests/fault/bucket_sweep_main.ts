/** The sweeps over object storage by hand, see `sweep_main.ts`. */
import { CRASHES, type Moment } from "./bucket_crash_sweep.ts";
import { type FaultName, FAULTS_AND_OUTAGES } from "./bucket_fault_sweep.ts";
import { FOREIGN_WRITES, STOPS, TAKEOVERS } from "./bucket_interference.ts";
import { describeBucketCounts, type Job, jobsOf, runInLanes, type Work } from "./bucket_lanes.ts";
import { BUCKET_OPERATIONS } from "./bucket_operations.ts";
import type { BucketSlot } from "./bucket_slot.ts";
import { BUCKET_SWEEPS, setUpSweeps, SWEEP_NAMES } from "./bucket_sweeps.ts";

/** For `parseArgs`. */
export const BUCKET_FLAGS = {
  "bucket": { type: "string" },
  "moment": { type: "string" },
  "second-moment": { type: "string" },
  "fault": { type: "string" },
  "stop": { type: "boolean" },
  "takeover": { type: "boolean" },
  "foreign-write": { type: "boolean" },
} as const;

export interface BucketFlags {
  readonly bucket?: string | undefined;
  readonly every?: string | undefined;
  readonly point?: string | undefined;
  readonly moment?: string | undefined;
  readonly second?: string | undefined;
  readonly "second-moment"?: string | undefined;
  readonly fault?: string | undefined;
  readonly stop?: boolean | undefined;
  readonly takeover?: boolean | undefined;
  readonly "foreign-write"?: boolean | undefined;
}

export const BUCKET_HELP = [
  "deno task sweep --bucket s3|gs [OPERATION…] [SWEEP…] [--every N]",
  `Operations there: ${BUCKET_OPERATIONS.map((it) => it.name).join(", ")}`,
  `Sweeps there: ${SWEEP_NAMES.join(", ")}`,
].join("\n");

/** @param words operations and sweeps; all of them where none is named */
export async function bucketMain(flags: BucketFlags, words: readonly string[]): Promise<number> {
  const { bucket: service } = flags;
  const operations = BUCKET_OPERATIONS.filter((it) => words.includes(it.name));
  const sweeps = SWEEP_NAMES.filter((it) => words.includes(it));
  if ((service !== "s3" && service !== "gs") || operations.length + sweeps.length < words.length) {
    console.error(BUCKET_HELP);
    return 2;
  }
  await using setup = await setUpSweeps(service, operations.length > 0 ? operations : BUCKET_OPERATIONS);
  const jobs = flags.point !== undefined
    ? onePoint(setup.slots, flags, Number(flags.point))
    : (sweeps.length > 0 ? sweeps : SWEEP_NAMES)
      .flatMap((name) => BUCKET_SWEEPS[name](setup.slots, Number(flags.every ?? 1)));
  const started = performance.now();
  const counts = await runInLanes(jobs);
  for (const [group, count] of counts) {
    console.log(`${group}: ${describeBucketCounts(count)}`);
    for (const failure of count.failures) console.log(`  FAILED ${failure}`);
  }
  console.log(`${jobs.length} points in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return [...counts.values()].some((count) => count.failures.length > 0) ? 1 : 0;
}

function onePoint(slots: readonly BucketSlot[], flags: BucketFlags, point: number): readonly Job[] {
  const jobs = <P>(which: P, work: Work<P>) => slots.flatMap((slot) => jobsOf("again", slot, [which], work));
  if (flags.stop) return jobs({ point }, STOPS);
  if (flags.takeover) return jobs({ point }, TAKEOVERS);
  if (flags["foreign-write"]) return jobs({ point }, FOREIGN_WRITES);
  if (flags.fault !== undefined) return jobs({ point, fault: flags.fault as FaultName }, FAULTS_AND_OUTAGES);
  const kill = { point, moment: (flags.moment ?? "before") as Moment };
  if (flags.second === undefined) return jobs(kill, CRASHES);
  const second = { point: Number(flags.second), moment: (flags["second-moment"] ?? "before") as Moment };
  return jobs({ ...kill, second }, CRASHES);
}
