/** Flags of the commands that make a key of a component's inputs. */
import type { CommandContext, OptionSpec, OptionValues } from "./command.ts";
import { excludeFlag, sourceFlag, sourceOptions } from "./entry_run.ts";
import { defined, listOption, textOption } from "./values.ts";

export const inputFlags: readonly OptionSpec[] = [
  sourceFlag,
  {
    flags: "--produces <path>",
    description: "what the build makes, below the source (repeatable; default: `outputs` of the manifest)",
    repeat: true,
    completes: "none",
  },
  excludeFlag,
  {
    flags: "--env-input <name>",
    description: "a variable that the build depends on (repeatable)",
    repeat: true,
    completes: "none",
  },
  {
    flags: "--component-version <version>",
    description: "of the component (default: the manifest's)",
    completes: "none",
  },
];

export interface InputFlags {
  readonly source?: string;
  readonly exclude?: readonly string[];
  readonly outputs?: readonly string[];
  readonly variables?: readonly string[];
  readonly version?: string;
}

export function inputOptions(values: OptionValues, context: CommandContext): InputFlags {
  const list = (name: string) => {
    const given = listOption(values, name);
    return given.length === 0 ? undefined : given;
  };
  return {
    ...sourceOptions(values, context),
    ...defined({
      outputs: list("produces"),
      variables: list("envInput"),
      version: textOption(values, "componentVersion"),
    }),
  };
}
