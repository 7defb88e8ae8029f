/**
 * The keep rules against `restic forget --dry-run --json` on the same dates, for what both have. Where they differ it
 * is on purpose, and each difference has its test below:
 *
 * - keep_within is measured from now, in restic from its newest snapshot: a backup grows old also while none is made.
 *   The comparison asks at the time of the newest.
 * - The newest of all always stays; restic deletes it when only --keep-tag is given and it has no such tag.
 * - What lies ahead of the clock is kept beside the counts; restic counts it, so that it pushes a good one out.
 * - While a calendar rule is not filled the very oldest stays, as in restic from 0.16 on, but not in Debian's 0.14.
 *   In the compared histories the oldest is alone in its year, where all versions agree.
 * - Of snapshots of the same moment restic takes any; the compared histories have none.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import "../support/property_seed.ts";
import { decideRetention, type KeepRules, type RetentionItem } from "#/policy/retention.ts";
import { testRequiring } from "../support/require.ts";
import { tempDir } from "../support/temp.ts";
import {
  resticForget,
  type ResticSnapshot,
  resticVersion,
  writeResticRepository,
} from "./retention_restic_support.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const PARALLEL = 2;

/** Named histories, oldest first. The first snapshot of each is alone in its year and has every tag. */
const HISTORIES: Readonly<Record<string, readonly ResticSnapshot[]>> = {
  "every night for fifteen months": series(460, "2023-02-11T02:00:00Z", (n) => DAY + (n % 7) * 61_000),
  "every hour for two weeks, around new year": series(340, "2020-12-24T00:00:30Z", () => HOUR),
  "every Monday at midnight, for seven years": series(370, "2015-01-05T00:00:00Z", () => 7 * DAY),
  "bursts, gaps and whole silent years": series(
    250,
    "2009-03-01T10:20:30Z",
    (n) =>
      [
        1_000,
        2 * HOUR,
        71 * HOUR,
        20 * 60_000,
        37 * DAY,
        500 * DAY,
        9 * HOUR,
        45 * DAY,
      ][(n * n + n % 11) % 8]! / 3,
  ),
};

function series(count: number, first: string, gap: (n: number) => number): ResticSnapshot[] {
  let time = Date.parse(first);
  const snapshots: ResticSnapshot[] = [{ time: "2003-04-05T06:07:08.000Z", tags: ["release", "audit"] }];
  for (let n = 0; n < count; n++) {
    const tags = [...n % 9 === 4 ? ["release"] : [], ...n % 50 === 7 ? ["audit"] : []];
    snapshots.push({ time: new Date(time).toISOString(), tags });
    time += Math.round(gap(n));
  }
  return snapshots;
}

const count = fc.integer({ min: 1, max: 40 });
const rules: fc.Arbitrary<KeepRules> = fc.record({
  keepLast: count,
  keepHourly: count,
  keepDaily: count,
  keepWeekly: count,
  keepMonthly: count,
  keepYearly: count,
  keepWithin: fc.oneof(
    fc.integer({ min: 1, max: 400 }).map((days) => days * DAY),
    fc.integer({ min: 1, max: 300 }).map((hours) => hours * HOUR),
  ),
  keepTags: fc.constantFrom(["release"], ["audit"], ["release", "audit"]),
}, { requiredKeys: [] }).filter((chosen) => Object.keys(chosen).length > 0);

const ALONE: readonly KeepRules[] = [
  { keepLast: 1 },
  { keepLast: 25 },
  { keepHourly: 1 },
  { keepHourly: 48 },
  { keepDaily: 7 },
  { keepDaily: 1000 },
  { keepWeekly: 5 },
  { keepWeekly: 200 },
  { keepMonthly: 12 },
  { keepMonthly: 1000 },
  { keepYearly: 2 },
  { keepYearly: 75 },
  { keepWithin: HOUR },
  { keepWithin: 90 * DAY },
  { keepWithin: 3 * DAY + 12 * HOUR },
  { keepWithin: 10_000 * DAY },
  { keepTags: ["release"] },
  { keepTags: ["audit", "release"] },
  { keepLast: 10, keepDaily: 7, keepWithin: 90 * DAY },
  { keepHourly: 24, keepDaily: 7, keepWeekly: 4, keepMonthly: 12, keepYearly: 5, keepTags: ["audit"] },
];

const FLAGS: readonly (readonly [Exclude<keyof KeepRules, "keepWithin" | "keepTags">, string])[] = [
  ["keepLast", "--keep-last"],
  ["keepHourly", "--keep-hourly"],
  ["keepDaily", "--keep-daily"],
  ["keepWeekly", "--keep-weekly"],
  ["keepMonthly", "--keep-monthly"],
  ["keepYearly", "--keep-yearly"],
];

function policyOf(chosen: KeepRules): string[] {
  const { keepWithin, keepTags = [] } = chosen;
  return [
    ...FLAGS.flatMap(([rule, flag]) => chosen[rule] === undefined ? [] : [flag, String(chosen[rule])]),
    ...keepWithin === undefined
      ? []
      : ["--keep-within", `${Math.floor(keepWithin / DAY)}d${keepWithin % DAY / HOUR}h`],
    ...keepTags.flatMap((tag) => ["--keep-tag", tag]),
  ];
}

