import assert from "node:assert/strict";
import { largestArtifacts, reportFormats, visible } from "#/report/mod.ts";
import { darkPalette, lightPalette, type Palette, styleSheet } from "#/report/html_style.ts";
import type { OperationReport } from "#/report/model.ts";
import { testRequiring } from "../support/require.ts";
import { reports } from "./report_fixtures.ts";
import {
  assertVisible,
  type Element,
  elements,
  golden,
  hostileReports,
  parseHtml,
} from "./report_support.ts";

const render = reportFormats.html;

/** Without the style sheet, which is no part of what a report says. */
function withoutStyle(html: string): string {
  return html.replace(/<style>[^]*?<\/style>/, "<style></style>");
}

for (const name of ["success", "denied", "takenBack", "dryRun", "partial"] as const) {
  Deno.test(`golden: HTML report of ${name}`, async () => {
    await golden(`${name}.html`, withoutStyle(render(reports[name])));
  });
}

const files = Array.from({ length: 1000 }, (_, i) => ({
  path: `v1.0.2/assets/folder/of/many/things/file-${i}.bin`,
  size: 1000 - i,
}));

const large: OperationReport = {
  ...reports.success,
  artifacts_removed: files.map((file) => file.path),
  total_artifacts_removed: 1000,
  total_bytes_freed: 500_500,
  largest_artifacts: largestArtifacts(files),
};

/** Everything that a report is made of; anything else came out of a value. */
const TAGS = new Set(
  ("#root html head meta title style body header main section footer h1 h2 h3 p div strong br span ul li dl dt dd pre " +
    "code table caption thead tbody tr th td figure figcaption svg desc rect text line details summary time")
    .split(" "),
);
const ATTRIBUTES = new Set(
  ("lang charset http-equiv content name class id aria-labelledby role scope tabindex datetime open height width x y " +
    "x1 x2 y1 y2 text-anchor").split(" "),
);
const CLASSES = new Set(
  ("verdict words good warn bad plan result note message command number text name path bar track rest amount axis grid " +
    "wide narrow").split(" "),
);

function assertOwnMarkup(root: Element): void {
  for (const { tag, attributes } of elements(root)) {
    assert.ok(TAGS.has(tag), `a tag ${tag}`);
    for (const name of Object.keys(attributes)) assert.ok(ATTRIBUTES.has(name), `${tag} has ${name}`);
    for (const name of (attributes.class ?? "").split(" ").filter((it) => it !== "")) {
      assert.ok(CLASSES.has(name), `class ${name}`);
    }
    for (const id of [attributes.id, attributes["aria-labelledby"]]) assert.match(id ?? "x", /^[a-z -]+$/);
  }
}

function assertAccessible(root: Element): void {
  const all = elements(root);
  assert.equal(all.find((it) => it.tag === "html")?.attributes.lang, "en");
  for (const landmark of ["header", "main", "footer", "h1", "title"]) {
    const found = elements(root, landmark).filter((it) =>
      landmark !== "title" || it.attributes.id === undefined
    );
    assert.equal(found.length, 1, `one ${landmark}`);
  }
  const ids = all.flatMap((it) => it.attributes.id === undefined ? [] : [it.attributes.id]);
  assert.equal(new Set(ids).size, ids.length, "an id comes twice");
  const named = all.filter((it) => it.tag === "section" || it.tag === "svg");
  for (const { attributes } of named) {
    for (const id of attributes["aria-labelledby"]!.split(" ")) {
      assert.ok(ids.includes(id), `no element ${id}`);
    }
  }
  for (const svg of elements(root, "svg")) {
    assert.equal(svg.attributes.role, "img");
    assert.deepEqual(svg.children.slice(0, 2).map((child) => child.tag), ["title", "desc"]);
  }
  let level = 0;
  for (const { tag } of all.filter((it) => /^h\d$/.test(it.tag))) {
    assert.ok(Number(tag[1]) <= level + 1, `${tag} after h${level}`);
    level = Number(tag[1]);
  }
  for (const head of elements(root, "th")) assert.equal(head.attributes.scope, "col");
}

testRequiring(
  ["python3"],
  "HTML: balanced, accessible, and of our own markup only, whatever the report holds",
  async () => {
    const hostile = hostileReports();
    const all = [...Object.values(reports), large, ...hostile.map(({ report }) => report)];
    const rendered = all.map(render);
    rendered.forEach(assertVisible);
    const documents = await parseHtml(rendered);
    for (const root of documents) {
      assertOwnMarkup(root);
      assertAccessible(root);
    }
    for (const [i, { text }] of hostile.entries()) {
      const root = documents[i + all.length - hostile.length]!;
      const why = elements(root, "dt").findIndex((it) => it.text === "Why");
      const expected = text === "" ? "no reason given" : visible(text);
      assert.equal(elements(root, "dd")[why]?.text, inHtml(expected));
    }
  },
);

function inHtml(text: string): string {
  return text.toWellFormed().replaceAll("\ufffe", "\\ufffe").replaceAll("\uffff", "\\uffff");
}

