/** Which checks run: those of a file, else those of the configuration. */
import type { WorkspaceOptions } from "#/snapshot/options.ts";
import type { CommandContext, OptionSpec, OptionValues } from "./command.ts";
import { textOption } from "./values.ts";

export const checksFlag: OptionSpec = {
  flags: "--checks <file>",
  description: "checks afterwards, instead of those of backout.yaml (YAML or JSON: a list, or `checks:`)",
  completes: "file",
};

/** @throws {UsageError} the file cannot be read, or does not say what it must */
export async function chosenChecks(
  values: OptionValues,
  context: CommandContext,
  options: WorkspaceOptions,
): Promise<WorkspaceOptions["checks"]> {
  const file = textOption(values, "checks");
  return file === undefined ? options.checks : await readChecks(file, context);
}

/** The checks of a file. @throws {UsageError} */
export async function readChecks(
  file: string,
  { cwd, env }: CommandContext,
): Promise<WorkspaceOptions["checks"]> {
  const { loadChecks } = await import("#/config/checks.ts");
  return await loadChecks(file, cwd, env);
}
