/** The timeline of the steps: as a picture, and as a table. */
import type { Tone } from "#/report/facts.ts";
import { type Bar, barChart } from "#/report/html_chart.ts";
import { type Markup, markup, stack } from "#/report/markup.ts";
import type { OperationReport, StepReport } from "#/report/model.ts";
import { count, formatDuration } from "#/report/units.ts";

const MOST_BARS = 30;

type StepStatus = StepReport["status"];

const words: Readonly<Record<StepStatus, string>> = {
  planned: "planned",
  done: "done",
  skipped: "not run",
  failed: "failed",
  taken_back: "taken back",
};

const tones: Readonly<Partial<Record<StepStatus, Tone>>> = {
  done: "good",
  failed: "bad",
  taken_back: "warn",
};

interface Timed {
  readonly step: StepReport;
  readonly number: number;
  readonly start: number;
}

/** The section of the steps; nothing where there is no plan. */
export function stepsSection(report: OperationReport): Markup | undefined {
  if (report.steps.length === 0) return undefined;
  const title = report.dry_run ? "Plan" : "Timeline of the steps";
  return stack([
    markup`<section aria-labelledby="steps">`,
    markup`<h2 id="steps">${title}</h2>`,
    timeline(report),
    stepTable(report.steps),
    markup`</section>`,
  ]);
}

function timeline(report: OperationReport): Markup | undefined {
  const all = placed(report).filter(({ step }) => step.seconds > 0);
  if (all.length === 0) return undefined;
  const shown = all.length <= MOST_BARS ? all : longest(all);
  const end = Math.max(...all.map(({ step, start }) => start + step.seconds));
  const slowest = all.reduce((a, b) => b.step.seconds > a.step.seconds ? b : a);
  const chart = barChart({
    id: "timeline",
    title: `How long each of ${count(report.steps.length, "step")} took`,
    description: `${formatDuration(end)} in all. The longest was step ${slowest.number}, ${
      describe(slowest.step)
    }, with ${formatDuration(slowest.step.seconds)}. The table below has every step.`,
    bars: shown.map(toBar),
    axis: ["0 s", formatDuration(end)],
  });
  const cut = all.length - shown.length;
  const note = cut > 0
    ? ` Shown are the ${shown.length} longest; ${count(cut, "shorter step")} left out.`
    : "";
  return stack([
    markup`<figure>`,
    markup`<figcaption>${`Seconds from the first step to the last.${note}`}</figcaption>`,
    chart,
    markup`</figure>`,
  ]);
}

/**
 * Where the starts were not noted, each step begins where the one before ended. Steps that ran together are given the
 * same time each: their times add up to more than the operation took.
 */
function placed(report: OperationReport): readonly Timed[] {
  const { steps } = report;
  const sum = steps.reduce((total, step) => total + step.seconds, 0);
  const someTogether = sum > report.rollback_duration_seconds;
  let clock = 0;
  let groupStart = 0;
  return steps.map((step, i) => {
    const together = someTogether && step.seconds > 0 && step.seconds === steps[i - 1]?.seconds;
    if (!together) groupStart = clock;
    const start = step.started_seconds ?? groupStart;
    clock = start + step.seconds;
    return { step, number: i + 1, start };
  });
}

function longest(all: readonly Timed[]): readonly Timed[] {
  return all.toSorted((a, b) => b.step.seconds - a.step.seconds).slice(0, MOST_BARS)
    .toSorted((a, b) => a.number - b.number);
}

function toBar({ step, number, start }: Timed): Bar {
  const tone = tones[step.status];
  const status = step.status === "done" ? "" : `, ${words[step.status]}`;
  return {
    label: `${number}. ${step.description}`,
    amount: formatDuration(step.seconds) + status,
    start,
    length: step.seconds,
    ...(tone === undefined ? {} : { tone }),
  };
}

function describe(step: StepReport): string {
  return step.description.charAt(0).toLowerCase() + step.description.slice(1);
}

function stepTable(steps: readonly StepReport[]): Markup {
  const timed = steps.some((step) => step.seconds > 0);
  return stack([
    markup`<table>`,
    markup`<caption>${`Every step, in order (${steps.length})`}</caption>`,
    markup`<thead><tr><th scope="col">#</th><th scope="col">Step</th><th scope="col">Result</th>${
      timed ? markup`<th scope="col" class="number">Took</th>` : undefined
    }</tr></thead>`,
    markup`<tbody>`,
    ...steps.map((step, i) => stepRow(step, i + 1, timed)),
    markup`</tbody>`,
    markup`</table>`,
  ]);
}

function stepRow(step: StepReport, number: number, timed: boolean): Markup {
  const took = step.seconds > 0 ? formatDuration(step.seconds) : "";
  return markup`<tr><td>${number}</td><td class="text">${step.description}</td><td class="result ${
    tones[step.status] ?? ""
  }">${words[step.status]}</td>${timed ? markup`<td class="number">${took}</td>` : undefined}</tr>`;
}
