import assert from "node:assert/strict";
import { appendStepSummary } from "#/command/report_files.ts";
import { reportFormats, truncate, visible } from "#/report/mod.ts";
import { withTempDir } from "../support/temp.ts";
import { reports } from "./report_fixtures.ts";
import { assertVisible, golden, hostileReports } from "./report_support.ts";

const render = reportFormats.step_summary;

for (const [name, report] of Object.entries(reports)) {
  Deno.test(`golden: step summary of ${name}`, async () => {
    await golden(`${name}.summary.md`, render(report));
  });
}

Deno.test("step summary: hostile texts stay text, in their cell and on their line", () => {
  for (const { text, report } of hostileReports()) {
    const rendered = render(report);
    assertVisible(rendered);
    const lines = rendered.split("\n");
    const why = lines.find((line) => line.startsWith("| Why | "))!;
    const cell = why.slice("| Why | ".length, -" |".length);
    assert.doesNotMatch(cell, /[<>"'`\\*_~[\](){}|!@:$]|&(?!#\d+;)|^[-+#=]|www\./);
    const expected = text === "" ? "no reason given" : truncate(visible(text.toWellFormed()), 500).trim();
    const shown = cell.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
    assert.equal(shown, truncate(visible(expected), 500).trim());
    for (const line of lines.filter((it) => it.startsWith("| "))) {
      assert.ok([3, 4, 5].includes(line.split("|").length - 1), `cells of ${line}`);
    }
    assert.equal(
      lines.filter((line) => line === "<details>" || /^<details><summary>/.test(line)).length,
      lines.filter((line) => line === "</details>").length,
    );
  }
});

Deno.test("step summary: the command to take it back stays in its block, whatever is in it", () => {
  const undo = "backout release restore '```` x'";
  const lines = render({ ...reports.success, undo }).split("\n");
  const at = lines.indexOf(undo);
  assert.equal(lines[at - 1], "`````sh");
  assert.equal(lines[at + 1], "`````");
});

Deno.test("step summary: it stays far below GitHub's limit however much there is to say", () => {
  const many = (make: (i: number) => string) => Array.from({ length: 5000 }, (_, i) => make(i));
  const long = "*".repeat(2000);
  const text = render({
    ...reports.denied,
    versions: many((i) => `v${i}`),
    warnings: many((i) => `${i} ${long}`),
    errors: many((i) => `${i} ${long}`),
    policy: many((i) => String(i)).map((id) => ({ id, outcome: "deny", reason: long, hint: long })),
    verification: many((i) => String(i)).map((check) => ({ check, passed: false, detail: long })),
    steps: many((i) => String(i)).map((description) => ({
      kind: "x",
      description,
      status: "done",
      seconds: 1,
    })),
    channels_moved: many((i) => `c${i}`).map((channel) => ({ channel, from: long, to: long })),
  });
  const bytes = new TextEncoder().encode(text).length;
  assert.ok(bytes < 900 * 1024, `${bytes} bytes`);
  assert.match(text, /and 4950 more/);
});

Deno.test("step summary: it is added to what other steps wrote", async () => {
  await withTempDir((folder) => {
    const path = `${folder}/summary.md`;
    assert.equal(appendStepSummary(path, "one\n\n"), true);
    assert.equal(appendStepSummary(path, "two ✔\n\n"), true);
    assert.equal(appendStepSummary(path, "x".repeat(1024 * 1024)), false);
    assert.equal(Deno.readTextFileSync(path), "one\n\ntwo ✔\n\n");
  });
});
