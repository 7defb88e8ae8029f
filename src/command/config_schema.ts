import { ExitCode } from "#/core/errors.ts";
import { formatJson } from "#/core/json.ts";
import type { Command } from "./command.ts";

export const command: Command = {
  summary: "Print the JSON Schema",
  description: "Print the JSON Schema of backout.yaml, for an editor.",
  examples: [{ command: "backout config schema > backout.schema.json", note: "for an editor's completion" }],
  run: async (_args, context) => {
    const { configSchema } = await import("#/config/mod.ts");
    context.printer.out(formatJson(await configSchema()));
    return ExitCode.done;
  },
};
