/** A target that cannot be taken back comes last: before it all goes back, after it all goes on. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { createSnapshot, recoverWorkspace, type WorkspaceOptions } from "#/snapshot/mod.ts";
import type { TargetDriver } from "#/target/target.ts";
import { setFaultHook } from "#/core/posix.ts";
import { withTempDir } from "../support/temp.ts";
import { changeAll, journals, look, makeWorld, pathOf, restoring, taken, versions } from "./world.ts";

const BOTH = ["one", "final"];

function finalWorld(folder: string): WorkspaceOptions {
  // A rule of its own warns of such a restore.
  return { ...makeWorld(folder, { final: { undo: "none" }, one: {} }), policyMode: "lenient" };
}

Deno.test("the last one fails: the others go back, and what remains is named once (53)", () =>
  withTempDir(async (folder) => {
    const options = finalWorld(folder);
    const id = await taken(options);
    changeAll(folder, "v2", BOTH);
    Deno.writeTextFileSync(`${pathOf(folder, "final")}.refuse`, "");
    const report = await restoring(options, id);
    assert.equal(report.exit_code, 53, report.summary);
    assert.match(report.summary, /final cannot be taken back/);
    assert.deepEqual(look(folder, BOTH), versions("v2", BOTH));
    assert.deepEqual(journals(folder), []);
    assert.equal((await createSnapshot(options)).exit_code, 0);
  }));

Deno.test("a crash inside the last one: the recovery goes on", () =>
  withTempDir(async (folder) => {
    const options = finalWorld(folder);
    const id = await taken(options);
    changeAll(folder, "v2", BOTH);
    const text = options.drivers!.text!;
    const dies: TargetDriver = {
      ...text,
      restore: (spec, saved, context) => {
        if (spec.name !== "final") return text.restore(spec, saved, context);
        setFaultHook(() => {
          throw Object.assign(new Error("dead"), { code: "EIO" });
        });
        return Promise.reject(new Error("dead"));
      },
    };
    try {
      await restoring({ ...options, drivers: { text: dies } }, id);
    } finally {
      setFaultHook(undefined);
    }
    Deno.removeSync(join(folder, "ws", ".backout", "lock"), { recursive: true });
    assert.equal(journals(folder).length, 1);
    // In that process the way back wrote nothing, so the other target is still restored.
    assert.deepEqual(look(folder, BOTH), { one: "one v1", final: "final v2" });
    const { recovered } = await recoverWorkspace(options);
    assert.equal(recovered[0]?.direction, "forward");
    assert.deepEqual(look(folder, BOTH), versions("v1", BOTH));
    assert.deepEqual(journals(folder), []);
  }));

Deno.test("two that cannot be taken back are not restored at once", () =>
  withTempDir(async (folder) => {
    const both = makeWorld(folder, { one: { undo: "none" }, final: { undo: "none" } });
    const options: WorkspaceOptions = { ...both, policyMode: "lenient" };
    const id = await taken(options);
    changeAll(folder, "v2", BOTH);
    await assert.rejects(restoring(options, id), /one and final at once|final and one at once/);
    assert.equal((await restoring(options, id, { only: ["one"] })).exit_code, 0);
    assert.equal((await restoring(options, id)).exit_code, 0);
    assert.deepEqual(look(folder, BOTH), versions("v1", BOTH));
  }));
