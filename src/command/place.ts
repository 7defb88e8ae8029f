/** Commands in hints and ways back, with the flags that say where: what is printed can be pasted. */
import type { RepositoryOptions } from "#/repository/options.ts";
import type { CommandContext, ParsedArguments } from "./command.ts";
import { quoteCommand } from "./shell_quote.ts";

/** `backout …` in backticks, or after a colon at the end of the text. */
const IN_TICKS = /`(backout [^`]+)`/g;
const AFTER_COLON = /(: )(backout [^`\n]+)$/;

/** These do not work on a repository. */
const ELSEWHERE = /^backout (?:help|config|version|completions|audit keygen)\b|--help\b|\s-r\s/;

/**
 * The flags that name the repository, as this command line named it; none where the environment or the
 * configuration did, because they name it for the next command as well.
 */
export function placeFlags(
  args: ParsedArguments,
  context: CommandContext,
  options: Pick<RepositoryOptions, "repository" | "stateDir">,
): string {
  const named = ["repository", "repositoryPath", "repositoryBucket"].some((name) =>
    args.options[name] !== undefined
  );
  return quoteCommand([
    ...(named ? ["-r", options.repository] : []),
    ...(context.globals.stateDir === undefined ? [] : ["--state-dir", options.stateDir ?? ""]),
  ]);
}

/** A text whose commands say where. `place` is that of `placeFlags`; with none the text stays as it is. */
export function withPlace(text: string, place: string): string {
  if (place === "") return text;
  const placed = (command: string) => ELSEWHERE.test(command) ? command : `${command} ${place}`;
  return text
    .replace(IN_TICKS, (_, command: string) => `\`${placed(command)}\``)
    .replace(AFTER_COLON, (_, colon: string, command: string) => colon + placed(command));
}