/** The times that our rules keep, oldest first. */
function ours(snapshots: readonly ResticSnapshot[], chosen: KeepRules, now: Date): number[] {
  const items = snapshots.map(({ time, tags }, n): RetentionItem => ({
    id: String(n),
    at: time,
    bytes: 1,
    tags,
  }));
  return decideRetention(items, chosen, now)
    .flatMap(({ action }, n) => action === "keep" ? [Date.parse(snapshots[n]!.time)] : []);
}

async function theirs(repository: string, chosen: KeepRules): Promise<number[]> {
  const { keep } = await resticForget(repository, policyOf(chosen));
  return keep.toSorted((a, b) => a - b);
}

for (const [name, snapshots] of Object.entries(HISTORIES)) {
  testRequiring(["restic"], `keeps what restic keeps: ${name}`, async () => {
    await using folder = tempDir();
    await writeResticRepository(folder.path, snapshots);
    const newest = new Date(snapshots.at(-1)!.time);
    const seed = fc.readConfigureGlobal().seed;
    const sampled = fc.sample(rules, { numRuns: 40, ...seed === undefined ? {} : { seed } });
    const cases = [...ALONE, ...sampled];
    const differences: string[] = [];
    const compare = async (chosen: KeepRules) => {
      const expected = new Set([...await theirs(folder.path, chosen), newest.getTime()]);
      const actual = new Set(ours(snapshots, chosen, newest));
      const wrong = actual.symmetricDifference(expected);
      if (wrong.size === 0) return;
      const times = [...wrong].map((time) =>
        `${expected.has(time) ? "-" : "+"}${new Date(time).toISOString()}`
      );
      differences.push(`${policyOf(chosen).join(" ")}: ${times.join(" ")}`);
    };
    for (let at = 0; at < cases.length; at += PARALLEL) {
      await Promise.all(cases.slice(at, at + PARALLEL).map(compare));
    }
    assert.deepEqual(differences, [], `${resticVersion()}; + we keep, - it keeps`);
  });
}

testRequiring(["restic"], "differs: the newest of all stays although no rule keeps it", async () => {
  const snapshots = HISTORIES["every night for fifteen months"]!.slice(0, 12);
  await using folder = tempDir();
  await writeResticRepository(folder.path, snapshots);
  const newest = new Date(snapshots.at(-1)!.time);
  const chosen = { keepTags: ["audit"] };
  const expected = await theirs(folder.path, chosen);
  assert.ok(!expected.includes(newest.getTime()));
  assert.deepEqual(ours(snapshots, chosen, newest), [...expected, newest.getTime()]);
});

testRequiring(
  ["restic"],
  "differs: what lies ahead of the clock takes no place from what does not",
  async () => {
    const ahead = { time: "2199-01-01T00:00:00.000Z", tags: [] };
    const snapshots = [...HISTORIES["every night for fifteen months"]!, ahead];
    await using folder = tempDir();
    await writeResticRepository(folder.path, snapshots);
    const newest = new Date(snapshots.at(-2)!.time);
    for (
      const [chosen, fewer] of [[{ keepLast: 3 }, { keepLast: 2 }], [{ keepDaily: 5 }, {
        keepDaily: 4,
      }]] as const
    ) {
      const actual = ours(snapshots, chosen, newest);
      // Ours are theirs and one more: the one that theirs lost to the wrong clock.
      assert.deepEqual(ours(snapshots, fewer, newest), await theirs(folder.path, chosen));
      assert.equal(actual.length, ours(snapshots, fewer, newest).length + 1);
    }
    // Both measure keep_within without it.
    const within = { keepWithin: 30 * DAY };
    assert.deepEqual(ours(snapshots, within, newest), await theirs(folder.path, within));
  },
);

testRequiring(
  ["restic"],
  "differs from 0.14: the very oldest stays while a calendar rule is not filled",
  async () => {
    const snapshots = HISTORIES["every hour for two weeks, around new year"]!.slice(1, 200);
    await using folder = tempDir();
    await writeResticRepository(folder.path, snapshots);
    const newest = new Date(snapshots.at(-1)!.time);
    const oldest = Date.parse(snapshots[0]!.time);
    for (const chosen of [{ keepYearly: 3 }, { keepMonthly: 12 }, { keepDaily: 60 }]) {
      const expected = new Set([oldest, ...await theirs(folder.path, chosen)]);
      assert.deepEqual(new Set(ours(snapshots, chosen, newest)), expected);
    }
    for (const chosen of [{ keepYearly: 2 }, { keepMonthly: 1 }, { keepDaily: 3 }]) {
      assert.deepEqual(ours(snapshots, chosen, newest), await theirs(folder.path, chosen));
    }
  },
);

testRequiring(["restic"], "differs: keep_within is measured from now", async () => {
  const snapshots = HISTORIES["every night for fifteen months"]!;
  await using folder = tempDir();
  await writeResticRepository(folder.path, snapshots);
  const newest = Date.parse(snapshots.at(-1)!.time);
  const later = new Date(newest + 20 * DAY);
  assert.deepEqual(
    ours(snapshots, { keepWithin: 50 * DAY }, later),
    await theirs(folder.path, { keepWithin: 30 * DAY }),
  );
});
