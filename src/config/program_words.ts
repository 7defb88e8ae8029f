/** Programs in `backout.yaml`: a list of words, no shell, and a time limit. */
import { isAbsolute, resolve } from "node:path";
import * as z from "zod";
import { DURATION_HINT, durationMs } from "#/core/quantity.ts";
import type { Path, Problems } from "#/policy/problem.ts";

/** Schema of a part that is read by its own reader, which knows better what to say; here it is only described. */
export function described(schema: Readonly<Record<string, unknown>>): z.ZodOptional<z.ZodUnknown> {
  return z.unknown().meta(schema).optional();
}

/** A block of keys. Its schema is made when somebody has written one: to make them all takes longer than to read a file. */
export function block<T extends z.ZodType>(make: () => T): z.ZodOptional<z.ZodLazy<T>> {
  const lazy = z.lazy(make);
  // Whether its keys have defaults is asked of each key of every object that is read, and making it would be the answer.
  Object.defineProperty(lazy._zod, "optin", { value: undefined });
  return lazy.optional();
}

export const WORDS_SCHEMA = {
  type: "array",
  items: { type: "string" },
  minItems: 1,
  description: "Program and arguments; no shell. A program with a slash is relative to this file.",
};

/**
 * Program and arguments. Values are never repeated in messages: they may be secrets that `${NAME}` put there.
 * @param folder where a program's path with a slash starts; null where none can
 * @returns undefined, with the problem noted, when it is no program
 */
export function readWords(
  value: unknown,
  path: Path,
  folder: string | null,
  problems: Problems,
): readonly string[] | undefined {
  if (!Array.isArray(value)) {
    return problems.value(
      path,
      "must be a list of words: the program and its arguments",
      'For example ["systemctl", "stop", "app"]; there is no shell.',
    );
  }
  const wrong = value.findIndex((word) => typeof word !== "string" || word.includes("\0"));
  if (wrong >= 0) return problems.value([...path, wrong], "must be text", 'Put it into quotes: "5".');
  const [program = "", ...rest] = value as readonly string[];
  if (program.trim() === "") return problems.value(path, "names no program");
  if (!program.includes("/") || isAbsolute(program)) return [program, ...rest];
  if (folder === null) {
    return problems.value(
      [...path, 0],
      "must be a program on the PATH or an absolute path",
      "The release has no folder of its own where it is used.",
    );
  }
  return [resolve(folder, program), ...rest];
}

/** A time limit in milliseconds; undefined where there is none, or it cannot be used. */
export function readTimeout(
  value: unknown,
  path: Path,
  longest: { readonly ms: number; readonly text: string },
  problems: Problems,
): number | undefined {
  if (value === undefined) return undefined;
  const ms = typeof value === "string" ? durationMs(value) : undefined;
  if (ms === undefined) return problems.value(path, "must be a duration", DURATION_HINT);
  if (ms < 1) return problems.value(path, "must be longer than nothing", DURATION_HINT);
  if (ms > longest.ms) return problems.value(path, `must be at most ${longest.text}`);
  return ms;
}
