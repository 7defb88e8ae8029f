/** `channel set` and `channel rollback`: repointing deletes nothing. */
import {
  RollbackAlreadyRolledBackError,
  RollbackPolicyViolationError,
  RollbackVersionNotFoundError,
} from "#/core/errors.ts";
import { assertChannelName, assertVersion, quoteShort } from "#/core/safe_path.ts";
import type { IndexOnlyChange } from "#/release/index_only_change.ts";
import { canBeNamed, channelTarget, pointedAt, pointedBack } from "#/repository/channel_target.ts";
import type { Channel } from "#/repository/index_format.ts";
import type { RepositoryView } from "#/repository/inspect.ts";
import type { ChannelRollbackOptions, ChannelSetOptions } from "#/repository/options.ts";
import { stateOf } from "#/repository/version_state.ts";

const NONE: ReadonlySet<string> = new Set();

/** @throws {UsageError} */
export function channelSetChange(options: ChannelSetOptions): IndexOnlyChange {
  const { channel: name, version } = options;
  assertChannelName(name);
  assertVersion(version);
  const tolerant = options.force === true || options.policyMode === "lenient";
  return {
    operation: "channel_set",
    title: `point channel ${name} at ${version}`,
    version,
    refuse: (view) => {
      const state = stateOf(view.index, version);
      if (state === "absent") throw noVersion(view, version);
      if (view.index.channels?.[name]?.version === version) throw alreadyThere(name, version);
      if (state === "hidden" || state === "removed" || !tolerant && !canBeNamed(view.index, version, NONE)) {
        throw notFit(name, version, state);
      }
    },
    changes: (view, binding) => [{
      change: "set_channel",
      name,
      channel: pointedAt(view.index.channels?.[name], version, binding.at),
    }],
    channels: (view) => [{ channel: name, from: view.index.channels?.[name]?.version ?? "", to: version }],
    undo: (view) => {
      const before = view.index.channels?.[name]?.version;
      return before === undefined ? null : `backout channel set ${name} ${before}`;
    },
    done: () => `Channel ${name} points at ${version}`,
    intended: `Would point channel ${name} at ${version}`,
  };
}

/** @throws {UsageError} */
export function channelRollbackChange(options: ChannelRollbackOptions): IndexOnlyChange {
  const { channel: name } = options;
  assertChannelName(name);
  return {
    operation: "channel_rollback",
    title: `roll back channel ${name}`,
    version: "",
    refuse: (view) => void target(view, name),
    changes: (view, binding) => {
      const { channel, to } = target(view, name);
      return [{ change: "set_channel", name, channel: pointedBack(channel, to, NONE, binding.at) }];
    },
    channels: (view) => {
      const { channel, to } = target(view, name);
      return [{ channel: name, from: channel.version, to }];
    },
    undo: (view) => `backout channel set ${name} ${target(view, name).channel.version}`,
    done: (view) => `Channel ${name} points at ${target(view, name).to} again`,
    intended: `Would roll back channel ${name}`,
  };
}

function target(view: RepositoryView, name: string): { readonly channel: Channel; readonly to: string } {
  const channel = view.index.channels?.[name];
  if (channel === undefined) {
    throw new RollbackVersionNotFoundError(`There is no channel ${quoteShort(name)} in ${view.location}`, {
      hint: "See `backout channel list`.",
      context: { channel: name },
    });
  }
  const found = channelTarget(view.index, channel, new Set([channel.version]));
  if ("found" in found) return { channel, to: found.found };
  const hint = found.candidates.length === 0
    ? "No other release is active."
    : `Choose one with \`backout channel set ${name} VERSION\`: ${found.candidates.slice(0, 5).join(", ")}`;
  throw new RollbackPolicyViolationError(
    `Channel ${name} named no other version that is active and not bad`,
    {
      hint,
      context: { channel: name, candidates: found.candidates.slice(0, 20) },
    },
  );
}

function noVersion(view: RepositoryView, version: string): RollbackVersionNotFoundError {
  return new RollbackVersionNotFoundError(`There is no version ${quoteShort(version)} in ${view.location}`, {
    hint: "See `backout release list`.",
    context: { version },
  });
}

function alreadyThere(name: string, version: string): RollbackAlreadyRolledBackError {
  return new RollbackAlreadyRolledBackError(`Channel ${name} points at ${version} already`, {
    hint: "There is nothing to do.",
    context: { channel: name, version },
  });
}

function notFit(name: string, version: string, state: string): RollbackPolicyViolationError {
  return new RollbackPolicyViolationError(
    `Refused to point channel ${name} at ${version}: it is ${state} or marked bad`,
    {
      hint: "Choose an active version, or go on with --force and --reason.",
      context: { channel: name, version, state },
    },
  );
}
