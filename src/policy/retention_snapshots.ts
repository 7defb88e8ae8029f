/** Retention of rollback points: which of them go. Pure; the rules are those of `retention.ts`. */
import {
  decideRetention,
  type KeepRules,
  type RetentionDecision,
  type RetentionFacts,
  type RetentionItem,
  type RetentionRules,
  type RetentionSettings,
  type UnmetLimit,
  unmetLimits,
} from "./retention.ts";

/**
 * What a user asks for: the `snapshots.retention` block. The points that restores make of the state before them
 * (`safety`) are always counted apart, so that a busy night of restores pushes nothing out that a person made: by rules
 * of their own, or else by the common ones. The other classes are counted apart where they have rules of their own.
 */
export interface SnapshotRetentionSettings extends RetentionSettings {
  readonly safety?: KeepRules | undefined;
  readonly guard?: KeepRules | undefined;
  /** Points that hold the volumes of containers. */
  readonly withVolumes?: KeepRules | undefined;
  /** Points that hold a stack of containers; those that restores made of the state before them are counted apart again. */
  readonly stacks?: KeepRules | undefined;
}

/** What holds where nothing is configured: points of stacks are large, and made at each deployment. */
export const STACK_RETENTION: SnapshotRetentionSettings = { stacks: { keepLast: 10 } };

/** The type of target that is a stack of containers. */
const STACK = "container";

/** What of a rollback point's manifest retention looks at. */
export interface RetainedSnapshot {
  readonly id: string;
  /** RFC 3339. */
  readonly created_at: string;
  readonly origin: "manual" | "safety" | "guard" | "import";
  readonly pinned: boolean;
  readonly mark: "good" | "bad" | "";
  readonly targets: readonly {
    readonly type?: string;
    readonly config: Readonly<Record<string, unknown>>;
    /** What it added to the store: about what its deletion frees, as later points may share it. */
    readonly stored_bytes: number;
  }[];
}

export interface SnapshotRetentionFacts extends RetentionFacts {
  /** Why a point is still needed, by its id: an unfinished operation, a restore that waits to be confirmed. */
  readonly needed?: ReadonlyMap<string, string>;
}

export interface SnapshotRetention {
  /** In the order of `snapshots`. */
  readonly decisions: readonly RetentionDecision[];
  /** Size limits that do not hold even afterwards. */
  readonly unmet: readonly UnmetLimit[];
}

/**
 * Which rollback points go. Never the newest of all, the newest that a person made (`latest`), the newest that is
 * marked good (`last-good`), the newest of `guard`, a pinned one, or one that something still needs; nothing at all when no rule is set.
 * @throws {UsageError} when a rule is negative, broken or infinite, or `now` is no time
 */
export function snapshotRetention(
  snapshots: readonly RetainedSnapshot[],
  settings: SnapshotRetentionSettings,
  now: Date,
  facts: SnapshotRetentionFacts = {},
): SnapshotRetention {
  const rules = rulesOf(settings);
  const needed = neededOf(snapshots, facts.needed ?? new Map(), now);
  const items = snapshots.map((snapshot) => itemOf(snapshot, rules, needed.get(snapshot.id)));
  const decisions = decideRetention(items, rules, now, facts);
  return { decisions, unmet: unmetLimits(items, decisions, rules, facts) };
}

/** Whether anything is set by which a snapshot, or a record of the history, could go. */
export function hasSnapshotRules(
  { safety, guard, withVolumes, stacks, history, ...common }: SnapshotRetentionSettings,
): boolean {
  return [common, safety, guard, withVolumes, stacks, history].some((rules) =>
    Object.values(rules ?? {}).some((value) => typeof value === "number" && value > 0)
  );
}

/** Whether the point holds a stack of containers. */
export function holdsStack({ targets }: Pick<RetainedSnapshot, "targets">): boolean {
  return targets.some(({ type }) => type === STACK);
}

function rulesOf(settings: SnapshotRetentionSettings): RetentionRules {
  const { safety, guard, withVolumes, stacks, maxBytes, minFreeBytes, history: _, ...common } = settings;
  return {
    ...common,
    maxBytes,
    minFreeBytes,
    groups: {
      safety: safety ?? common,
      ...(guard === undefined ? {} : { guard }),
      ...(withVolumes === undefined ? {} : { "with volumes": withVolumes }),
      ...(stacks === undefined ? {} : { stacks, "stacks before restores": safety ?? stacks }),
    },
  };
}

function itemOf(
  snapshot: RetainedSnapshot,
  { groups }: RetentionRules,
  needed: string | undefined,
): RetentionItem {
  const group = classOf(snapshot).find((name) => Object.hasOwn(groups ?? {}, name));
  return {
    id: snapshot.id,
    at: snapshot.created_at,
    bytes: snapshot.targets.reduce((sum, { stored_bytes }) => sum + stored_bytes, 0),
    group,
    ...(snapshot.pinned ? { pinned: "" } : {}),
    ...(needed === undefined ? {} : { needed }),
  };
}

/** The classes it belongs to; the first with rules of its own counts. */
function classOf(snapshot: RetainedSnapshot): readonly string[] {
  const { origin, targets } = snapshot;
  const stack = holdsStack(snapshot);
  if (origin === "safety") return [...stack ? ["stacks before restores"] : [], origin];
  const volumes = targets.some(({ config }) => config.include_volumes === true);
  return [...volumes ? ["with volumes"] : [], ...stack ? ["stacks"] : [], origin];
}

/** What the words `latest` and `last-good` of the command line stand for stays, besides what the caller names. */
function neededOf(
  snapshots: readonly RetainedSnapshot[],
  given: ReadonlyMap<string, string>,
  now: Date,
): ReadonlyMap<string, string> {
  const known = snapshots
    .filter(({ created_at }) => Date.parse(created_at) <= now.getTime())
    .toSorted((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at) || (a.id < b.id ? 1 : -1));
  const needed = new Map(given);
  const keep = (snapshot: RetainedSnapshot | undefined, why: string) => {
    if (snapshot !== undefined && !needed.has(snapshot.id)) needed.set(snapshot.id, why);
  };
  keep(known.find(({ mark }) => mark === "good"), "the last good one");
  keep(known.find(({ origin }) => origin === "manual"), "the newest that was made by hand");
  keep(known.find(({ origin }) => origin === "manual" || origin === "import"), "what `latest` stands for");
  // Its command may still run, take snapshots itself, and fail then.
  keep(known.find(({ origin }) => origin === "guard"), "the newest of guard");
  return needed;
}
