/** Reading the values of options: durations, sizes, text, lists. */
import { UsageError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";
import type { OptionValues } from "./command.ts";

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
  KIB: 1024,
  MIB: 1024 ** 2,
  GIB: 1024 ** 3,
  TIB: 1024 ** 4,
};

/**
 * `90d`, `12h`, `1h30m`, `30s`, `500ms` in milliseconds.
 * @param option the option that carries it, for the message
 * @throws {UsageError} for anything else: a number without a unit is refused, since 30 could be seconds or days
 */
export function parseDuration(text: string, option: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)];
  const total = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * DURATION_UNITS[unit!]!, 0);
  const whole = parts.map(([part]) => part).join("") === text && parts.length > 0;
  if (whole && Number.isSafeInteger(Math.round(total))) return Math.round(total);
  throw new UsageError(`Cannot use ${quoteShort(text)} for ${option}: it is not a duration`, {
    hint: "Write a number with its unit: 500ms, 30s, 10m, 12h, 90d, 2w.",
  });
}

/**
 * `20GiB`, `500MB`, `4096` in bytes.
 * @throws {UsageError} for anything else
 */
export function parseSize(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text);
  const factor = match === null ? undefined : SIZE_UNITS[match[2]!.toUpperCase()];
  const bytes = factor === undefined ? NaN : Math.round(Number(match![1]) * factor);
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new UsageError(`Cannot use ${quoteShort(text)} for ${option}: it is not a size`, {
    hint: "Write a number with its unit: 500MB, 20GiB.",
  });
}

/** @throws {UsageError} when `text` is not a whole number from 1 on */
export function parseCount(text: string, option: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count >= 1) return count;
  throw new UsageError(`Cannot use ${quoteShort(text)} for ${option}: it is not a whole number from 1 on`);
}

/** The text of an option, undefined when it was not given. */
export function textOption(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
}

/** The values of a repeatable option, empty when it was not given. */
export function listOption(options: OptionValues, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? value as readonly string[] : [];
}

/** Whether a flag was given. */
export function flagOption(options: OptionValues, name: string): boolean {
  return options[name] === true;
}

/**
 * Two spellings of one option.
 * @throws {UsageError} when both are given and differ
 */
export function eitherOption(
  options: OptionValues,
  [first, firstFlag]: readonly [string, string],
  [second, secondFlag]: readonly [string, string],
): string | undefined {
  const a = textOption(options, first);
  const b = textOption(options, second);
  if (a !== undefined && b !== undefined && a !== b) {
    throw new UsageError(
      `${firstFlag} and ${secondFlag} mean the same, but say ${quoteShort(a)} and ${quoteShort(b)}`,
      { hint: "Give one of them." },
    );
  }
  return a ?? b;
}

type UndefinedKeys<T> = { [K in keyof T]: undefined extends T[K] ? K : never }[keyof T];
/** `T` where what may be undefined may be absent instead. */
export type Defined<T> =
  & { [K in Exclude<keyof T, UndefinedKeys<T>>]: T[K] }
  & { [K in UndefinedKeys<T>]?: Exclude<T[K], undefined> };

/** A copy without the keys whose value is undefined. */
export function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as Defined<T>;
}