testRequiring(["python3"], "HTML: nothing is fetched and nothing is run", async () => {
  const html = render({ ...reports.success, reason: "see http://example.com/x and https://example.com/y" });
  assert.doesNotMatch(styleSheet, /url\(|@import|@font-face|:\/\//);
  const [root] = await parseHtml([html]);
  for (const { tag, attributes } of elements(root!)) {
    assert.ok(!["script", "link", "iframe", "object", "img", "base", "form", "a"].includes(tag), tag);
    for (const [name, value] of Object.entries(attributes)) {
      assert.doesNotMatch(name, /^(on|src|href|action|style|xlink)/);
      assert.doesNotMatch(value, /:\/\//);
    }
  }
  const policy = elements(root!, "meta").find((it) =>
    it.attributes["http-equiv"] === "Content-Security-Policy"
  );
  assert.match(policy!.attributes.content!, /^default-src 'none'; style-src 'unsafe-inline';/);
});

testRequiring(
  ["python3"],
  "HTML: the outcome is said in words, also where the colour is not seen",
  async () => {
    const expected: Readonly<Record<keyof typeof reports, string>> = {
      success: "Done",
      denied: "Refused: nothing was changed",
      dependents: "Refused: nothing was changed",
      takenBack: "Failed, and taken back",
      dryRun: "Dry run: nothing was changed",
      locked: "Refused: nothing was changed",
      restore: "Done",
      noOp: "Done",
      partial: "Done, but a check failed",
    };
    const roots = await parseHtml(Object.values(reports).map(render));
    const words = roots.map((root) => elements(root).find((it) => it.attributes.class === "words")!.text);
    assert.deepEqual(Object.fromEntries(Object.keys(reports).map((name, i) => [name, words[i]])), expected);
  },
);

testRequiring(
  ["python3"],
  "HTML: of many artifacts the largest are drawn, and the rest as one bar",
  async () => {
    const [root] = await parseHtml([render(large)]);
    const svg = elements(root!, "svg").find((it) => it.attributes["aria-labelledby"]?.startsWith("largest"))!;
    const amounts = elements(svg, "text").filter((it) => it.attributes.class === "amount").map((it) =>
      it.text
    );
    assert.equal(amounts.length, 11);
    assert.deepEqual(amounts.slice(0, 2), ["1000 B", "999 B"]);
    const labels = elements(svg, "text").map((it) => it.text);
    assert.ok(labels.includes("990 other artifacts together"), labels.join("; "));
    const rest = elements(root!, "tr").find((row) =>
      row.children[0]?.text === "990 other artifacts together"
    );
    assert.equal(rest?.children[2]?.text, String(500_500 - 9_955), "all bytes are accounted for");
    assert.equal(elements(root!, "li").filter((it) => it.text.startsWith("v1.0.2/assets/")).length, 1000);
  },
);

testRequiring(
  ["python3"],
  "HTML: the bars of the steps follow one another, unless the steps ran together",
  async () => {
    const step = { kind: "x", description: "do it", status: "done" as const };
    const of = (
      total: number,
      ...steps: readonly Partial<OperationReport["steps"][number]>[]
    ): OperationReport => ({
      ...reports.success,
      rollback_duration_seconds: total,
      steps: steps.map((one) => ({ ...step, seconds: 0, ...one })),
    });
    const roots = await parseHtml([
      of(4, { seconds: 1 }, { seconds: 1 }, { seconds: 2 }),
      of(3, { seconds: 1 }, { seconds: 1 }, { seconds: 1 }, { seconds: 2 }),
      of(5, { seconds: 1, started_seconds: 0 }, { seconds: 1, started_seconds: 3 }),
      of(1, { seconds: 0 }),
    ].map(render));
    const bars = roots.map((root) =>
      elements(root, "rect").filter((it) => it.attributes.class === "bar good")
        .map(({ attributes }) => `${attributes.x} ${attributes.width}`)
    );
    assert.deepEqual(bars, [
      ["0% 25%", "25% 25%", "50% 50%"],
      ["0% 33.33%", "0% 33.33%", "0% 33.33%", "33.33% 66.67%"],
      ["0% 25%", "75% 25%"],
      [],
    ]);
  },
);

Deno.test("the largest artifacts come first, and in a fixed order", () => {
  const some = [{ path: "b", size: 1 }, { path: "a", size: 1 }, { path: "c", size: 2 }];
  assert.deepEqual(largestArtifacts(some, 2), [{ path: "c", bytes: 2 }, { path: "a", bytes: 1 }]);
});

Deno.test("HTML: text has enough contrast in light and in dark", () => {
  for (const palette of [lightPalette, darkPalette]) {
    for (const name of ["text", "muted", "good", "warn", "bad", "plan"] as const) {
      for (const ground of ["page", "panel"] as const) {
        const ratio = contrast(palette, name, ground);
        assert.ok(ratio >= 4.5, `${name} on ${ground}: ${ratio.toFixed(2)}`);
      }
    }
    // Graphics need 3.
    assert.ok(contrast(palette, "bar", "panel") >= 3);
  }
});

/** The contrast ratio of WCAG. */
function contrast(palette: Palette, a: keyof Palette, b: keyof Palette): number {
  const [light, dark] = [luminance(palette[a]), luminance(palette[b])].toSorted((x, y) => y - x) as [
    number,
    number,
  ];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  assert.match(colour, /^#[0-9a-f]{6}$/);
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
