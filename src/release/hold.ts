/** `hold set` and `hold release`: whoever holds a repository stops publishes and channel moves until it is released. */
import { RollbackAlreadyRolledBackError, RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import { assertChannelName, quoteShort } from "#/core/safe_path.ts";
import type { IndexOnlyChange } from "#/release/index_only_change.ts";

/** @throws {UsageError} the name cannot be one, or no reason is given */
export function setHoldChange(name: string, reason: string): IndexOnlyChange {
  assertChannelName(name);
  if (reason.trim() === "") {
    throw new UsageError("A hold needs a reason: who meets it wants to know why", {
      hint: "Add --reason 'TEXT'.",
    });
  }
  return {
    operation: "hold_set",
    title: `set hold ${name}`,
    version: "",
    refuse: (view) => {
      const hold = view.index.holds?.[name];
      if (hold === undefined) return;
      throw new RollbackAlreadyRolledBackError(
        `Hold ${name} is set already: ${hold.by} set it (${hold.reason})`,
        { hint: "Release it first, or use another name.", context: { hold: name } },
      );
    },
    changes: (_view, binding) => [
      { change: "set_hold", name, hold: { at: binding.at, by: binding.by, reason } },
    ],
    undo: () => `backout hold release ${name}`,
    done: () => `Set hold ${name}: no publish and no channel move until it is released`,
    intended: `Would set hold ${name}`,
  };
}

export function releaseHoldChange(name: string): IndexOnlyChange {
  return {
    operation: "hold_release",
    title: `release hold ${name}`,
    version: "",
    refuse: (view) => {
      if (view.index.holds?.[name] !== undefined) return;
      const known = Object.keys(view.index.holds ?? {});
      throw new RollbackVersionNotFoundError(`There is no hold ${quoteShort(name)}`, {
        hint: known.length === 0 ? "Nothing is held." : `Set are: ${known.join(", ")}.`,
        context: { hold: name },
      });
    },
    changes: () => [{ change: "remove_hold", name }],
    undo: (view) => {
      const reason = view.index.holds?.[name]?.reason ?? "";
      return `backout hold set ${name} --reason '${reason.replaceAll("'", `'\\''`)}'`;
    },
    done: () => `Released hold ${name}`,
    intended: `Would release hold ${name}`,
  };
}
