/** The policy of a backout.yaml, as commands enforce and explain it. */
import assert from "node:assert/strict";
import { runCli } from "../support/cli.ts";
import { type TestRepository, testRepository } from "../support/repository.ts";
import { withTempDir } from "../support/temp.ts";

async function withRepository(
  policy: string,
  body: (repository: TestRepository) => Promise<void>,
): Promise<void> {
  await withTempDir(async (cwd) => {
    const repository = testRepository(cwd);
    for (const version of ["v1.0.0", "v1.0.1", "v1.0.2"]) {
      await repository.publish(version, "--channel", "stable");
    }
    writePolicy(repository, policy);
    await body(repository);
  });
}

function writePolicy({ cwd }: TestRepository, policy: string): void {
  Deno.writeTextFileSync(`${cwd}/backout.yaml`, `version: 1\npolicy:\n${policy}`);
}

const rollback = ["release", "rollback", "v1.0.2"] as const;
const ruleOf = (report: { policy: { id: string; outcome: string }[] }, id: string) =>
  report.policy.find((rule) => rule.id === id);

Deno.test("policy: a rule of backout.yaml denies with 41, and nothing is changed", async () => {
  await withRepository("  rules: {protected-channel: {channels: [stable]}}\n", async (repository) => {
    const before = Deno.readTextFileSync(`${repository.path}/index.json`);
    const report = await repository.json(41, ...rollback);
    assert.equal(ruleOf(report, "protected-channel")?.outcome, "deny");
    assert.equal(report.policy_passed, false);
    assert.match(report.error.message, /channel stable names v1\.0\.2, and it is protected/);
    assert.equal(Deno.readTextFileSync(`${repository.path}/index.json`), before);
    await repository.json(41, "channel", "set", "stable", "v1.0.0");
    const dry = await repository.json(41, ...rollback, "--dry-run");
    assert.deepEqual(dry.policy, report.policy);
  });
});

Deno.test("policy: lenient and force go on, and report and audit say what was overruled", async () => {
  const rules = "  rules: {protected-channel: {channels: [stable]}}\n";
  for (const flags of [["--policy", "lenient"], ["--force", "--reason", "incident 42"]]) {
    await withRepository(rules, async (repository) => {
      const report = await repository.json(0, ...rollback, ...flags);
      assert.equal(ruleOf(report, "protected-channel")?.outcome, "warn");
      assert.ok(report.warnings.some((warning: string) => warning.startsWith("protected-channel: ")));
      const entries = [...Deno.readDirSync(`${repository.path}/.backout/audit`)].map(({ name }) => name)
        .sort();
      const newest = Deno.readTextFileSync(`${repository.path}/.backout/audit/${entries.at(-1)}`);
      assert.match(newest, /protected-channel/);
      assert.match(newest, flags[0] === "--force" ? /incident 42/ : /lenient/);
    });
  }
  await withRepository(rules, async (repository) => {
    assert.equal((await repository.cli(...rollback, "--force")).code, 2, "force needs a reason");
    writePolicy(repository, `  mode: lenient\n${rules}`);
    await repository.json(0, ...rollback);
  });
});

Deno.test("policy: a live waiver lets it pass, an expired one does not", async () => {
  const policy = (expires: string) =>
    "  rules: {protected-channel: {channels: [stable]}}\n  waivers:\n" +
    `    - {rule: protected-channel, scope: v1.0.2, approver: ops-lead, reason: incident 42, expires: ${expires}}\n`;
  await withRepository(policy("2020-01-01T00:00:00Z"), async (repository) => {
    const denied = await repository.json(41, ...rollback);
    assert.ok(
      denied.warnings.includes(
        "protected-channel: the waiver by ops-lead for v1.0.2 expired at 2020-01-01T00:00:00Z and does nothing",
      ),
    );
    writePolicy(repository, policy("9999-01-01T00:00:00Z"));
    const report = await repository.json(0, ...rollback);
    assert.deepEqual(
      report.policy.find((rule: { id: string }) => rule.id === "protected-channel").waived_by,
      {
        approver: "ops-lead",
        reason: "incident 42",
        expires: "9999-01-01T00:00:00Z",
      },
    );
    assert.equal(report.policy_passed, true);
  });
});

