import assert from "node:assert/strict";
import { ExpressionError, parseExpression } from "#/policy/expression.ts";
import { countSteps, type Node } from "#/policy/expression_cost.ts";
import { environment } from "#/policy/expression.ts";
import { LONGEST_TEXT, sizesOf, viewOf } from "#/policy/expression_view.ts";
import type { PolicyFacts } from "#/policy/view.ts";
import { changed, CLEAN, leaving, RELEASE } from "./policy_support.ts";

function problemOf(text: string) {
  const parsed = parseExpression(text);
  assert.ok("problem" in parsed, `${text.slice(0, 80)} was accepted`);
  return parsed.problem;
}

function isTrue(text: string, facts: PolicyFacts = CLEAN): boolean {
  const parsed = parseExpression(text);
  assert.ok("expression" in parsed, `${text}: ${"problem" in parsed ? parsed.problem.message : ""}`);
  return parsed.expression.isTrue(facts);
}

const FACTS = changed({
  operation: { reason: "crash at start" },
  repository: {
    channels: { stable: "v1.0.2", beta: "v1.0.3" },
    holds: [{ name: "incident-42", reason: "x" }],
  },
  ...leaving({ channels: ["stable"], depends_on: ["v1.0.1"], labels: { team: "web", tier: "1" } }),
});

const TRUE: readonly string[] = [
  "plan.total_bytes == 3000",
  "plan.total_bytes < 10 * 1024 * 1024 * 1024",
  'operation.kind == "rollback" && operation.type == "full" && !operation.forced',
  'operation.reason.contains("crash")',
  'release.version == "v1.0.2" && release.state == "active"',
  'release.channels == ["stable"]',
  '"stable" in release.channels',
  'release.depends_on.exists(v, v.startsWith("v1."))',
  "plan.releases.all(r, r.artifacts == r.artifacts_present)",
  'plan.releases.exists(r, r.channels.exists(c, c == "stable"))',
  'plan.releases[0].labels["team"] == "web"',
  'plan.artifacts.filter(a, a.endsWith("/a")).size() == 1',
  "size(plan.versions) == 1",
  'labels.team == "web" && has(labels.tier) && !has(labels.owner)',
  'repository.channels["stable"] == release.version',
  'repository.channels.exists(name, name == "beta")',
  'repository.holds.exists_one(h, h.name == "incident-42")',
  "has(repository.free_bytes) && repository.free_bytes > 1000",
  "now > timestamp('2026-11-20T11:59:59Z')",
  'now - release.published_at > duration("24h")',
  'now.getHours("Europe/Berlin") == 13 && now.getHours() == 12 && now.getDayOfWeek() == 5',
  'user.name == "ana" && user.host.startsWith("ci-")',
  'user.name in ["ana", "ben"] ? true : false',
  'string(plan.total_bytes) + "!" == "3000!"',
];
Deno.test("expression: the whole view can be asked", () => {
  for (const text of TRUE) assert.equal(isTrue(text, FACTS), true, text);
  for (const text of TRUE) assert.equal(isTrue(`!(${text})`, FACTS), false, text);
});

const WRONG: readonly (readonly [text: string, at: number, message: RegExp, hint?: RegExp])[] = [
  ["plan.total_byte > 1", 5, /no such key: total_byte/, /Did you mean total_bytes\?/],
  ["plans.total_bytes > 1", 0, /unknown variable: plans/, /Did you mean plan\?/],
  ["true && nobody", 8, /unknown variable: nobody/, /Known are operation/],
  ["plan.releases.exists(r, r.versio == 'x')", 26, /no such key: versio/, /version/],
  ["has(release.publised_at)", 4, /publised_at is no field of Release/, /published_at/],
  ['plan.total_bytes > "1"', 0, /no such overload: int > string/],
  ["plan.total_bytes", 0, /it gives a number, and must give true or false/],
  ["plan.versions", 0, /must give true or false/],
  ["", 0, /unexpected token/],
  ["plan.total_bytes >", 18, /unexpected token/],
  ["'open", 0, /unterminated string/],
  ["operation.kind == 'a' and true", 22, /./],
  ["operation.kind = 'a'", 15, /./],
  ["exists(plan.versions)", 0, /exists stands after a list/],
  ["now.getHours('Mars/Base') > 1", 13, /needs a time zone that is written out/],
  ["now.getHours(user.name) > 1", 13, /needs a time zone that is written out/],
  ["now > timestamp(user.name)", 6, /needs a text that is written out/],
  ["now > timestamp('yesterday at noon, maybe')", 6, /ISO 8601/],
  ["now - now > duration('5 days')", 12, /invalid duration/, /24h/],
  ["undefined_function(1)", 0, /undefined_function is not available/],
  ["dyn(plan).x", 0, /dyn is not available/],
  ["plan.versions.map(v, v).size() == 1", 0, /map is not available/],
  ["cel.bind(x, 1, x == 1)", 0, /bind is not available/],
  ["release.__proto__ == 1", 8, /no such key|reserved/i],
  ["constructor == 1", 0, /unknown variable/],
];
Deno.test("expression: what is wrong is told with its place and what was meant", () => {
  for (const [text, at, message, hint] of WRONG) {
    const problem = problemOf(text);
    assert.match(problem.message, message, text);
    assert.equal(problem.at, at, text);
    if (hint !== undefined) assert.match(problem.hint ?? "", hint, text);
  }
});

