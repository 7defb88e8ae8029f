import { count, renderTable } from "#/report/mod.ts";
import type { LockComparison, LockDifference } from "#/meta/lock.ts";
import type { Command, CommandContext } from "./command.ts";
import { runWorkspaceReading, workspaceFlags } from "./workspace.ts";

export const command: Command = {
  summary: "Show what differs between two lock files",
  arguments: [
    { name: "<a>", description: "environment, or path of a lock file" },
    { name: "<b>", description: "environment, or path of a lock file" },
  ],
  options: workspaceFlags,
  examples: [
    { command: "backout lock compare staging prod", note: "two environments" },
    {
      command: "backout lock compare manifests/components.lock.prod.previous.yaml prod",
      note: "what the last change to prod was",
    },
  ],
  run: async (args, context) => {
    const { compareLocks } = await import("#/mod/component.ts");
    const [a = "", b = ""] = args.positionals;
    return await runWorkspaceReading(args, context, {
      read: (options) => Promise.resolve(compareLocks({ ...options, words: [a, b], cwd: context.cwd })),
      text: (view) => textOf(view, context),
    });
  },
};

function textOf({ from, to, same, differences }: LockComparison, context: CommandContext): string {
  if (differences.length === 0) return `${from} and ${to} say the same of ${count(same, "component")}.\n`;
  const rows = differences.map((one) => [one.component, side(one.from), side(one.to)]);
  const { style } = context.printer;
  const table = renderTable([["COMPONENT", from, to], ...rows], { style, width: context.stdoutWidth });
  return `${table}${count(differences.length, "difference")}; ${same} the same.\n`;
}

function side(locked: LockDifference["from"]): string {
  if (locked === null) return "-";
  const commit = locked.commit.slice(0, 12);
  return locked.version === null || locked.version === locked.commit
    ? commit
    : `${locked.version} (${commit})`;
}
