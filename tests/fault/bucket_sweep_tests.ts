/** Registers sweeps over object storage as tests. */
import assert from "node:assert/strict";
import { testRequiring } from "../support/require.ts";
import { atLevel, SWEPT } from "../support/sweep_level.ts";
import { describeBucketCounts, runInLanes } from "./bucket_lanes.ts";
import { BUCKET_SWEEPS, setUpSweeps, SWEEP_NAMES, type SweepName } from "./bucket_sweeps.ts";
import type { Service } from "./bucket_world.ts";

/** Of the points of a sweep every n-th, by the level of the sweep. */
export type Strides = Partial<
  Readonly<Record<SweepName, readonly [sample: number, wide: number, full: number]>>
>;

const SERVICES: Readonly<Record<Service, string>> = { s3: "Ceph's S3", gs: "a strict GCS" };

export function testSweeps(title: string, service: Service, strides: Strides): void {
  const needs = service === "s3" ? ["posix", "ceph"] as const : ["posix"] as const;
  testRequiring(needs, `${title} on ${SERVICES[service]}: ${SWEPT}`, async () => {
    await using setup = await setUpSweeps(service);
    const jobs = SWEEP_NAMES.flatMap((name) => {
      const stride = strides[name];
      if (stride === undefined) return [];
      const [sample, wide, full] = stride;
      return BUCKET_SWEEPS[name](setup.slots, atLevel({ sample, wide, full }));
    });
    const counts = await runInLanes(jobs);
    for (const [group, count] of counts) console.log(`${group}: ${describeBucketCounts(count)}`);
    assert.ok(jobs.length > Object.keys(strides).length, "no point was tried");
    const failures = [...counts.values()].flatMap((count) => count.failures);
    assert.equal(failures.length, 0, failures.slice(0, 5).join("\n"));
  });
}
