import { quote, valueBranches } from "./completion_model.ts";
import type { Place } from "./completion_model.ts";

/** The completion script for zsh. */
export function zshScript(places: readonly Place[]): string {
  const branches = places.map((place) => {
    const words = place.words.map(([word, description]) => quote(described(word, description)));
    const flags = place.flags.flatMap((flag) =>
      flag.names.filter((name) => name.startsWith("--")).map((name) =>
        quote(described(name, flag.description))
      )
    );
    return `    ${quote(place.path)}) words_=(${words.join(" ")}); flags_=(${flags.join(" ")}) ;;`;
  });
  const known = places.map((place) => place.path).filter((path) => path !== "").map(quote).join(" ");
  return `#compdef backout
# zsh completion of backout. Put it into a folder of $fpath as _backout.
_backout_value() {
  case "$1" in
${valueBranches(places, (code) => `value_=${quote(code)}`)}
  esac
}

_backout() {
  local path_="" value_="" word_ candidate_ i
  local -a words_ flags_ known_
  known_=(${known})
  for ((i = 2; i < CURRENT; i++)); do
    word_="\${words[i]}"
    if [[ -n "$value_" ]]; then value_=""; continue; fi
    if [[ "$word_" == -* ]]; then _backout_value "$path_ $word_"; continue; fi
    candidate_="\${path_:+$path_ }$word_"
    (( \${known_[(Ie)$candidate_]} )) && path_="$candidate_"
  done
  case "$value_" in
    "") ;;
    @file) _files; return ;;
    @folder) _files -/; return ;;
    @none) return ;;
    *) compadd -- \${=value_}; return ;;
  esac
  case "$path_" in
${branches.join("\n")}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then
    _describe -o option flags_
  elif (( \${#words_} )); then
    _describe command words_
  else
    _files
  fi
}

if [[ "$funcstack[1]" == "_backout" ]]; then _backout "$@"; else compdef _backout backout; fi
`;
}

function described(word: string, description: string): string {
  return description === "" ? word : `${word}:${description.replaceAll(":", "\\:")}`;
}
