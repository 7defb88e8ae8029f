/** What is wrong with a policy, and where in its document. */
import { nearest } from "#/core/nearest.ts";

export interface PolicyProblem {
  /** Keys and indexes from the policy's block (or from the file of cases) down. */
  readonly path: readonly (string | number)[];
  /** Set when the last key itself is wrong, not its value. */
  readonly key?: true;
  /** The character of a text at which the mistake is, from 0. */
  readonly within?: number;
  readonly message: string;
  readonly hint: string | null;
}

export type Path = PolicyProblem["path"];

/** Collects problems; readers say what is wrong and go on, so that all mistakes are told at once. */
export class Problems {
  readonly found: PolicyProblem[] = [];

  /** The value at `path` is wrong. */
  value(path: Path, message: string, hint: string | null = null): undefined {
    this.found.push({ path, message: `${nameOf(path)} ${message}`, hint });
    return undefined;
  }

  /** A key that nobody reads. */
  unknownKey(path: Path, key: string, known: readonly string[]): void {
    const near = nearest(key, known);
    const where = path.length === 0 ? "" : ` in ${nameOf(path)}`;
    const message = `${JSON.stringify(key)} is not a known key${where}`;
    const hint = near === undefined
      ? `Known keys${where}: ${known.join(", ")}.`
      : `Did you mean ${JSON.stringify(near)}?`;
    this.found.push({ path: [...path, key], key: true, message, hint });
  }

  add(problem: PolicyProblem): void {
    this.found.push(problem);
  }
}

/** `policy.rules.freeze-window.windows.0`. */
export function nameOf(path: Path): string {
  return path.map(String).join(".");
}

/** A block of keys: an object that is no list. */
export function isBlock(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Reads a block with known keys.
 * @returns undefined, with the problem noted, when it is none
 */
export function readBlock(
  value: unknown,
  path: Path,
  known: readonly string[],
  problems: Problems,
): Readonly<Record<string, unknown>> | undefined {
  if (!isBlock(value)) return problems.value(path, "must be a block of keys");
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) problems.unknownKey(path, key, known);
  }
  return value;
}

/** A text that is not empty. */
export function readText(
  block: Readonly<Record<string, unknown>>,
  key: string,
  path: Path,
  problems: Problems,
  example: string,
): string | undefined {
  const value = own(block, key);
  if (value === undefined) return problems.value(path, `lacks ${key}`, `Add it: ${key}: ${example}`);
  if (typeof value !== "string") return problems.value([...path, key], "must be text");
  if (value.trim() === "") {
    return problems.value([...path, key], "is empty", `For example ${key}: ${example}`);
  }
  return value;
}

/** One of a few words; `fallback` where it is not given. */
export function readChoice<T extends string>(
  value: unknown,
  path: Path,
  choices: readonly T[],
  problems: Problems,
): T | undefined {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  const near = typeof value === "string" ? nearest(value, choices) : undefined;
  return problems.value(
    path,
    `must be ${wordList(choices)}`,
    near === undefined ? null : `Did you mean ${JSON.stringify(near)}?`,
  );
}

/** The block's own value: never something of its prototype. */
export function own(block: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(block, key) ? block[key] : undefined;
}

/** `a, b or c`. */
export function wordList(words: readonly string[]): string {
  const shown = words.map((word) => word === "" ? '""' : word);
  return shown.length < 2 ? shown.join("") : `${shown.slice(0, -1).join(", ")} or ${shown.at(-1)}`;
}

/** Milliseconds of a time as RFC 3339, undefined for anything else (also for a date that does not exist). */
export function timeMs(text: string): number | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/.exec(
    text,
  );
  if (match === null || !isDate(text.slice(0, 10))) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Whether a text is a day that exists, as `2026-11-20`. */
export function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}
