/** `backout plugin`: every action, and what it answers to requests that are none. */
import assert from "node:assert/strict";
import { runProgram } from "../support/cli.ts";
import { testRequiring } from "../support/require.ts";
import { git, makeRepository, type TestWorkspace, withWorkspace } from "./snapshot_support.ts";

// deno-lint-ignore no-explicit-any -- documents of many shapes, whose fields the tests look at
type Answer = any;

/** One answer for each request, and the exit code. */
async function ask(
  { run }: TestWorkspace,
  ...requests: readonly unknown[]
): Promise<{ readonly code: number; readonly answers: readonly Answer[] }> {
  const stdin = requests.map((one) => typeof one === "string" ? one : JSON.stringify(one)).join("\n");
  const { code, stdout, stderr } = await run(["plugin"], { stdin });
  assert.equal(stderr, "");
  return { code, answers: stdout.trimEnd().split("\n").map((line) => JSON.parse(line)) };
}

testRequiring(["posix", "git"], "plugin: a git snapshot, a rollback with checks, its history", async () => {
  await withWorkspace("", async (workspace) => {
    const { folder } = workspace;
    const commit = makeRepository(`${folder}/source`, "main.txt", "v1\n");
    const created = await ask(workspace, {
      action: "create_snapshot",
      snapshot_id: "deployment_v1.2.3",
      type: "git_commit",
      config: { repo_path: "source" },
    });
    assert.equal(created.code, 0);
    const [snapshot] = created.answers;
    assert.equal(snapshot.status, "success");
    assert.equal(snapshot.snapshot_id, "deployment_v1.2.3");
    assert.equal(snapshot.type, "git_commit");
    assert.equal(snapshot.metadata.method, "git_commit");
    assert.equal(snapshot.metadata.commit_hash, commit);
    assert.equal(snapshot.metadata.branch, "main");
    assert.ok(Number.isInteger(snapshot.metadata.created_at));

    Deno.writeTextFileSync(`${folder}/source/main.txt`, "v2\n");
    git(`${folder}/source`, "commit", "--quiet", "-a", "-m", "second");
    const { code, answers: [rollback] } = await ask(workspace, {
      action: "execute_rollback",
      snapshot_id: "deployment_v1.2.3",
      validation: {
        tests: [
          { type: "git_commit", repo_path: `${folder}/source`, expected_commit: commit },
          { type: "file_exists", path: `${folder}/source/main.txt` },
        ],
      },
    });
    assert.equal(code, 0, JSON.stringify(rollback));
    assert.equal(rollback.status, "completed");
    assert.equal(git(`${folder}/source`, "rev-parse", "HEAD"), commit);
    assert.equal(rollback.execution_result.status, "success");
    assert.equal(rollback.execution_result.commit_hash, commit);
    assert.deepEqual(
      rollback.technical_details.map((one: Answer) => one.action),
      ["rollback_execution", "rollback_verification"],
    );
    assert.deepEqual(rollback.technical_details[1].result, { passed: 2, total: 2 });
    const { status, passed, total, results } = rollback.verification_results;
    assert.deepEqual([status, passed, total], ["success", 2, 2]);
    assert.equal(results[0].test, "git_commit");
    assert.equal(results[0].expected, commit);
    assert.equal(results[0].actual, commit);
    assert.equal(results[1].path, `${folder}/source/main.txt`);
    assert.ok(rollback.completed_at >= rollback.started_at && rollback.duration >= 0);

    const { answers: [history] } = await ask(workspace, { action: "get_rollback_history" });
    assert.equal(history.total, 1);
    assert.equal(history.history[0].rollback_id, rollback.rollback_id);
    assert.equal(history.history[0].snapshot_id, "deployment_v1.2.3");
    assert.deepEqual(history.history[0].verification_results.passed, 2);
    assert.equal(history.history[0].technical_details[0].result.commit_hash, commit);

    const { answers: [idle] } = await ask(workspace, {
      action: "execute_rollback",
      snapshot_id: "deployment_v1.2.3",
    });
    assert.deepEqual(
      [idle.status, idle.execution_result.method, idle.execution_result.commit_hash],
      ["completed", "git_reset", commit],
      "also where nothing had to be done",
    );
  });
});

