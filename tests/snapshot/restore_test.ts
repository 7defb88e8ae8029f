/** Creating and restoring snapshots of several targets: all or none, in order, and back where one fails. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { UsageError } from "#/core/errors.ts";
import type { OperationEvent } from "#/report/model.ts";
import { createSnapshot, listSnapshots, restoreSnapshot, showSnapshot } from "#/snapshot/mod.ts";
import { withTempDir } from "../support/temp.ts";
import { changeAll, journals, look, makeWorld, pathOf, restoring, taken, versions, write } from "./world.ts";

Deno.test("a snapshot of three targets is restored, and its restore is taken back by the safety snapshot", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken({ ...options, description: "before the change" });
    assert.match(id, /^rb-[0-9a-f]{12}$/);
    changeAll(folder, "v2");
    const report = await restoring(options, id);
    assert.equal(report.exit_code, 0, report.summary);
    assert.deepEqual(look(folder), versions("v1"));
    assert.deepEqual(report.steps.map(({ status }) => status), ["done", "done", "done", "done"]);
    assert.equal(report.snapshot?.targets.every(({ status }) => status === "restored"), true);
    assert.equal(report.verification.length, 3);
    assert.equal(report.verification.every(({ passed }) => passed), true);
    const safety = report.snapshot?.safety_id ?? "";
    assert.equal(report.undo, `backout snapshot restore ${safety}`);
    assert.deepEqual(journals(folder), []);

    const back = await restoring(options, safety);
    assert.equal(back.exit_code, 0, back.summary);
    assert.deepEqual(look(folder), versions("v2"));
  }));

Deno.test("a dry run names the steps of the real run and touches nothing", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const planned = await createSnapshot({ ...options, dryRun: true });
    assert.equal(planned.exit_code, 0, planned.summary);
    assert.deepEqual((await listSnapshots(options)).snapshots, []);
    const id = await taken(options);
    changeAll(folder, "v2");
    const dry = await restoring(options, id, { dryRun: true });
    assert.equal(dry.exit_code, 0, dry.summary);
    assert.equal(dry.status, "dry_run");
    assert.deepEqual(look(folder), versions("v2"));
    const real = await restoring(options, id);
    const told = (report: typeof dry) => report.steps.map(({ kind, description }) => ({ kind, description }));
    assert.deepEqual(told(dry), told(real));
  }));

Deno.test("only what differs is restored and kept; nothing to do says so", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken(options);
    const idle = await restoring(options, id);
    assert.equal(idle.exit_code, 0);
    assert.match(idle.summary, /Nothing to restore/);
    assert.equal((await listSnapshots(options)).snapshots.length, 1);
    write(folder, "two", "two v2");
    const report = await restoring(options, id);
    const safety = await showSnapshot({ ...options, snapshot: report.snapshot!.safety_id! });
    assert.deepEqual(safety.targets.map(({ name }) => name), ["two"]);
    assert.equal(safety.origin, "safety");
    assert.deepEqual(
      report.snapshot?.targets.map(({ name, status }) => `${name} ${status}`),
      ["one unchanged", "two restored", "three unchanged"],
    );
  }));

Deno.test("the third target fails: the first two are taken back", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken(options);
    changeAll(folder, "v2");
    Deno.writeTextFileSync(`${pathOf(folder, "three")}.refuse`, "");
    Deno.writeTextFileSync(`${pathOf(folder, "three")}.late-refuse`, "");
    Deno.removeSync(`${pathOf(folder, "three")}.refuse`);
    // It fails both ways here, so nothing else can be said than what remains.
    const stuck = await restoring(options, id);
    assert.equal(stuck.exit_code, 53, stuck.summary);
    assert.match(stuck.summary, /three/);
    assert.deepEqual(look(folder), versions("v2"));
    assert.equal(journals(folder).length, 1);
    const next = await createSnapshot(options);
    assert.equal(next.exit_code, 53, next.summary);
    Deno.removeSync(`${pathOf(folder, "three")}.late-refuse`);
    const recovered = await createSnapshot(options);
    assert.equal(recovered.exit_code, 0, recovered.summary);
    assert.equal(recovered.recovered.length, 1);
    assert.deepEqual(look(folder), versions("v2"));
    assert.deepEqual(journals(folder), []);
  }));

Deno.test("a failure in a restore is 43, and all is as before", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken(options);
    changeAll(folder, "v2");
    const broken: typeof options = {
      ...options,
      drivers: {
        text: {
          ...options.drivers!.text!,
          restore: (spec, saved, context) => {
            if (
              spec.name === "three" && context.scratch !== "" && look(folder).three === "three v2" &&
              first++ === 0
            ) {
              throw new Error("broken for once");
            }
            return options.drivers!.text!.restore(spec, saved, context);
          },
        },
      },
    };
    let first = 0;
    const report = await restoring(broken, id);
    assert.equal(report.exit_code, 43, report.summary);
    assert.match(report.summary, /three: broken for once/);
    assert.deepEqual(look(folder), versions("v2"));
    assert.deepEqual(
      report.steps.map(({ status }) => status),
      ["done", "taken_back", "taken_back", "failed"],
    );
    assert.deepEqual(journals(folder), []);
  }));

Deno.test("a target that fails is named, stops the others, and nothing is recorded", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder, { one: {}, two: {} });
    Deno.writeTextFileSync(`${pathOf(folder, "one")}.hang`, "");
    Deno.removeSync(pathOf(folder, "two"));
    const report = await createSnapshot(options);
    assert.equal(report.exit_code, 40, report.summary);
    assert.match(report.summary, /two/);
    assert.deepEqual((await listSnapshots(options)).snapshots, []);
    assert.deepEqual(journals(folder), []);
  }));

Deno.test("a capture that takes too long names the target and its limit", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder, { one: { timeoutMs: 50 }, two: {} });
    Deno.writeTextFileSync(`${pathOf(folder, "one")}.hang`, "");
    const report = await createSnapshot(options);
    assert.equal(report.exit_code, 45, report.summary);
    assert.match(report.summary, /one: it did not end within 0.05 s/);
  }));

Deno.test("targets are restored exact ones first; an order that contradicts that is refused", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder, {
      last: { undo: "none" },
      db: { undo: "compensating" },
      app: {},
      more: { after: ["app"] },
    });
    const id = await taken(options);
    const { targets } = await showSnapshot({ ...options, snapshot: id });
    assert.deepEqual(targets.map(({ name }) => name), ["app", "more", "db", "last"]);
    const wrong = makeWorld(folder, { db: { undo: "compensating" }, app: { after: ["db"] } });
    await assert.rejects(
      createSnapshot(wrong),
      (error) => error instanceof UsageError && /app is said to be after db/.test(error.message),
    );
  }));

Deno.test("unsaved work is not destroyed unless that is said, and is kept even then", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder, { one: { unsaved: "DRAFT" } });
    const id = await taken(options);
    write(folder, "one", "DRAFT of v2");
    const refused = await restoring(options, id);
    assert.equal(refused.exit_code, 41);
    assert.match(refused.error?.hint ?? "", /--discard-changes/);
    const done = await restoring(options, id, { discardChanges: true });
    assert.equal(done.exit_code, 0, done.summary);
    const back = await restoring(options, done.snapshot!.safety_id!);
    assert.equal(back.exit_code, 0, back.summary);
    assert.deepEqual(look(folder, ["one"]), { one: "DRAFT of v2" });
  }));

Deno.test("a target that is gone is restored, and says that this cannot be taken back", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken(options);
    Deno.removeSync(pathOf(folder, "two"));
    const report = await restoring(options, id);
    assert.equal(report.exit_code, 0, report.summary);
    assert.deepEqual(look(folder), versions("v1"));
    assert.equal(report.snapshot?.safety_id, null);
    assert.ok(report.warnings.some((it) => /cannot be taken back/.test(it)), report.warnings.join());
  }));

Deno.test("some targets only, and a name that is none", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken({ ...options, only: ["one", "two"] });
    changeAll(folder, "v2");
    assert.equal((await restoring(options, id, { only: ["three"] })).exit_code, 40);
    await restoring(options, id, { only: ["two"] });
    assert.deepEqual(look(folder), { one: "one v2", two: "two v1", three: "three v2" });
    assert.equal((await createSnapshot({ ...options, only: ["four"] })).exit_code, 40);
  }));

Deno.test("what was saved is restored although the configuration points elsewhere now", () =>
  withTempDir(async (folder) => {
    const id = await taken(makeWorld(folder, { one: {} }));
    write(folder, "one", "one v2");
    const elsewhere = makeWorld(folder, { other: {} });
    const moved = { ...elsewhere, targets: elsewhere.targets.map((spec) => ({ ...spec, name: "one" })) };
    const report = await restoring(moved, id);
    assert.equal(report.exit_code, 0, report.summary);
    assert.deepEqual(look(folder, ["one", "other"]), { one: "one v1", other: "other v1" });
  }));

Deno.test("put elsewhere, the targets stay", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken(options);
    changeAll(folder, "v2");
    const to = join(folder, "out");
    const report = await restoring(options, id, { to });
    assert.equal(report.exit_code, 0, report.summary);
    assert.equal(Deno.readTextFileSync(join(to, "two", "content")), "two v1");
    assert.deepEqual(look(folder), versions("v2"));
    await assert.rejects(restoring(options, id, { to }), UsageError);
  }));

Deno.test("a signal between two targets stops the restore and takes it back", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken(options);
    changeAll(folder, "v2");
    const controller = new AbortController();
    const onEvent = (event: OperationEvent) => {
      if (event.event === "step_finished" && event.step === 3) controller.abort("SIGINT");
    };
    const report = await restoring(options, id, { signal: controller.signal, onEvent });
    assert.equal(report.exit_code, 130, report.summary);
    assert.deepEqual(look(folder), versions("v2"));
    assert.deepEqual(journals(folder), []);
  }));

Deno.test("a second writer is refused while the first is at work", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken(options);
    changeAll(folder, "v2");
    let second: number | undefined;
    const busy: typeof options = {
      ...options,
      drivers: {
        text: {
          ...options.drivers!.text!,
          restore: async (spec, saved, context) => {
            second ??= (await createSnapshot(options)).exit_code;
            return await options.drivers!.text!.restore(spec, saved, context);
          },
        },
      },
    };
    const report = await restoreSnapshot({ ...busy, snapshot: id });
    assert.equal(report.exit_code, 0, report.summary);
    assert.equal(second, 50);
  }));
