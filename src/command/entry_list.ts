/** The table of entries that `store list`, `store query` and `cache list` print. */
import { count, formatAge, formatBytes, renderTable, visible } from "#/report/mod.ts";
import type { EntryList, EntryRow } from "#/component/store/list.ts";
import type { CommandContext } from "./command.ts";

/** Hex digits of a hash that tell entries apart for people. */
const SHOWN_HASH = 16;

export function entryTable(list: EntryList, context: CommandContext, name: "HASH" | "KEY"): string {
  const { style } = context.printer;
  const now = new Date();
  const rows = list.entries.map((entry) => [
    entry.id.slice(0, SHOWN_HASH),
    entry.component,
    entry.version ?? "",
    formatAge(entry.created_at, now),
    formatBytes(entry.bytes),
    stateOf(entry, list),
    entry.description,
  ]);
  const old = list.meta_store.map((entry) => [
    entry.hash.slice(0, SHOWN_HASH),
    "",
    "",
    formatAge(entry.changed_at, now),
    entry.bytes === null ? "" : formatBytes(entry.bytes),
    ".meta-store",
    "",
  ]);
  const broken = list.damaged.length === 0 ? "" : style.red(
    `${count(list.damaged.length, "entry", "entries")} cannot be read: ${
      list.damaged.map(visible).join(", ")
    }\n`,
  );
  if (rows.length + old.length === 0) return `Nothing there.\n${broken}`;
  const heading = [name, "COMPONENT", "VERSION", "MADE", "SIZE", "STATE", "DESCRIPTION"];
  const table = renderTable([heading, ...rows, ...old], { style, width: context.stdoutWidth, right: [4] });
  return table + broken;
}

function stateOf({ pinned, places, pending, doomed_since }: EntryRow, { remote }: EntryList): string {
  return [
    ...(pinned ? ["pinned"] : []),
    ...(remote === null ? [] : [places.length === 2 ? "both" : places[0] === "remote" ? "remote" : "here"]),
    ...(pending.length > 0 ? ["waits to be sent"] : []),
    ...(doomed_since === null ? [] : ["goes soon"]),
  ].join(", ");
}