/** Each of these would run for long, or for ever, if it were allowed to. */
const HOSTILE: Readonly<Record<string, string>> = {
  "a pattern that backtracks": 'operation.reason.matches("(a+)+$")',
  "a pattern in a loop": 'plan.artifacts.exists(a, a.matches("(x+x+)+y"))',
  "all pairs": "plan.artifacts.all(a, plan.artifacts.all(b, a == b))",
  "all triples": "plan.versions.all(a, plan.versions.all(b, plan.versions.all(c, a == b || b == c)))",
  "a loop in a condition of a filter":
    "plan.artifacts.filter(a, plan.artifacts.filter(b, a == b).size() > 1).size() > 1",
  "membership in a loop": "plan.artifacts.all(a, a in plan.artifacts)",
  "lists compared in a loop": "plan.artifacts.all(a, plan.artifacts == plan.artifacts)",
  "lists put together in a loop":
    "plan.artifacts.all(a, (plan.artifacts + plan.artifacts + plan.artifacts).exists(b, b == a))",
  "a text that doubles": `cel.bind(a, "xxxxxxxx", cel.bind(b, a+a+a+a, cel.bind(c, b+b+b+b, c+c+c+c == "")))`,
  "lists that multiply": `[1,2,3].map(a, [1,2,3].map(b, [1,2,3])).size() > 1`,
  "literals in literals": `[${list(100)}].all(a, [${list(100)}].all(b, [${
    list(100)
  }].all(c, a + b + c > 0)))`,
  "a list in a list": `[plan.artifacts, plan.artifacts].all(l, l.all(a, plan.artifacts.exists(b, a == b)))`,
  "a list out of a list": `plan.artifacts.all(a, [plan.artifacts][0].exists(b, a == b))`,
  "the length of a long text in a loop": `plan.artifacts.all(a, (${sum("a", 60)}).size() > 0)`,
  "search in a long text in a loop": `plan.artifacts.all(a, (${sum("a", 90)}).contains("y"))`,
  "time zones in a loop": `plan.artifacts.all(a, ${
    Array(5).fill('now.getHours("Europe/Berlin") > 1').join(" && ")
  })`,
  "deep brackets": `${"(".repeat(2_000)}true${")".repeat(1_990)}`,
  "deep lists": `${"[".repeat(1_000)}${"]".repeat(1_000)} == []`,
  "many signs": `${"!".repeat(3_000)}true`,
  "many terms": Array(600).fill("true").join(" && "),
  "many elements": `1 in [${list(300)}]`,
  "a long text": `operation.reason == "${"x".repeat(5_000)}"`,
  "a duration that backtracks": `now - now > duration("${"1".repeat(500)}")`,
  "a duration of the user's": "now - now > duration(operation.reason)",
};

function list(length: number): string {
  return Array.from({ length }, (_, i) => i).join(",");
}

function sum(name: string, times: number): string {
  return Array(times).fill(name).join("+");
}

for (const [name, text] of Object.entries(HOSTILE)) {
  Deno.test(`hostile expression is refused before it runs: ${name}`, () => {
    const problem = problemOf(text);
    assert.match(
      problem.message,
      /not available|would run long|stands in|exceeded max|longer than|written out|list element|limit/i,
    );
  });
}

Deno.test("expression: on an operation that is larger than usual it is counted again before it runs", () => {
  const artifacts = Array.from({ length: 200_000 }, (_, i) => `v1.0.2/${i}`);
  const large = changed({ plan: { artifacts } });
  const text = 'plan.artifacts.exists(a, a.contains("secret"))';
  assert.equal(isTrue(text), false);
  assert.throws(() => isTrue(text, large), (error) => {
    assert.ok(error instanceof ExpressionError);
    assert.match(
      error.message,
      /it would take [\d,]+ steps on this operation, and at most 5,000,000 are allowed/,
    );
    return true;
  });
  assert.equal(isTrue("plan.total_artifacts < 5", large), true, "what does not loop is not stopped");
});