Deno.test("policy: custom rules see the operation", async () => {
  const policy = `  custom:
    - {id: small-only, when: "plan.total_artifacts > 2", message: "more than 2 artifacts", hint: "Take them one by one."}
    - {id: labelled, when: 'operation.kind == "publish" && !has(labels.team)', message: "say whose it is"}
`;
  await withRepository(policy, async (repository) => {
    const denied = await repository.json(41, ...rollback);
    assert.equal(denied.error.message, "Refused to roll back v1.0.2: more than 2 artifacts");
    assert.match(denied.error.hint, /^Take them one by one\./);
    await repository.json(0, ...rollback, "--artifact", "app.txt");
    const source = repository.source("v1.0.3");
    await repository.json(41, "release", "publish", "v1.0.3", source);
    Deno.writeTextFileSync(`${repository.cwd}/metadata.json`, JSON.stringify({ team: "web", tier: 1 }));
    await repository.json(0, "release", "publish", "v1.0.3", source, "--metadata", "metadata.json");
  });
});

Deno.test("policy: minimum-releases-kept, reason-required, backup-required and signature-required look at the real thing", async () => {
  await withRepository("  rules: {minimum-releases-kept: {count: 3}}\n", async (repository) => {
    const denied = await repository.json(41, ...rollback);
    assert.match(denied.error.message, /2 of the 3 releases would remain, and 3 must/);
    writePolicy(repository, "  rules: {reason-required: deny, backup-required: deny}\n");
    const both = await repository.json(41, ...rollback, "--no-backup");
    assert.deepEqual(both.error.context.rules, ["backup-required", "reason-required"]);
    writePolicy(repository, "  rules: {signature-required: deny}\n");
    await repository.json(41, ...rollback);
    await runCli(["audit", "keygen", "--out", "key.pem"], { cwd: repository.cwd });
    await repository.json(0, ...rollback, "--signing-key", "key.pem");
  });
});

Deno.test("policy: a hold stops publishes and channel moves, not rollbacks", async () => {
  await withRepository("  mode: strict\n", async (repository) => {
    await repository.json(0, "hold", "set", "incident-42", "--reason", "v1.0.2 loses data");
    const denied = await repository.json(41, "release", "publish", "v1.0.3", repository.source("v1.0.3"));
    assert.match(denied.error.message, /the hold incident-42 is set: v1\.0\.2 loses data/);
    await repository.json(41, "channel", "set", "stable", "v1.0.0");
    await repository.json(0, ...rollback);
    await repository.json(0, "hold", "release", "incident-42");
    await repository.json(0, "release", "publish", "v1.0.3", repository.source("v1.0.3"));
  });
});

Deno.test("policy: the last good release is told of, and a release of another tool without digests", async () => {
  await withTempDir(async (cwd) => {
    const repository = testRepository(cwd);
    await repository.publish("v1.0.0");
    Deno.removeSync(`${repository.path}/.backout/releases/v1.0.0.json`);
    const index = JSON.parse(Deno.readTextFileSync(`${repository.path}/index.json`));
    delete index.releases[0].record_sha256;
    Deno.writeTextFileSync(`${repository.path}/index.json`, JSON.stringify(index));
    const report = await repository.json(0, "release", "rollback", "v1.0.0");
    assert.equal(ruleOf(report, "checksum-known")?.outcome, "warn");
    assert.equal(ruleOf(report, "last-good-release-remains")?.outcome, "warn");
    assert.ok(
      report.warnings.some((warning: string) =>
        /no digest is recorded for 3 of the 3 artifacts of v1\.0\.0/.test(warning)
      ),
    );
  });
});

Deno.test("policy: a policy that is wrong is refused with its place, and nothing is run", async () => {
  await withRepository(
    "  custom: [{id: x, when: 'plan.total_byte > 1', message: m}]\n",
    async (repository) => {
      const before = Deno.readTextFileSync(`${repository.path}/index.json`);
      const { code, stderr } = await repository.cli(...rollback);
      assert.equal(code, 2);
      assert.match(stderr, /backout\.yaml:3:32: the expression of x: no such key: total_byte/);
      assert.match(stderr, /Did you mean total_bytes\?/);
      assert.equal(Deno.readTextFileSync(`${repository.path}/index.json`), before);
    },
  );
});