Deno.test("plugin: configuration files, with their content only on request", async () => {
  await withWorkspace("", async (workspace) => {
    const { folder, write, read } = workspace;
    write("app.yml", "secret: 1\n");
    const config = { config_files: [`${folder}/app.yml`] };
    const base = { action: "create_snapshot", type: "configuration", config };
    const { answers: [plain, whole] } = await ask(
      workspace,
      { ...base, snapshot_id: "plain" },
      { ...base, snapshot_id: "whole", include_content: true, request_id: 7 },
    );
    assert.match(plain.metadata.files[`${folder}/app.yml`], /^[0-9a-f]{64}$/);
    assert.equal(whole.metadata.files[`${folder}/app.yml`], "secret: 1\n");
    assert.equal(whole.request_id, 7);
    write("app.yml", "secret: 2\n");
    const { answers: [list, rolled] } = await ask(
      workspace,
      { action: "list_snapshots" },
      { action: "execute_rollback", snapshot_id: "plain" },
    );
    assert.equal(list.total, 2);
    const saved = list.snapshots.find((one: Answer) => one.id === "plain");
    assert.deepEqual([saved.type, saved.status, saved.config], ["configuration", "created", config]);
    assert.ok(!JSON.stringify(list).includes("secret"), "a list names digests only");
    assert.equal(rolled.status, "completed");
    assert.equal(read("app.yml"), "secret: 1\n");
  });
});

Deno.test("plugin: a failed check is partial, or taken back on request", async () => {
  await withWorkspace("", async (workspace) => {
    const { folder, write, read } = workspace;
    write("app.yml", "1\n");
    const config = { config_files: [`${folder}/app.yml`] };
    await ask(workspace, { action: "create_snapshot", snapshot_id: "one", type: "configuration", config });
    const rollback = {
      action: "execute_rollback",
      snapshot_id: "one",
      validation: { tests: [{ type: "file_exists", path: `${folder}/missing` }] },
    };
    write("app.yml", "2\n");
    const back = await ask(workspace, { ...rollback, rollback_on_failure: true });
    assert.equal(back.code, 43);
    assert.equal(back.answers[0].status, "failed");
    assert.equal(read("app.yml"), "2\n", "it was taken back");
    const partial = await ask(workspace, rollback);
    assert.equal(partial.code, 51);
    assert.equal(partial.answers[0].status, "partial");
    assert.equal(partial.answers[0].verification_results.status, "failed");
    assert.equal(read("app.yml"), "1\n");
    const again = await ask(workspace, rollback);
    assert.equal(again.code, 51, "checks run although nothing had to be restored");
    assert.equal(again.answers[0].verification_results.total, 1);
  });
});

Deno.test("plugin: what is no request is answered, and the next ones too", async () => {
  await withWorkspace("", async (workspace) => {
    const spread = JSON.stringify({ action: "status", note: "}{" }, undefined, 2);
    const cut = '{"action": "list_snapshots", "limit": {';
    const { code, answers } = await ask(
      workspace,
      "not json",
      '{"action": "nope"}',
      "",
      spread,
      cut,
      { action: "list_snapshots" },
      [1, 2],
      { action: "execute_rollback" },
      { action: "execute_rollback", snapshot_id: "missing" },
      { action: "execute_rollback", snapshot_id: "../../etc/passwd" },
      { action: "create_snapshot", snapshot_id: "x", type: "machine", config: {} },
      { action: "create_snapshot", snapshot_id: "x", type: "configuration" },
      {
        action: "create_snapshot",
        snapshot_id: "x",
        type: "configuration",
        config: { config_files: ["/nope"] },
      },
      { action: "list_snapshots", dry_run: "yes" },
      '{"action": "sta',
    );
    assert.equal(code, 2, "the code of the first failure");
    assert.deepEqual(
      answers.map((one) => [one.status, one.exit_code]),
      [
        ["failed", 2],
        ["failed", 2],
        ["success", 0],
        ["failed", 2],
        ["success", 0],
        ["failed", 2],
        ["failed", 2],
        ["failed", 40],
        ["failed", 2],
        ["failed", 2],
        ["failed", 2],
        ["failed", 40],
        ["failed", 2],
        ["failed", 2],
      ],
    );
    assert.match(answers[2].warnings.join(), /"note" is not known/);
    for (const answer of answers.filter((one) => one.status === "failed")) assert.ok(answer.error.length > 5);
  });
});

