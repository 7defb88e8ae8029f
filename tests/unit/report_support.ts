/** For the tests of the renderers: golden files, hostile reports, and real parsers of XML and HTML. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { OperationReport } from "#/report/model.ts";
import { reports } from "./report_fixtures.ts";

const folder = new URL("./golden/report/", import.meta.url);

/** Compares with a golden file; `BACKOUT_UPDATE_GOLDEN=1` writes it anew. */
export async function golden(name: string, text: string): Promise<void> {
  const file = new URL(name, folder);
  if (Deno.env.get("BACKOUT_UPDATE_GOLDEN") === "1") {
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(file, text);
  }
  assert.equal(
    text,
    await Deno.readTextFile(file),
    `${name} differs; BACKOUT_UPDATE_GOLDEN=1 writes it anew`,
  );
}

/** What would do harm in HTML, XML, Markdown, Prometheus' format or a terminal. */
export const hostileTexts: readonly string[] = [
  `</script><script>alert(1)</script>`,
  `"><img src=x onerror=alert(1)>`,
  `' onmouseover='alert(1)`,
  `</title></style></svg></pre>--><!-- ]]> <![CDATA[`,
  `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>&e;`,
  "v1\u202egnp.exe\u2066\u200f",
  "\u0000\u0001\b\u001b[31m\u007f\u0085\u2028\ufeff\ufffe\uffff\ud800 \udc00",
  "a\nb\r\nc\td",
  "| a | **b** | [c](javascript:alert(1)) ![d](http://example.com/x.png) <b>e</b> `f` ~~g~~ @all #1 www.example.com",
  "```\n````sh\n# h1\n- list\n1. one\n> quote\n---",
  "&lt;b&gt; &amp; &#60;",
  '\\" \\n \\',
  "x".repeat(400),
  "日本語 \u{1f600} e\u0301",
  "",
];

/** A report of every ending with the same text wherever a text may stand. */
export function hostileReport(report: OperationReport, text: string): OperationReport {
  const named = (value: string) => value + text;
  return {
    ...report,
    version: named(report.version),
    versions: [text, named("v1")],
    timestamp: named(report.timestamp),
    rollback_id: text,
    repository_location: text,
    reason: text,
    by: text,
    host: text,
    policy: [
      { id: text, outcome: "deny", reason: text, hint: text },
      { id: text, outcome: "warn", reason: text, hint: text },
      { id: named("rule"), outcome: "pass", reason: text },
    ],
    artifacts_removed: [text, named("v1/a/b/"), named("v1/")],
    artifacts_restored: [text],
    artifacts_kept: [text],
    artifacts_to_remove: [text],
    total_artifacts_removed: 3,
    total_bytes_freed: 1000,
    largest_artifacts: [{ path: named("v1/a/b/"), bytes: 600 }, { path: text, bytes: 300 }],
    channels_moved: [{ channel: text, from: text, to: text }],
    backup: [{ id: text, version: text, location: text, artifacts: 3, bytes: 1000, integrity: "sha256" }],
    backup_created: true,
    steps: report.steps.map((step) => ({ ...step, description: named(step.description), seconds: 0.5 })),
    verification: [
      { check: text, passed: false, detail: text },
      { check: text, passed: true, detail: text },
    ],
    recovered: [{ id: text, operation: text, direction: "back" }],
    undo: named("backout release restore "),
    warnings: [text, named("warning: ")],
    errors: [text, named("error: ")],
    error: report.error === null ? null : { ...report.error, message: text, hint: text },
    summary: text,
  };
}

/** The list above and random texts, in reports of every ending: the same on every run. */
export function hostileReports(): readonly { readonly text: string; readonly report: OperationReport }[] {
  const random = fc.sample(fc.string({ unit: "binary", maxLength: 60 }), { numRuns: 40, seed: 42 });
  const endings = Object.values(reports);
  return [...hostileTexts, ...random].map((text, i) => ({
    text,
    report: hostileReport(endings[i % endings.length]!, text),
  }));
}

/** What moves a cursor, hides text or turns its direction around; in a file only line breaks are ours. */
// deno-lint-ignore no-control-regex -- control characters are what must not be there
const HARMFUL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;

/** No character of a document does what a reader cannot see. */
export function assertVisible(document: string): void {
  assert.doesNotMatch(document, HARMFUL);
  assert.ok(document.isWellFormed());
}

/** An element as a parser saw it. */
export interface Element {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly text: string;
  readonly children: readonly Element[];
}

const XML = `
import json, sys
import xml.etree.ElementTree as tree
def shown(e):
    return {"tag": e.tag, "attributes": dict(e.attrib), "text": e.text or "", "children": [shown(c) for c in e]}
print(json.dumps([shown(tree.fromstring(d.encode())) for d in json.load(sys.stdin)]))
`;

/** Parses XML documents with Python's parser. @throws where one is not well-formed */
export async function parseXml(documents: readonly string[]): Promise<readonly Element[]> {
  return await python(XML, documents) as readonly Element[];
}

const HTML = `
import json, sys
from html.parser import HTMLParser
VOID = {"meta", "br", "link", "img", "input", "hr"}
class Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = {"tag": "#root", "attributes": {}, "text": "", "children": []}
        self.open = [self.root]
        self.cdata = None
    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), (tag, names)
        e = {"tag": tag, "attributes": {k: v or "" for k, v in attributes}, "text": "", "children": []}
        self.open[-1]["children"].append(e)
        if tag not in VOID: self.open.append(e)
    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID: self.handle_endtag(tag)
    def handle_endtag(self, tag):
        assert self.open[-1]["tag"] == tag, ("closes", tag, "in", self.open[-1]["tag"])
        self.open.pop()
    def handle_data(self, data): self.open[-1]["text"] += data
    def handle_comment(self, data): raise AssertionError("a comment: " + data)
    def handle_pi(self, data): raise AssertionError("an instruction: " + data)
    def unknown_decl(self, data): raise AssertionError("a declaration: " + data)
out = []
for document in json.load(sys.stdin):
    r = Reader()
    r.feed(document); r.close()
    assert len(r.open) == 1, [e["tag"] for e in r.open]
    out.append(r.root)
print(json.dumps(out))
`;

/** Parses HTML documents with Python's parser. @throws where tags are not balanced, an attribute comes twice, or a comment is met */
export async function parseHtml(documents: readonly string[]): Promise<readonly Element[]> {
  return await python(HTML, documents) as readonly Element[];
}

async function python(program: string, input: unknown): Promise<unknown> {
  const child = new Deno.Command("python3", {
    args: ["-c", program],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(input)));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** All elements, the outer before the inner. */
export function elements(root: Element, tag?: string): readonly Element[] {
  const all = [root, ...root.children.flatMap((child) => elements(child))];
  return tag === undefined ? all : all.filter((one) => one.tag === tag);
}
