/** Where a channel goes when the version that it names leaves, and how a channel remembers. */
import type { Channel, RepositoryIndex } from "#/repository/index_format.ts";
import { findEntry, stateOfEntry } from "#/repository/version_state.ts";

/** Names a channel had; more are forgotten. */
const MAX_HISTORY = 50;

export type ChannelTarget =
  | { readonly found: string }
  /** None is safe; these are active and not bad, newest first. */
  | { readonly candidates: readonly string[] };

/** True when a channel may point at this version. */
export function canBeNamed(index: RepositoryIndex, version: string, leaving: ReadonlySet<string>): boolean {
  if (leaving.has(version)) return false;
  const entry = findEntry(index, version);
  return entry !== undefined && stateOfEntry(entry) === "active" && entry.mark?.verdict !== "bad";
}

/** `previous` if it may be named, else the latest version the channel named that may, else the candidates. Pure. */
export function channelTarget(
  index: RepositoryIndex,
  channel: Channel,
  leaving: ReadonlySet<string>,
): ChannelTarget {
  const found = namedBefore(channel).find((version) => canBeNamed(index, version, leaving));
  if (found !== undefined) return { found };
  const candidates = index.releases
    .map((entry) => entry.version)
    .filter((version) => canBeNamed(index, version, leaving));
  return { candidates };
}

/** The versions a channel named before, newest first. */
export function namedBefore(channel: Channel): readonly string[] {
  const history = channel.history ?? [];
  if (channel.previous === null || channel.previous === undefined) return history;
  return history[0] === channel.previous ? history : [channel.previous, ...history];
}

/** The channel moved on to a version: what it named is remembered. */
export function pointedAt(channel: Channel | undefined, version: string, at: string): Channel {
  const history = channel === undefined
    ? []
    : [channel.version, ...namedBefore(channel)].filter((name) => name !== version).slice(0, MAX_HISTORY);
  return { ...channel, version, since: at, previous: history[0] ?? null, history };
}

/** The channel moved back to a version: what came after that version is forgotten, and so is what leaves. */
export function pointedBack(
  channel: Channel,
  version: string,
  leaving: ReadonlySet<string>,
  at: string,
): Channel {
  const named = namedBefore(channel);
  const older = named.slice(named.indexOf(version) + 1);
  const history = older.filter((name) => name !== version && !leaving.has(name));
  return { ...channel, version, since: at, previous: history[0] ?? null, history };
}
