/**
 * Whether this command line could need the network, or start programs, decided from text alone, before anything else
 * is loaded. It may say yes too often, never no where a location or the configuration names a network, where the
 * configuration names a program, or where a target or a check needs one or the other.
 */
import { resolve } from "node:path";
import { locateConfig } from "#/config/load.ts";

const REMOTE = /(s3|gs|https?):\/\//i;
/** The keys of the configuration below which programs are named. */
const PROGRAMS = /hooks|command|trusted_keys/;
/** The keys of the configuration below which targets and checks stand. */
const TARGETS = /targets|checks/;
/** Commands that work on targets, or recover what others left of them. */
const TARGET_VERBS: ReadonlySet<string> = new Set([
  "snapshot",
  "guard",
  "check",
  "plugin",
  "confirm",
  "recover",
  "service",
]);
/** The same where the configuration names targets; otherwise they are about a repository. */
const LOOKING_VERBS: ReadonlySet<string> = new Set(["status", "doctor"]);
/** A service of a stack whose image has no program to ask it with is asked from outside, through a port it publishes. */
const ASKED_OUTSIDE = /know_how/;
/** Commands on components: git, and what their manifests say. */
const PROGRAM_VERBS: ReadonlySet<string> = new Set(["component", "changeset", "cache"]);
/** Kinds of targets and checks that need no network of this process; a program that they start has its own. */
const LOCAL_KINDS: ReadonlySet<string> = new Set([
  ...["git_commit", "configuration", "file_system", "database", "infrastructure", "components"],
  ...["remote_branches", "command", "container"],
  ...["file_exists", "file_checksum", "service_status", "sql", "process", "port", "disk_space"],
]);
/** Their configuration comes with the request, after the decision. */
const ASKED_LATER: ReadonlySet<string> = new Set(["plugin"]);

export interface NetworkQuestion {
  readonly argv: readonly string[];
  readonly env: (name: string) => string | undefined;
  readonly cwd: string;
}

/** True when a location or the configuration names a network and `--offline` does not forbid it. */
export function needsNetwork(question: NetworkQuestion): boolean {
  const { env } = question;
  const words = ownWords(question.argv);
  if (words.includes("--offline")) return false;
  const fromWords = words.some((word, i) => {
    const previous = words[i - 1] ?? "";
    if (previous === "--reason" || word.startsWith("--reason=")) return false;
    if (previous === "--repository-type" && /^(s3|gcs)$/.test(word)) return true;
    return /^--repository-type=(s3|gcs)$/.test(word) || REMOTE.test(word);
  });
  if (fromWords || REMOTE.test(env("BACKOUT_REPOSITORY") ?? "") || REMOTE.test(env("BACKOUT_STORE") ?? "")) {
    return true;
  }
  const config = configText(question);
  return REMOTE.test(config) ||
    (usesTargets(words, config) && targetsNeedNetwork(words, config, question));
}

/** Whether a target or a check may be one that this process talks to over a network. */
function targetsNeedNetwork(words: readonly string[], config: string, question: NetworkQuestion): boolean {
  if (isAbout(words, ASKED_LATER)) return true;
  const texts = [TARGETS.test(config) ? config : "", ...filesOfChecks(words, question)];
  if (texts.some((text) => REMOTE.test(text) || ASKED_OUTSIDE.test(text) || namesRemoteKind(text))) {
    return true;
  }
  const type = valueOf(words, "--type");
  return type !== undefined && !LOCAL_KINDS.has(type);
}

/** Whether a kind stands there that is not known to be local; anything that cannot be told apart is. */
function namesRemoteKind(text: string): boolean {
  return [...text.matchAll(/["']?type["']?\s*:\s*["']?([A-Za-z_]+|[^\s"'])/g)].some(([, kind = ""]) =>
    !LOCAL_KINDS.has(kind)
  );
}

/** The text of the files that name checks: of --checks, and of `check run FILE`. */
function filesOfChecks(words: readonly string[], { cwd, env }: NetworkQuestion): readonly string[] {
  const flagged = valueOf(words, "--checks");
  const at = words.indexOf("check");
  // One of them is the file; a few others are values of options.
  const named = at < 0 ? [] : words.slice(at + 2).filter((word) => !word.startsWith("-"));
  return [...flagged === undefined ? [] : [flagged], ...named].flatMap((path) => {
    const text = readText(resolve(cwd, path));
    return text === undefined ? [] : [expanded(text, env)];
  });
}

/**
 * True when a program may have to be started: a hook, a command that is told of operations, or one that a target or a
 * check needs.
 */
export function needsPrograms(question: NetworkQuestion): boolean {
  const words = ownWords(question.argv);
  const config = configText(question);
  if (PROGRAMS.test(config) || isAbout(words, PROGRAM_VERBS)) return true;
  return usesTargets(words, config) && !isReading(words);
}

function usesTargets(words: readonly string[], config: string): boolean {
  return isAbout(words, TARGET_VERBS) || (TARGETS.test(config) && isAbout(words, LOOKING_VERBS));
}

/** Reading a store needs no program. */
function isReading(words: readonly string[]): boolean {
  const at = words.indexOf("snapshot");
  const rest = at < 0 ? [] : words.slice(at + 1).filter((word) => !word.startsWith("-"));
  return ["list", "show", "keygen", "verify"].includes(rest[0] ?? "");
}

/** Whether one of the words is such a verb; also where it is a value, which is a yes too many. */
function isAbout(words: readonly string[], verbs: ReadonlySet<string>): boolean {
  return words.some((word, i) => verbs.has(word) && words[i - 1] !== "--reason");
}

function valueOf(words: readonly string[], flag: string): string | undefined {
  return words.findLast((word, i) => words[i - 1] === flag || word.startsWith(`${flag}=`))
    ?.replace(new RegExp(`^${flag}=`), "");
}

/** Without the command that `guard` runs. */
function ownWords(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf("--");
  return end < 0 ? argv : argv.slice(0, end);
}

/**
 * The configuration's text without comment lines, with `${NAME}` filled in; then the same with the escapes of quoted
 * text resolved, which could spell anything. Empty where there is none.
 */
function configText(question: NetworkQuestion): string {
  const { cwd, env } = question;
  const explicit = valueOf(ownWords(question.argv), "--config");
  const path = locateConfig({ cwd, env, ...(explicit === undefined ? {} : { explicit }) });
  const text = path === undefined ? undefined : readText(path);
  return text === undefined ? "" : expanded(text, env);
}

function expanded(text: string, env: NetworkQuestion["env"]): string {
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
