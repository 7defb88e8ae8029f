/** The numbers for Prometheus, the summary for GitHub, and those that `status` shows. */
import assert from "node:assert/strict";
import { testRepository } from "../support/repository.ts";
import { configure } from "../support/around.ts";
import { withTempDir } from "../support/temp.ts";

/** Samples by name and labels, the repository's left out. @throws {Error} where a line is no sample */
function samples(file: string): Readonly<Record<string, number>> {
  const text = Deno.readTextFileSync(file);
  assert.ok(text.endsWith("\n"));
  const lines = text.trimEnd().split("\n").filter((line) => !line.startsWith("#"));
  return Object.fromEntries(lines.map((line) => {
    const match = /^(backout_[a-z_]+)\{repository="[^"]+"(?:,([^}]*))?\} (\S+)$/.exec(line);
    assert.ok(match !== null, line);
    return [match[2] === undefined ? match[1] : `${match[1]} ${match[2]}`, Number(match[3])];
  }));
}

Deno.test("metrics: the file has the numbers of history and state, also after a refusal", async () => {
  await withTempDir(async (cwd) => {
    const { publish, json } = testRepository(cwd);
    await publish("v1.0.0");
    await publish("v1.0.1", "--depends-on", "v1.0.0");
    const file = `${cwd}/textfile/backout.prom`;
    await json(42, "release", "rollback", "v1.0.0", "--reason", "x", "--metrics-file", file);
    const refused = samples(file);
    const kind = (operation: string, status: string, code: number) =>
      `backout_operations_total operation="${operation}",status="${status}",exit_code="${code}"`;
    assert.equal(refused[kind("publish", "success", 0)], 2);
    assert.equal(refused[kind("rollback", "failed", 42)], 1);
    assert.equal(refused.backout_backups, 0);
    assert.equal(refused['backout_last_exit_code operation="rollback"'], 42);
    assert.equal(refused['backout_last_success_timestamp_seconds operation="rollback"'], undefined);

    const report = await json(0, "release", "rollback", "v1.0.1", "--reason", "x", "--metrics-file", file);
    const done = samples(file);
    assert.deepEqual(report.warnings.filter((it: string) => it.includes("metrics")), []);
    assert.equal(done[kind("rollback", "success", 0)], 1);
    assert.equal(done.backout_backups, 1);
    assert.equal(done.backout_backup_bytes, report.backup[0].bytes);
    assert.equal(done.backout_largest_backup_bytes, report.backup[0].bytes);
    assert.equal(done.backout_releases, 1);
    assert.equal(done.backout_index_serial, report.serial_after);
    assert.equal(done.backout_lock_age_seconds, 0);
    assert.equal(done.backout_unfinished_operations, 0);
    assert.equal(done.backout_audit_entries, (await json(0, "audit", "verify")).entries);
    assert.equal(done['backout_operation_duration_seconds_count operation="rollback"'], 1);
    const [last] = await json(0, "history", "list");
    const success = done['backout_last_success_timestamp_seconds operation="rollback"'];
    assert.equal(success, Date.parse(last.finished_at) / 1000);
    assert.deepEqual([...Deno.readDirSync(`${cwd}/textfile`)].map((it) => it.name), ["backout.prom"]);

    Deno.removeSync(file);
    await json(0, "status", "--metrics-file", file);
    const same = samples(file);
    assert.deepEqual({ ...same, backout_free_bytes: 0 }, { ...done, backout_free_bytes: 0 });
    Deno.removeSync(file);
    await json(0, "recover", "--metrics-file", file);
    assert.equal(samples(file).backout_backups, 1);
  });
});

