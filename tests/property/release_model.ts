/** The simple model that the model-based test compares a repository with: plain values, and what each operation makes of them. */
import type { RollbackType } from "#/report/model.ts";
import { type RollbackResult, rollbackResult } from "#/repository/version_state.ts";
import type { VersionState } from "#/repository/views.ts";

export interface ModelEntry {
  readonly version: string;
  readonly artifacts: readonly string[];
  readonly tick: number;
  /** Published by backout, so that the same bytes are known again. */
  readonly recorded: boolean;
  readonly status: string | null;
  readonly yanked: number | null;
  readonly mark: { readonly verdict: string; readonly tick: number } | null;
  readonly removed: readonly string[];
  readonly backups: readonly string[];
  readonly depends: readonly string[];
}

export interface ModelChannel {
  readonly version: string;
  readonly since: number;
  readonly history: readonly string[];
}
type Channels = Readonly<Record<string, ModelChannel>>;

export interface ModelStone {
  readonly state: "hidden" | "removed";
  readonly backups: readonly string[];
  readonly entry: ModelEntry | null;
}

export interface ModelBackup {
  readonly version: string;
  readonly files: readonly string[];
  readonly entry: ModelEntry;
  readonly before: Channels;
  readonly after: Channels;
}

export interface Model {
  /** Newest first. */
  readonly releases: readonly ModelEntry[];
  readonly stones: Readonly<Record<string, ModelStone>>;
  readonly channels: Channels;
  readonly pins: readonly string[];
  readonly backups: Readonly<Record<string, ModelBackup>>;
  /** Published paths, sorted; a path's bytes are always `contentOf(path)`. */
  readonly tree: readonly string[];
}

/** What an operation must answer, and the state after it. */
export interface Answer {
  readonly code: number;
  /** Where a dry run answers with another code than the run. */
  readonly dryCode?: number;
  readonly next: Model;
}

export const VERSIONS = ["t1", "t2", "t3", "v4", "v5"] as const;
export const SHARED = "shared/both.txt";

export function contentOf(path: string): string {
  return `the bytes of ${path}\n`;
}

export function filesOf(version: string): readonly string[] {
  return [`${version}/app.txt`, `${version}/docs/a.txt`];
}

/** Three releases of T.A.R.S., the newer two share a file. */
export function firstModel(): Model {
  const entry = (version: string, tick: number): ModelEntry => ({
    version,
    artifacts: [...filesOf(version), ...(version === "t1" ? [] : [SHARED])],
    tick,
    recorded: false,
    status: null,
    yanked: null,
    mark: null,
    removed: [],
    backups: [],
    depends: [],
  });
  const releases = [entry("t3", -1), entry("t2", -2), entry("t1", -3)];
  const tree = sorted(releases.flatMap((release) => release.artifacts));
  return { releases, stones: {}, channels: {}, pins: [], backups: {}, tree };
}

export function sorted(values: Iterable<string>): readonly string[] {
  return [...new Set(values)].sort();
}

export function entryOf(model: Model, version: string): ModelEntry | undefined {
  return model.releases.find((entry) => entry.version === version);
}

export function stateOf(model: Model, version: string): VersionState {
  const entry = entryOf(model, version);
  return entry === undefined
    ? model.stones[version]?.state ?? "absent"
    : (entry.status ?? "active") as VersionState;
}

export function isWhole(model: Model, version: string): boolean {
  return ["active", "yanked", "bad"].includes(stateOf(model, version));
}

export function statusOf(marks: Pick<ModelEntry, "yanked" | "mark">): string {
  return marks.yanked !== null ? "yanked" : marks.mark?.verdict === "bad" ? "bad" : "active";
}

export function published(entry: ModelEntry): readonly string[] {
  return entry.artifacts.filter((path) => !entry.removed.includes(path));
}

export function putEntry(model: Model, entry: ModelEntry): readonly ModelEntry[] {
  const others = model.releases.filter((other) => other.version !== entry.version);
  return [...others, entry].sort((a, b) => b.tick - a.tick);
}

export function editEntry(model: Model, version: string, change: Partial<ModelEntry>): Model {
  const releases = model.releases.map((entry) => entry.version === version ? { ...entry, ...change } : entry);
  return { ...model, releases };
}

export function omit<T>(record: Readonly<Record<string, T>>, key: string): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== key));
}

/** May a channel point at it? */
export function isFit(model: Model, version: string, leaving: readonly string[] = []): boolean {
  const entry = entryOf(model, version);
  return !leaving.includes(version) && entry !== undefined && (entry.status ?? "active") === "active" &&
    entry.mark?.verdict !== "bad";
}

export function pointAt(channel: ModelChannel | undefined, version: string, tick: number): ModelChannel {
  const named = channel === undefined ? [] : [channel.version, ...channel.history];
  return { version, since: tick, history: named.filter((name) => name !== version) };
}

export function pointBack(
  channel: ModelChannel,
  version: string,
  leaving: readonly string[],
  tick: number,
): ModelChannel {
  const older = channel.history.slice(channel.history.indexOf(version) + 1);
  const history = older.filter((name) => name !== version && !leaving.includes(name));
  return { version, since: tick, history };
}

export interface RollbackOp {
  readonly version?: string;
  readonly to?: string;
  readonly type: RollbackType;
  readonly artifact?: string;
  readonly noBackup: boolean;
  readonly tolerant: boolean;
  readonly channelTo?: string;
}

