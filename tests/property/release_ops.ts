/** Random operations, as data. */
import fc from "fast-check";
import { isWhole, type Model, stateOf, VERSIONS } from "./release_model.ts";

const version = fc.constantFrom(...VERSIONS);
const channel = fc.constantFrom("stable", "beta");
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 3 });
const mode = fc.constantFrom("strict", "strict", "lenient", "force");
/** Most operations are aimed at a version that they can change; the others are mostly refused. */
const aim = fc.nat(3).map((n) => n > 0);
/** Picks one of the backups there are, or of those that are gone. */
const pick = fc.nat(5);

export const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("publish"),
      aim,
      version,
      otherBytes: fc.boolean(),
      channel: optional(channel),
      dependsOn: fc.option(version, { nil: undefined, freq: 6 }),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      op: fc.constant("rollback"),
      aim,
      version,
      to: fc.nat(3).map((n) => n === 0),
      type: fc.constantFrom("full", "full", "artifacts_only", "index_only"),
      artifact: fc.option(fc.constantFrom("app.txt", "docs/*", "**", "nothing*"), {
        nil: undefined,
        freq: 4,
      }),
      noBackup: fc.nat(5).map((n) => n === 0),
      size: fc.boolean(),
      mode,
      channelTo: fc.option(version, { nil: undefined, freq: 5 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("restore"),
      aim,
      version,
      backup: fc.option(pick, { nil: undefined, freq: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("restore_at"), step: fc.nat(20), exact: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("mark"),
      version,
      what: fc.constantFrom("yank", "unyank", "good", "bad"),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("channel_set"), channel, version, mode }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("channel_rollback"), channel }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("backup"),
      backup: pick,
      what: fc.constantFrom("delete", "delete", "pin", "unpin"),
    }),
  },
) as fc.Arbitrary<Op>;

export type Op =
  | {
    op: "publish";
    aim: boolean;
    version: string;
    otherBytes: boolean;
    channel?: string;
    dependsOn?: string;
  }
  | {
    op: "rollback";
    aim: boolean;
    version: string;
    to: boolean;
    type: "full" | "artifacts_only" | "index_only";
    artifact?: string;
    noBackup: boolean;
    size: boolean;
    mode: Mode;
    channelTo?: string;
  }
  | { op: "restore"; aim: boolean; version: string; backup?: number }
  | { op: "restore_at"; step: number; exact: boolean }
  | { op: "mark"; version: string; what: "yank" | "unyank" | "good" | "bad" }
  | { op: "channel_set"; channel: string; version: string; mode: Mode }
  | { op: "channel_rollback"; channel: string }
  | { op: "backup"; backup: number; what: "delete" | "pin" | "unpin" };
export type Mode = "strict" | "lenient" | "force";

export const step = fc.record({
  operation,
  /** A dry run alone, a dry run and then the run, or the run. */
  dry: fc.constantFrom("only", "first", "no", "no"),
  /** The process "dies" before its n-th changing call, and so does the recovery after it. */
  crash: fc.option(fc.tuple(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 30 })), {
    nil: undefined,
    freq: 2,
  }),
  /** The dead holder is noticed, or a person removes the lock. */
  noticed: fc.boolean(),
});
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The operation with its version, or its time, chosen from what there is. */
export function aimed(op: Op, states: readonly Model[]): Op {
  if (op.op === "restore_at") return { ...op, step: op.step % states.length };
  if (!("aim" in op) || !op.aim) return op;
  const model = states.at(-1)!;
  const fits: Record<typeof op.op, (version: string) => boolean> = {
    publish: (version) => stateOf(model, version) === "absent",
    rollback: (version) => !["absent", "removed"].includes(stateOf(model, version)),
    restore: (version) => stateOf(model, version) !== "absent" && !isWhole(model, version),
  };
  const candidates = VERSIONS.filter(fits[op.op]);
  const version = candidates[VERSIONS.findIndex((name) => name === op.version) % candidates.length];
  return version === undefined ? op : { ...op, version };
}