Deno.test("metrics: a file that cannot be written is a warning, one of the repository's own is refused", async () => {
  await withTempDir(async (cwd) => {
    const { publish, json, path, cli } = testRepository(cwd);
    await publish("v1.0.0");
    Deno.mkdirSync(`${cwd}/a-folder`);
    const report = await json(
      ...[0, "release", "yank", "v1.0.0", "--reason", "x"] as const,
      ...["--metrics-file", `${cwd}/a-folder`],
    );
    assert.equal(report.exit_code, 0);
    assert.match(report.warnings.join(), /Cannot write --metrics-file .*a-folder: /);
    const denied = await json(
      40,
      "release",
      "yank",
      "v9",
      "--reason",
      "x",
      "--metrics-file",
      `${cwd}/a-folder`,
    );
    assert.match(denied.warnings.join(), /Cannot write --metrics-file/);
    for (const verb of [["release", "unyank", "v1.0.0", "--reason", "x"], ["status"], ["recover"]]) {
      const { code, stderr } = await cli(...verb, "--metrics-file", `${path}/index.json`);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /it belongs to the repository itself/);
    }
    const status = await cli("status", "--metrics-file", `${cwd}/a-folder`);
    assert.equal(status.code, 0);
    assert.match(status.stderr, /Warning: Cannot write --metrics-file/);
  });
});

Deno.test("metrics: the configuration names the file for all changing commands", async () => {
  await withTempDir(async (cwd) => {
    const { publish } = testRepository(cwd);
    configure(cwd, { metrics_file: "numbers.prom" });
    await publish("v1.0.0");
    assert.equal(samples(`${cwd}/numbers.prom`).backout_releases, 1);
    await publish("v1.0.1");
    assert.equal(samples(`${cwd}/numbers.prom`).backout_releases, 2);
  });
});

Deno.test("step summary: every changing command adds its report", async () => {
  await withTempDir(async (cwd) => {
    const { publish, run, path } = testRepository(cwd);
    await publish("v1.0.0");
    const summary = `${cwd}/summary.md`;
    Deno.writeTextFileSync(summary, "of another command\n");
    const env = { GITHUB_STEP_SUMMARY: summary };
    const step = async (code: number, ...args: readonly string[]) => {
      const result = await run([...args, "-r", path], { cwd, env });
      assert.equal(result.code, code, result.stderr);
      return result;
    };
    await step(0, "release", "yank", "v1.0.0", "--reason", "x");
    await step(40, "release", "rollback", "v9.9.9");
    await step(0, "recover");
    await step(0, "status");
    const titles = Deno.readTextFileSync(summary).match(/^(of another|###) .*$/gm);
    assert.deepEqual(titles, [
      "of another command",
      "### Yank of v1.0.0: done",
      "### Rollback of v9.9.9: refused&#58; nothing was changed",
      "### Recovery: done",
    ]);

    Deno.removeSync(summary);
    Deno.mkdirSync(summary);
    const { stdout } = await step(0, "release", "unyank", "v1.0.0", "--reason", "x", "--json");
    assert.match(JSON.parse(stdout).warnings.join(), /Cannot write GITHUB_STEP_SUMMARY/);
  });
});

Deno.test("status: the numbers on one screen", async () => {
  await withTempDir(async (cwd) => {
    const { publish, json, cli } = testRepository(cwd);
    await publish("v1.0.0");
    await publish("v1.0.1", "--depends-on", "v1.0.0");
    await json(42, "release", "rollback", "v1.0.0", "--reason", "x");
    await json(0, "release", "rollback", "v1.0.1", "--reason", "x", "--dry-run");
    const report = await json(0, "release", "rollback", "v1.0.1", "--reason", "x");
    const status = await json(0, "status");
    const { days, ...outcomes } = status.recent_operations;
    assert.equal(days, 30);
    assert.deepEqual(outcomes, { success: 3, partial: 0, denied: 1, failed: 0, dry_run: 1 });
    assert.equal(status.backup_bytes, report.backup[0].bytes);
    assert.equal(status.lock_age_seconds, 0);
    assert.deepEqual(status.waiting_notifications, { messages: 0, oldest: null });
    const { stdout } = await cli("status");
    assert.match(stdout, /^Operations: +3 done, 1 denied, 1 dry run in the last 30 days$/m);
    assert.match(stdout, /^Backups: +1, \d+ B$/m);
  });
});
