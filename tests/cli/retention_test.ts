/** `retention plan` and `retention apply` on real folders. */
import assert from "node:assert/strict";
import { newOperationId } from "#/core/ids.ts";
import { applyRetention } from "#/mod.ts";
import type { RetainedBackup } from "#/repository/views.ts";
import { openStorage } from "#/storage/registry.ts";
import { type CliResult, runCli, runInProcess } from "../support/cli.ts";
import {
  actions,
  type DatedRepository,
  namesIn,
  threeRollbacks,
  withDated,
} from "../support/dated_repository.ts";

const APPLY = ["retention", "apply", "--yes"] as const;

const history = ({ path }: DatedRepository) => namesIn(`${path}/.backout/history`);

Deno.test("retention plan: each backup with its reasons, as a table and as JSON; nothing changes", async () => {
  await withDated(async (repository) => {
    const [old, middle, newest] = await threeRollbacks(repository);
    await repository.json(0, "backup", "pin", old!, "--reason", "audit\u001b[31m 7");
    const before = [repository.backups(), history(repository), await repository.read("index.json")];
    const view = await repository.json(0, "retention", "plan", "--keep-last", "1");
    assert.deepEqual(actions(view), {
      "v1.0.2": ["keep", "the newest of all", "the newest rollback that was not undone", "the newest"],
      "v1.0.1": ["delete", "no rule keeps it"],
      "v1.0.0": ["keep", `pinned: audit\u001b[31m 7 (${userOf(repository)})`],
    });
    assert.deepEqual(view.backups.map(({ id }: RetainedBackup) => id), [newest, middle, old]);
    assert.deepEqual([view.keep, view.delete], [{ backups: 2, bytes: 20 }, { backups: 1, bytes: 10 }]);
    const { code, stdout } = await repository.cli("retention", "plan", "--keep-last", "1");
    assert.equal(code, 0);
    assert.match(stdout, /^v1\.0\.1-\S+ +delete +\d+ \w+ (ago)? +10 B +no rule keeps it$/m);
    assert.match(stdout, /^keep 2 backups \(20 B\), delete 1 backup \(10 B\)$/m);
    assert.ok(!stdout.includes("\u001b[31m"), "a pin's reason must not reach the terminal as it is");
    assert.deepEqual(
      [repository.backups(), history(repository), await repository.read("index.json")],
      before,
    );
  });
});

function userOf({ path }: DatedRepository): string {
  const index = JSON.parse(Deno.readTextFileSync(`${path}/index.json`));
  return (Object.values(index.backup_pins)[0] as { by: string }).by;
}

Deno.test("retention apply: deletes what plan and dry run named, and nothing else", async () => {
  await withDated(async (repository) => {
    const [old, middle, newest] = await threeRollbacks(repository);
    const flags = ["--keep-last", "1"];
    const plan = await repository.json(0, "retention", "plan", ...flags);
    const dry = await repository.json(0, ...APPLY, ...flags, "--dry-run");
    const gone = plan.backups.filter(({ action }: RetainedBackup) => action === "delete");
    assert.deepEqual(dry.retention.to_delete.map(({ id }: { id: string }) => id), [old, middle]);
    assert.deepEqual(
      gone.map(({ id }: RetainedBackup) => id).toReversed(),
      [old, middle],
      "the plan and the dry run say the same",
    );
    assert.equal(repository.backups().length, 3);
    const report = await repository.json(0, ...APPLY, ...flags, "--reason", "nightly");
    assert.deepEqual(report.retention, dry.retention);
    assert.deepEqual(
      report.steps.map(({ description }: { description: string }) => description),
      dry.steps.map(({ description }: { description: string }) => description),
    );
    assert.equal(report.bytes_reclaimed, 20);
    assert.equal(report.summary, "Deleted 2 backups (20 B); 1 backup stays");
    assert.deepEqual(repository.backups(), [newest]);
    const entry = (await repository.json(0, "history")).at(0);
    assert.deepEqual([entry.operation, entry.reason, entry.status], ["retention", "nightly", "success"]);
    assert.deepEqual((await repository.json(0, "audit", "verify")).problems, []);
    assert.deepEqual((await repository.json(0, "doctor")).checks.filter(isProblem), []);
  });
});

const isProblem = ({ outcome }: { outcome: string }) => outcome === "problem";