/** Which artifacts the globs of the test take. */
function chosenOf(entry: ModelEntry, glob: string | undefined): readonly string[] {
  const all = published(entry);
  if (glob === undefined) return all;
  if (glob === "app.txt") return all.filter((path) => path === `${entry.version}/app.txt`);
  if (glob === "docs/*") return all.filter((path) => path.startsWith(`${entry.version}/docs/`));
  return glob === "**" ? all : [];
}

export function rollback(model: Model, op: RollbackOp, tick: number): Answer {
  const refuse = (code: number): Answer => ({ code, next: model });
  const asked = op.version === undefined ? newerThan(model, op.to!) : [op.version];
  if (typeof asked === "number") return refuse(asked);
  const results = new Map<string, RollbackResult>();
  for (const version of asked) {
    const result = rollbackResult(stateOf(model, version), op.type);
    if (result === "not_found") return refuse(40);
    if (result === "already" && op.version !== undefined) return refuse(46);
    if (result !== "already") results.set(version, result);
  }
  const leaving = [...results.keys()];
  if (leaving.length === 0) return refuse(46);
  if (op.channelTo !== undefined && stateOf(model, op.channelTo) === "absent") return refuse(40);
  if (op.tolerant && op.channelTo !== undefined) {
    const gone = entryOf(model, op.channelTo) === undefined || leaving.includes(op.channelTo);
    if (gone) return refuse(41);
  }
  if (op.artifact !== undefined) {
    for (const version of leaving) {
      if (["hidden", "emptied"].includes(stateOf(model, version))) return refuse(46);
      if (chosenOf(entryOf(model, version)!, op.artifact).length === 0) return refuse(40);
    }
  }
  if (!op.tolerant) {
    const needed = model.releases.some((entry) =>
      !leaving.includes(entry.version) && entry.depends.some((need) => leaving.includes(need))
    );
    if (needed) return refuse(42);
    const stuck = Object.values(movedChannels(model, leaving, op.channelTo, tick)).includes(null);
    if (stuck) return refuse(41);
    if (op.channelTo !== undefined && !isFit(model, op.channelTo, leaving)) return refuse(41);
  }
  return { code: 0, next: takeOut(model, leaving, op, tick) };
}

function newerThan(model: Model, version: string): readonly string[] | number {
  const at = model.releases.findIndex((entry) => entry.version === version);
  if (at < 0) return 40;
  return at === 0 ? 46 : model.releases.slice(0, at).map((entry) => entry.version);
}

/** Channels of the versions that leave, and where they go; null where they have to be removed. */
function movedChannels(
  model: Model,
  leaving: readonly string[],
  channelTo: string | undefined,
  tick: number,
): Readonly<Record<string, ModelChannel | null>> {
  const moved = Object.entries(model.channels).filter(([, channel]) => leaving.includes(channel.version));
  return Object.fromEntries(moved.map(([name, channel]) => {
    const to = channelTo ?? channel.history.find((version) => isFit(model, version, leaving));
    return [name, to === undefined ? null : pointBack(channel, to, leaving, tick)];
  }));
}

export function takeOut(model: Model, leaving: readonly string[], op: RollbackOp, tick: number): Model {
  const moves = movedChannels(model, leaving, op.channelTo, tick);
  let next = model;
  for (const version of leaving) {
    const entry = entryOf(model, version) ?? model.stones[version]!.entry!;
    const chosen = chosenOf(entry, op.artifact);
    const outcome = op.artifact === undefined
      ? rollbackResult(stateOf(model, version), op.type)
      : chosen.length === published(entry).length
      ? "emptied"
      : "partial";
    const moved = outcome === "hidden"
      ? []
      : chosen.filter((path) => !isListed(model, path, version, leaving, op));
    const earlier = model.stones[version]?.backups ?? entry.backups;
    const key = `${version}@${tick}`;
    const backups = op.noBackup ? earlier : [...earlier, key];
    if (!op.noBackup) {
      const before = Object.entries(model.channels).filter(([, channel]) => channel.version === version);
      const after = before.flatMap(([name]) => {
        const to = moves[name] ?? null;
        return to === null ? [] : [[name, to] as const];
      });
      const backup: ModelBackup = {
        version,
        files: outcome === "hidden" ? [] : sorted(chosen),
        entry,
        before: Object.fromEntries(before),
        after: Object.fromEntries(after),
      };
      next = { ...next, backups: { ...next.backups, [key]: backup } };
    }
    next = { ...next, tree: next.tree.filter((path) => !moved.includes(path)) };
    if (outcome === "partial" || outcome === "emptied") {
      next = editEntry(next, version, { status: outcome, removed: [...entry.removed, ...chosen], backups });
    } else {
      const state = outcome === "hidden" ? "hidden" : "removed";
      const stone: ModelStone = { state, backups, entry: state === "hidden" ? entry : null };
      const releases = next.releases.filter((other) => other.version !== version);
      next = { ...next, releases, stones: { ...next.stones, [version]: stone } };
    }
  }
  const channels = Object.entries({ ...model.channels, ...moves }).filter(([, channel]) => channel !== null);
  return { ...next, channels: Object.fromEntries(channels) as Channels };
}

/** True when another release still needs the path in its place. */
function isListed(model: Model, path: string, version: string, leaving: readonly string[], op: RollbackOp) {
  const hidden = Object.entries(model.stones).flatMap(([, { entry }]) => entry === null ? [] : [entry]);
  return [...model.releases, ...hidden].some((other) => {
    if (other.version === version || !published(other).includes(path)) return false;
    if (!leaving.includes(other.version)) return true;
    const first = leaving.indexOf(other.version) < leaving.indexOf(version); // a shared file moves once
    return first || !chosenOf(other, op.artifact).includes(path);
  });
}
