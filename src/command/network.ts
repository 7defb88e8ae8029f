/**
 * Whether this command line could need the network, decided from text alone, before anything else is loaded.
 * It may say yes too often, never no where a location or the configuration names a network.
 */
import { locateConfig } from "#/config/load.ts";

const REMOTE = /(s3|gs|https?):\/\//i;

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

/** The configuration's text without comment lines, with `${NAME}` filled in; empty where there is none. */
function configText(question: NetworkQuestion): string {
  const { argv, cwd, env } = question;
  const flag = argv.findLast((word, i) => argv[i - 1] === "--config" || word.startsWith("--config="));
  const explicit = flag?.replace(/^--config=/, "");
  const path = locateConfig({ cwd, env, ...(explicit === undefined ? {} : { explicit }) });
  const text = path === undefined ? undefined : readText(path);
  if (text === undefined) return "";
  return text.replace(/^\s*#.*$/gm, "").replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_whole, name: string) => {
    return env(name) ?? "";
  });
}

function readText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined; // the command that needs it will say why it cannot be read
  }
}
