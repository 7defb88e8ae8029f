/** Several targets, several outcomes, and what waits from an earlier command. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { flushSpool } from "#/notify/flush.ts";
import { announce, notify } from "#/notify/notify.ts";
import { NOTIFY_OUTCOMES } from "#/notify/target.ts";
import { withTempDir } from "../support/temp.ts";
import {
  answer,
  deadPort,
  eventOf,
  KEY,
  KEY_NAME,
  placeIn,
  receiver,
  spoolFiles,
  testTools,
  webhook,
} from "./notify_support.ts";
import { reports } from "./report_fixtures.ts";

const event = eventOf();

Deno.test("what waits is sent by the next command, with the same id", async () => {
  await withTempDir(async (folder) => {
    await using server = receiver(answer(404), answer(200));
    const spool = placeIn(folder);
    const targets = [webhook(server.url, { secret_env: KEY_NAME })];
    const tools = testTools({ [KEY_NAME]: KEY });
    await notify({ targets, spool }, [event], tools);
    assert.equal(spoolFiles(spool).length, 1);
    const warnings = await announce({ targets, spool }, reports.denied, tools);
    assert.deepEqual(warnings, []);
    assert.deepEqual(spoolFiles(spool), []);
    const ids = server.received.map((it) => JSON.parse(it.body).id);
    assert.equal(ids[0], event.id);
    assert.equal(ids.filter((id) => id === event.id).length, 2);
    assert.equal(new Set(ids).size, 2);
    assert.ok(server.received.every((it) => it.headers.get("backout-signature") !== null));
  });
});

Deno.test("a dead receiver is not asked a second time for what waits", async () => {
  await withTempDir(async (folder) => {
    await using server = receiver(answer(404));
    const settings = { targets: [webhook(server.url)], spool: placeIn(folder) };
    for (let i = 0; i < 3; i++) await announce(settings, reports.success, testTools());
    assert.equal(server.received.length, 3);
    assert.equal(
      await flushSpool({ targets: settings.targets, place: settings.spool }, testTools()).then((it) =>
        it.waiting
      ),
      1,
    );
  });
});

Deno.test("each target gets what it asked for", async () => {
  for (const wanted of NOTIFY_OUTCOMES) {
    await using server = receiver(answer(200));
    const targets = [webhook(server.url, { on: [wanted] })];
    const recovering = {
      ...reports.success,
      recovered: [{ id: "x", operation: "rollback of v1", direction: "back" as const }],
    };
    for (const report of [recovering, reports.denied, reports.takenBack, reports.dryRun]) {
      assert.deepEqual(await announce({ targets, spool: undefined }, report, testTools()), []);
    }
    const types = server.received.map((it) => JSON.parse(it.body).type);
    const operation = wanted === "recovery" ? "recover" : "rollback";
    assert.deepEqual(types, [`backout.${operation}.${wanted}`]);
  }
});

Deno.test("an address that is named twice hears of an event once", async () => {
  await using server = receiver(answer(200));
  const targets = [
    webhook(server.url, { on: ["success"] }),
    webhook(server.url, { on: ["failure", "success"] }),
  ];
  await announce({ targets, spool: undefined }, reports.success, testTools());
  await announce({ targets, spool: undefined }, reports.takenBack, testTools());
  assert.equal(server.received.length, 2);
});

Deno.test("one dead receiver keeps nothing from the others", async () => {
  await withTempDir(async (folder) => {
    await using server = receiver(answer(200));
    const log = join(folder, "events.jsonl");
    const targets = [
      webhook(`http://127.0.0.1:${deadPort()}/`),
      { command: ["backout-has-no-such-program", "--token", KEY] },
      { file: "/dev/null/no-folder/events.jsonl" },
      webhook("not a url"),
      webhook(server.url),
      { file: log },
    ];
    const result = await notify({ targets, spool: placeIn(folder) }, [event], testTools());
    assert.equal(server.received.length, 1);
    assert.equal(Deno.readTextFileSync(log), `${event.body}\n`);
    assert.equal(result.delivered, 2);
    assert.equal(result.warnings.length, 4);
    assert.ok(!result.warnings.join().includes(KEY));
    assert.match(result.warnings.join("\n"), /the command backout-has-no-such-program: it was not found/);
  });
});
