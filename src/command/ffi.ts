/**
 * Whether this command line may need to call foreign functions: only what looks at or changes targets does (times to the
 * nanosecond, extended attributes, hundreds of checkouts). Decided from the words alone, before anything else is loaded.
 */

/** The first words of commands that work on targets, snapshots or an unfinished restore. */
const COMMANDS: ReadonlySet<string> = new Set([
  "snapshot",
  "confirm",
  "service",
  "guard",
  "plugin",
  "recover",
  "component",
  "changeset",
]);

/** True when a word before `--` names such a command; it may say yes too often. */
export function needsForeignFunctions(question: { readonly argv: readonly string[] }): boolean {
  const { argv } = question;
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).some((word) => COMMANDS.has(word));
}
