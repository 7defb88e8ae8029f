/** Notes of what an operation that died held still. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { newOperationId } from "#/core/ids.ts";
import { createSnapshot } from "#/snapshot/mod.ts";
import type { TargetDriver } from "#/target/target.ts";
import { withTempDir } from "../support/temp.ts";
import { driver } from "./text_driver.ts";
import { makeWorld } from "./world.ts";

Deno.test("a note that nobody can act upon stays and is told, and stops nothing; then it is acted upon once", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = newOperationId(new Date());
    const operation = join(options.folder, ".backout/target-operations", id);
    Deno.mkdirSync(join(operation, "scratch/one"), { recursive: true });
    Deno.writeTextFileSync(
      join(operation, "scratch/one/held.json"),
      '{"type": "newer", "note": {"ids": [1]}}',
    );
    for (const _ of [1, 2]) {
      const report = await createSnapshot(options);
      assert.equal(report.exit_code, 0, report.summary);
      assert.match(report.warnings.join("\n"), /may still hold something: "newer" is no kind of target/);
    }
    const notes: unknown[] = [];
    const newer = {
      ...driver as unknown as TargetDriver,
      letGo: (note: unknown) => Promise.resolve((notes.push(note), "Started again: web")),
    };
    const knowing = { ...options, drivers: { ...options.drivers, newer } };
    const report = await createSnapshot(knowing);
    assert.match(report.warnings.join("\n"), /Started again: web: an operation that was cut off/);
    assert.deepEqual((await createSnapshot(knowing)).warnings.filter((it) => /cut off/.test(it)), []);
    assert.deepEqual(notes, [{ ids: [1] }]);
    assert.throws(() => Deno.lstatSync(operation), Deno.errors.NotFound);
  }));
