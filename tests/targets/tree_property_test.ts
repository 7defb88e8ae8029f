/** Any tree, changed in any way, comes back; and the change comes back too. */
import assert from "node:assert/strict";
import fc from "fast-check";
import * as changes from "#/core/posix_native.ts";
import "../support/property_seed.ts";
import { withTempDir } from "../support/temp.ts";
import { describeTree, TreeWorld } from "./tree_support.ts";

type Step =
  | { readonly do: "write"; readonly path: string; readonly text: string }
  | { readonly do: "folder" | "remove"; readonly path: string }
  | { readonly do: "symlink"; readonly path: string; readonly text: string }
  | { readonly do: "link" | "move"; readonly path: string; readonly from: string }
  | { readonly do: "mode"; readonly path: string; readonly mode: number }
  | { readonly do: "time"; readonly path: string; readonly ns: number };

// Few names, so that steps meet; among them what sorts oddly around the slash.
const name = fc.constantFrom("a", "b", "a b", "a-", "a!", "é", "\u{1f600}", "\uffff", "-x", "x\ny");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((it) => it.join("/"));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("write" as const),
    path,
    text: fc.constantFrom("", "one", "two", "longer text"),
  }),
  fc.record({ do: fc.constantFrom("folder" as const, "remove" as const), path }),
  fc.record({ do: fc.constant("symlink" as const), path, text: fc.constantFrom("a", "..", "/nowhere") }),
  fc.record({ do: fc.constantFrom("link" as const, "move" as const), path, from: path }),
  fc.record({ do: fc.constant("mode" as const), path, mode: fc.constantFrom(0o644, 0o755, 0o400, 0o1777) }),
  fc.record({ do: fc.constant("time" as const), path, ns: fc.integer({ min: 0, max: 999_999_999 }) }),
);

/** What cannot be done (no such folder, a folder in the way) is not done. */
function apply(root: string, it: Step): void {
  const full = `${root}/${it.path}`;
  try {
    switch (it.do) {
      case "write":
        Deno.mkdirSync(full.slice(0, full.lastIndexOf("/")), { recursive: true });
        return Deno.writeTextFileSync(full, it.text);
      case "folder":
        return Deno.mkdirSync(full, { recursive: true });
      case "remove":
        return Deno.removeSync(full, { recursive: true });
      case "symlink":
        return Deno.symlinkSync(it.text, full);
      case "link":
        return Deno.linkSync(`${root}/${it.from}`, full);
      case "move":
        return Deno.renameSync(`${root}/${it.from}`, full);
      case "mode":
        return Deno.lstatSync(full).isSymlink ? undefined : Deno.chmodSync(full, it.mode);
      case "time":
        return changes.setTime(full, `1234567890.${String(it.ns).padStart(9, "0")}`);
      default:
        return it satisfies never;
    }
  } catch (error) {
    // Refusals of the system only; a write through a symlink leads nowhere or to another of the tree's files.
    if (typeof (error as { code?: unknown }).code !== "string") throw error;
  }
}

Deno.test("any tree, changed in any way, comes back, and so does the change", async () => {
  const steps = fc.array(step, { maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(steps, steps, async (before, after) => {
      await withTempDir(async (folder) => {
        const root = `${folder}/data`;
        Deno.mkdirSync(root);
        for (const it of before) apply(root, it);
        const world = new TreeWorld(folder, { paths: [root] });
        const then = describeTree(root);
        const saved = await world.capture();
        for (const it of after) apply(root, it);
        const now = describeTree(root);
        const safety = await world.capture(saved);
        await world.restore(saved);
        assert.deepEqual(describeTree(root), then);
        assert.equal(await world.fingerprint(), saved.fingerprint);
        assert.deepEqual((await world.plan(saved)).changes, []);
        await world.restore(safety);
        assert.deepEqual(describeTree(root), now);
        assert.equal(await world.fingerprint(), safety.fingerprint);
        assert.deepEqual(await world.diff(safety), []);
      });
    }),
    { numRuns: 80 },
  );
});
