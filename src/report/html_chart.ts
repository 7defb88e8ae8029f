/** Bars as SVG. Widths are percentages and the text keeps its size, so that a chart is as readable on a phone. */
import type { Tone } from "#/report/facts.ts";
import { type Markup, markup, stack } from "#/report/markup.ts";
import { truncate, visible } from "#/report/visible.ts";

export interface Bar {
  readonly label: string;
  /** For a narrow screen, where it should not simply be cut at its end. */
  readonly shortLabel?: string;
  /** What the bar stands for, in words: `0.3 s`, `1.2 MiB`. */
  readonly amount: string;
  /** Both in the chart's unit. */
  readonly start: number;
  readonly length: number;
  readonly tone?: Tone | "rest";
}

export interface Chart {
  /** Unique in the document: the picture is named by it. */
  readonly id: string;
  readonly title: string;
  /** What a person sees who does not see the picture; the numbers are in the table beside it. */
  readonly description: string;
  readonly bars: readonly Bar[];
  /** What the ends of the axis are called. */
  readonly axis: readonly [from: string, to: string];
}

const ROW = 42;
const BAR_HEIGHT = 12;
const AXIS_HEIGHT = 22;
/** As much as fits beside the amount: on a wide screen, and on a narrow one. */
const LABEL_COLUMNS = 90;
export const NARROW_COLUMNS = 34;
/** A bar of next to nothing is still seen. */
const LEAST_PERCENT = 0.5;

/** One bar below the other, each under its name. */
export function barChart(chart: Chart): Markup {
  const whole = Math.max(...chart.bars.map((bar) => bar.start + bar.length), 0);
  const height = chart.bars.length * ROW + AXIS_HEIGHT;
  return stack([
    markup`<svg role="img" aria-labelledby="${chart.id}-title ${chart.id}-desc" height="${height}">`,
    markup`<title id="${chart.id}-title">${chart.title}</title>`,
    markup`<desc id="${chart.id}-desc">${chart.description}</desc>`,
    ...chart.bars.map((bar, i) => barRow(bar, i, whole)),
    ...axis(chart, height),
    markup`</svg>`,
  ]);
}

function barRow(bar: Bar, index: number, whole: number): Markup {
  const top = index * ROW;
  const length = Math.max(LEAST_PERCENT, percent(bar.length, whole));
  const start = Math.min(percent(bar.start, whole), 100 - length);
  return stack([
    ...labels(bar, top + 14),
    markup`<text class="amount" x="100%" y="${top + 14}" text-anchor="end">${bar.amount}</text>`,
    markup`<rect class="track" x="0" y="${top + 19}" width="100%" height="${BAR_HEIGHT}"/>`,
    markup`<rect class="bar${bar.tone === undefined ? "" : ` ${bar.tone}`}" x="${shown(start)}%" y="${
      top + 19
    }" width="${shown(length)}%" height="${BAR_HEIGHT}"/>`,
  ]);
}

/** Text in a picture is not wrapped; the style sheet shows one of the two. */
function labels(bar: Bar, y: number): readonly Markup[] {
  const wide = truncate(visible(bar.label), LABEL_COLUMNS);
  const narrow = truncate(visible(bar.shortLabel ?? bar.label), NARROW_COLUMNS);
  if (wide === narrow) return [markup`<text x="0" y="${y}">${wide}</text>`];
  return [
    markup`<text class="wide" x="0" y="${y}">${wide}</text>`,
    markup`<text class="narrow" x="0" y="${y}">${narrow}</text>`,
  ];
}

function axis(chart: Chart, height: number): readonly Markup[] {
  const y = height - AXIS_HEIGHT + 4;
  return [
    markup`<line class="grid" x1="0" x2="100%" y1="${y}" y2="${y}"/>`,
    markup`<text class="axis" x="0" y="${height - 3}">${chart.axis[0]}</text>`,
    markup`<text class="axis" x="100%" y="${height - 3}" text-anchor="end">${chart.axis[1]}</text>`,
  ];
}

function percent(value: number, whole: number): number {
  return whole > 0 ? Math.min(100, Math.max(0, 100 * value / whole)) : 0;
}

function shown(value: number): number {
  return Math.round(value * 100) / 100;
}
