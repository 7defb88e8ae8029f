/** Aligned columns for people. */
import type { Styler } from "#/report/style.ts";
import { displayWidth, pad, truncate, visible } from "#/report/visible.ts";

/** Plain text, or text with a colour that does not count for the alignment. */
export type Cell = string | { readonly text: string; readonly paint: (text: string) => string };

export interface TableOptions {
  readonly style: Styler;
  /**
   * Columns of the terminal; the widest columns are cut to fit, and where that is not enough, the first column
   * gets a line of its own above the others. `Infinity` cuts nothing.
   */
  readonly width: number;
  /** Indexes of the columns that hold numbers: to the right, never cut. */
  readonly right?: readonly number[];
  /** Indexes of further columns that are never cut: a name that people copy is of no use without its end. @default [0] */
  readonly keep?: readonly number[];
  /** Whether the first row is a heading. @default true */
  readonly heading?: boolean;
}

const GAP = 2;
const NARROWEST = 8;
const STACK_INDENT = "  ";

type Rows = readonly (readonly Cell[])[];

/** Rows of cells as aligned lines, the first row as the heading. Control characters in cells are spelt out. */
export function renderTable(rows: Rows, options: TableOptions): string {
  const lines = tableLines(rows, options) ?? stackedLines(rows, options);
  return lines.join("\n") + (lines.length === 0 ? "" : "\n");
}

/** The first cell of each row above the other cells. */
function stackedLines(rows: Rows, options: TableOptions): readonly string[] {
  const rest = tableLines(rows.map((row) => row.slice(1)), {
    ...options,
    width: options.width - STACK_INDENT.length,
    right: (options.right ?? []).map((column) => column - 1),
    keep: (options.keep ?? []).map((column) => column - 1),
  }, true)!;
  return rows.flatMap((row, r) => {
    const [first = ""] = row;
    const text = visible(typeof first === "string" ? first : first.text);
    const heading = r === 0 && (options.heading ?? true);
    const name = heading ? options.style.bold(text) : typeof first === "string" ? text : first.paint(text);
    return [name, ...(rest[r] === "" ? [] : [STACK_INDENT + rest[r]])];
  });
}

/** One line for each row; undefined when they do not fit, unless that is `accepted`. */
function tableLines(rows: Rows, options: TableOptions, accepted = false): readonly string[] | undefined {
  const texts = rows.map((row) => row.map((cell) => visible(typeof cell === "string" ? cell : cell.text)));
  const widths = fit(
    naturalWidths(texts),
    options.width,
    new Set([...options.right ?? [], ...options.keep ?? [0]]),
  );
  if (!accepted && widths.length > 1 && excessOf(widths, options.width) > 0) return undefined;
  return rows.map((row, r) => {
    const heading = r === 0 && (options.heading ?? true);
    const cells = row.map((cell, column) => {
      const last = column === row.length - 1;
      const right = options.right?.includes(column) ?? false;
      const width = widths[column]!;
      const cut = truncate(texts[r]![column]!, width);
      const padded = right ? pad(cut, width, "left") : last ? cut : pad(cut, width);
      if (heading) return options.style.bold(padded);
      return typeof cell === "string" ? padded : cell.paint(padded);
    });
    return cells.join(" ".repeat(GAP)).trimEnd();
  });
}

/** How many columns a row of these widths is too wide. */
function excessOf(widths: readonly number[], limit: number): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP * (widths.length - 1) - limit;
}

function naturalWidths(rows: readonly (readonly string[])[]): number[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((text, column) => widths[column] = Math.max(widths[column] ?? 0, displayWidth(text)));
  }
  return widths;
}

/** Takes from the widest column that may be cut, one at a time, until the row fits or nothing can give. */
function fit(widths: number[], limit: number, kept: ReadonlySet<number>): number[] {
  let excess = excessOf(widths, limit);
  while (excess > 0) {
    const cuttable = widths.map((width, column) => kept.has(column) ? 0 : width);
    const widest = Math.max(...cuttable);
    if (widest <= NARROWEST) break;
    widths[cuttable.indexOf(widest)]!--;
    excess--;
  }
  return widths;
}
