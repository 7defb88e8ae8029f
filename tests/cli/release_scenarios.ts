/** The main job through the command line, for a repository of any storage. */
import assert from "node:assert/strict";
import type { AnyRepository } from "../support/repository.ts";

export interface ReleaseScenario {
  readonly name: string;
  /** Starts from v1.0.0, v1.0.1 and v1.0.2, each published with `--channel stable`. */
  readonly body: (repository: AnyRepository) => Promise<void>;
}

export async function publishThree(repository: AnyRepository): Promise<void> {
  for (const version of ["v1.0.0", "v1.0.1", "v1.0.2"]) {
    await repository.publish(version, "--channel", "stable");
  }
}

const scenarios: ReleaseScenario[] = [];

export const RELEASE_SCENARIOS: readonly ReleaseScenario[] = scenarios;

function scenario(name: string, body: ReleaseScenario["body"]): void {
  scenarios.push({ name, body });
}

scenario("publish, roll back, restore", async ({ cli, json, listed, location, read, state }) => {
  const back = await json(0, "release", "rollback", "v1.0.2", "--reason", "broken login");
  assert.equal(back.status, "success");
  assert.equal(back.total_artifacts_removed, 3);
  assert.equal(back.reason, "broken login");
  assert.deepEqual(back.channels_moved, [{ channel: "stable", from: "v1.0.2", to: "v1.0.1" }]);
  assert.deepEqual(await listed(), ["v1.0.1", "v1.0.0"]);
  assert.equal(await state("v1.0.2"), "removed");
  assert.equal(await read("v1.0.2/app.txt"), undefined);

  assert.equal(back.undo, `backout release restore ${back.rollback_id} -r ${location}`);
  const restored = await json(0, "release", "restore", back.rollback_id);
  assert.equal(restored.operation, "restore");
  assert.deepEqual(await listed(), ["v1.0.2", "v1.0.1", "v1.0.0"]);
  assert.equal(await read("v1.0.2/app.txt"), "app v1.0.2\n");
  assert.equal((await cli("release", "verify")).code, 0);
  assert.equal((await cli("audit", "verify")).code, 0);
});

scenario("failures are one JSON document with the contract's code", async ({ json, publish, cli }) => {
  assert.equal((await json(40, "release", "rollback", "v9")).error.code, 40);
  assert.equal((await json(2, "release", "rollback", "../x")).error.code, 2);
  await json(0, "release", "rollback", "v1.0.2");
  assert.equal((await json(46, "release", "rollback", "v1.0.2")).exit_code, 46);
  assert.equal((await json(40, "release", "show", "v9")).error.code, 40);
  assert.equal((await json(40, "backup", "show", "v9")).error.code, 40);
  assert.equal((await json(40, "history", "show", "01978f2a-0000-7000-8000-000000000000")).error.code, 40);
  await publish("v1.0.3", "--depends-on", "v1.0.1");
  const refused = await json(42, "release", "rollback", "v1.0.1");
  assert.equal(refused.dependencies_satisfied, false);
  assert.match(refused.error.message, /v1\.0\.3/);

  const text = await cli("release", "rollback", "v1.0.1");
  assert.equal(text.code, 42);
  assert.match(text.stderr, /v1\.0\.3/);
  assert.doesNotMatch(text.stderr, /^\s+at /m);
});

scenario("a dry run changes nothing and ends with the command that does it", async (repository) => {
  const { cli, cwd, location, listed, read, run } = repository;
  const before = await read("index.json");
  const dry = await cli("release", "rollback", "v1.0.2", "--dry-run", "--reason", "it's broken");
  assert.equal(dry.code, 0, dry.stderr);
  assert.equal(await read("index.json"), before);
  assert.match(dry.stdout, /^ +1\. /m);
  const command = dry.stdout.trimEnd().split("\n").at(-1)!.trim();
  assert.equal(command, `backout release rollback v1.0.2 --reason 'it'\\''s broken' -r ${location}`);
  const real = await run(["release", "rollback", "v1.0.2", "--reason", "it's broken", "-r", location], {
    cwd,
  });
  assert.equal(real.code, 0);
  assert.deepEqual(await listed(), ["v1.0.1", "v1.0.0"]);
});

scenario(
  "a plan is written, read and run; a changed world is 55",
  async ({ publish, cli, json, cwd, listed, read }) => {
    const index = await read("index.json");
    const planned = await cli(
      "release",
      "rollback",
      "--to",
      "v1.0.0",
      "--out",
      "plans/plan.json",
      "--reason",
      "x",
    );
    assert.equal(planned.code, 0, planned.stderr);
    assert.match(planned.stderr, /backout release apply .*plans\/plan\.json/);
    assert.equal(await read("index.json"), index);
    assert.equal(typeof JSON.parse(Deno.readTextFileSync(`${cwd}/plans/plan.json`)), "object");
    await json(0, "release", "apply", "plans/plan.json");
    assert.deepEqual(await listed(), ["v1.0.0"]);
    await json(46, "release", "apply", "plans/plan.json");

    await publish("v2.0.0");
    await json(0, "release", "rollback", "--to", "v1.0.0", "--out", "old.json");
    await publish("v2.0.1");
    const mismatch = await json(55, "release", "apply", "old.json");
    assert.equal(mismatch.error.kind, "plan_mismatch");
    assert.deepEqual(await listed(), ["v2.0.1", "v2.0.0", "v1.0.0"]);

    Deno.writeTextFileSync(`${cwd}/torn.json`, '{"format": 1,');
    await json(48, "release", "apply", "torn.json");
    await json(2, "release", "apply", "nowhere.json");
  },
);

