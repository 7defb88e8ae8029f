/**
 * How much of a fault sweep is tried, by `BACKOUT_SWEEP`: a sample (the default, for a developer), `wide` (what a merge
 * has to pass), or `full` (every point, and pairs of points: before a release, and after a change of the engine).
 */
import assert from "node:assert/strict";

const LEVELS = ["sample", "wide", "full"] as const;
export type SweepLevel = typeof LEVELS[number];

export const SWEEP_LEVEL: SweepLevel = levelOf(Deno.env.get("BACKOUT_SWEEP") || "sample");

function levelOf(text: string): SweepLevel {
  const level = LEVELS.find((it) => it === text);
  assert.ok(level !== undefined, `BACKOUT_SWEEP is ${text}; it knows ${LEVELS.join(", ")}`);
  return level;
}

/** The value for the level of this run. */
export function atLevel<T>(values: Readonly<Record<SweepLevel, T>>): T {
  return values[SWEEP_LEVEL];
}

/** For the name of a test: `a sample`. */
export const SWEPT = atLevel({ sample: "a sample", wide: "a wide sample", full: "in full" });

/** Numbers from 1 to `count`, `most` of them at most: spread evenly from the first to the last. */
export function spread(count: number, most: number): readonly number[] {
  const all = Array.from({ length: count }, (_, i) => i + 1);
  if (count <= most) return all;
  if (most <= 1) return all.slice(0, most);
  return Array.from({ length: most }, (_, i) => 1 + Math.round(i * (count - 1) / (most - 1)));
}
