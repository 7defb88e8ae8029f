/** Words as a POSIX shell reads them back. */

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** A command line that a shell splits into exactly these words. */
export function quoteCommand(words: readonly string[]): string {
  return words.map((word) => PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
}
