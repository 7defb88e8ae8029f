/** Completion scripts, made from the registry: the shells need not run backout to complete. */
import { bashScript } from "./completion_bash.ts";
import { fishScript } from "./completion_fish.ts";
import { completionPlaces } from "./completion_model.ts";
import type { Place } from "./completion_model.ts";
import { zshScript } from "./completion_zsh.ts";

export type Shell = "bash" | "zsh" | "fish";

const SCRIPTS: Readonly<Record<Shell, (places: readonly Place[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** The script for one shell. */
export async function completionScript(shell: Shell): Promise<string> {
  return SCRIPTS[shell](await completionPlaces());
}
