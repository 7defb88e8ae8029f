/** Names of targets: they are keys of `backout.yaml`, words of the command line, and parts of paths. */

const TARGET_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Why `name` cannot name a target, as the end of a sentence; undefined when it can. */
export function targetNameProblem(name: string): string | undefined {
  if (name === "") return "it is empty";
  if (name.length > 64) return "it is longer than 64 characters";
  if (!TARGET_NAME.test(name)) {
    return "it must start with a letter or digit and use only letters, digits and . _ -";
  }
  if (name.endsWith(".")) return "it ends with a dot";
  // Keys that look like numbers lose their place among the others.
  if (/^\d+$/.test(name)) return "it needs a letter";
  if (name in Object.prototype) return "it is a word that programs use themselves";
  return undefined;
}
