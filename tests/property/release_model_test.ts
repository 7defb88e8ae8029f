/**
 * Random operations, dry runs, crashes and recoveries on a real repository, against a simple model.
 * `BACKOUT_PROPERTY_RUNS` says how many sequences are tried.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import "../support/property_seed.ts";
import { canonicalJson } from "#/core/json.ts";
import type { OperationReport } from "#/report/model.ts";
import { withTempDir } from "../support/temp.ts";
import { bind } from "./release_bind.ts";
import { dying, makeWorld, recover, type World } from "./release_crash.ts";
import type { Answer, Model } from "./release_model.ts";
import { aimed, type Op, type Step, step } from "./release_ops.ts";
import { checkInvariants, comparable, observe, readIndex } from "./release_world.ts";

const RUNS = Number(Deno.env.get("BACKOUT_PROPERTY_RUNS") ?? "150");

Deno.test("any sequence of operations, crashes and recoveries ends as the model says", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
      await withTempDir(async (folder) => {
        const world = makeWorld(folder);
        for (const step of steps) await runStep(world, step);
        await checkInvariants(world.root, true);
      });
    }),
    { numRuns: RUNS, endOnFailure: Deno.env.get("BACKOUT_PROPERTY_SHRINK") !== "1" },
  );
});

async function runStep(world: World, { operation: asked, dry, crash, noticed }: Step): Promise<void> {
  const before = world.states.at(-1)!;
  const operation = aimed(asked, world.states);
  world.tick++;
  const { answer, run } = bind(world, before, operation);
  if (dry !== "no") {
    const report = await run(true);
    assert.equal(report.exit_code, answer.dryCode ?? answer.code, `dry run: ${report.summary}`);
    assertSame(world, before, "a dry run changed something");
    if (dry === "only") return void world.states.push(before);
    world.tick++;
    return await runReal(world, operation, crash, noticed, report);
  }
  await runReal(world, operation, crash, noticed, undefined);
}

async function runReal(
  world: World,
  operation: Op,
  crash: Step["crash"],
  noticed: boolean,
  planned: OperationReport | undefined,
): Promise<void> {
  const before = world.states.at(-1)!;
  if (planned !== undefined) world.states.push(before); // a tick each
  const { answer, run } = bind(world, before, operation);
  const died = crash === undefined ? undefined : await dying(crash[0], () => run(false));
  const report = crash === undefined ? await run(false) : died!.report;
  if (died?.crashed === true) await recover(world, crash![1], noticed);
  else {
    assert.equal(report?.exit_code, answer.code, `${report?.summary} ${report?.error?.hint ?? ""}`);
    assertReport(report!, before, answer);
    if (planned !== undefined) assertAsPlanned(planned, report!);
  }
  const after = comparable(observe(world.root));
  const happened = canonicalJson(after) === canonicalJson(comparable(answer.next));
  if (died?.crashed === true && !happened) {
    assert.deepEqual(after, comparable(before), "neither before nor after");
  } else assert.deepEqual(after, comparable(answer.next));
  world.states.push(happened ? answer.next : before);
  const { serial = 0 } = readIndex(world.root);
  assert.ok(serial >= world.serial, `the serial fell from ${world.serial} to ${serial}`);
  world.serial = serial;
  await checkInvariants(world.root, false);
}

function assertReport(report: OperationReport, before: Model, { code, next }: Answer): void {
  const gone = before.tree.filter((path) => !next.tree.includes(path));
  const come = next.tree.filter((path) => !before.tree.includes(path));
  assert.equal(report.status, code === 0 ? "success" : "failed");
  assert.deepEqual([...report.artifacts_removed].sort(), gone);
  assert.deepEqual([...report.artifacts_restored, ...report.artifacts_published].sort(), come);
  assert.deepEqual(report.verification.filter((check) => !check.passed), []);
  assert.equal(report.audit_log_created, true);
}

/** A plan is what happens. */
function assertAsPlanned(planned: OperationReport, report: OperationReport): void {
  if (planned.exit_code !== 0) return;
  const symbolic = (text: string) => text.replaceAll(/-\d{8}_\d{6}-[0-9a-f]{8}/g, "");
  assert.deepEqual(
    report.steps.map((step) => symbolic(step.description)),
    planned.steps.map((step) => symbolic(step.description)),
  );
}

function assertSame(world: World, model: Model, message: string): void {
  assert.deepEqual(comparable(observe(world.root)), comparable(model), message);
}