scenario("a refused plan is not written", async ({ json, cwd }) => {
  await json(40, "release", "rollback", "v9", "--out", "plan.json");
  assert.throws(() => Deno.statSync(`${cwd}/plan.json`), Deno.errors.NotFound);
});

scenario("events are JSON lines, in a file or instead of the report", async ({ cli, cwd }) => {
  const silent = await cli("release", "rollback", "v1.0.2", "--events", "new/events.jsonl", "-q");
  assert.equal(silent.code, 0, silent.stderr);
  assert.equal(silent.stderr, "");
  const events = lines(Deno.readTextFileSync(`${cwd}/new/events.jsonl`));
  assert.equal(events[0]!.event, "started");
  assert.equal(events.at(-1)!.event, "finished");
  const streamed = await cli("release", "restore", "v1.0.2", "--events", "-");
  assert.equal(streamed.code, 0);
  assert.equal(lines(streamed.stdout).at(-1)!.exit_code, 0);
});

scenario("channels, yanks and marks", async ({ cli, json }) => {
  await json(0, "channel", "rollback", "stable");
  await json(0, "channel", "set", "beta", "v1.0.2");
  const { channels } = await json(0, "channel", "list");
  assert.equal(channels.stable.version, "v1.0.1");
  assert.equal(channels.beta.version, "v1.0.2");
  const list = await cli("channel", "list");
  assert.match(list.stdout, /^CHANNEL +VERSION +SINCE +BEFORE\n/);
  await json(0, "release", "yank", "v1.0.2", "--reason", "licence");
  await json(0, "release", "unyank", "v1.0.2", "--reason", "licence was right");
  await json(0, "release", "mark", "v1.0.0", "bad", "--reason", "leaks");
  const shown = await cli("release", "show", "v1.0.0");
  assert.match(shown.stdout, /^State: +bad$/m);
  assert.match(shown.stdout, /leaks/);
});

scenario("backups: list, show, verify, drill, pin, delete", async ({ cli, json }) => {
  assert.equal((await cli("backup", "list")).stdout, "No backups yet.\n");
  await json(0, "release", "rollback", "v1.0.2", "--reason", "broken");
  const [backup] = await json(0, "backup", "list");
  assert.equal(backup.version, "v1.0.2");
  assert.equal((await json(0, "backup", "show", "v1.0.2")).files.length, 3);
  assert.match((await cli("backup", "show", backup.id)).stdout, /app\.txt/);
  assert.deepEqual((await json(0, "backup", "verify", "--read-data"))[0].problems, []);
  assert.equal((await json(0, "backup", "drill", "v1.0.2")).restored, 3);
  await json(0, "backup", "pin", backup.id, "--reason", "audit");
  const pinned = await cli("backup", "delete", backup.id, "--yes");
  assert.notEqual(pinned.code, 0);
  assert.match(pinned.stderr, /pinned/);
  await json(0, "backup", "unpin", backup.id);
  await json(0, "backup", "delete", backup.id, "--dry-run");
  assert.equal((await json(0, "backup", "list")).length, 1);
  await json(0, "backup", "delete", backup.id, "--yes");
  assert.deepEqual(await json(0, "backup", "list"), []);
});

scenario("history, status, doctor, recover, unlock", async ({ cli, json }) => {
  await json(0, "release", "rollback", "v1.0.2", "--reason", "broken");
  const [newest] = await json(0, "history", "--limit", "1");
  assert.equal(newest.operation, "rollback");
  assert.equal((await json(0, "history", "show", newest.id)).operation, "rollback");
  assert.match((await cli("history")).stdout, /rollback +success/);
  const status = await json(0, "status");
  assert.equal(status.releases, 2);
  assert.equal(status.backups, 1);
  assert.match((await cli("status")).stdout, /^Releases: +2 published, 1 rolled back$/m);
  assert.equal((await cli("doctor")).code, 0);
  assert.equal((await cli("recover")).stdout, "Nothing to recover: no operation is unfinished.\n");
  assert.equal((await cli("unlock")).stdout, "There was no lock.\n");
});

scenario("signing with a key that keygen made", async ({ cli, json, cwd, run }) => {
  const key = await run(["audit", "keygen", "--out", "key.pem", "--json"], { cwd });
  assert.equal(key.code, 0, key.stderr);
  const { public_key } = JSON.parse(key.stdout);
  await json(0, "release", "rollback", "v1.0.2", "--sign-audit-log", "--signing-key", "key.pem");
  const verified = await json(0, "audit", "verify", "--public-key", public_key);
  assert.equal(verified.signed, 1);
  const again = await run(["audit", "keygen", "--out", "key.pem"], { cwd });
  assert.equal(again.code, 2, "an existing key was replaced");
  assert.match(
    (await cli("release", "restore", "v1.0.2", "--signing-key", "none.pem")).stderr,
    /no such file/,
  );
});

function lines(text: string): readonly Record<string, unknown>[] {
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}
