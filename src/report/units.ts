/** Bytes, durations and ages as people read them. */

const BYTE_UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** `0 B`, `512 B`, `1.5 KiB`, `20 GiB`: powers of 1024, at most one digit after the point. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes / 1024;
  let unit = 0;
  // 1023.95 would be written as 1024.0
  while (value >= 1023.95 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${oneDigit(value)} ${BYTE_UNITS[unit]}`;
}

/** A span in seconds: `4 ms`, `0.3 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function formatDuration(seconds: number): string {
  if (!(seconds > 0)) return "0 s";
  if (seconds < 0.1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 9.95) return `${oneDigit(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return pair(whole, 60, "min", 1, "s");
  if (whole < 86400) return pair(whole, 3600, "h", 60, "min");
  return pair(whole, 86400, "d", 3600, "h");
}

/** How long ago `at` was: `just now`, `5 min ago`, `3 d ago`; `in 2 h` when it lies ahead; `unknown` when it is no time. */
export function formatAge(at: string | Date | null, now: Date): string {
  const moment = at === null ? NaN : new Date(at).getTime();
  if (Number.isNaN(moment)) return "unknown";
  const seconds = (now.getTime() - moment) / 1000;
  if (Math.abs(seconds) < 5) return "just now";
  return seconds < 0 ? `in ${largestUnit(-seconds)}` : `${largestUnit(seconds)} ago`;
}

/** `1 artifact`, `3 artifacts`. */
export function count(n: number, noun: string, plural = `${noun}s`): string {
  return `${n} ${n === 1 ? noun : plural}`;
}

function largestUnit(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

function pair(value: number, big: number, bigName: string, small: number, smallName: string): string {
  const rest = Math.floor((value % big) / small);
  const whole = `${Math.floor(value / big)} ${bigName}`;
  return rest === 0 ? whole : `${whole} ${rest} ${smallName}`;
}

function oneDigit(value: number): string {
  return value.toFixed(1).replace(/\.0$/, "");
}
