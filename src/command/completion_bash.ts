import { quote, valueBranches } from "./completion_model.ts";
import type { Place } from "./completion_model.ts";

/** The completion script for bash. */
export function bashScript(places: readonly Place[]): string {
  const branches = places.map((place) => {
    const words = place.words.map(([word]) => word).join(" ");
    const flags = place.flags.flatMap((flag) => flag.names.filter((name) => name.startsWith("--"))).join(" ");
    return `    ${quote(place.path)}) words=${quote(words)}; flags=${quote(flags)} ;;`;
  });
  const known = places.map((place) => place.path).filter((path) => path !== "").map(quote).join("|");
  return `# bash completion of backout. Load it with: source <(backout completions bash)
_backout_value() {
  case "$1" in
${valueBranches(places, (code) => `echo ${quote(code)}`)}
  esac
}

_backout_known() {
  case "$1" in
    ${known}) return 0 ;;
  esac
  return 1
}

_backout_reply() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    [ -n "$line" ] && COMPREPLY+=("$line")
  done
}

_backout() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" words="" flags="" value="" word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [ -n "$value" ]; then value=""; continue; fi
    case "$word" in
      -*) value="$(_backout_value "$path $word")" ;;
      *) _backout_known "\${path:+$path }$word" && path="\${path:+$path }$word" ;;
    esac
  done
  case "$value" in
    "") ;;
    @file) _backout_reply < <(compgen -f -- "$current"); compopt -o filenames 2>/dev/null; return ;;
    @folder) _backout_reply < <(compgen -d -- "$current"); compopt -o filenames 2>/dev/null; return ;;
    @none) COMPREPLY=(); return ;;
    *) _backout_reply < <(compgen -W "$value" -- "$current"); return ;;
  esac
  case "$path" in
${branches.join("\n")}
  esac
  if [[ "$current" == -* ]]; then
    _backout_reply < <(compgen -W "$flags" -- "$current")
  elif [ -n "$words" ]; then
    _backout_reply < <(compgen -W "$words" -- "$current")
  else
    _backout_reply < <(compgen -f -- "$current")
    compopt -o filenames 2>/dev/null
  fi
}

complete -F _backout backout
`;
}