Deno.test("policy check: every rule with its outcome, 0, 41, 42, 40 and 46; nothing is recorded", async () => {
  await withRepository(
    "  rules: {freeze-window: {windows: [{hours: '00:00-24:00', reason: always}]}}\n",
    async (repository) => {
      const history = () => [...Deno.readDirSync(`${repository.path}/.backout/history`)].length;
      const before = history();
      const view = await repository.json(41, "policy", "check", "v1.0.2");
      assert.deepEqual([view.allowed, view.exit_code, view.versions], [false, 41, ["v1.0.2"]]);
      assert.equal(view.rules.find((rule: { id: string }) => rule.id === "freeze-window").outcome, "deny");
      const { code, stdout } = await repository.cli("policy", "check", "v1.0.2");
      assert.equal(code, 41);
      assert.match(
        stdout,
        /^freeze-window +deny +it is frozen now: 00:00-24:00 \(UTC\), always \(Wait until/m,
      );
      assert.match(stdout, /^✘ Refused to roll back v1\.0\.2: .*\(exit 41\)$/m);

      const lenient = await repository.cli("policy", "check", "v1.0.2", "--policy", "lenient");
      assert.deepEqual([
        lenient.code,
        /^✔ Nothing denies to roll back v1\.0\.2 in lenient mode/m.test(lenient.stdout),
      ], [0, true]);
      assert.equal((await repository.cli("policy", "check", "v1.0.2", "--force", "--reason", "x")).code, 0);
      assert.equal((await repository.cli("policy", "check", "v9")).code, 40);
      assert.equal((await repository.cli("policy", "check")).code, 2);
      assert.equal(history(), before, "a question is no operation");

      writePolicy(repository, "  mode: strict\n");
      await repository.json(0, "policy", "check", "v1.0.2", "--type", "index_only");
      await repository.json(0, "policy", "check", "--to", "v1.0.0");
      await repository.publish("v1.0.3", "--depends-on", "v1.0.1");
      await repository.json(42, "policy", "check", "v1.0.1");
      await repository.json(0, ...rollback);
      await repository.json(46, "policy", "check", "v1.0.2");
    },
  );
});

Deno.test("policy check: it says what the rollback then does", async () => {
  await withRepository(
    "  rules: {latest-release: deny, maximum-artifacts: {count: 1}}\n",
    async (repository) => {
      for (const flags of [[], ["--no-backup"], ["--type", "index_only"], ["--policy", "lenient"]]) {
        const check = await repository.cli("policy", "check", "v1.0.2", ...flags, "--json");
        const dry = await repository.cli(...rollback, ...flags, "--dry-run", "--json");
        assert.equal(check.code, dry.code);
        assert.deepEqual(JSON.parse(check.stdout).rules, JSON.parse(dry.stdout).policy);
      }
    },
  );
});

Deno.test("policy explain: all rules, one rule, an unknown one; without a configuration, too", async () => {
  await withRepository("  rules: {minimum-age: {age: 36h, severity: warn}}\n", async ({ cwd }) => {
    const explain = (...args: readonly string[]) => runCli(["policy", "explain", ...args], { cwd });
    const all = await explain();
    assert.equal(all.code, 0);
    assert.match(all.stdout, /^minimum-age +warn +the version has been published for long enough$/m);
    assert.match(all.stdout, /^maximum-age +off +.*\(needs age\)$/m);
    const one = await explain("minimum-age");
    assert.match(one.stdout, /Severity: +warn \(by default: deny\)/);
    assert.match(one.stdout, /now: 1d 12h/);
    assert.match((await explain("maximum-age")).stdout, /off, because age is not given/);
    const unknown = await explain("minimum-aeg");
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /Did you mean "minimum-age"/);
    assert.equal(JSON.parse((await explain("hold", "--json")).stdout).id, "hold");
    Deno.removeSync(`${cwd}/backout.yaml`);
    assert.match((await explain()).stdout, /Mode: strict \(no backout\.yaml/);
  });
});

Deno.test("policy test: 0 when all cases pass, 51 when one fails, 2 when the file is wrong", async () => {
  await withRepository("  rules: {protected-channel: {channels: [stable]}}\n", async ({ cwd }) => {
    const test = (...args: readonly string[]) => runCli(["policy", "test", ...args], { cwd });
    const write = (name: string, text: string) => Deno.writeTextFileSync(`${cwd}/${name}`, text);
    write(
      "good.yaml",
      "cases:\n  - {name: stable, given: {release: {channels: [stable]}}, expect: {exit: 41, rules: {protected-channel: deny}}}\n",
    );
    write(
      "bad.yaml",
      "cases:\n  - {name: stable, given: {release: {channels: [beta]}}, expect: {rules: {protected-channel: deny}}}\n",
    );
    write("wrong.yaml", "cases:\n  - {name: stable, expects: {}}\n");
    const good = await test("good.yaml");
    assert.deepEqual([good.code, /1 passed, 0 failed/.test(good.stdout)], [0, true]);
    const bad = await test("bad.yaml");
    assert.equal(bad.code, 51);
    assert.match(bad.stdout, /✘ stable .*\n {4}protected-channel was expected to be deny, and is pass/);
    const wrong = await test("wrong.yaml");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /wrong\.yaml:2:20: "expects" is not a known key in cases\.0/);
    assert.equal((await test("nowhere.yaml")).code, 2);
    assert.equal((await test()).code, 2);
    const json = JSON.parse((await test("good.yaml", "--json")).stdout);
    assert.deepEqual([json.passed, json.failed, json.cases[0].passed], [1, 0, true]);
  });
});
