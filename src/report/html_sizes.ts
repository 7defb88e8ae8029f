/** Where the bytes went, and which artifacts are the large ones: as pictures, and as tables. */
import { type Bar, barChart, NARROW_COLUMNS } from "#/report/html_chart.ts";
import { type Markup, markup, stack } from "#/report/markup.ts";
import type { OperationReport } from "#/report/model.ts";
import { count, formatBytes } from "#/report/units.ts";

const MOST_BARS = 10;
const MOST_PATHS = 5000;

interface Amount {
  readonly label: string;
  readonly bytes: number;
  /** Everything that has no bar of its own. */
  readonly isRest?: boolean;
}

/** The section of sizes; nothing where no byte was moved. */
export function sizesSection(report: OperationReport): Markup | undefined {
  const moved = byteFlow(report);
  const largest = largestWithRest(report);
  if (moved.length === 0 && largest.length === 0) return undefined;
  return stack([
    markup`<section aria-labelledby="sizes">`,
    markup`<h2 id="sizes">Sizes</h2>`,
    picture("flow", "Bytes by what became of them", moved),
    picture("largest", `The largest artifacts${report.dry_run ? " of the plan" : ""}`, largest),
    markup`</section>`,
  ]);
}

function byteFlow(report: OperationReport): readonly Amount[] {
  const inBackups = report.backup.reduce((sum, backup) => sum + backup.bytes, 0);
  const done = report.status === "success" || report.status === "partial";
  const amounts: readonly Amount[] = [
    {
      label: report.dry_run ? "Would leave the tree" : "Left the published tree",
      bytes: report.total_bytes_freed,
    },
    {
      label: report.dry_run ? "Would be added" : "Added to the published tree",
      bytes: report.total_bytes_added,
    },
    { label: "Kept in backups", bytes: report.dry_run ? 0 : inBackups },
    { label: "Space really freed", bytes: done ? report.bytes_reclaimed : 0 },
  ];
  return amounts.filter((amount) => amount.bytes > 0);
}

/** The largest by name, and everything else as one bar. */
function largestWithRest(report: OperationReport): readonly Amount[] {
  const named = (report.largest_artifacts ?? []).slice(0, MOST_BARS);
  if (named.length === 0) return [];
  const added = report.artifacts_restored.length + report.artifacts_published.length;
  const artifacts = report.total_artifacts_removed > 0 ? report.total_artifacts_removed : added;
  const total = report.total_artifacts_removed > 0 ? report.total_bytes_freed : report.total_bytes_added;
  const shown = named.map(({ path, bytes }): Amount => ({ label: path, bytes }));
  const others = artifacts - named.length;
  if (others <= 0) return shown;
  const rest = total - named.reduce((sum, one) => sum + one.bytes, 0);
  return [...shown, {
    label: `${count(others, "other artifact")} together`,
    bytes: Math.max(0, rest),
    isRest: true,
  }];
}

function picture(id: string, title: string, amounts: readonly Amount[]): Markup | undefined {
  if (amounts.length === 0) return undefined;
  const most = amounts.reduce((a, b) => b.bytes > a.bytes ? b : a);
  return stack([
    markup`<h3>${title}</h3>`,
    markup`<figure>`,
    barChart({
      id,
      title,
      description: `${count(amounts.length, "bar")}; the longest is ${most.label} with ${
        formatBytes(most.bytes)
      }. The table below has the numbers.`,
      bars: amounts.map(toBar),
      axis: ["0", formatBytes(most.bytes)],
    }),
    markup`</figure>`,
    markup`<details><summary>${`${title}, as a table`}</summary>`,
    markup`<table>`,
    markup`<thead><tr><th scope="col">What</th><th scope="col" class="number">Size</th><th scope="col" class="number">Bytes</th></tr></thead>`,
    markup`<tbody>`,
    ...amounts.map((one) =>
      markup`<tr><td class="text">${one.label}</td><td class="number">${
        formatBytes(one.bytes)
      }</td><td class="number">${one.bytes}</td></tr>`
    ),
    markup`</tbody>`,
    markup`</table>`,
    markup`</details>`,
  ]);
}

function toBar(amount: Amount): Bar {
  return {
    label: amount.label,
    shortLabel: endOf(amount.label),
    amount: formatBytes(amount.bytes),
    start: 0,
    length: amount.bytes,
    ...(amount.isRest ? { tone: "rest" as const } : {}),
  };
}

/** The end of a long path says more than its beginning. */
function endOf(path: string): string {
  const characters = [...path];
  return characters.length > NARROW_COLUMNS && path.includes("/")
    ? `…${characters.slice(1 - NARROW_COLUMNS).join("")}`
    : path;
}

/** The artifacts by name, folded. */
export function artifactsSection(report: OperationReport): Markup | undefined {
  const lists: readonly (readonly [title: string, paths: readonly string[]])[] = [
    ["Removed artifacts", report.dry_run ? [] : report.artifacts_removed],
    ["Artifacts to remove", report.dry_run ? report.artifacts_to_remove : []],
    ["Restored artifacts", report.artifacts_restored],
    ["Published artifacts", report.artifacts_published],
    ["Kept, because another release lists them", report.artifacts_kept],
  ];
  const shown = lists.filter(([, paths]) => paths.length > 0);
  if (shown.length === 0) return undefined;
  return stack([
    markup`<section aria-labelledby="artifacts">`,
    markup`<h2 id="artifacts">Artifacts</h2>`,
    ...shown.map(([title, paths]) => pathList(title, paths)),
    markup`</section>`,
  ]);
}

function pathList(title: string, paths: readonly string[]): Markup {
  const hidden = paths.length - MOST_PATHS;
  const body = [
    markup`<ul class="path">`,
    ...paths.slice(0, MOST_PATHS).map((path) => markup`<li>${path}</li>`),
    hidden > 0 ? markup`<li>and ${hidden} more, which the JSON report names</li>` : undefined,
    markup`</ul>`,
  ];
  const open = paths.length <= 12 ? markup` open` : undefined;
  return stack([
    markup`<details${open}><summary>${`${title} (${paths.length})`}</summary>`,
    ...body,
    markup`</details>`,
  ]);
}
