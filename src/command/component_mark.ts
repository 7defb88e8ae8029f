import type { Command } from "./command.ts";
import { reasonedFlags } from "./workspace.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

const MARKS = ["good", "bad", "none"] as const;

export const command: Command = {
  summary: "Mark a version of a component good or bad",
  description:
    "Say what a version is worth; .meta/marks.yaml has it, to be shared with the meta repository. " +
    "`component rollback C --to-last-good` takes the one that was marked good last, and `component health` fails on a bad one.",
  arguments: [
    { name: "<component>", description: "a component of the manifest" },
    { name: "<version>", description: "a tag, with or without its v" },
    { name: "<mark>", description: "good, bad, or none to take the mark away", choices: MARKS },
  ],
  options: reasonedFlags,
  examples: [
    {
      command: "backout component mark user-api v2.1.0 good --reason 'a week in production'",
      note: "for --to-last-good",
    },
    {
      command: "backout component mark user-api v2.2.0 bad --reason 'incident 42'",
      note: "nobody goes there unawares",
    },
  ],
  run: async (args, context) => {
    const { markComponent } = await import("#/mod/component.ts");
    const [component = "", version = "", mark] = args.positionals;
    return await runWorkspaceChange(args, context, {
      operate: (options) =>
        markComponent({
          ...options,
          component,
          version,
          mark: mark === "good" || mark === "bad" ? mark : "none",
        }),
    });
  },
};