Deno.test("plugin: status says what it can, and its numbers", async () => {
  await withWorkspace("", async (workspace) => {
    const { code, answers: [status] } = await ask(workspace, { action: "status" });
    assert.equal(code, 0);
    assert.equal(status.capabilities.actions.length, 6);
    assert.ok(status.capabilities.snapshot_types.includes("database"));
    assert.ok(status.capabilities.verification_tests.includes("health_check"));
    assert.equal(status.statistics.snapshots, 0);
  });
});

Deno.test("plugin: the policy says which failures are rolled back automatically", async () => {
  const policy = `policy:
  automatic:
    when: failure.kind == "deployment"
    tests: [{type: file_exists, path: /app/config.yml}]
`;
  await withWorkspace(policy, async (workspace) => {
    const asked = (failure_context: unknown) => ({ action: "evaluate_rollback_policy", failure_context });
    const { code, answers } = await ask(workspace, asked({ type: "deployment" }), asked({ type: "disk" }));
    assert.equal(code, 0);
    assert.equal(answers[0].status, "automatic_rollback_required");
    assert.deepEqual(answers[0].validation_tests, [{ type: "file_exists", path: "/app/config.yml" }]);
    assert.equal(answers[1].status, "no_rollback_required");
    assert.equal((await ask(workspace, { action: "evaluate_rollback_policy" })).answers[0].status, "failed");
  });
});

Deno.test("plugin: the same in flags", async () => {
  await withWorkspace("", async ({ folder, run, write, read }) => {
    write("app.yml", "1\n");
    const plugin = async (...args: readonly string[]) => {
      const { code, stdout, stderr } = await run(["plugin", ...args]);
      assert.equal(code, 0, stdout + stderr);
      return JSON.parse(stdout);
    };
    const id = ["--snapshot-id", "release_v2.1"];
    const made = await plugin(
      ...["--action", "create", ...id, "--type", "configuration"],
      ...["--set", `config_files=${folder}/app.yml`],
    );
    assert.equal(made.status, "success");
    write("app.yml", "2\n");
    assert.equal((await plugin("--action", "rollback", ...id, "--dry-run")).status, "dry_run");
    assert.equal(read("app.yml"), "2\n");
    assert.equal((await plugin("--action", "rollback", ...id)).status, "completed");
    assert.equal(read("app.yml"), "1\n");
    assert.equal((await plugin("--action", "list")).total, 2, "and the state before the rollback");
    assert.equal((await plugin("--action", "history")).history.length, 1);
    assert.equal((await plugin("--action", "status")).statistics.restores, 1);
    assert.equal((await run(["plugin", "--snapshot-id", "x"])).code, 2);
  });
});

Deno.test("plugin: as a process, requests are read to the last line without a newline", async () => {
  await withWorkspace("", async ({ folder }) => {
    const stdin = '{"action": "status"}\n{"action": "list_snapshots"}';
    const { code, stdout, stderr } = await runProgram(["plugin"], { cwd: folder, stdin });
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trimEnd().split("\n").length, 2);
  });
});

Deno.test("plugin and flags: a password stays out of answers, reports and what is kept", async () => {
  await withWorkspace("", async (workspace) => {
    const { folder, run } = workspace;
    const secret = "hunter2-and-more";
    const connection_string = `postgresql://app:${secret}@localhost:1/nothing`;
    const { answers: [answer] } = await ask(workspace, {
      action: "create_snapshot",
      snapshot_id: "db",
      type: "database",
      config: { connection_string },
    });
    assert.equal(answer.status, "failed");
    assert.ok(!JSON.stringify(answer).includes(secret), JSON.stringify(answer));
    const flags = ["--type", "database", "--set", `connection_string=${connection_string}`];
    for (
      const more of [["--dry-run"], [], ["-v"], ["--json"], ["--set", "unknown=1"], [
        "--set",
        "database_name=[",
      ]]
    ) {
      const { stdout, stderr } = await run(["snapshot", "create", ...flags, ...more]);
      assert.ok(!(stdout + stderr).includes(secret), more.join(" "));
    }
    for (const file of walk(`${folder}/.backout`)) {
      assert.ok(!Deno.readTextFileSync(file).includes(secret), file);
    }
  });
});

function walk(folder: string): readonly string[] {
  try {
    return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
      isDirectory ? walk(`${folder}/${name}`) : [`${folder}/${name}`]
    );
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
