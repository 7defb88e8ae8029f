/** The whole output of the renderers for one report of each ending; `BACKOUT_UPDATE_GOLDEN=1` writes the files anew. */
import assert from "node:assert/strict";
import { plainStyle, renderOutcome, renderReport } from "#/report/mod.ts";
import { reports } from "./report_fixtures.ts";

const folder = new URL("./golden/report/", import.meta.url);
const update = Deno.env.get("BACKOUT_UPDATE_GOLDEN") === "1";

async function golden(name: string, text: string): Promise<void> {
  const file = new URL(name, folder);
  if (update) {
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(file, text);
  }
  assert.equal(
    text,
    await Deno.readTextFile(file),
    `${name} differs; BACKOUT_UPDATE_GOLDEN=1 writes it anew`,
  );
}

for (const [name, report] of Object.entries(reports)) {
  Deno.test(`golden: outcome of ${name}`, async () => {
    await golden(`${name}.outcome.txt`, renderOutcome(report, plainStyle));
  });
  Deno.test(`golden: text report of ${name}`, async () => {
    await golden(`${name}.report.txt`, renderReport(report, plainStyle, { verbose: true }));
  });
}
