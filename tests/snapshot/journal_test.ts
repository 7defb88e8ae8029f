/** Recovery from the journal: torn, damaged, of another machine or user, behind a symlink. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { WorkspaceOptions } from "#/snapshot/mod.ts";
import { createSnapshot, listSnapshots, recoverWorkspace } from "#/snapshot/mod.ts";
import type { TargetDriver } from "#/target/target.ts";
import { setFaultHook } from "#/core/posix.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { changeAll, journals, look, makeWorld, restoring, taken, versions } from "./world.ts";

/** A restore that stops dead at its third target: the journal is as a SIGKILL leaves it. */
async function crashed(folder: string): Promise<{ options: WorkspaceOptions; journal: string }> {
  const options = makeWorld(folder);
  const id = await taken(options);
  changeAll(folder, "v2");
  const text = options.drivers!.text!;
  const never: TargetDriver = {
    ...text,
    restore: (spec, saved, context) => {
      if (spec.name !== "three") return text.restore(spec, saved, context);
      // From here on this "process" writes nothing any more.
      setFaultHook(() => {
        throw Object.assign(new Error("dead"), { code: "EIO" });
      });
      return Promise.reject(new Error("dead"));
    },
  };
  try {
    await restoring({ ...options, drivers: { text: never } }, id);
  } finally {
    setFaultHook(undefined);
  }
  assert.deepEqual(look(folder), { one: "one v1", two: "two v1", three: "three v2" });
  const [operation] = journals(folder);
  const journal = join(folder, "ws", ".backout", "target-operations", operation!, "journal.jsonl");
  Deno.removeSync(join(folder, "ws", ".backout", "lock"), { recursive: true });
  return { options, journal };
}

Deno.test("an interrupted restore is taken back by the next command", () =>
  withTempDir(async (folder) => {
    const { options } = await crashed(folder);
    assert.equal((await listSnapshots(options)).unfinished.length, 1);
    const next = await createSnapshot(options);
    assert.equal(next.exit_code, 0, next.summary);
    assert.equal(next.recovered[0]?.direction, "back");
    assert.deepEqual(look(folder), versions("v2"));
    assert.deepEqual(journals(folder), []);
  }));

Deno.test("a torn last line is dropped, and recovery writes over it", () =>
  withTempDir(async (folder) => {
    const { options, journal } = await crashed(folder);
    const whole = Deno.readFileSync(journal);
    for (const cut of [1, 20, 60]) {
      Deno.writeFileSync(journal, whole.subarray(0, whole.length - cut));
      const before = Deno.readTextFileSync(journal);
      assert.notEqual(before.at(-1), "\n");
    }
    const { recovered } = await recoverWorkspace(options);
    assert.equal(recovered.length, 1);
    assert.deepEqual(look(folder), versions("v2"));
  }));

Deno.test("a damaged journal is refused, with where it is", () =>
  withTempDir(async (folder) => {
    const { options, journal } = await crashed(folder);
    const text = Deno.readTextFileSync(journal);
    for (const damaged of [text.replace('"title":"', '"title":"x'), "", "not a journal\n", text.slice(1)]) {
      Deno.writeTextFileSync(journal, damaged);
      await assert.rejects(recoverWorkspace(options), (error) => {
        assert.equal((error as { code?: number }).code, 53);
        assert.match((error as { hint: string }).hint, /journal\.jsonl/);
        return true;
      });
    }
    assert.deepEqual(look(folder), { one: "one v1", two: "two v1", three: "three v2" });
  }));

Deno.test("another machine refuses the journal", () =>
  withTempDir(async (folder) => {
    const { options, journal } = await crashed(folder);
    rewritePlan(journal, (plan) => ({ ...plan, machine_id: "another", host: "elsewhere" }));
    const next = await createSnapshot(options);
    assert.equal(next.exit_code, 53, next.summary);
    assert.match(next.summary, /elsewhere/);
    assert.deepEqual(look(folder), { one: "one v1", two: "two v1", three: "three v2" });
  }));

testRequiring(
  ["root"],
  "root refuses the journal of another user, and says whom to become",
  () =>
    withTempDir(async (folder) => {
      const { options, journal } = await crashed(folder);
      Deno.chownSync(journal, 65534, 65534);
      const next = await createSnapshot(options);
      assert.equal(next.exit_code, 53, next.summary);
      assert.match(next.error?.hint ?? "", /--reuid=65534/);
    }),
);

testRequiring(
  ["posix"],
  "a symlink in place of the state folder is not followed",
  () =>
    withTempDir(async (folder) => {
      const options = makeWorld(folder);
      const outside = join(folder, "outside");
      Deno.mkdirSync(outside);
      Deno.symlinkSync(outside, join(folder, "ws", ".backout"));
      const report = await createSnapshot(options);
      assert.equal(report.exit_code, 52, report.summary);
      assert.deepEqual([...Deno.readDirSync(outside)], []);
      Deno.removeSync(join(folder, "ws", ".backout"));

      const id = await taken(options);
      changeAll(folder, "v2");
      const operations = join(folder, "ws", ".backout", "target-operations");
      Deno.removeSync(operations, { recursive: true });
      Deno.symlinkSync(outside, operations);
      const refused = await restoring(options, id);
      assert.equal(refused.exit_code, 52, refused.summary);
      assert.deepEqual([...Deno.readDirSync(outside)], []);
      assert.deepEqual(look(folder), versions("v2"));
    }),
);

Deno.test("what a snapshot that died left is removed by the next command", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    await taken(options);
    const left = join(folder, "ws", ".backout", "target-operations", "01900000-0000-7000-8000-000000000000");
    Deno.mkdirSync(join(left, "scratch", "one"), { recursive: true });
    assert.equal((await createSnapshot(options)).exit_code, 0);
    assert.deepEqual(journals(folder), []);
  }));

/** Changes the plan of a journal as somebody would who can compute checksums. */
function rewritePlan(path: string, change: (plan: Record<string, unknown>) => Record<string, unknown>): void {
  const [first = "", ...rest] = Deno.readTextFileSync(path).split("\n");
  const { entry } = JSON.parse(first) as { entry: { record: string; plan: Record<string, unknown> } };
  const json = JSON.stringify({ ...entry, plan: change(entry.plan) });
  Deno.writeTextFileSync(path, [`{"sha256":"${sha256(json)}","entry":${json}}`, ...rest].join("\n"));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
