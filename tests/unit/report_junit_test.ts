import assert from "node:assert/strict";
import { reportFormats, visible, visibleLines } from "#/report/mod.ts";
import { testRequiring } from "../support/require.ts";
import { reports } from "./report_fixtures.ts";
import { assertVisible, type Element, elements, golden, hostileReports, parseXml } from "./report_support.ts";

for (const [name, report] of Object.entries(reports)) {
  Deno.test(`golden: JUnit report of ${name}`, async () => {
    await golden(`${name}.junit.xml`, reportFormats.junit(report));
  });
}

/** The schema that Jenkins publishes for JUnit: attributes (required ones with a mark) and children of each element. */
const schema: Readonly<
  Record<string, { readonly attributes: readonly string[]; readonly children: readonly string[] }>
> = {
  testsuites: { attributes: ["name", "time", "tests", "failures", "errors"], children: ["testsuite"] },
  testsuite: {
    attributes: [
      ..."name! tests! failures! errors! time skipped timestamp hostname id package".split(" "),
    ],
    children: ["properties", "testcase"],
  },
  properties: { attributes: [], children: ["property"] },
  property: { attributes: ["name!", "value!"], children: [] },
  testcase: {
    attributes: ["name!", "time", "classname"],
    children: ["skipped", "error", "failure", "system-out"],
  },
  failure: { attributes: ["type", "message"], children: [] },
  error: { attributes: ["type", "message"], children: [] },
  skipped: { attributes: ["type", "message"], children: [] },
  "system-out": { attributes: [], children: [] },
};

function assertFollowsSchema(root: Element): void {
  for (const element of elements(root)) {
    const rule = schema[element.tag];
    assert.ok(rule !== undefined, `an element ${element.tag}`);
    const allowed = rule.attributes.map((name) => name.replace("!", ""));
    for (const name of Object.keys(element.attributes)) {
      assert.ok(allowed.includes(name), `${element.tag} ${name}`);
    }
    for (const name of rule.attributes.filter((it) => it.endsWith("!"))) {
      assert.ok(element.attributes[name.slice(0, -1)] !== undefined, `${element.tag} without ${name}`);
    }
    for (const child of element.children) {
      assert.ok(rule.children.includes(child.tag), `${child.tag} in ${element.tag}`);
    }
    for (const name of ["time", "tests", "failures", "errors", "skipped"]) {
      const value = element.attributes[name];
      if (value !== undefined) assert.match(value, name === "time" ? /^\d+\.\d{3}$/ : /^\d+$/);
    }
    const at = element.attributes.timestamp;
    if (at !== undefined) assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
  }
}

function assertCountsAreTrue(suite: Element): void {
  const cases = elements(suite, "testcase");
  const having = (tag: string) =>
    cases.filter((one) => one.children.some((child) => child.tag === tag)).length;
  assert.equal(Number(suite.attributes.tests), cases.length);
  assert.equal(Number(suite.attributes.failures), having("failure"));
  assert.equal(Number(suite.attributes.errors), having("error"));
  if (suite.tag === "testsuite") assert.equal(Number(suite.attributes.skipped), having("skipped"));
  const sum = cases.reduce((total, one) => total + Number(one.attributes.time), 0);
  assert.ok(Math.abs(Number(suite.attributes.time) - sum) < 0.0011, `${suite.attributes.time} is not ${sum}`);
}

testRequiring(
  ["python3"],
  "JUnit: what a parser reads follows the schema, and its counts are true",
  async () => {
    const all = [...Object.values(reports), ...hostileReports().map(({ report }) => report)];
    const rendered = all.map(reportFormats.junit);
    rendered.forEach(assertVisible);
    const documents = await parseXml(rendered);
    assert.equal(documents.length, all.length);
    for (const root of documents) {
      assert.equal(root.tag, "testsuites");
      assertFollowsSchema(root);
      assertCountsAreTrue(root);
      for (const suite of root.children) assertCountsAreTrue(suite);
      const names = elements(root, "testcase").map((it) =>
        `${it.attributes.classname}\n${it.attributes.name}`
      );
      assert.equal(new Set(names).size, names.length, `a name comes twice: ${names.join("; ")}`);
    }
  },
);

/** The tests' own words for what XML cannot hold. */
function inXml(text: string): string {
  return text.toWellFormed().replaceAll("\ufffe", "\\ufffe").replaceAll("\uffff", "\\uffff");
}

testRequiring(
  ["python3"],
  "JUnit: hostile texts arrive as text, with what cannot be shown spelt out",
  async () => {
    const all = hostileReports();
    const documents = await parseXml(all.map(({ report }) => reportFormats.junit(report)));
    for (const [i, root] of documents.entries()) {
      const { text, report } = all[i]!;
      const properties = new Map(
        elements(root.children[0]!, "property").map(({ attributes }) => [attributes.name, attributes.value]),
      );
      assert.equal(properties.get("reason"), inXml(visible(text)));
      const rule = elements(root, "testcase").find((one) => one.attributes.classname?.endsWith(".policy"))!;
      const failure = rule.children.find((child) => child.tag === "failure")!;
      assert.equal(rule.attributes.name, inXml(visible(report.policy[0]!.id)));
      assert.equal(failure.attributes.message, inXml(visible(text)));
      assert.equal(failure.text, inXml(visibleLines(`${text}\n${text}`)));
    }
  },
);

testRequiring(["python3"], "JUnit: each part is where a build server looks for it", async () => {
  const { success, denied, takenBack, dryRun, locked, partial } = reports;
  const roots = await parseXml(
    [success, denied, takenBack, dryRun, locked, partial].map(reportFormats.junit),
  );
  const [good, refused, back, dry, busy, half] = roots as [
    Element,
    Element,
    Element,
    Element,
    Element,
    Element,
  ];
  const suites = (root: Element) => root.children.map((suite) => suite.attributes.name);
  const outcome = (root: Element, name: string) =>
    elements(root.children.find((it) => it.attributes.name === name)!, "testcase")
      .map((it) => it.children.map((child) => child.tag).join(","));

  assert.deepEqual(suites(good), ["operation", "policy", "steps", "verification"]);
  assert.deepEqual(outcome(good, "steps"), ["", "", ""]);
  assert.equal(good.attributes.time, "0.310");
  const serials = elements(good, "property").filter((it) => it.attributes.name === "serial_after");
  assert.deepEqual(serials.map((it) => it.attributes.value), ["7", "7", "7", "7"]);
  assert.deepEqual(outcome(refused, "operation"), ["failure,system-out"]);
  assert.deepEqual(outcome(refused, "policy"), ["", "failure", "system-out"]);
  assert.deepEqual(outcome(back, "operation"), ["error,system-out"]);
  assert.deepEqual(outcome(back, "steps"), ["skipped", "error"]);
  assert.deepEqual(outcome(dry, "operation"), ["system-out"]);
  assert.deepEqual(outcome(dry, "steps"), ["skipped", "skipped", "skipped"]);
  assert.deepEqual(
    outcome(busy, "operation"),
    ["failure,system-out"],
    "a refusal without any rule is seen too",
  );
  assert.deepEqual(outcome(half, "verification"), ["system-out", "failure"]);
});