Deno.test("retention: a version whose backup went keeps its tombstone, and restore says why it cannot", async () => {
  await withDated(async (repository) => {
    await threeRollbacks(repository);
    const order = async () => JSON.parse((await repository.read("index.json"))!).rolled_back;
    const versions = (await order()).map(({ version }: { version: string }) => version);
    const report = await repository.json(0, ...APPLY, "--keep-last", "2");
    const stones = await order();
    assert.deepEqual(stones.map(({ version }: { version: string }) => version), versions, "in their order");
    const stone = stones.find(({ version }: { version: string }) => version === "v1.0.0");
    assert.deepEqual([stone.state, stone.backup, stone.backups], ["removed", null, []]);
    const refused = await repository.json(45, "release", "restore", "v1.0.0");
    assert.match(refused.error.message, /^The backup of v1\.0\.0 was deleted at \d{4}-/);
    assert.ok(refused.error.message.endsWith(report.rollback_id));
    await repository.json(46, "release", "publish", "v1.0.0", repository.source("v1.0.0"));
    await repository.json(0, "release", "restore", "v1.0.1");
  });
});

Deno.test("retention: an older backup of the same version is named when the newest is gone", async () => {
  await withDated(async (repository) => {
    const first = await repository.rolledBack("v1.0.0", "2026-02-01T10:00:00Z");
    await repository.json(0, "release", "restore", "v1.0.0");
    const again = await repository.json(0, "release", "rollback", "v1.0.0");
    await repository.json(0, "backup", "delete", again.backup[0].id, "--yes");
    const refused = await repository.json(45, "release", "restore", "v1.0.0");
    assert.match(refused.error.hint, new RegExp(`backout release restore ${first}`));
    await repository.json(0, "release", "restore", first);
  });
});

Deno.test("retention apply: nothing to do is a success without a trace", async () => {
  await withDated(async (repository) => {
    await threeRollbacks(repository);
    const audit = () => namesIn(`${repository.path}/.backout/audit`);
    const before = [await repository.read("index.json"), history(repository), audit()];
    for (const flags of [[], ["--dry-run"]]) {
      const report = await repository.json(0, ...APPLY, "--keep-last", "3", ...flags);
      assert.equal(report.summary, "Nothing to delete: 3 backups stay");
      assert.deepEqual(report.steps, []);
    }
    assert.deepEqual([await repository.read("index.json"), history(repository), audit()], before);
    assert.deepEqual(namesIn(`${repository.path}/.backout/operations`), []);
  });
});

Deno.test("retention apply: asks on a terminal, needs --yes elsewhere, and asks nothing where nothing goes", async () => {
  await withDated(async (repository) => {
    await threeRollbacks(repository);
    const { code, stderr } = await repository.cli("retention", "apply", "--keep-last", "1");
    assert.equal(code, 2);
    assert.match(stderr, /Deleting backups for good needs a confirmation/);
    const answer = (stdin: string, count: string): Promise<CliResult> =>
      runInProcess(["retention", "apply", "--keep-last", count, "-r", repository.path], {
        terminal: true,
        stdin,
      });
    const no = await answer("n\n", "1");
    assert.equal(no.code, 2);
    assert.match(no.stderr, /delete the backup v1\.0\.0-\S+ \(no rule keeps it\)/);
    assert.equal(repository.backups().length, 3);
    const nothing = await answer("", "3");
    assert.equal(nothing.code, 0, nothing.stderr);
    assert.match(nothing.stdout, /Nothing to delete: 3 backups stay/);
    assert.equal((await answer("y\n", "1")).code, 0);
    assert.equal(repository.backups().length, 1);
  });
});

Deno.test("retention: the rules of backout.yaml, flags over them, and 0 turns one off", async () => {
  await withDated(async (repository) => {
    await threeRollbacks(repository);
    const config = "version: 1\nretention: {keep_last: 1, keep_yearly: 5, max_size: 1GiB}\n";
    Deno.writeTextFileSync(`${repository.cwd}/backout.yaml`, config);
    const kept = async (...flags: readonly string[]) =>
      Object.entries(actions(await repository.json(0, "retention", "plan", ...flags)))
        .filter(([, [action]]) => action === "keep").map(([version]) => version);
    assert.deepEqual(await kept(), ["v1.0.2", "v1.0.0"]);
    assert.deepEqual(await kept("--keep-yearly", "0"), ["v1.0.2"]);
    assert.deepEqual(await kept("--keep-last", "2", "--keep-yearly", "0"), ["v1.0.2", "v1.0.1"]);
    assert.deepEqual(await kept("--max-size", "15"), ["v1.0.2"]);
    assert.deepEqual(await kept("--keep-within", "1000000d"), ["v1.0.2", "v1.0.1", "v1.0.0"]);
    await repository.json(0, ...APPLY);
    assert.equal(repository.backups().length, 2);
  });
});

