/** `release rollback --to-last-good` and `hold`: what people do while something is on fire. */
import assert from "node:assert/strict";
import { type TestRepository, testRepository } from "../support/repository.ts";
import { withTempDir } from "../support/temp.ts";

function test(name: string, body: (repository: TestRepository) => Promise<void>): void {
  Deno.test(name, async () => {
    await withTempDir(async (cwd) => {
      const repository = testRepository(cwd);
      for (const version of ["v1.0.0", "v1.0.1", "v1.0.2", "v1.0.3"]) {
        await repository.publish(version, "--channel", "stable");
      }
      await body(repository);
    });
  });
}

const mark = (version: string, verdict: "good" | "bad") =>
  ["release", "mark", version, verdict, "--reason", "test"] as const;
const back = (...flags: readonly string[]) =>
  ["release", "rollback", "--to-last-good", "--yes", "--reason", "test", ...flags] as const;

test("last good: what is newer and bad leaves, what is newer and unmarked stays, channels go to the good one", async ({ json, versions }) => {
  await json(0, ...mark("v1.0.1", "good"));
  await json(0, ...mark("v1.0.3", "bad"));
  const dry = await json(0, ...back("--dry-run"));
  assert.match(dry.summary, /Would roll back v1.0.3/);
  const report = await json(0, ...back());
  assert.deepEqual(report.versions, ["v1.0.3"]);
  assert.deepEqual(report.channels_moved, [{ channel: "stable", from: "v1.0.3", to: "v1.0.1" }]);
  assert.deepEqual(versions(), ["v1.0.2", "v1.0.1", "v1.0.0"]);
  await json(0, "release", "restore", report.rollback_id);
  assert.deepEqual((await json(0, "channel", "list")).channels.stable.version, "v1.0.3");
});

test("last good: a channel goes there although nothing leaves, and the undo takes it back", async ({ json, cli, path }) => {
  await json(0, ...mark("v1.0.1", "good"));
  await json(46, ...back());
  const report = await json(0, ...back("--channel", "stable"));
  assert.deepEqual(report.versions, []);
  assert.deepEqual(report.channels_moved, [{ channel: "stable", from: "v1.0.3", to: "v1.0.1" }]);
  assert.match(report.summary, /^Pointed stable at v1.0.1/);
  assert.equal(report.undo, `backout channel set stable v1.0.3 -r ${path}`);
  const [, ...undo] = report.undo.split(" ");
  assert.equal((await cli(...undo.slice(0, -2))).code, 0);
  await json(46, ...back());
});

test("last good: where nothing is marked good, it is the newest that is not bad; a bad one is never picked", async ({ json }) => {
  await json(0, ...mark("v1.0.3", "bad"));
  await json(0, ...mark("v1.0.2", "bad"));
  await json(0, "release", "yank", "v1.0.1", "--reason", "test");
  const report = await json(0, ...back());
  assert.deepEqual(report.versions, ["v1.0.3", "v1.0.2"]);
  assert.deepEqual(report.channels_moved, [{ channel: "stable", from: "v1.0.3", to: "v1.0.0" }]);
});

test("last good: without any good release, or with a channel that is none, it ends with 40", async ({ json }) => {
  for (const version of ["v1.0.0", "v1.0.1", "v1.0.2"]) await json(0, ...mark(version, "bad"));
  assert.match((await json(40, ...back("--channel", "beta"))).error.message, /no channel "beta"/);
  await json(0, ...mark("v1.0.3", "bad"));
  assert.match((await json(40, ...back())).error.message, /no good release/);
});

test("last good: it asks first, and takes no version beside it", async ({ json }) => {
  await json(0, ...mark("v1.0.3", "bad"));
  await json(2, "release", "rollback", "--to-last-good");
  await json(2, ...back("--to", "v1.0.0"));
  await json(2, "release", "rollback", "v1.0.3", "--channel", "stable");
});

test("hold: publishes and channel moves stop until it is released; rollbacks go on", async ({ json, source }) => {
  const set = await json(0, "hold", "set", "incident-42", "--reason", "login is down");
  assert.match(set.undo, /^backout hold release incident-42/);
  assert.deepEqual(
    (await json(0, "hold")).holds.map(({ name, reason }: { name: string; reason: string }) => [name, reason]),
    [["incident-42", "login is down"]],
  );
  const publish = ["release", "publish", "v1.0.4", source("v1.0.4")] as const;
  assert.match((await json(41, ...publish)).error.message, /incident-42.*login is down/);
  await json(41, "channel", "set", "stable", "v1.0.1");
  await json(0, "release", "rollback", "v1.0.3", "--reason", "test");
  await json(46, "hold", "set", "incident-42", "--reason", "again");
  await json(0, "hold", "release", "incident-42");
  await json(40, "hold", "release", "incident-42");
  await json(0, ...publish);
  assert.deepEqual((await json(0, "hold", "list")).holds, []);
  assert.deepEqual((await json(0, "audit", "verify")).problems, []);
});

test("hold: it needs a reason, and force with a reason goes through it", async ({ json, source }) => {
  await json(2, "hold", "set", "incident-42");
  await json(0, "hold", "set", "incident-42", "--reason", "login is down");
  const forced = ["--force", "--reason", "the fix itself"];
  const report = await json(0, "release", "publish", "v1.0.4", source("v1.0.4"), ...forced);
  assert.equal(report.forced, true);
  assert.ok(report.warnings.some((warning: string) => warning.includes("incident-42")));
});
