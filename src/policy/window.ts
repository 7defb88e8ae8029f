/** Times at which nothing may be changed: weekdays, hours and dates in a time zone. Pure; wall-clock times by `Intl`. */
import { isDate, own, type Path, type Problems, readBlock, readChoice } from "#/policy/problem.ts";

export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Day = typeof DAYS[number];

/** Minutes of a day; `to` before or at `from` goes over midnight and belongs to the day on which it began. */
interface Hours {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** Days as `2026-11-20`, both included. */
interface DateRange {
  readonly first: string;
  readonly last: string;
}

/** All that is given must match; what is not given always does. */
export interface Window {
  readonly days?: readonly Day[];
  readonly hours?: readonly Hours[];
  readonly dates?: readonly DateRange[];
  /** @default "UTC" */
  readonly time_zone: string;
  readonly reason?: string;
}

const KEYS = ["days", "hours", "dates", "time_zone", "reason"];
const HOURS_HINT = "Write them as 22:00-06:00; an end before the beginning is on the next day.";
const DATES_HINT = "Write a day as 2026-12-24, or the first and the last as 2026-12-20..2027-01-02.";

/** @returns undefined, with what is wrong noted, when it is no list of windows */
export function readWindows(value: unknown, path: Path, problems: Problems): readonly Window[] | undefined {
  if (!Array.isArray(value) || value.length === 0) {
    return problems.value(
      path,
      "must be a list of windows",
      "For example: - {days: [fri], hours: 16:00-24:00}",
    );
  }
  const windows = value.map((item, i) => readWindow(item, [...path, i], problems));
  return windows.every((window) => window !== undefined) ? windows : undefined;
}

function readWindow(value: unknown, path: Path, problems: Problems): Window | undefined {
  const before = problems.found.length;
  const block = readBlock(value, path, KEYS, problems);
  if (block === undefined) return undefined;
  const given = ["days", "hours", "dates"].filter((key) => own(block, key) !== undefined);
  if (given.length === 0) {
    return problems.value(
      path,
      "lacks days, hours and dates",
      "Give at least one of them, or it would always hold.",
    );
  }
  const days = each(block, "days", path, problems, readDay);
  const hours = each(block, "hours", path, problems, readHours);
  const dates = each(block, "dates", path, problems, readDates);
  const zone = own(block, "time_zone") ?? "UTC";
  if (typeof zone !== "string" || !isTimeZone(zone)) {
    problems.value(
      [...path, "time_zone"],
      "is not a time zone",
      "Give an IANA name, for example Europe/Berlin, or UTC.",
    );
  }
  const reason = own(block, "reason");
  if (reason !== undefined && typeof reason !== "string") problems.value([...path, "reason"], "must be text");
  if (problems.found.length > before) return undefined;
  return {
    ...(days === undefined ? {} : { days }),
    ...(hours === undefined ? {} : { hours }),
    ...(dates === undefined ? {} : { dates }),
    time_zone: zone as string,
    ...(typeof reason === "string" ? { reason } : {}),
  };
}

/** One text or a list of them. */
function each<T>(
  block: Readonly<Record<string, unknown>>,
  key: string,
  path: Path,
  problems: Problems,
  read: (item: unknown, path: Path, problems: Problems) => T | undefined,
): readonly T[] | undefined {
  const value = own(block, key);
  if (value === undefined) return undefined;
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (items.length === 0) {
    return problems.value([...path, key], "is empty", "Leave it out, or list what it covers.");
  }
  const found = items.map((item, i) =>
    read(item, Array.isArray(value) ? [...path, key, i] : [...path, key], problems)
  );
  return found.filter((item) => item !== undefined);
}

function readDay(item: unknown, path: Path, problems: Problems): Day | undefined {
  const short = typeof item === "string"
    ? item.toLowerCase().replace(/^(mon|tue|wed|thu|fri|sat|sun)[a-z]*day$/, "$1")
    : item;
  return readChoice(short, path, DAYS, problems);
}

function readHours(item: unknown, path: Path, problems: Problems): Hours | undefined {
  const match = typeof item === "string" ? /^(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})$/.exec(item) : null;
  const [from, to] = match === null
    ? [NaN, NaN]
    : [minutes(match[1]!, match[2]!), minutes(match[3]!, match[4]!)];
  if (Number.isNaN(from) || Number.isNaN(to) || from === 1440) {
    return problems.value(path, "is not a span of hours", HOURS_HINT);
  }
  return { from, to, text: item as string };
}

