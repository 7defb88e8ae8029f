/** The `policy:` block of backout.yaml: each mistake with its place. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { loadConfig } from "#/config/load.ts";
import { configSchema } from "#/config/commands.ts";
import { UsageError } from "#/core/errors.ts";
import { policyOf } from "#/policy/compile.ts";
import { explainPolicy } from "#/policy/explain.ts";
import { RULES } from "#/policy/registry.ts";
import type { PolicySettings } from "#/policy/settings.ts";
import { withTempDir } from "../support/temp.ts";

async function load(policy: string): Promise<PolicySettings | undefined> {
  return await withTempDir(async (folder) => {
    await Deno.writeTextFile(join(folder, "backout.yaml"), `version: 1\npolicy:\n${policy}`);
    return (await loadConfig({ cwd: folder, env: () => undefined }))?.policy;
  });
}

async function refusal(work: Promise<unknown>): Promise<{ message: string; hint: string }> {
  let caught: unknown;
  await work.catch((error) => caught = error);
  assert.ok(caught instanceof UsageError, `no UsageError but ${caught}`);
  return { message: caught.message.replaceAll(/\/\S*\/(?=\w+\.yaml)/g, ""), hint: caught.hint ?? "" };
}

const WHOLE = `  mode: lenient
  rules:
    protected-channel: {severity: deny, channels: [stable]}
    freeze-window: off
    minimum-age: {age: 24h, severity: warn}
    maximum-bytes: {size: 10GiB}
    reason-required: deny
  custom:
    - {id: no-big-rollback, severity: deny, when: "plan.total_bytes > 10 * 1024 * 1024 * 1024", message: "over 10 GiB needs --force"}
  waivers: [{rule: freeze-window, scope: v1.0.2, approver: ops-lead, reason: incident 42, expires: 2026-12-01T00:00:00Z}]
`;

Deno.test("policy in backout.yaml: it is kept as it is written, and explained", async () => {
  const settings = await load(WHOLE);
  assert.equal(settings?.custom?.[0]?.id, "no-big-rollback");
  assert.equal(settings?.rules?.["freeze-window"], "off");
  const { mode, rules } = await explainPolicy(settings, new Date("2026-12-01T00:00:00Z"));
  const rule = (id: string) => rules.find((it) => it.id === id)!;
  assert.equal(mode, "lenient");
  assert.deepEqual([rule("protected-channel").severity, rule("protected-channel").parameters[0]?.value], [
    "deny",
    "stable",
  ]);
  assert.deepEqual([rule("minimum-age").severity, rule("minimum-age").parameters[0]?.value], ["warn", "1d"]);
  assert.deepEqual([rule("maximum-age").severity, rule("maximum-age").needs], ["off", ["age"]]);
  assert.equal(rule("maximum-bytes").parameters[0]?.value, "10,737,418,240 bytes");
  assert.equal(rule("reason-required").severity, "deny");
  assert.equal(rule("freeze-window").severity, "off");
  assert.deepEqual(rule("freeze-window").waivers.map((it) => it.expired), [true]);
  assert.deepEqual([rule("no-big-rollback").custom, rule("no-big-rollback").severity], [true, "deny"]);
});

const MISTAKES: Readonly<Record<string, readonly [policy: string, message: RegExp, hint?: RegExp]>> = {
  "a rule that is none": [
    "  rules: {freeze-windw: off}\n",
    /:3:11: "freeze-windw" is not a rule$/,
    /Did you mean "freeze-window"/,
  ],
  "a rule of another tool": ["  rules: {xyzzy: off}\n", /:3:11: "xyzzy" is not a rule$/, /policy explain/],
  "a severity that is none": [
    "  rules:\n    hold: dney\n",
    /:4:11: policy\.rules\.hold must be deny, warn or off$/,
    /Did you mean "deny"/,
  ],
  "a rule with true": ["  rules: {hold: true}\n", /:3:17: policy\.rules\.hold must be deny, warn or off$/],
  "a severity in a block": [
    "  rules: {hold: {severity: 5}}\n",
    /:3:28: policy\.rules\.hold\.severity must be/,
  ],
  "an unknown parameter": [
    "  rules: {minimum-age: {agee: 1h, age: 1h}}\n",
    /:3:25: "agee" is not a known key in policy\.rules\.minimum-age$/,
    /"age"/,
  ],
  "a parameter of a rule without": [
    "  rules: {hold: {count: 1}}\n",
    /"count" is not a known key/,
    /Known keys.*severity/,
  ],
  "a missing parameter": [
    "  rules:\n    minimum-age: deny\n",
    /:4:18: policy\.rules\.minimum-age lacks age$/,
    /minimum-age: \{age: 24h\}/,
  ],
  "a missing parameter in a block": ["  rules:\n    freeze-window: {severity: deny}\n", /lacks windows$/],
  "a bad duration": [
    "  rules: {minimum-age: {age: 5 days}}\n",
    /:3:30: policy\.rules\.minimum-age\.age is not a duration$/,
    /90d/,
  ],
  "a number for a duration": ["  rules: {minimum-age: {age: 30}}\n", /is not a duration/],
  "a bad size": ["  rules: {maximum-bytes: {size: 10XB}}\n", /:3:33: .*size is not a size$/, /20GiB/],
  "a count of none": ["  rules: {minimum-releases-kept: {count: 0}}\n", /whole number from 1 on/],
  "a text for a count": ["  rules: {minimum-releases-kept: {count: three}}\n", /whole number from 1 on/],
  "an empty list of channels": ["  rules: {protected-channel: {channels: []}}\n", /must be a list of names/],
  "an unknown operation": [
    "  rules: {reason-required: {operations: [rolback]}}\n",
    /operations\.0 must be/,
    /"rollback"/,
  ],
  "a bad time zone": [
    "  rules: {freeze-window: {windows: [{days: fri, time_zone: Berlin}]}}\n",
    /:3:60: .*time_zone is not a time zone$/,
    /Europe\/Berlin/,
  ],
  "a bad date": [
    "  rules: {freeze-window: {windows: [{dates: 2026-02-30}]}}\n",
    /:3:45: .*dates is not a date$/,
  ],
  "rules as a list": ["  rules: [freeze-window]\n", /:3:10: policy\.rules must be a block of keys$/],
  "an unknown key": ["  rule: {}\n", /:3:3: "rule" is not a known key in policy$/, /"rules"/],
  "custom as a block": ["  custom: {id: x}\n", /:3:11: policy\.custom must be a list/],
  "a custom rule without message": [
    "  custom: [{id: x, when: 'true'}]\n",
    /:3:12: policy\.custom\.0 lacks message$/,
  ],
  "a custom rule with a built-in id": [
    "  custom: [{id: hold, when: 'true', message: m}]\n",
    /the id of another rule$/,
  ],
  "two custom rules with one id": [
    "  custom:\n    - {id: x, when: 'true', message: m}\n    - {id: x, when: 'true', message: m}\n",
    /:5:12: .*the id of another rule$/,
  ],
  "a custom rule with a bad id": [
    "  custom: [{id: No Way, when: 'true', message: m}]\n",
    /is not a name for a rule$/,
  ],
  "a custom rule with an unknown key": [
    "  custom: [{id: x, when: 'true', message: m, foo: 1}]\n",
    /:3:46: "foo" is not a known key in policy\.custom\.0$/,
  ],
  "a condition that is no text": [
    "  custom: [{id: x, when: true, message: m}]\n",
    /custom\.0\.when must be text$/,
  ],
  "an expression that does not parse": [
    "  custom: [{id: x, when: 'plan.total_bytes >', message: m}]\n",
    /:3:45: the expression of x: unexpected token/,
  ],
  "an expression with an unknown name": [
    "  custom: [{id: x, when: 'plan.total_byte > 1', message: m}]\n",
    /:3:32: the expression of x: no such key: total_byte$/,
    /total_bytes/,
  ],
  "an expression that is no condition": [
    "  custom:\n    - id: x\n      message: m\n      when: plan.total_bytes\n",
    /:6:13: the expression of x: it gives a number/,
  ],
  "an expression that would run long": [
    "  custom: [{id: x, when: 'plan.artifacts.all(a, a in plan.artifacts)', message: m}]\n",
    /would run long/,
  ],
  "an expression on several lines": [
    "  custom:\n    - id: x\n      message: m\n      when: |\n        plan.total_bytes > 1 &&\n          plan.foo\n",
    /:8:16: the expression of x: no such key: foo$/,
  ],
  "an expression that is folded": [
    "  custom:\n    - id: x\n      message: m\n      when: >\n        plan.total_bytes > 1 &&\n        plan.foo\n",
    /:6:13: the expression of x: no such key: foo$/,
  ],
  "waivers as a block": ["  waivers: {rule: hold}\n", /:3:12: policy\.waivers must be a list$/],
  "a waiver of an unknown rule": [
    "  waivers: [{rule: frezee-window, scope: v1, approver: a, reason: r, expires: 2026-12-01T00:00:00Z}]\n",
    /:3:20: .*is "frezee-window", which is not a rule$/,
    /"freeze-window"/,
  ],
  "a waiver without expiry": [
    "  waivers: [{rule: hold, scope: v1, approver: a, reason: r}]\n",
    /lacks expires$/,
  ],
  "a waiver without reason": [
    "  waivers: [{rule: hold, scope: v1, approver: a, reason: ' ', expires: 2026-12-01T00:00:00Z}]\n",
    /reason is empty$/,
  ],
  "a waiver that expires some day": [
    "  waivers: [{rule: hold, scope: v1, approver: a, reason: r, expires: tomorrow}]\n",
    /expires is not a time$/,
    /RFC 3339/,
  ],
  "a waiver that expires on no day": [
    "  waivers: [{rule: hold, scope: v1, approver: a, reason: r, expires: 2026-02-30T00:00:00Z}]\n",
    /expires is not a time$/,
  ],
};
for (const [name, [policy, message, hint]] of Object.entries(MISTAKES)) {
  Deno.test(`mistake in a policy: ${name}`, async () => {
    const found = await refusal(load(policy));
    assert.match(found.message, message);
    assert.match(found.message, /^backout\.yaml:\d+:\d+: /);
    if (hint !== undefined) assert.match(found.hint, hint);
  });
}

Deno.test("mistakes in a policy are told with the others, in the order of the file", async () => {
  const { message } = await refusal(load("  mode: harsh\n  rules: {hold: 1}\n  custom: 5\nrepositry: x\n"));
  const lines = message.split("\n").map((line) => line.split(":")[1]);
  assert.deepEqual(lines, ["3", "4", "5", "6"]);
});

Deno.test("an alias bomb in a policy is refused", async () => {
  const bomb = "  rules: &a {hold: deny}\n" +
    Array.from(
      { length: 9 },
      (_, i) => `  x${i}: [${Array(10).fill(i === 0 ? "*a" : `*b${i - 1}`).join(",")}]`,
    )
      .map((line, i) => line.replace(`x${i}: `, `x${i}: &b${i} `)).join("\n") +
    "\n";
  const { message } = await refusal(load(bomb));
  assert.match(message, /aliases cannot be followed|is not a known key/);
});

Deno.test("the library refuses a policy that cannot be used, with all that is wrong", async () => {
  const settings = {
    rules: { "minimum-age": { age: "soon" } },
    custom: [{ id: "x", when: "1", message: "m" }],
  };
  const { message } = await refusal(policyOf(settings));
  assert.match(
    message,
    /^The policy cannot be used: rules\.minimum-age\.age is not a duration; .*true or false$/,
  );
  await refusal(policyOf({ rules: null } as unknown as PolicySettings));
  await refusal(policyOf({ custom: [5] } as unknown as PolicySettings));
  await refusal(policyOf({ waivers: {} } as unknown as PolicySettings));
});

Deno.test("the JSON Schema has every rule with its parameters", async () => {
  const schema = JSON.parse(JSON.stringify(await configSchema()));
  const { rules, custom, waivers } = schema.properties.policy.properties;
  assert.deepEqual(Object.keys(rules.properties), RULES.map(({ id }) => id));
  assert.equal(rules.additionalProperties, false);
  for (const { id, parameters } of RULES) {
    const [, block] = rules.properties[id].anyOf;
    assert.deepEqual(Object.keys(block.properties), ["severity", ...Object.keys(parameters ?? {})]);
  }
  assert.deepEqual(custom.items.required, ["id", "when", "message"]);
  assert.deepEqual(waivers.items.required, ["rule", "scope", "approver", "reason", "expires"]);
});
