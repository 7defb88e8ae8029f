/** The rest of the model: publish, restore, marks, channels, backups. */
import {
  type Answer,
  editEntry,
  entryOf,
  filesOf,
  isFit,
  isWhole,
  type Model,
  type ModelEntry,
  omit,
  pointAt,
  pointBack,
  putEntry,
  sorted,
  stateOf,
  statusOf,
  takeOut,
} from "./release_model.ts";

const FULL = { type: "full", noBackup: false, tolerant: true } as const;

export interface PublishOp {
  readonly version: string;
  readonly otherBytes: boolean;
  readonly channel?: string;
  readonly dependsOn?: string;
}

export function publish(model: Model, op: PublishOp, tick: number): Answer {
  const { version } = op;
  const known = entryOf(model, version);
  const same = isWhole(model, version) && known?.recorded === true && !op.otherBytes;
  if (stateOf(model, version) !== "absent" && !same) return { code: 46, next: model };
  if (op.dependsOn !== undefined && entryOf(model, op.dependsOn) === undefined) {
    return { code: 42, next: model };
  }
  let next = model;
  if (!same) {
    const entry: ModelEntry = {
      version,
      artifacts: filesOf(version),
      tick,
      recorded: true,
      status: "active",
      yanked: null,
      mark: null,
      removed: [],
      backups: [],
      depends: op.dependsOn === undefined ? [] : [op.dependsOn],
    };
    next = { ...next, releases: putEntry(next, entry), tree: sorted([...next.tree, ...filesOf(version)]) };
  }
  const channel = op.channel === undefined ? undefined : model.channels[op.channel];
  if (op.channel !== undefined && channel?.version !== version) {
    next = { ...next, channels: { ...next.channels, [op.channel]: pointAt(channel, version, tick) } };
  }
  return { code: 0, next };
}

interface Back {
  readonly entry: ModelEntry;
  readonly backups: readonly string[];
  /** Something is neither in place nor in a backup. */
  readonly incomplete: boolean;
}

/** What `restore` finds of a version (or of a backup, by its key), or the code it refuses with. */
function lookUp(model: Model, wanted: string): Back | number {
  const isKey = wanted.includes("@");
  if (isKey && model.backups[wanted] === undefined) return 40;
  const version = isKey ? model.backups[wanted]!.version : wanted;
  const state = stateOf(model, version);
  if (state === "absent") return 40;
  if (isWhole(model, version)) return 46;
  const entry = entryOf(model, version);
  const backups = entry?.backups ?? model.stones[version]!.backups;
  if (backups.length === 0 && !isKey && state !== "hidden") return 45;
  const current = entry ?? model.stones[version]!.entry ?? undefined;
  if (backups.length === 0 && current === undefined) return 45;
  const manifests = backups.map((key) => model.backups[key]!);
  const latest = current ?? manifests.at(-1)!.entry;
  const first = manifests[0]?.entry ?? latest;
  const marks = { yanked: latest.yanked, mark: latest.mark };
  const unmarked = first.status === null && marks.yanked === null && marks.mark === null;
  const whole = { ...first, ...marks, removed: [], backups: [], status: unmarked ? null : statusOf(marks) };
  const saved = new Set(manifests.flatMap((backup) => backup.files));
  const incomplete = whole.artifacts.some((path) => !model.tree.includes(path) && !saved.has(path));
  return { entry: whole, backups, incomplete };
}

function putBack(model: Model, entry: ModelEntry): Model {
  const tree = sorted([...model.tree, ...entry.artifacts]);
  return { ...model, releases: putEntry(model, entry), stones: omit(model.stones, entry.version), tree };
}

export function restore(model: Model, wanted: string): Answer {
  const back = lookUp(model, wanted);
  if (typeof back === "number") return { code: back, next: model };
  if (back.incomplete) return { code: 45, dryCode: 47, next: model };
  let { channels } = model;
  for (const key of back.backups.toReversed()) {
    const { before, after } = model.backups[key]!;
    for (const [name, channel] of Object.entries(before)) {
      const now = channels[name];
      const left = after[name];
      if (now?.version === left?.version && now?.since === left?.since) {
        channels = { ...channels, [name]: channel };
      }
    }
  }
  return { code: 0, next: { ...putBack(model, back.entry), channels } };
}

