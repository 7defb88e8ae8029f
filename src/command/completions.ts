import { ExitCode, UsageError } from "#/core/errors.ts";
import { formatJson } from "#/core/json.ts";
import type { Command } from "./command.ts";
import { completionScript } from "./completion_script.ts";
import type { Shell } from "./completion_script.ts";

const SHELLS = ["bash", "zsh", "fish"] as const satisfies readonly Shell[];

export const command: Command = {
  summary: "Print completions for bash, zsh or fish",
  description: "Print a completion script for a shell: commands, options and their values.",
  arguments: [{ name: "<shell>", description: "which shell", choices: SHELLS }],
  examples: [
    { command: "source <(backout completions bash)", note: "in ~/.bashrc" },
    {
      command: "mkdir -p ~/.zsh/completions && backout completions zsh > ~/.zsh/completions/_backout",
      note: "zsh, with that folder in $fpath",
    },
    {
      command:
        "mkdir -p ~/.config/fish/completions && backout completions fish > ~/.config/fish/completions/backout.fish",
      note: "fish",
    },
  ],
  run: async (args, context) => {
    const shell = SHELLS.find((one) => one === args.positionals[0]);
    if (shell === undefined) {
      throw new UsageError(`No completions for this shell; there are ${SHELLS.join(", ")}`);
    }
    const script = await completionScript(shell);
    context.printer.out(context.globals.output === "json" ? formatJson({ shell, script }) : script);
    return ExitCode.done;
  },
};
