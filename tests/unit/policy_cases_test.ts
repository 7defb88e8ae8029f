/** Files of cases for `policy test`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { testPolicy } from "#/config/policy_cases.ts";
import { UsageError } from "#/core/errors.ts";
import type { PolicySettings } from "#/policy/settings.ts";
import { withTempDir } from "../support/temp.ts";

async function refusal(work: Promise<unknown>): Promise<{ message: string }> {
  let caught: unknown;
  await work.catch((error) => caught = error);
  assert.ok(caught instanceof UsageError, `no UsageError but ${caught}`);
  return { message: caught.message.replaceAll(/\/\S*\/(?=\w+\.yaml)/g, "") };
}

async function runFile(text: string, settings: PolicySettings = {}) {
  return await withTempDir(async (folder) => {
    const file = join(folder, "cases.yaml");
    await Deno.writeTextFile(file, text);
    return await testPolicy(file, settings);
  });
}

Deno.test("policy test: cases pass and fail, with what is different", async () => {
  const { cases, passed, failed, own_policy } = await runFile(
    `cases:
  - {name: ordinary, expect: {exit: 0, rules: {hold: silent, dependents: pass}}}
  - name: stable
    given: {release: {channels: [stable]}}
    expect: {exit: 41, rules: {protected-channel: deny}}
  - {name: stable by force, mode: force, given: {release: {channels: [stable]}}, expect: {exit: 0, rules: {protected-channel: warn}}}
  - {name: labels, given: {labels: {team: web}}, expect: {rules: {web: deny}}}
  - {name: friday, now: 2026-11-20T12:00:00Z, expect: {rules: {freeze-window: deny}}}
  - {name: needed, given: {plan: {dependents: [{version: v9, needs: [v1.0.2]}]}}, expect: {exit: 42}}
  - {name: unknown age, given: {release: {published_at: null}}, expect: {rules: {young: deny}}}
  - {name: wrong, expect: {exit: 41, rules: {freeze-window: deny, hold: pass}}}
`,
    {
      rules: {
        "protected-channel": { channels: ["stable"] },
        "freeze-window": { windows: [{ days: "fri" }] },
      },
      custom: [
        { id: "web", when: 'has(labels.team) && labels.team == "web"', message: "ask them" },
        {
          id: "young",
          when: "!has(release.published_at) || now - release.published_at < duration('1h')",
          message: "young",
        },
      ],
    },
  );
  assert.deepEqual(cases.filter((it) => !it.passed).map((it) => it.name), ["wrong"]);
  assert.deepEqual(cases.at(-1)!.differences, [
    "exit 41 was expected, and it is 0",
    "freeze-window was expected to be deny, and is pass (no change falls into a time that is frozen)",
    "hold was expected to be pass, and is silent",
  ]);
  assert.deepEqual([passed, failed, own_policy], [7, 1, false]);
});

Deno.test("policy test: a file may bring its own policy, and be JSON", async () => {
  const text = JSON.stringify({
    policy: { mode: "lenient", rules: { "reason-required": "deny" } },
    cases: [
      { name: "lenient", expect: { exit: 0, rules: { "reason-required": "warn" } } },
      { name: "strict", mode: "strict", expect: { exit: 41 } },
      {
        name: "with",
        given: { operation: { reason: "x" } },
        expect: { rules: { "reason-required": "pass" } },
      },
      {
        name: "publish",
        given: {
          operation: { kind: "publish", type: "" },
          repository: { holds: [{ name: "h" }], free_bytes: null },
        },
        expect: { rules: { hold: "warn" } },
      },
    ],
  });
  const { failed, own_policy } = await runFile(text, { rules: { hold: "off" } });
  assert.deepEqual([failed, own_policy], [0, true]);
});

Deno.test("policy test: a file that is wrong is refused with every place", async () => {
  const { message } = await refusal(runFile(`policy: {rules: {holt: deny}}
cases:
  - name: x
    given:
      release: {versio: v1, channels: stable, state: gone}
      plan: {total_bytes: many, dependents: [{version: 5}]}
      now: 2026-11-20T12:00:00Z
    mode: harsh
    now: noon
    expect: {exit: 40, rules: {protected-chanel: deny, hold: no}}
  - {name: y, given: {}}
  - {expect: {}}
  - 5
`));
  const places = message.split("\n").map((line) => line.split(" ")[0]);
  assert.deepEqual(places, [
    "cases.yaml:1:18:",
    "cases.yaml:5:17:",
    "cases.yaml:5:39:",
    "cases.yaml:5:54:",
    "cases.yaml:6:27:",
    "cases.yaml:6:56:",
    "cases.yaml:7:7:",
    "cases.yaml:8:11:",
    "cases.yaml:9:10:",
    "cases.yaml:10:20:",
    "cases.yaml:10:32:",
    "cases.yaml:10:62:",
    "cases.yaml:11:5:",
    "cases.yaml:12:5:",
    "cases.yaml:12:14:",
    "cases.yaml:13:5:",
  ]);
  await refusal(runFile(""));
  await refusal(runFile("cases: []\n"));
  await refusal(runFile("- 1\n"));
  await refusal(testPolicy("/nowhere/cases.yaml", {}));
});