/** `--at`: `then` is the state after an earlier operation. */
export function restoreAt(model: Model, then: Model, exact: boolean, tick: number): Answer {
  const targets = then.releases.map((entry) => entry.version)
    .filter((version) => isWhole(then, version) && !isWhole(model, version));
  const backs = targets.map((version) => lookUp(model, version));
  const refusal = backs.find((back) => typeof back === "number");
  if (refusal !== undefined) return { code: refusal as number, next: model };
  const leaving = exact
    ? model.releases.map((entry) => entry.version).filter((version) => entryOf(then, version) === undefined)
    : [];
  let next = targets.reduce((state, version) => putBack(state, entryOf(then, version)!), model);
  if (leaving.length > 0) next = { ...takeOut(next, leaving, FULL, tick), channels: model.channels };
  for (const entry of then.releases.filter(({ version }) => !targets.includes(version))) {
    const now = entryOf(model, entry.version);
    const same = JSON.stringify([now?.yanked, now?.mark]) === JSON.stringify([entry.yanked, entry.mark]);
    if (now === undefined || same) continue;
    const broken = now.status === "partial" || now.status === "emptied";
    const { yanked, mark } = entry;
    next = editEntry(next, entry.version, { yanked, mark, status: broken ? now.status : statusOf(entry) });
  }
  for (const [name, channel] of Object.entries(then.channels)) {
    const listed = entryOf(next, channel.version) !== undefined;
    if (!listed || model.channels[name]?.version === channel.version) continue;
    next = { ...next, channels: { ...next.channels, [name]: channel } };
  }
  for (const name of exact ? Object.keys(model.channels) : []) {
    if (then.channels[name] === undefined) next = { ...next, channels: omit(next.channels, name) };
  }
  if (JSON.stringify(next) === JSON.stringify(model)) {
    return { code: leftOut(model, then) ? 49 : 46, next: model };
  }
  const incomplete = backs.some((back) => typeof back !== "number" && back.incomplete);
  return incomplete ? { code: 45, dryCode: 47, next: model } : { code: 0, next };
}

/** True when a version was not whole then and is less now: there is no way back to just that. */
function leftOut(model: Model, then: Model): boolean {
  const broken = ["partial", "emptied", "hidden"];
  return [...then.releases.map((entry) => entry.version), ...Object.keys(then.stones)].some((version) => {
    const was = stateOf(then, version);
    const is = stateOf(model, version);
    return broken.includes(was) && was !== is && [...broken, "removed"].includes(is);
  });
}

export function mark(
  model: Model,
  version: string,
  what: "yank" | "unyank" | "good" | "bad",
  tick: number,
): Answer {
  const entry = entryOf(model, version);
  if (entry === undefined) return { code: stateOf(model, version) === "absent" ? 40 : 46, next: model };
  const nothing = what === "yank"
    ? entry.yanked !== null
    : what === "unyank"
    ? entry.yanked === null
    : entry.mark?.verdict === what;
  if (nothing) return { code: 46, next: model };
  const yanked = what === "yank" ? tick : what === "unyank" ? null : entry.yanked;
  const marks = { yanked, mark: what === "good" || what === "bad" ? { verdict: what, tick } : entry.mark };
  const broken = entry.status === "partial" || entry.status === "emptied";
  const status = broken ? entry.status : statusOf(marks);
  return { code: 0, next: editEntry(model, version, { ...marks, status }) };
}

export function setChannel(
  model: Model,
  name: string,
  version: string,
  tolerant: boolean,
  tick: number,
): Answer {
  const state = stateOf(model, version);
  if (state === "absent") return { code: 40, next: model };
  const channel = model.channels[name];
  if (channel?.version === version) return { code: 46, next: model };
  const gone = state === "hidden" || state === "removed";
  if (gone || !tolerant && !isFit(model, version)) return { code: 41, next: model };
  return {
    code: 0,
    next: { ...model, channels: { ...model.channels, [name]: pointAt(channel, version, tick) } },
  };
}

export function rollbackChannel(model: Model, name: string, tick: number): Answer {
  const channel = model.channels[name];
  if (channel === undefined) return { code: 40, next: model };
  const to = channel.history.find((version) => isFit(model, version, [channel.version]));
  if (to === undefined) return { code: 41, next: model };
  const channels = { ...model.channels, [name]: pointBack(channel, to, [], tick) };
  return { code: 0, next: { ...model, channels } };
}

export function changeBackup(model: Model, key: string, what: "delete" | "pin" | "unpin"): Answer {
  const refuse = (code: number): Answer => ({ code, next: model });
  if (model.backups[key] === undefined) return refuse(40);
  const pinned = model.pins.includes(key);
  if (what === "pin") {
    return pinned ? refuse(46) : { code: 0, next: { ...model, pins: sorted([...model.pins, key]) } };
  }
  const pins = model.pins.filter((pin) => pin !== key);
  if (what === "unpin") return pinned ? { code: 0, next: { ...model, pins } } : refuse(46);
  if (pinned) return refuse(41);
  const without = (backups: readonly string[]) => backups.filter((backup) => backup !== key);
  const stones = Object.entries(model.stones).map(([version, stone]) =>
    [version, { ...stone, backups: without(stone.backups) }] as const
  );
  const releases = model.releases.map((entry) => ({ ...entry, backups: without(entry.backups) }));
  const backups = omit(model.backups, key);
  return { code: 0, next: { ...model, releases, stones: Object.fromEntries(stones), backups } };
}