Deno.test("expression: the count is not below the steps that are taken", () => {
  const facts = changed({
    repository: { problems: ["a", "b"], channels: { stable: "v1", beta: "v2", lts: "v3" } },
    plan: {
      artifacts: Array.from({ length: 50 }, (_, i) => `p${i}`),
      versions: Array.from({ length: 7 }, (_, i) => `v${i}`),
      releases: Array.from({ length: 5 }, (_, i) => ({
        ...RELEASE,
        version: `v${i}`,
        channels: Array.from({ length: i * 3 }, (_, c) => `c${c}`),
        depends_on: ["v1", "v2"],
      })),
      dependents: [{ version: "v9", needs: ["v1", "v2", "v3"] }],
    },
  });
  const loops = [
    "plan.artifacts.all(a, a != 'x')",
    "plan.artifacts.exists(a, a == 'x')",
    "plan.artifacts.filter(a, a != 'x').filter(b, b != 'y').all(c, c != 'z')",
    "plan.versions.all(v, plan.artifacts.all(a, a != v))",
    "plan.releases.all(r, r.channels.all(c, c != r.version))",
    "plan.releases.all(r, r.channels.all(c, !(c in r.depends_on)))",
    "plan.releases.all(r, plan.releases.all(s, r.version != 'x' && s.version != 'x'))",
    "plan.dependents.all(d, d.needs.all(n, n != d.version))",
    "[plan.artifacts, plan.versions].all(l, l.all(a, a != 'x'))",
    "plan.versions.all(v, !(v in plan.artifacts))",
    "(plan.artifacts + plan.versions).all(a, a != 'x')",
    "plan.releases.filter(r, r.channels.size() > 1).all(r, r.channels.all(c, c != 'x'))",
    "(plan.total_bytes > 1 ? plan.artifacts : plan.versions).all(a, a != 'x')",
  ];
  for (const text of loops) {
    const parsed = environment().parse(text);
    const { view, reads } = counting(viewOf(facts));
    assert.equal(parsed(view), !text.includes("exists"), text);
    const counted = countSteps(parsed.ast as Node, sizesOf(facts));
    assert.ok(reads() > 0, text);
    assert.ok(counted >= reads(), `${text}: ${counted} counted, ${reads()} elements read`);
  }
});

/** The view with lists that count how many of their elements are read. */
function counting(value: Record<string, unknown>) {
  let reads = 0;
  const wrap = (inner: unknown): unknown => {
    if (Array.isArray(inner)) {
      return new Proxy(inner.map(wrap), {
        get: (list, key) => {
          if (typeof key === "string" && /^\d+$/.test(key)) reads++;
          return Reflect.get(list, key);
        },
      });
    }
    if (typeof inner !== "object" || inner === null || inner instanceof Date || inner instanceof Map) {
      return inner;
    }
    for (const [key, part] of Object.entries(inner)) Reflect.set(inner, key, wrap(part));
    return inner;
  };
  return { view: wrap(value) as Record<string, unknown>, reads: () => reads };
}

Deno.test("expression: texts are cut, so that no comparison is long", () => {
  const long = changed({ operation: { reason: "x".repeat(1_000_000) } });
  assert.equal(isTrue(`operation.reason.size() == ${LONGEST_TEXT}`, long), true);
});

Deno.test("expression: what is not there stops it, unless it is asked for first", () => {
  assert.throws(() => isTrue('labels.team == "web"'), /no such key: team/);
  assert.throws(() => isTrue("1 / plan.bytes_added > 1"), /division by zero/);
  assert.throws(() => isTrue("plan.releases[3].artifacts > 1"), ExpressionError);
  assert.equal(isTrue('has(labels.team) && labels.team == "web"'), false);
  const { published_at: _unknown, ...release } = RELEASE;
  assert.throws(
    () => isTrue("now > release.published_at", changed({ plan: { releases: [release] } })),
    ExpressionError,
  );
  const { free_bytes: _free, ...repository } = CLEAN.repository;
  assert.equal(isTrue("has(repository.free_bytes)", { ...CLEAN, repository }), false);
});

Deno.test("expression: a plan without a release has an empty one", () => {
  const facts = changed({ plan: { releases: [], versions: [] } });
  assert.equal(
    isTrue('release.version == "" && release.state == "absent" && labels.size() == 0', facts),
    true,
  );
});
