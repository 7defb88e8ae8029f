/** Takes secrets out of text that people or files get to see. */

const BLOT = "***";

/** Every given secret, also in the spelling that a URL or JSON has for it, becomes `***`. */
export function blot(text: string, secrets: readonly string[]): string {
  const spellings = secrets.flatMap((
    it,
  ) => [it, encodeURIComponent(it.toWellFormed()), JSON.stringify(it).slice(1, -1)]);
  // The longest first: a secret that is a part of another must not leave the rest of it.
  return [...new Set(spellings)].filter((it) => it !== "").sort((a, b) => b.length - a.length)
    .reduce((clean, secret) => clean.replaceAll(secret, BLOT), text);
}
