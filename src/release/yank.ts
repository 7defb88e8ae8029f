/** `release yank`, `unyank` and `mark`: what is known of a version, without touching its artifacts. */
import { RollbackAlreadyRolledBackError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import { assertVersion, quoteShort } from "#/core/safe_path.ts";
import type { IndexOnlyChange } from "#/release/index_only_change.ts";
import type { JsonObject } from "#/core/json.ts";
import type { ReleaseEntry } from "#/repository/index_format.ts";
import type { RepositoryView } from "#/repository/inspect.ts";
import type { MarkOptions, YankOptions } from "#/repository/options.ts";
import { channelsOf, findEntry, stateOf, stateOfEntry, statusByMarks } from "#/repository/version_state.ts";

/** @throws {UsageError} */
export function yankChange(options: YankOptions): IndexOnlyChange {
  const { version } = options;
  assertVersion(version);
  return {
    operation: "yank",
    title: `yank ${version}`,
    version,
    refuse: (view) => {
      const entry = listed(view, version);
      if (entry.yanked !== undefined) throw already(version, "it is yanked already");
    },
    changes: (view, binding) => {
      const yanked = { at: binding.at, by: binding.by, reason: options.reason ?? "" };
      return [edit(listed(view, version), { yanked })];
    },
    warnings: (view) => channelWarnings(view, version),
    undo: () => `backout release unyank ${version} --reason TEXT`,
    done: () => `Yanked ${version}: its artifacts stay, and nobody should pick it anew`,
    intended: `Would yank ${version}`,
  };
}

/** @throws {UsageError} */
export function unyankChange(options: YankOptions): IndexOnlyChange {
  const { version } = options;
  assertVersion(version);
  return {
    operation: "unyank",
    title: `unyank ${version}`,
    version,
    refuse: (view) => {
      if (listed(view, version).yanked === undefined) throw already(version, "it is not yanked");
    },
    changes: (view) => [edit(listed(view, version), {}, ["yanked"])],
    undo: () => `backout release yank ${version} --reason TEXT`,
    done: () => `Unyanked ${version}`,
    intended: `Would unyank ${version}`,
  };
}

/** @throws {UsageError} */
export function markChange(options: MarkOptions): IndexOnlyChange {
  const { version, verdict } = options;
  assertVersion(version);
  return {
    operation: "mark",
    title: `mark ${version} ${verdict}`,
    version,
    refuse: (view) => {
      if (listed(view, version).mark?.verdict === verdict) {
        throw already(version, `it is marked ${verdict} already`);
      }
    },
    changes: (view, binding) => {
      const mark = { verdict, at: binding.at, by: binding.by, reason: options.reason ?? "" };
      return [edit(listed(view, version), { mark })];
    },
    warnings: (view) => verdict === "bad" ? channelWarnings(view, version) : [],
    undo: (view) => {
      const before = findEntry(view.index, version)?.mark?.verdict;
      return before === undefined ? null : `backout release mark ${version} ${before} --reason TEXT`;
    },
    done: () => `Marked ${version} ${verdict}`,
    intended: `Would mark ${version} ${verdict}`,
  };
}

type Marks = Pick<ReleaseEntry, "yanked" | "mark">;

/** Sets the marks, and the status that follows from them where the release is whole. */
function edit(entry: ReleaseEntry, marks: Marks, unset: readonly string[] = []) {
  const kept = Object.fromEntries(Object.entries(entry).filter(([key]) => !unset.includes(key)));
  const after = { ...kept, ...marks } as Marks;
  const state = stateOfEntry(entry);
  const status = state === "partial" || state === "emptied" ? state : statusByMarks(after);
  const set = { ...marks, status } as unknown as JsonObject;
  return { change: "edit_release", version: entry.version, set, unset } as const;
}

function listed(view: RepositoryView, version: string): ReleaseEntry {
  const entry = findEntry(view.index, version);
  if (entry !== undefined) return entry;
  const state = stateOf(view.index, version);
  if (state === "absent") {
    throw new RollbackVersionNotFoundError(`There is no version ${quoteShort(version)} in ${view.location}`, {
      hint: "See `backout release list`.",
      context: { version },
    });
  }
  throw already(version, `it is rolled back (${state})`);
}

function already(version: string, what: string): RollbackAlreadyRolledBackError {
  return new RollbackAlreadyRolledBackError(`Nothing to do for ${version}: ${what}`, {
    hint: `See what it is: backout release show ${version}`,
    context: { version },
  });
}

function channelWarnings(view: RepositoryView, version: string): readonly string[] {
  return channelsOf(view.index, version).map((name) =>
    `Channel ${name} still points at ${version}; move it with: backout channel rollback ${name}`
  );
}
