/**
 * The HTML report: one file that needs nothing else, no script and no network, for a browser, a printer or a screen
 * reader. Whatever comes from outside goes through `markup`, which escapes it.
 */
import {
  circumstances,
  type Fact,
  results,
  rulesByOutcome,
  titleOf,
  type Tone,
  verdict,
} from "#/report/facts.ts";
import { checksSection, targetsSection } from "#/report/html_snapshot.ts";
import { artifactsSection, sizesSection } from "#/report/html_sizes.ts";
import { stepsSection } from "#/report/html_steps.ts";
import { styleSheet } from "#/report/html_style.ts";
import { type Content, lines, Markup, markup, stack } from "#/report/markup.ts";
import type { OperationReport, RuleResult, VerificationResult } from "#/report/model.ts";
import { count } from "#/report/units.ts";
import { stateAfterFailure } from "#/report/words.ts";

/** Nothing is loaded, run or sent, even if a value did become markup. */
const CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** The report as a whole HTML document. Ends with a newline. */
export function renderHtml(report: OperationReport): string {
  const title = titleOf(report);
  const document = stack([
    markup`<!DOCTYPE html>`,
    markup`<html lang="en">`,
    markup`<head>`,
    markup`<meta charset="utf-8">`,
    new Markup(`<meta http-equiv="Content-Security-Policy" content="${CONTENT_POLICY}">`),
    markup`<meta name="viewport" content="width=device-width, initial-scale=1">`,
    markup`<meta name="color-scheme" content="light dark">`,
    markup`<meta name="referrer" content="no-referrer">`,
    markup`<meta name="robots" content="noindex">`,
    markup`<title>${title}: ${verdict(report).words}</title>`,
    new Markup(`<style>${styleSheet}</style>`),
    markup`</head>`,
    markup`<body>`,
    header(report, title),
    markup`<main>`,
    problemSection(report),
    warningsSection(report),
    undoSection(report),
    factSection("circumstances", "What, where, when, who, why", circumstances(report)),
    factSection("results", "Result", results(report)),
    targetsSection(report),
    stepsSection(report),
    sizesSection(report),
    checksSection(report),
    policySection(report),
    verificationSection(report),
    artifactsSection(report),
    markup`</main>`,
    footer(report),
    markup`</body>`,
    markup`</html>`,
  ]);
  return document.text + "\n";
}

function header(report: OperationReport, title: string): Markup {
  const { tone, words } = verdict(report);
  const after = report.error === null ? undefined : stateAfterFailure(report);
  return stack([
    markup`<header>`,
    markup`<h1>${title}</h1>`,
    markup`<div class="verdict ${tone}">`,
    markup`<p class="words">${words}</p>`,
    markup`<p>${report.summary}</p>`,
    // The verdict says of a refusal already that nothing was changed.
    after === undefined || words.includes("nothing was changed") ? undefined : markup`<p>${after}</p>`,
    markup`</div>`,
    markup`</header>`,
  ]);
}

function section(id: string, title: string, body: readonly Content[]): Markup {
  return stack([
    markup`<section aria-labelledby="${id}">`,
    markup`<h2 id="${id}">${title}</h2>`,
    ...body,
    markup`</section>`,
  ]);
}

function problemSection(report: OperationReport): Markup | undefined {
  const { error } = report;
  if (error === null) return undefined;
  const others = report.errors.filter((message) => message !== error.message);
  return section("problem", "What went wrong", [
    markup`<p class="message"><strong>${lines(error.message)}</strong></p>`,
    messageList(others),
    error.hint === null
      ? undefined
      : markup`<h3>What to do</h3>\n<p class="message">${lines(error.hint)}</p>`,
  ]);
}

function warningsSection(report: OperationReport): Markup | undefined {
  if (report.warnings.length === 0) return undefined;
  return section("warnings", `Warnings (${report.warnings.length})`, [messageList(report.warnings)]);
}

function messageList(messages: readonly string[]): Markup | undefined {
  if (messages.length === 0) return undefined;
  return stack([
    markup`<ul>`,
    ...messages.map((message) => markup`<li class="message">${lines(message)}</li>`),
    markup`</ul>`,
  ]);
}

function undoSection(report: OperationReport): Markup | undefined {
  if (report.undo === null) return undefined;
  return section("undo", "To take it back", [
    markup`<pre class="command" tabindex="0"><code>${report.undo}</code></pre>`,
    markup`<p class="note">One click selects the whole command.</p>`,
  ]);
}

function factSection(id: string, title: string, facts: readonly Fact[]): Markup {
  return section(id, title, [
    markup`<dl>`,
    ...facts.map(({ label, value }) => markup`<dt>${label}</dt><dd>${value}</dd>`),
    markup`</dl>`,
  ]);
}

const ruleWords: Readonly<Record<RuleResult["outcome"], readonly [word: string, tone: Tone]>> = {
  pass: ["passed", "good"],
  warn: ["warning", "warn"],
  deny: ["denied", "bad"],
};

function policySection(report: OperationReport): Markup | undefined {
  if (report.policy.length === 0) return undefined;
  return section("policy", "Policy", [
    markup`<table>`,
    markup`<caption>${count(report.policy.length, "rule")}, mode ${report.policy_mode}</caption>`,
    markup`<thead><tr><th scope="col">Result</th><th scope="col">Rule</th><th scope="col">Why</th></tr></thead>`,
    markup`<tbody>`,
    ...rulesByOutcome(report.policy).map(ruleRow),
    markup`</tbody>`,
    markup`</table>`,
  ]);
}

function ruleRow(rule: RuleResult): Markup {
  const [word, tone] = ruleWords[rule.outcome];
  const hint = rule.hint === undefined || rule.outcome === "pass"
    ? undefined
    : markup`<br><span class="note">${rule.hint}</span>`;
  return markup`<tr><td class="result ${tone}">${word}</td><td class="name"><code>${rule.id}</code></td><td>${rule.reason}${hint}</td></tr>`;
}

function verificationSection(report: OperationReport): Markup | undefined {
  if (report.verification.length === 0) return undefined;
  return section("verification", "Verification", [
    markup`<table>`,
    markup`<caption>What was seen when the operation was over</caption>`,
    markup`<thead><tr><th scope="col">Result</th><th scope="col">Check</th><th scope="col">What was seen</th></tr></thead>`,
    markup`<tbody>`,
    ...report.verification.map(checkRow),
    markup`</tbody>`,
    markup`</table>`,
  ]);
}

function checkRow(check: VerificationResult): Markup {
  const [word, tone] = check.passed ? ["passed", "good"] : ["failed", "bad"];
  return markup`<tr><td class="result ${tone}">${word}</td><td class="name"><code>${check.check}</code></td><td>${check.detail}</td></tr>`;
}

function footer(report: OperationReport): Markup {
  return markup`<footer>Written by backout; the operation began at <time datetime="${report.timestamp}">${report.timestamp}</time>. Everything is in this file: it opens without a network.</footer>`;
}
