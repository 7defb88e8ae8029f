/** Who is told how an operation ended, through the command line: over real connections, on disk, and later. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { configure, killAfterCommit, linesOf } from "../support/around.ts";
import { binary, runProgram } from "../support/cli.ts";
import { testRepository } from "../support/repository.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { answer, deadPort, type Receiver, receiver, URL_SECRET } from "../unit/notify_support.ts";

const KEY = "the key of this test";
const SECRET = { BACKOUT_TEST_SECRET: KEY };

interface Event {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly subject?: string;
  // deno-lint-ignore no-explicit-any -- a report, looked into freely
  readonly data: any;
}

function events(server: Receiver): readonly Event[] {
  return server.received.map((it) => JSON.parse(it.body) as Event);
}

function types(server: Receiver): readonly string[] {
  return events(server).map((it) => it.type);
}

function waitingIn(repository: string): readonly string[] {
  try {
    return [...Deno.readDirSync(`${repository}/.backout/notify-spool`)].map((it) => it.name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

Deno.test("notify: success, denial and failure are told, each to those who want it", async () => {
  await withTempDir(async (cwd) => {
    await using all = receiver(answer(200));
    await using bad = receiver(answer(202));
    const { publish, json, path } = testRepository(cwd);
    await publish("v1.0.0");
    await publish("v1.0.1", "--depends-on", "v1.0.0");
    configure(cwd, {
      notify: [{ webhook: all.url }, { webhook: bad.url, on: ["failure", "denial"] }, {
        file: "events.jsonl",
      }],
    });
    await json(42, "release", "rollback", "v1.0.0", "--reason", "broken");
    await json(40, "release", "rollback", "v9.9.9", "--reason", "broken");
    const report = await json(0, "release", "rollback", "v1.0.1", "--reason", "broken");
    await json(0, "release", "restore", "v1.0.1", "--dry-run");
    await json(0, "release", "list");

    const told = ["backout.rollback.denial", "backout.rollback.failure", "backout.rollback.success"];
    assert.deepEqual(types(all), told);
    assert.deepEqual(types(bad), told.slice(0, 2));
    assert.deepEqual(linesOf(`${cwd}/events.jsonl`), all.received.map((it) => it.body));
    const success = events(all)[2]!;
    assert.deepEqual([success.subject, success.source], ["v1.0.1", path]);
    assert.equal(success.id, report.rollback_id);
    assert.deepEqual(success.data.artifacts_removed, report.artifacts_removed);
    assert.equal(success.data.audit_log_created, true, "it was told before it was recorded");
    assert.deepEqual(waitingIn(path), []);
  });
});

Deno.test("notify: messages are signed, and no secret is shown", async () => {
  await withTempDir(async (cwd) => {
    await using server = receiver(answer(503), answer(503), answer(503), answer(503), answer(200));
    const { publish, run, path } = testRepository(cwd);
    await publish("v1.0.0");
    configure(cwd, {
      notify: [{ webhook: "${BACKOUT_TEST_HOOK}", secret_env: "BACKOUT_TEST_SECRET", timeout: "20s" }],
    });
    const env = { ...SECRET, BACKOUT_TEST_HOOK: server.url };
    const yank = ["release", "yank", "v1.0.0", "--reason", "x", "-r", path, "--json"];
    const { code, stdout, stderr } = await run(yank, { cwd, env });
    assert.equal(code, 0, stderr);
    const shown = stdout + stderr +
      waitingIn(path).map((it) => Deno.readTextFileSync(`${path}/.backout/notify-spool/${it}`)).join();
    assert.match(stdout, /Could not notify the webhook at 127\.0\.0\.1:\d+: it answered 503/);
    assert.equal(waitingIn(path).length, 1);
    const flushed = await run(["notify", "flush", "-r", path, "--json"], { cwd, env });
    assert.deepEqual(JSON.parse(flushed.stdout), {
      repository: path,
      delivered: 1,
      waiting: 0,
      dropped: 0,
      warnings: [],
    });
    for (const secret of [KEY, URL_SECRET]) assert.ok(!(shown + flushed.stdout).includes(secret));
    const { body, headers } = server.received.at(-1)!;
    const [, at, mac] = /^t=(\d+),v1=(.+)$/.exec(headers.get("backout-signature") ?? "")!;
    assert.equal(mac, createHmac("sha256", KEY).update(`${at}.${body}`).digest("hex"));
  });
});

Deno.test("notify: dead and silent receivers fail nothing and hold nothing up", async () => {
  await withTempDir(async (cwd) => {
    let release = () => {};
    const never = new Promise<void>((resolve) => release = resolve);
    // It answers only when the command has ended: a command that waits for it would never end.
    await using silent = receiver(async () => {
      await never;
      return new Response(null, { status: 200 });
    });
    const { publish, json, path, state } = testRepository(cwd);
    await publish("v1.0.0");
    await publish("v1.0.1");
    configure(cwd, {
      notify: [
        { webhook: silent.url, timeout: "300ms" },
        { webhook: `http://127.0.0.1:${deadPort()}/x`, timeout: "300ms" },
        { command: ["backout-has-no-such-program"] },
        { file: "/dev/null/no/folder" },
      ],
    });
    const report = await json(0, "release", "rollback", "v1.0.1", "--reason", "broken");
    release();
    assert.equal(report.status, "success");
    assert.equal(await state("v1.0.1"), "removed");
    const warnings = report.warnings.filter((it: string) => it.startsWith("Could not notify")).toSorted();
    assert.equal(warnings.length, 4, warnings.join("\n"));
    assert.match(warnings[2], /webhook at 127\.0\.0\.1:\d+: .*\. The message waits for a later command$/);
    assert.equal(waitingIn(path).length, 2);

    const status = await json(0, "status");
    assert.equal(status.waiting_notifications.messages, 2);
    const check = async () =>
      (await json(0, "doctor")).checks.find((it: { id: string }) => it.id === "notifications");
    assert.equal((await check()).outcome, "ok");
    const old = new Date(Date.now() - 3 * 86_400_000);
    for (const name of waitingIn(path)) Deno.utimeSync(`${path}/.backout/notify-spool/${name}`, old, old);
    assert.equal((await check()).outcome, "warning");
  });
});

Deno.test("notify: --offline keeps the messages, the next command sends them", async () => {
  await withTempDir(async (cwd) => {
    await using server = receiver(answer(200));
    const { publish, json, path, run } = testRepository(cwd);
    await publish("v1.0.0");
    configure(cwd, { notify: [{ webhook: server.url }] });
    const offline = await json(0, "release", "yank", "v1.0.0", "--reason", "x", "--offline");
    assert.deepEqual(offline.warnings, []);
    assert.deepEqual(types(server), []);
    assert.equal(waitingIn(path).length, 1);
    const text = await run(["status", "-r", path], { cwd });
    assert.match(text.stdout, /^Notifications: +1 message waiting since .*`backout notify flush /m);
    const counted = await json(0, "notify", "flush", "--dry-run");
    assert.deepEqual([counted.delivered, counted.waiting], [0, 1]);
    const kept = await json(0, "notify", "flush", "--offline");
    assert.deepEqual([kept.delivered, kept.waiting], [0, 1]);

    await json(0, "release", "unyank", "v1.0.0", "--reason", "y");
    assert.deepEqual(types(server).toSorted(), ["backout.unyank.success", "backout.yank.success"]);
    assert.deepEqual(waitingIn(path), []);
    const nothing = await run(["notify", "flush", "-r", path], { cwd });
    assert.deepEqual([nothing.code, nothing.stdout], [0, "No message waits.\n"]);
  });
});

Deno.test("notify: messages for a receiver that is not configured any more are said to wait", async () => {
  await withTempDir(async (cwd) => {
    const { publish, json } = testRepository(cwd);
    await publish("v1.0.0");
    configure(cwd, { notify: [{ webhook: `http://127.0.0.1:${deadPort()}/x`, timeout: "1s" }] });
    await json(0, "release", "yank", "v1.0.0", "--reason", "x");
    configure(cwd, {});
    const view = await json(0, "notify", "flush");
    assert.equal(view.waiting, 1);
    assert.match(view.warnings[0], /None of them is for a webhook that backout\.yaml names now/);
  });
});

testRequiring(["posix"], "notify: a command gets the event on its standard input", async () => {
  await withTempDir(async (cwd) => {
    const { publish, json } = testRepository(cwd);
    await publish("v1.0.0");
    configure(cwd, {
      notify: [{ command: ["/bin/sh", "-c", "cat > got; echo $BACKOUT_EVENT_TYPE > type"] }],
    });
    const report = await json(0, "release", "yank", "v1.0.0", "--reason", "x");
    assert.equal(JSON.parse(Deno.readTextFileSync(`${cwd}/got`)).id, report.rollback_id);
    assert.deepEqual(linesOf(`${cwd}/type`), ["backout.yank.success"]);
  });
});

Deno.test("notify: the files of a rollback that cannot be written are a failure that is told", async () => {
  await withTempDir(async (cwd) => {
    const { publish, json } = testRepository(cwd);
    await publish("v1.0.0");
    await publish("v1.0.1");
    configure(cwd, { notify: [{ file: "events.jsonl" }] });
    Deno.mkdirSync(`${cwd}/out/v1.0.1.rollback-manifest.json`, { recursive: true });
    await json(48, "release", "rollback", "v1.0.1", "--reason", "x", "--manifest-output-dir", "out");
    const [event] = linesOf(`${cwd}/events.jsonl`).map((it) => JSON.parse(it));
    assert.deepEqual([event.type, event.data.exit_code], ["backout.rollback.failure", 48]);
  });
});

Deno.test({
  name: `notify: a recovery is told, by itself and before another operation${
    binary === undefined ? "" : " [from source only]"
  }`,
  ignore: binary !== undefined,
  fn: async () => {
    await withTempDir(async (cwd) => {
      await using server = receiver(answer(200));
      const { publish, json, path } = testRepository(cwd);
      for (const version of ["v1.0.0", "v1.0.1", "v1.0.2"]) await publish(version);
      configure(cwd, { notify: [{ webhook: server.url }] });
      await killAfterCommit(cwd, "releases", ["release", "rollback", "v1.0.1", "--reason", "x"]);
      assert.deepEqual(types(server), [], "who was killed tells nothing");
      await json(0, "recover");
      assert.deepEqual(types(server), ["backout.recover.recovery"]);
      const { data } = events(server)[0]!;
      assert.deepEqual([data.operation, data.versions, data.exit_code], ["recover", ["v1.0.1"], 0]);
      assert.equal(data.recovered[0].direction, "forward");
      await json(0, "recover");
      assert.equal(server.received.length, 1, "nothing was recovered the second time");

      await killAfterCommit(cwd, "releases", ["release", "rollback", "v1.0.2", "--reason", "x"]);
      const yank = ["release", "yank", "v1.0.0", "--reason", "x", "-r", path];
      assert.equal((await runProgram(yank, { cwd })).code, 0);
      assert.deepEqual(types(server).slice(1), ["backout.recover.recovery", "backout.yank.success"]);
    });
  },
});
