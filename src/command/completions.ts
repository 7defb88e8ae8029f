import { ExitCode, UsageError } from "#/core/errors.ts";
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
    { command: "backout completions zsh > ~/.zsh/completions/_backout", note: "a folder of $fpath" },
    { command: "backout completions fish > ~/.config/fish/completions/backout.fish", note: "fish" },
  ],
  run: async (args, context) => {
    const shell = SHELLS.find((one) => one === args.positionals[0]);
    if (shell === undefined) {
      throw new UsageError(`No completions for this shell; there are ${SHELLS.join(", ")}`);
    }
    context.printer.out(await completionScript(shell));
    return ExitCode.done;
  },
};
