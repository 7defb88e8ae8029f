/**
 * Whether this command line could need the network, or start programs, decided from text alone, before anything else
 * is loaded. It may say yes too often, never no where a location or the configuration names a network, or where the
 * configuration names a program.
 */
import { locateConfig } from "#/config/load.ts";

const REMOTE = /(s3|gs|https?):\/\//i;
/** The keys of the configuration below which programs are named. */
const PROGRAMS = /hooks|command|trusted_keys/;

export interface NetworkQuestion {
  readonly argv: readonly string[];
  readonly env: (name: string) => string | undefined;
  readonly cwd: string;
}

/** True when a location or the configuration names a network and `--offline` does not forbid it. */
export function needsNetwork(question: NetworkQuestion): boolean {
  const { argv, env } = question;
  const end = argv.indexOf("--");
  const words = end < 0 ? argv : argv.slice(0, end);
  if (words.includes("--offline")) return false;
  const fromWords = words.some((word, i) => {
    const previous = words[i - 1] ?? "";
    if (previous === "--reason" || word.startsWith("--reason=")) return false;
    if (previous === "--repository-type" && /^(s3|gcs)$/.test(word)) return true;
    return /^--repository-type=(s3|gcs)$/.test(word) || REMOTE.test(word);
  });
  return fromWords || REMOTE.test(env("BACKOUT_REPOSITORY") ?? "") || REMOTE.test(configText(question));
}

/** True when the configuration may name a program to run: a hook, or a command that is told of operations. */
export function needsPrograms(question: NetworkQuestion): boolean {
  return PROGRAMS.test(configText(question));
}

/**
 * The configuration's text without comment lines, with `${NAME}` filled in; then the same with the escapes of quoted
 * text resolved, which could spell anything. Empty where there is none.
 */
function configText(question: NetworkQuestion): string {
  const { argv, cwd, env } = question;
  const flag = argv.findLast((word, i) => argv[i - 1] === "--config" || word.startsWith("--config="));
  const explicit = flag?.replace(/^--config=/, "");
  const path = locateConfig({ cwd, env, ...(explicit === undefined ? {} : { explicit }) });
  const text = path === undefined ? undefined : readText(path);
  if (text === undefined) return "";
  const plain = text.replace(/^\s*#.*$/gm, "");
  return [plain, ...plain.includes("\\") ? [unescaped(plain)] : []].map((it) => filledIn(it, env)).join("\n");
}

function filledIn(text: string, env: NetworkQuestion["env"]): string {
  return text.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_whole, name: string) => env(name) ?? "");
}

/** Of the escapes of YAML those that can stand for a part of a word: `\x68`, `\u0068`, `\U00000068`, `\/`, a line's end. */
function unescaped(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(\/)|\r?\n[ \t]*)/g,
    (whole, two?: string, four?: string, eight?: string, slash?: string) => {
      const digits = two ?? four ?? eight;
      if (digits === undefined) return slash ?? "";
      const code = parseInt(digits, 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}

function readText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined; // the command that needs it will say why it cannot be read
  }
}