Deno.test("retention: no rule, a rule that cannot be read, and a configuration that is wrong", async () => {
  await withDated(async (repository) => {
    await threeRollbacks(repository);
    assert.match((await repository.cli(...APPLY)).stderr, /No retention rule is set/);
    const plan = await repository.json(0, "retention", "plan");
    assert.deepEqual(plan.warnings, ["No retention rule is set: everything is kept"]);
    for (
      const [flags, message] of [
        [["--keep-last", "-1"], /"-1" for --keep-last: it is not a whole number/],
        [["--keep-daily", "1.5"], /"1\.5" for --keep-daily/],
        [["--keep-within", "90"], /"90" for --keep-within: it is not a duration/],
        [["--max-size", "big"], /"big" for --max-size: it is not a size/],
      ] as const
    ) {
      const { code, stderr } = await repository.cli(...APPLY, ...flags);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    }
    for (
      const [block, message] of [
        ["retention:\n  keep_lasst: 3\n", /backout\.yaml:3:3: "keep_lasst" is not a known key in retention/],
        ["retention:\n  keep_last: -1\n", /backout\.yaml:3:14: retention\.keep_last must be at least 0/],
        ["retention:\n  keep_last: ten\n", /backout\.yaml:3:14: retention\.keep_last must be /],
        ["retention:\n  keep_within: 90\n", /backout\.yaml:3:16: retention\.keep_within must be text/],
        ["retention:\n  max_size: huge\n", /backout\.yaml:3:13: retention\.max_size: is not a size/],
        ["retention:\n  history: {keep_daily: 1}\n", /backout\.yaml:3:13: "keep_daily" is not a known key/],
      ] as const
    ) {
      Deno.writeTextFileSync(`${repository.cwd}/backout.yaml`, `version: 1\n${block}`);
      const { code, stderr } = await repository.cli(...APPLY);
      assert.equal(code, 2);
      assert.match(stderr, message);
    }
    assert.equal(repository.backups().length, 3);
  });
});

Deno.test("retention apply: overlapping runs end with 50, or wait", async () => {
  await withDated(async (repository) => {
    await threeRollbacks(repository);
    {
      const { lock } = await openStorage(repository.path);
      const request = { id: newOperationId(new Date()), operation: "retention", by: "night", reason: "" };
      await using _held = await lock.acquire({ ...request, now: () => new Date(), timeoutMs: 0 });
      const report = await repository.json(50, ...APPLY, "--keep-last", "1");
      assert.match(report.error.message, /night/);
      assert.equal(repository.backups().length, 3);
    }
    const run = () =>
      applyRetention({ repository: repository.path, rules: { keepLast: 1 }, lockTimeoutMs: 60_000 });
    const both = await Promise.all([run(), run()]);
    assert.deepEqual(both.map(({ exit_code }) => exit_code), [0, 0]);
    assert.deepEqual(both.map(({ steps }) => steps.length > 0).sort(), [false, true], "one of them did it");
  });
});

Deno.test("retention: the lines for systemd and cron run as they are", async () => {
  const scripts = new URL("../../scripts/", import.meta.url);
  for (
    const [file, line] of [
      ["backout-retention.service", /^ExecStart=\/usr\/local\/bin\/backout (.+)$/m],
      ["backout.cron", /^15 3 \* \* \* backout \/usr\/local\/bin\/backout (.+)$/m],
    ] as const
  ) {
    await withDated(async (repository) => {
      await threeRollbacks(repository);
      const config = `${repository.cwd}/backout.yaml`;
      Deno.writeTextFileSync(config, "version: 1\nrepository: releases\nretention: {keep_last: 1}\n");
      const text = Deno.readTextFileSync(new URL(file, scripts));
      const words = [...line.exec(text)![1]!.matchAll(/"([^"]*)"|(\S+)/g)].map((match) =>
        match[1] ?? match[2]!
      );
      const args = words.map((word) => word === "/etc/backout/backout.yaml" ? config : word);
      const { code, stderr } = await runCli(args, { cwd: repository.cwd });
      assert.equal(code, 0, stderr);
      assert.equal(repository.backups().length, 1);
    });
  }
});
