/** Reading the values of options: durations, sizes, text, lists. */
import { UsageError } from "#/core/errors.ts";
import { DURATION_HINT, durationMs, SIZE_HINT, sizeBytes } from "#/core/quantity.ts";
import { quoteShort } from "#/core/safe_path.ts";
import type { OptionValues } from "./command.ts";

/**
 * A duration in milliseconds.
 * @param option the option that carries it, for the message
 * @throws {UsageError} for anything else: a number without a unit is refused, since 30 could be seconds or days
 */
export function parseDuration(text: string, option: string): number {
  const duration = durationMs(text);
  if (duration !== undefined) return duration;
  throw new UsageError(`Cannot use ${quoteShort(text)} for ${option}: it is not a duration`, {
    hint: DURATION_HINT,
  });
}

/**
 * A size in bytes.
 * @throws {UsageError} for anything else
 */
export function parseSize(text: string, option: string): number {
  const bytes = sizeBytes(text);
  if (bytes !== undefined) return bytes;
  throw new UsageError(`Cannot use ${quoteShort(text)} for ${option}: it is not a size`, { hint: SIZE_HINT });
}

/** @throws {UsageError} when `text` is not a whole number from 1 on, or is more than `most` */
export function parseCount(text: string, option: string, most = Infinity): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= most) return count;
  const range = most === Infinity ? "on" : `to ${most}`;
  throw new UsageError(
    `Cannot use ${quoteShort(text)} for ${option}: it is not a whole number from 1 ${range}`,
  );
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
