import { formatBytes, renderTable } from "#/report/mod.ts";
import type { SavedTarget, SnapshotManifest } from "#/store/model.ts";
import type { Command, CommandContext } from "./command.ts";
import { wordsOf } from "./snapshot_list.ts";
import { stackText } from "./stack_text.ts";
import { factLines, timeAndAge } from "./view_text.ts";
import { namedSnapshotArgument, runWorkspaceReading, workspaceFlags } from "./workspace.ts";

export const command: Command = {
  summary: "Show what a snapshot holds",
  arguments: [namedSnapshotArgument],
  options: workspaceFlags,
  examples: [
    { command: "backout snapshot show latest", note: "the newest one" },
    { command: "backout snapshot show rb-0a1b2c3d4e5f --json", note: "its whole manifest" },
  ],
  run: async (args, context) => {
    const { showSnapshot } = await import("#/mod/snapshot.ts");
    const [snapshot = ""] = args.positionals;
    return await runWorkspaceReading(args, context, {
      read: (options) => showSnapshot({ ...options, snapshot }),
      text: (view) => textOf(view, context),
    });
  },
};

function textOf(view: SnapshotManifest, context: CommandContext): string {
  const facts = factLines([
    ["Snapshot", view.id],
    ["Description", view.description === "" ? undefined : view.description],
    ["Made", timeAndAge(view.created_at, new Date())],
    ["By", `${view.by} on ${view.host}`],
    ["Workspace", view.workspace],
    ["State", wordsOf(view).length === 0 ? undefined : wordsOf(view).join(", ")],
    ["Labels", labels(view)],
    ["Operation", view.operation_id],
    ...view.warnings.map((warning): readonly [string, string] => ["Warning", warning]),
    ["Restore it", `backout snapshot restore ${view.id}`],
  ]);
  const rows = view.targets.map((target) => [
    target.name,
    target.type,
    target.files === 0 ? "" : String(target.files),
    formatBytes(target.bytes),
    formatBytes(target.stored_bytes),
    detail(target),
  ]);
  const table = renderTable([["TARGET", "TYPE", "FILES", "SIZE", "NEW", ""], ...rows], {
    style: context.printer.style,
    width: context.stdoutWidth,
    right: [2, 3, 4],
  });
  const notes = view.targets.flatMap(({ name, warnings }) =>
    warnings.map((warning): readonly [string, string] => [`Warning (${name})`, warning])
  );
  const shown = { style: context.printer.style, width: context.stdoutWidth };
  const stacks = view.targets.map((target) => stackText(target, shown)).join("");
  return `${facts}\n${table}${stacks}${notes.length === 0 ? "" : `\n${factLines(notes)}`}`;
}

/** What people look for in the facts of a target. */
function detail({ metadata, undo }: SavedTarget): string {
  const known = ["commit_hash", "branch", "database_name", "server_version"].flatMap((key) => {
    const value = metadata[key];
    return typeof value === "string" && value !== "" ? [value.slice(0, 40)] : [];
  });
  return [...known, ...(undo === "exact" ? [] : [`undo: ${undo}`])].join(", ");
}

function labels({ labels }: SnapshotManifest): string | undefined {
  const all = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return all.length === 0 ? undefined : all.join(", ");
}
