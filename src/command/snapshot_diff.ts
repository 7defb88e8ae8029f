import { changeLine, count, visible } from "#/report/mod.ts";
import type { TargetChange } from "#/target/target.ts";
import type { Command, CommandContext } from "./command.ts";
import { defined, listOption } from "./values.ts";
import { namedSnapshotArgument, runWorkspaceReading, targetFlag, workspaceFlags } from "./workspace.ts";

const MOST_CHANGES = 200;

export const command: Command = {
  summary: "Show what differs between a snapshot and now, or another one",
  description:
    "Show what changed since a snapshot was taken, or from one snapshot to another. `create`, `replace` and `remove` " +
    "say what it takes to come from the first to the second. Changes nothing.",
  arguments: [
    namedSnapshotArgument,
    { name: "[other]", description: "another snapshot (default: what is there now)" },
  ],
  options: [targetFlag, ...workspaceFlags],
  examples: [
    { command: "backout snapshot diff latest", note: "what changed since the newest one" },
    { command: "backout snapshot diff rb-0a1b2c3d4e5f rb-f6e5d4c3b2a1 --target config", note: "between two" },
  ],
  run: async (args, context) => {
    const { diffSnapshots } = await import("#/mod/snapshot.ts");
    const [from = "", to] = args.positionals;
    const only = listOption(args.options, "target");
    return await runWorkspaceReading(args, context, {
      read: (options) =>
        diffSnapshots({ ...options, from, ...defined({ to, only: only.length === 0 ? undefined : only }) }),
      text: (view) => textOf(view, context),
    });
  },
};

interface TargetDiff {
  readonly target: string;
  readonly changes: readonly TargetChange[];
}

function textOf(targets: readonly TargetDiff[], context: CommandContext): string {
  const { style } = context.printer;
  return targets.map(({ target, changes }) => {
    const name = style.bold(visible(target));
    if (changes.length === 0) return `${name}: no difference\n`;
    const shown = context.globals.verbose ? changes : changes.slice(0, MOST_CHANGES);
    const hidden = changes.length - shown.length;
    const lines = shown.map((change) => `  ${changeLine(change)}\n`).join("");
    const more = hidden > 0 ? `  and ${count(hidden, "more difference")} (-v shows all)\n` : "";
    return `${name}: ${count(changes.length, "difference")}\n${lines}${more}`;
  }).join("");
}
