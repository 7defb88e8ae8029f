/** Pieces of text that several reading commands share. */
import type { Cell, Styler } from "#/report/mod.ts";
import { formatAge, pad, visible } from "#/report/mod.ts";
import type { LockView, VersionState } from "#/repository/views.ts";

/** More problems than this are counted, not listed. */
const MAX_PROBLEMS = 20;

/** A version's state in its colour. */
export function paintState(state: VersionState, style: Styler): Cell {
  switch (state) {
    case "active":
      return { text: state, paint: style.green };
    case "yanked":
    case "bad":
    case "partial":
    case "emptied":
      return { text: state, paint: style.yellow };
    case "hidden":
    case "removed":
    case "absent":
      return { text: state, paint: style.dim };
    default:
      return state satisfies never;
  }
}

/** Aligned `Label: value` lines; a row without a value is left out. */
export function factLines(rows: readonly (readonly [string, string | null | undefined])[]): string {
  const shown = rows.filter(([, value]) => value !== null && value !== undefined);
  const width = Math.max(0, ...shown.map(([label]) => label.length + 1));
  return shown.map(([label, value]) => `${pad(`${label}:`, width)} ${visible(value!)}\n`).join("");
}

/** Who holds the lock, since when and why. */
export function describeLock(lock: LockView, now: Date): string {
  const reason = lock.reason === "" ? "" : ` (${lock.reason})`;
  return `${lock.operation} by ${lock.by} on ${lock.host}, process ${lock.pid} (${lock.holder}), ` +
    `since ${lock.since}, ${formatAge(lock.since, now)}${reason}`;
}

/** A time with how long ago it was; "unknown" where it is not known. */
export function timeAndAge(at: string | null, now: Date): string {
  return at === null ? "unknown" : `${at} (${formatAge(at, now)})`;
}

/** A check's verdict: what was checked, then its problems. */
export function problemLines(checked: string, problems: readonly string[], style: Styler): string {
  if (problems.length === 0) return `${style.green("✔")} ${checked}; no problem found.\n`;
  const found = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const lines = problems.slice(0, MAX_PROBLEMS).map((problem) => `  ${style.red("-")} ${visible(problem)}\n`);
  const more = problems.length - MAX_PROBLEMS;
  const rest = more > 0 ? `  … and ${more} more; --json lists them all\n` : "";
  return `${style.red("✘")} ${checked}; ${found}:\n${lines.join("")}${rest}`;
}