/** NaN for a time that no day has; 24:00 is its end. */
function minutes(hour: string, minute: string): number {
  const total = Number(hour) * 60 + Number(minute);
  return Number(minute) < 60 && total <= 1440 ? total : NaN;
}

function readDates(item: unknown, path: Path, problems: Problems): DateRange | undefined {
  const [first = "", last = first, ...rest] = typeof item === "string" ? item.split("..") : [];
  if (!isDate(first) || !isDate(last) || rest.length > 0) {
    return problems.value(path, "is not a date", DATES_HINT);
  }
  if (last < first) return problems.value(path, "ends before it begins", DATES_HINT);
  return { first, last };
}

export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
    return /^[A-Za-z]/.test(name); // offsets like +01:00 would hide a change to summer time
  } catch {
    return false;
  }
}

/** Whether a window holds at a time. */
export function isInside(window: Window, now: Date): boolean {
  const here = wallClock(now, window.time_zone);
  const dayFits = (date: string) =>
    (window.days?.includes(dayOf(date)) ?? true) &&
    (window.dates?.some(({ first, last }) => first <= date && date <= last) ?? true);
  if (window.hours === undefined) return dayFits(here.date);
  return window.hours.some(({ from, to }) => {
    if (from < to) return here.minute >= from && here.minute < to && dayFits(here.date);
    if (here.minute >= from) return dayFits(here.date);
    return here.minute < to && dayFits(dayBefore(here.date));
  });
}

interface WallClock {
  /** As `2026-11-20`. */
  readonly date: string;
  /** Of the day. */
  readonly minute: number;
}

function wallClock(now: Date, timeZone: string): WallClock {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
  }).formatToParts(now);
  const part = (type: string) => parts.find((it) => it.type === type)?.value ?? "";
  return {
    date: `${part("year").padStart(4, "0")}-${part("month")}-${part("day")}`,
    minute: Number(part("hour")) * 60 + Number(part("minute")),
  };
}

function dayOf(date: string): Day {
  return DAYS[(new Date(`${date}T00:00:00Z`).getUTCDay() + 6) % 7]!;
}

function dayBefore(date: string): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) - 86_400_000).toISOString().slice(0, 10);
}

/** For people: `fri, sat 22:00-06:00 (Europe/Berlin)`. */
export function describeWindow({ days, hours, dates, time_zone }: Window): string {
  const shown = [
    ...(days === undefined ? [] : [days.join(", ")]),
    ...(dates === undefined
      ? []
      : [dates.map((it) => it.first === it.last ? it.first : `${it.first}..${it.last}`).join(", ")]),
    ...(hours === undefined ? [] : [hours.map(({ text }) => text).join(", ")]),
  ];
  return `${shown.join(" ")} (${time_zone})`;
}

/** The JSON Schema of a window. */
export const WINDOW_SCHEMA: Readonly<Record<string, unknown>> = {
  type: "object",
  properties: {
    days: {
      description: "Weekdays on which it begins.",
      anyOf: [{ enum: DAYS }, { type: "array", items: { enum: DAYS } }],
    },
    hours: {
      description: HOURS_HINT,
      anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
    },
    dates: {
      description: DATES_HINT,
      anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
    },
    time_zone: { description: "IANA time zone (UTC).", type: "string" },
    reason: { description: "Told to whom it stops.", type: "string" },
  },
  additionalProperties: false,
};
