import { count, formatAge, formatBytes, renderTable } from "#/report/mod.ts";
import type { SnapshotManifest } from "#/store/model.ts";
import type { Command, CommandContext } from "./command.ts";
import { targetInList } from "./stack_text.ts";
import { flagOption } from "./values.ts";
import { runWorkspaceReading, workspaceFlags } from "./workspace.ts";

export const command: Command = {
  summary: "List snapshots, newest first",
  description:
    "List the snapshots of this workspace, newest first: also those that restores made of the state before.",
  options: [
    { flags: "--all", description: "also those of other folders and machines in the same store" },
    ...workspaceFlags,
  ],
  examples: [
    { command: "backout snapshot list", note: "of the nearest backout.yaml" },
    { command: "backout snapshot list --json", note: "for scripts: whole manifests" },
  ],
  run: async (args, context) => {
    const { listSnapshots } = await import("#/mod/snapshot.ts");
    const all = flagOption(args.options, "all");
    let folder = "";
    return await runWorkspaceReading(args, context, {
      read: (options) => {
        folder = options.folder;
        return listSnapshots({ ...options, all });
      },
      text: (view) => textOf(view, all ? "any folder" : folder, context),
    });
  },
};

/** Columns from which there is room for what a snapshot added to the store. */
const WIDE = 110;

interface View {
  readonly snapshots: readonly SnapshotManifest[];
  readonly damaged: readonly string[];
}

function textOf({ snapshots, damaged }: View, folder: string, context: CommandContext): string {
  const { style } = context.printer;
  const broken = damaged.length === 0 ? "" : style.red(
    `${count(damaged.length, "snapshot")} cannot be read: ${
      damaged.join(", ")
    }; see \`backout snapshot verify\`\n`,
  );
  if (snapshots.length === 0) {
    return `No snapshots of ${folder} yet: take one with \`backout snapshot create\`.\n${broken}`;
  }
  const now = new Date();
  // On a narrow terminal the description is worth more: by it people choose.
  const wide = context.stdoutWidth >= WIDE;
  const rows = snapshots.map((snapshot) => [
    snapshot.id,
    formatAge(snapshot.created_at, now),
    snapshot.targets.map((target) => targetInList(target, wide)).join(", "),
    formatBytes(sum(snapshot, "bytes")),
    ...(wide ? [formatBytes(sum(snapshot, "stored_bytes"))] : []),
    wordsOf(snapshot).join(", "),
    snapshot.description,
  ]);
  const heading = ["ID", "MADE", "TARGETS", "SIZE", ...(wide ? ["NEW"] : []), "STATE", "DESCRIPTION"];
  const table = renderTable([heading, ...rows], {
    style,
    width: context.stdoutWidth,
    right: wide ? [3, 4] : [3],
  });
  return table + broken;
}

function sum({ targets }: SnapshotManifest, key: "bytes" | "stored_bytes"): number {
  return targets.reduce((total, target) => total + target[key], 0);
}

/** What is special about a snapshot, for people. */
export function wordsOf({ pinned, mark, origin }: SnapshotManifest): readonly string[] {
  const made = { manual: [], safety: ["safety"], guard: ["guard"], import: ["imported"] };
  return [...(pinned ? ["pinned"] : []), ...(mark === "" ? [] : [mark]), ...made[origin]];
}
