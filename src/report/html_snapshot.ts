/** The parts of the HTML report that only operations on rollback points have: targets with their changes, and checks. */
import type { Tone } from "#/report/facts.ts";
import { type Markup, markup, stack } from "#/report/markup.ts";
import type { CheckOutcome, OperationReport, TargetOutcome } from "#/report/model.ts";
import { changeLine, checkWord, describeTarget, targetFacts } from "#/report/snapshot_words.ts";
import { count, formatDuration } from "#/report/units.ts";

const MOST_CHANGES = 200;

const targetTones: Readonly<Partial<Record<TargetOutcome["status"], Tone>>> = {
  captured: "good",
  restored: "good",
  unchanged: "good",
  failed: "bad",
  taken_back: "warn",
};

const checkTones: Readonly<Record<ReturnType<typeof checkWord>, readonly [word: string, tone: Tone]>> = {
  passed: ["passed", "good"],
  failed: ["failed", "bad"],
  advisory: ["failed (advisory)", "warn"],
};

/** What became of each target; nothing where no target is named. */
export function targetsSection(report: OperationReport): Markup | undefined {
  const targets = report.snapshot?.targets ?? [];
  if (targets.length === 0) return undefined;
  return stack([
    markup`<section aria-labelledby="targets">`,
    markup`<h2 id="targets">Targets</h2>`,
    markup`<table>`,
    markup`<caption>${count(targets.length, "target")}, in the order in which they are restored</caption>`,
    markup`<thead><tr><th scope="col">Target</th><th scope="col">Type</th><th scope="col">What became of it</th></tr></thead>`,
    markup`<tbody>`,
    ...targets.map((target) => targetRow(target, report)),
    markup`</tbody>`,
    markup`</table>`,
    ...targets.map(changeList),
    markup`</section>`,
  ]);
}

function targetRow(target: TargetOutcome, report: OperationReport): Markup {
  const notes = targetFacts(target).map((fact) => markup`<br><span class="note">${fact}</span>`);
  return markup`<tr><td class="name"><code>${target.name}</code></td><td>${target.type}</td><td class="result ${
    targetTones[target.status] ?? ""
  }">${describeTarget(target, report.dry_run)}${notes}</td></tr>`;
}

function changeList(target: TargetOutcome): Markup | undefined {
  const all = target.changes;
  if (all.length === 0) return undefined;
  const shown = all.slice(0, MOST_CHANGES);
  const hidden = Math.max(all.length, target.changed + target.removed) - shown.length;
  return stack([
    markup`<h3>${`Changes of ${target.name}`}</h3>`,
    markup`<ul>`,
    ...shown.map((change) => markup`<li class="message"><code>${changeLine(change)}</code></li>`),
    hidden > 0 ? markup`<li>and ${count(hidden, "more change")}</li>` : undefined,
    markup`</ul>`,
  ]);
}

/** What the checks saw; nothing where none was asked for. */
export function checksSection(report: OperationReport): Markup | undefined {
  const checks = report.snapshot?.checks ?? [];
  if (checks.length === 0) return undefined;
  const passed = checks.filter((check) => check.passed).length;
  return stack([
    markup`<section aria-labelledby="checks">`,
    markup`<h2 id="checks">Checks</h2>`,
    markup`<table>`,
    markup`<caption>${passed} of ${checks.length} passed</caption>`,
    markup`<thead><tr><th scope="col">Result</th><th scope="col">Check</th><th scope="col">What was seen</th><th scope="col" class="number">Took</th></tr></thead>`,
    markup`<tbody>`,
    ...checks.map(checkRow),
    markup`</tbody>`,
    markup`</table>`,
    markup`</section>`,
  ]);
}

function checkRow(check: CheckOutcome): Markup {
  const [word, tone] = checkTones[checkWord(check)];
  const tries = check.tries > 1 ? markup`<br><span class="note">${check.tries} tries</span>` : undefined;
  return markup`<tr><td class="result ${tone}">${word}</td><td class="name"><code>${check.name}</code></td><td>${check.detail}${tries}</td><td class="number">${
    formatDuration(check.seconds)
  }</td></tr>`;
}
