/** The CloudEvents that tell of an operation. */
import assert from "node:assert/strict";
import { eventsOf } from "#/notify/event.ts";
import type { NotifyEvent } from "#/notify/event.ts";
import { signatureOf } from "#/notify/signature.ts";
import { targetLabel, webhookId, webhookProblem } from "#/notify/target.ts";
import type { OperationReport } from "#/report/model.ts";
import { reports } from "./report_fixtures.ts";

const now = new Date("2026-03-04T05:06:08.000Z");
const recovered = [{ id: "a", operation: "rollback of v1.0.1", direction: "back" as const }];

function one(report: OperationReport): NotifyEvent {
  const events = eventsOf(report, now);
  assert.equal(events.length, 1);
  return events[0]!;
}

Deno.test("an event has every attribute that CloudEvents asks for, and the report", () => {
  const event = one(reports.success);
  const { data, ...attributes } = JSON.parse(event.body);
  assert.deepEqual(attributes, {
    specversion: "1.0",
    id: reports.success.rollback_id,
    source: "/srv/releases",
    type: "backout.rollback.success",
    subject: "v1.0.2",
    time: "2026-03-04T05:06:07.000Z",
    datacontenttype: "application/json",
  });
  assert.deepEqual(data, JSON.parse(JSON.stringify(reports.success)));
  assert.ok(!event.body.includes("\n"));
});

Deno.test("how an operation ended decides the type", () => {
  const types = Object.entries(reports).map((
    [name, report],
  ) => [name, eventsOf(report, now).map((it) => it.type)]);
  assert.deepEqual(Object.fromEntries(types), {
    success: ["backout.rollback.success"],
    denied: ["backout.rollback.denial"],
    dependents: ["backout.rollback.denial"],
    takenBack: ["backout.rollback.failure"],
    dryRun: [],
    locked: ["backout.rollback.failure"],
    restore: ["backout.restore.success"],
    noOp: [`backout.${reports.noOp.operation}.success`],
    partial: ["backout.recover.recovery", "backout.rollback.failure"],
  });
});

Deno.test("what has no id gets one of its own", () => {
  const ids = [1, 2].map(() => one({ ...reports.denied, rollback_id: null }).id);
  assert.notEqual(ids[0], ids[1]);
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
});

Deno.test("an operation that recovered another one first is two events with two ids", () => {
  const events = eventsOf({ ...reports.takenBack, rollback_id: "x", recovered }, now);
  assert.deepEqual(events.map(({ type, id }) => [type, id]), [
    ["backout.recover.recovery", "x-recovery"],
    ["backout.rollback.failure", "x"],
  ]);
  assert.deepEqual(JSON.parse(events[0]!.body).data.recovered, recovered);
});

Deno.test("a recovery is news only when there was something to recover, or it failed", () => {
  const recovery: OperationReport = { ...reports.success, operation: "recover", version: "" };
  assert.deepEqual(eventsOf(recovery, now), []);
  const done = one({ ...recovery, recovered });
  assert.equal(done.type, "backout.recover.recovery");
  assert.equal("subject" in JSON.parse(done.body), false);
  assert.equal(one({ ...recovery, status: "failed", exit_code: 53 }).type, "backout.recover.failure");
});

Deno.test("the source is a URI reference whatever the folder is called", () => {
  const source = (location: string) =>
    JSON.parse(one({ ...reports.success, repository_location: location }).body).source as string;
  assert.equal(source("s3://bucket/some prefix"), "s3://bucket/some%20prefix");
  assert.equal(source("/srv/100%/a?b#c[d]"), "/srv/100%25/a%3Fb%23c%5Bd%5D");
  assert.equal(source("/srv/\ud800ü"), "/srv/%EF%BF%BD%C3%BC");
});

Deno.test("a huge report is cut, and says where", () => {
  const paths = Array.from({ length: 50_000 }, (_, i) => `v1.0.2/some/folder/file-${i}.bin`);
  const huge: OperationReport = {
    ...reports.success,
    artifacts_removed: paths,
    summary: "x".repeat(500_000),
    total_artifacts_removed: paths.length,
  };
  const { body } = one(huge);
  const { data } = JSON.parse(body);
  assert.ok(body.length < 256 * 1024);
  assert.deepEqual(data.truncated, ["artifacts_removed", "summary"]);
  assert.deepEqual(data.artifacts_removed, paths.slice(0, 100));
  assert.equal(data.total_artifacts_removed, 50_000);
  assert.equal("truncated" in JSON.parse(one(reports.success).body).data, false);
});

Deno.test("the signature is what openssl computes", () => {
  // printf '1772600768.{"a":1}' | openssl dgst -sha256 -hmac key
  assert.equal(
    signatureOf('{"a":1}', "key", now),
    "t=1772600768,v1=c20d5234013e88cc36fd8d0f0171495fc1aa09ba5b01c7484de624eaa68cfd2a",
  );
});

Deno.test("a webhook's address is checked without being repeated", () => {
  assert.equal(webhookProblem("https://ops.example/hook?x=1"), undefined);
  assert.equal(webhookProblem("http://[::1]:8080/"), undefined);
  for (const bad of ["ops.example/hook", "file:///etc/passwd", "ftp://x/", "https://user:pw@x/", ""]) {
    const problem = webhookProblem(bad);
    assert.notEqual(problem, undefined, bad);
    if (bad !== "") assert.ok(!problem!.includes(bad));
  }
});

Deno.test("a target is named without its secrets", () => {
  const url = "https://hooks.example:8443/services/T0p-s3cret?token=abc";
  const shown = [
    targetLabel({ webhook: url }),
    webhookId({ webhook: url }),
    targetLabel({ webhook: "s3cret" }),
    targetLabel({ command: ["notify-send", "s3cret"] }),
  ];
  assert.deepEqual(shown.filter((it) => /s3cret|abc\b/.test(it)), []);
  assert.equal(shown[0], "the webhook at hooks.example:8443");
  assert.notEqual(webhookId({ webhook: url }), webhookId({ webhook: `${url}d` }));
});
