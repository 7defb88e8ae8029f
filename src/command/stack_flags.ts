/** What command lines say of stacks of containers. */
import { UsageError } from "#/core/errors.ts";
import type { WorkspaceOptions } from "#/snapshot/options.ts";
import type { OptionSpec, OptionValues } from "./command.ts";
import { flagOption, listOption, textOption } from "./values.ts";

const GROUP = "Stacks of containers:";

export const stackFlags: readonly OptionSpec[] = [
  {
    flags: "--services <names>",
    description: "only these services of the stack, separated by commas (default: all)",
    completes: "none",
    group: GROUP,
  },
  {
    flags: "--include-volumes",
    description: "also what is in the volumes (without it: configuration and images)",
    group: GROUP,
  },
  {
    flags: "--include-images",
    description: "also the images themselves, for a host that cannot pull them again",
    group: GROUP,
  },
];

/** The options with what the flags say of their stacks. @throws {UsageError} */
export async function withStackFlags(
  options: WorkspaceOptions,
  values: OptionValues,
): Promise<WorkspaceOptions> {
  const services = servicesOf(values);
  const choice = {
    services,
    includeVolumes: flagOption(values, "includeVolumes"),
    includeImages: flagOption(values, "includeImages"),
  };
  if (services === undefined && !choice.includeVolumes && !choice.includeImages) return options;
  const { withStackChoice } = await import("#/mod/snapshot.ts");
  return await withStackChoice(options, choice, listOption(values, "target"));
}

function servicesOf(values: OptionValues): readonly string[] | undefined {
  const text = textOption(values, "services");
  if (text === undefined) return undefined;
  const names = text.split(",").map((name) => name.trim()).filter((name) => name !== "");
  if (names.length > 0) return [...new Set(names)];
  throw new UsageError("--services names no service", { hint: "For example --services api,redis." });
}
