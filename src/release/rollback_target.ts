/** Which versions a rollback takes out, and where it sends channels: a pure function of the index and what was asked. */
import { RollbackAlreadyRolledBackError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";
import { canBeNamed } from "#/repository/channel_target.ts";
import type { RepositoryIndex } from "#/repository/index_format.ts";
import type { RepositoryView } from "#/repository/inspect.ts";
import type { RollbackOptions } from "#/repository/options.ts";
import { rollbackResult, stateOf } from "#/repository/version_state.ts";
import type { RollbackType } from "#/report/model.ts";

export interface RollbackTarget {
  /** Newest first; empty where only a channel moves. */
  readonly versions: readonly string[];
  /** Where the channels of the leaving versions go; undefined lets each go back to where it was. */
  readonly channelTo: string | undefined;
  /** Channels that go there whatever they name now. */
  readonly repoint: readonly string[];
}

/** @throws {RollbackVersionNotFoundError} and {RollbackAlreadyRolledBackError} when there is nothing to roll back */
export function rollbackTarget(view: RepositoryView, options: RollbackOptions): RollbackTarget {
  if (options.toLastGood === true) return lastGoodTarget(view, options);
  const { channelTo } = options;
  if (options.version !== undefined) return { versions: [options.version], channelTo, repoint: [] };
  const to = options.to!;
  const type = options.type ?? "full";
  const versions = newerThan(view, to).filter((version) => !isSkipped(view, version, type));
  if (versions.length === 0) throw nothingNewer(to);
  return { versions, channelTo, repoint: [] };
}

/** What is newer than the last good release and marked bad leaves; what is newer and not marked stays. */
function lastGoodTarget(view: RepositoryView, options: RollbackOptions): RollbackTarget {
  const good = lastGood(view.index);
  if (good === undefined) {
    throw new RollbackVersionNotFoundError("There is no good release to go back to", {
      hint: "Mark the one that is known to work: backout release mark VERSION good --reason TEXT",
    });
  }
  const type = options.type ?? "full";
  const at = view.index.releases.findIndex((entry) => entry.version === good);
  const versions = view.index.releases.slice(0, at)
    .filter((entry) => entry.mark?.verdict === "bad" && !isSkipped(view, entry.version, type))
    .map((entry) => entry.version);
  const repoint = channelToMove(view, options.channel, good);
  if (versions.length === 0 && repoint.length === 0) {
    throw new RollbackAlreadyRolledBackError(
      `Nothing newer than ${good}, the last good release, is marked bad`,
      {
        hint: "Mark what is broken: backout release mark VERSION bad --reason TEXT",
        context: { version: good },
      },
    );
  }
  return { versions, channelTo: good, repoint };
}

/** The newest release that is marked good; where none is marked, the newest that readers can fetch and that is not bad. */
export function lastGood(index: RepositoryIndex): string | undefined {
  const usable = index.releases.filter((entry) => canBeNamed(index, entry.version, new Set()));
  return (usable.find((entry) => entry.mark?.verdict === "good") ?? usable[0])?.version;
}

function channelToMove(view: RepositoryView, channel: string | undefined, good: string): readonly string[] {
  if (channel === undefined) return [];
  const now = view.index.channels?.[channel];
  if (now === undefined) {
    throw new RollbackVersionNotFoundError(`There is no channel ${quoteShort(channel)}`, {
      hint: "See `backout channel list`.",
      context: { channel },
    });
  }
  return now.version === good ? [] : [channel];
}

/** Everything listed before `to`, newest first. */
function newerThan(view: RepositoryView, to: string): readonly string[] {
  const at = view.index.releases.findIndex((entry) => entry.version === to);
  if (at < 0) throw notFound(view, to);
  if (at === 0) throw nothingNewer(to);
  return view.index.releases.slice(0, at).map((entry) => entry.version);
}

/** In an operation on several versions, one that is already there is no reason to refuse the others. */
function isSkipped(view: RepositoryView, version: string, type: RollbackType): boolean {
  return rollbackResult(stateOf(view.index, version), type) === "already";
}

export function notFound(view: RepositoryView, version: string): RollbackVersionNotFoundError {
  const known = view.index.releases.slice(0, 5).map((entry) => entry.version);
  const hint = known.length === 0 ? "The index lists no release." : `The newest are: ${known.join(", ")}.`;
  return new RollbackVersionNotFoundError(`There is no version ${quoteShort(version)} in ${view.location}`, {
    hint: `${hint} See \`backout release list\`.`,
    context: { version },
  });
}

function nothingNewer(to: string): RollbackAlreadyRolledBackError {
  return new RollbackAlreadyRolledBackError(`Nothing is newer than ${to}`, {
    hint: "There is nothing to roll back.",
    context: { version: to },
  });
}
