import { quote } from "./completion_model.ts";
import type { CompletableFlag, Place } from "./completion_model.ts";

/** The completion script for fish. */
export function fishScript(places: readonly Place[]): string {
  const known = places.map((place) => place.path).filter((path) => path !== "").map(word).join(" ");
  const valued = new Set(
    places.flatMap((place) =>
      place.flags.filter((flag) => flag.value !== undefined).flatMap((flag) => flag.names)
    ),
  );
  const lines = places.flatMap((place) => [
    ...place.words.map(([name, description]) =>
      `complete -c backout -f -n ${at(place.path)} -a ${word(name)}` +
      (description === "" ? "" : ` -d ${word(description)}`)
    ),
    ...place.flags.map((flag) => `complete -c backout -n ${at(place.path)} ${flagLine(flag)}`),
  ]);
  return `# fish completion of backout.
function __backout_at
    set -l place
    set -l skip 0
    set -l known ${known}
    set -l valued ${[...valued].join(" ")}
    for token in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
        else if string match -q -- '-*' $token
            contains -- $token $valued; and set skip 1
        else if contains -- (string join ' ' $place $token) $known
            set place (string join ' ' $place $token)
        end
    end
    test "$place" = "$argv[1]"
end

${lines.join("\n")}
`;
}

function flagLine(flag: CompletableFlag): string {
  const names = flag.names.map((name) =>
    name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`
  );
  return `${names.join(" ")}${valuePart(flag)} -d ${word(flag.description)}`;
}

function valuePart({ value }: CompletableFlag): string {
  if (value === undefined) return "";
  if (value === "file") return " -r -F";
  if (value === "folder") return " -x -a '(__fish_complete_directories)'";
  if (value === "none") return " -x";
  return ` -x -a ${word(value.words.join(" "))}`;
}

function at(path: string): string {
  return quote(`__backout_at "${path}"`);
}

/** fish knows only \\\\ and \\' within single quotes. */
function word(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
