import type { ComponentTargets, RollbackChoice, TargetsView } from "#/meta/targets.ts";
import { type Cell, count, formatAge, formatBytes, renderTable, visible } from "#/report/mod.ts";
import type { Command, CommandContext } from "./command.ts";
import { listOption, parseCount, textOption } from "./values.ts";
import { runWorkspaceReading, workspaceFlags } from "./workspace.ts";

const COMMITS = "5";

export const command: Command = {
  summary: "List what components can be rolled back to",
  description:
    "List tags, recent commits, lock files, snapshots and store entries of each component, with their dates; the current one " +
    "has a *.",
  arguments: [{ name: "[component...]", description: "only these" }],
  options: [
    {
      flags: "--component <name>",
      description: "the same as naming it (repeatable)",
      repeat: true,
      completes: "none",
    },
    { flags: "--commits <number>", description: "commits of each", default: COMMITS, completes: "none" },
    ...workspaceFlags,
  ],
  examples: [
    { command: "backout component targets", note: "of all components" },
    { command: "backout component targets user-api --commits 20", note: "of one, further back" },
  ],
  run: async (args, context) => {
    const { componentTargets } = await import("#/mod/component.ts");
    const components = [...args.positionals, ...listOption(args.options, "component")];
    const commits = parseCount(textOption(args.options, "commits") ?? COMMITS, "--commits", 1000);
    return await runWorkspaceReading(args, context, {
      read: (options) => componentTargets({ ...options, components, commits }),
      text: (view) => textOf(view, context),
    });
  },
};

function textOf({ components, damaged }: TargetsView, context: CommandContext): string {
  const { style } = context.printer;
  const broken = damaged.map((what) => `${style.red("✘")} ${visible(what)}\n`).join("");
  if (components.length === 0) return `The manifest names no component.\n${broken}`;
  return components.map((one) => blockOf(one, context)).join("\n") + broken;
}

function blockOf(one: ComponentTargets, context: CommandContext): string {
  const { style } = context.printer;
  const now = new Date();
  const at = one.commit === null
    ? "not checked out"
    : [one.version, one.branch, one.commit.slice(0, 12)].filter((it) => it !== null).join(", ");
  const row =
    (kind: string) => ({ name, commit, date, current, about, mark }: RollbackChoice): readonly Cell[] => [
      current ? { text: "*", paint: style.green } : "",
      kind,
      visible(name),
      commit.slice(0, 12),
      date === null ? "" : formatAge(date, now),
      mark === null
        ? visible(about)
        : { text: `${mark} ${about}`.trim(), paint: mark === "good" ? style.green : style.red },
    ];
  const rows = [
    ...one.tags.map(row("tag")),
    ...one.commits.map(row("commit")),
    ...one.locks.map(row("lock")),
    ...one.entries.map(({ hash, date, files, bytes, version }): readonly Cell[] => [
      "",
      "store",
      hash.slice(0, 16),
      visible(version ?? ""),
      formatAge(date, now),
      `${count(files, "file")}, ${formatBytes(bytes)}`,
    ]),
  ];
  const table = rows.length === 0 ? "" : renderTable(rows, { style, width: context.stdoutWidth });
  return `${style.bold(visible(one.component))} (${visible(at)})\n${table}`;
}
