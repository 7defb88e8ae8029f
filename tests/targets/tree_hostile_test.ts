/** What an attacker puts into a target, or into a store, leads nowhere outside of the target. */
import assert from "node:assert/strict";
import { setFaultHook } from "#/core/posix.ts";
import type { SavedTarget } from "#/store/model.ts";
import { withTempDir } from "../support/temp.ts";
import { describeTree, TreeWorld } from "./tree_support.ts";

const ENTRY = { mode: 0o644, uid: 0, gid: 0, mtime: "1.000000000", ctime: "1.000000000", ino: 1 };

/** A snapshot of a tree that somebody wrote by hand. */
async function forge(
  world: TreeWorld,
  roots: readonly string[],
  entries: readonly object[],
): Promise<SavedTarget> {
  const lines = (values: readonly object[]) =>
    new TextEncoder().encode(values.map((it) => JSON.stringify(it) + "\n").join(""));
  const segment = await world.store.addBytes(lines(entries));
  const head = { format: 1, kind: "tree", roots, globs: [], exclude: [], one_file_system: false, limits: [] };
  const line = { segment, first: "", last: "", entries: entries.length, fingerprint: "" };
  const root = await world.store.addBytes(lines([head, line]));
  return { ...await world.capture(), state: { format: 1, tree: { ...root } } };
}

async function inTarget(
  body: (world: TreeWorld, root: string, outside: string) => Promise<void>,
): Promise<void> {
  await withTempDir(async (folder) => {
    Deno.mkdirSync(`${folder}/data/sub`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/data/sub/file`, "inside");
    Deno.mkdirSync(`${folder}/outside`);
    Deno.writeTextFileSync(`${folder}/outside/file`, "outside");
    const before = describeTree(`${folder}/outside`);
    await body(new TreeWorld(folder, { paths: ["data"] }), `${folder}/data`, `${folder}/outside`);
    assert.deepEqual(
      describeTree(`${folder}/outside`),
      before,
      "something outside of the target was changed",
    );
  });
}

for (
  const [what, path] of Object.entries({
    "climbs": "/data/../outside/file",
    "is relative": "outside/file",
    "has a NUL": "/data/a\0b",
    "has an empty part": "/data//file",
    "is no text": 5,
  })
) {
  Deno.test(`a saved path that ${what} is refused`, async () => {
    await inTarget(async (world, root, outside) => {
      const folder = root.slice(0, -"/data".length);
      const content = await world.store.addBytes(new TextEncoder().encode("evil"));
      const full = typeof path === "string" && path.startsWith("/") ? folder + path : path;
      const saved = await forge(world, [root], [
        { ...ENTRY, path: root, type: "folder" },
        { ...ENTRY, path: full, type: "file", size: 4, content },
      ]);
      await assert.rejects(world.plan(saved), { code: 54 });
      await assert.rejects(world.restore(saved), { code: 54 });
      await assert.rejects(world.exportTo(saved, `${folder}/exported`), { code: 54 });
      assert.equal(Deno.readTextFileSync(`${outside}/file`), "outside");
    });
  });
}

Deno.test("a saved tree outside of what the configuration covers is left out and named", async () => {
  await inTarget(async (world, _root, outside) => {
    const content = await world.store.addBytes(new TextEncoder().encode("evil"));
    const saved = await forge(world, [outside], [
      { ...ENTRY, path: outside, type: "folder" },
      { ...ENTRY, path: `${outside}/file`, type: "file", size: 4, content },
    ]);
    const plan = await world.plan(saved);
    assert.deepEqual(plan.changes, []);
    assert.match(plan.warnings.join(), /does not cover it any more/);
    await world.restore(saved);
  });
});

Deno.test("a saved file below a saved symlink, and a link out of the tree, are refused", async () => {
  await inTarget(async (world, root, outside) => {
    const content = await world.store.addBytes(new TextEncoder().encode("evil"));
    const below = await forge(world, [root], [
      { ...ENTRY, path: root, type: "folder" },
      { ...ENTRY, path: `${root}/x`, type: "symlink", target: outside },
      { ...ENTRY, path: `${root}/x/file`, type: "file", size: 4, content },
    ]);
    await assert.rejects(world.restore(below), { code: 54, message: /not in a folder of the tree/ });
    const linked = await forge(world, [root], [
      { ...ENTRY, path: root, type: "folder" },
      { ...ENTRY, path: `${root}/x`, type: "file", size: 7, link: `${outside}/file` },
    ]);
    await assert.rejects(world.restore(linked), /outside of what the target covers/);
  });
});

Deno.test("a symlink that was put in the place of a folder is replaced, not followed", async () => {
  await inTarget(async (world, root, outside) => {
    const before = describeTree(root);
    const saved = await world.capture();
    Deno.removeSync(`${root}/sub`, { recursive: true });
    Deno.symlinkSync(outside, `${root}/sub`);
    await world.restore(saved);
    assert.deepEqual(describeTree(root), before);
    Deno.removeSync(root, { recursive: true });
    Deno.symlinkSync(outside, root); // the target itself
    await world.restore(saved);
    assert.deepEqual(describeTree(root), before);
  });
});

Deno.test("a symlink that is put there while a restore runs is refused, and replaced by the next", async () => {
  await inTarget(async (world, root, outside) => {
    const saved = await world.capture();
    const before = describeTree(root);
    Deno.writeTextFileSync(`${root}/sub/file`, "changed");
    for (let i = 0; i < 3; i++) Deno.writeTextFileSync(`${root}/sub/later${i}`, "later");
    for (const call of ["utimes", "rename", "unlink"]) {
      let swapped = false;
      setFaultHook((it) => {
        if (it !== call || swapped) return;
        swapped = true;
        Deno.renameSync(`${root}/sub`, `${root}/moved`);
        Deno.symlinkSync(outside, `${root}/sub`);
      });
      try {
        await assert.rejects(world.restore(saved));
      } finally {
        setFaultHook(undefined);
      }
      assert.ok(swapped, `no ${call}`);
      assert.equal(Deno.readTextFileSync(`${outside}/file`), "outside");
      Deno.removeSync(`${root}/sub`);
      Deno.renameSync(`${root}/moved`, `${root}/sub`);
      Deno.writeTextFileSync(`${root}/sub/file`, `changed before ${call}`);
      Deno.writeTextFileSync(`${root}/sub/later0`, "later");
    }
    await world.restore(saved);
    assert.deepEqual(describeTree(root), before);
  });
});

Deno.test("an export follows no symlink that is there, or that it makes", async () => {
  await inTarget(async (world, root, outside) => {
    Deno.symlinkSync(outside, `${root}/out`);
    const saved = await world.capture();
    const folder = root.slice(0, -"/data".length);
    Deno.mkdirSync(`${folder}/exported${folder}`, { recursive: true });
    Deno.symlinkSync(outside, `${folder}/exported${folder}/data`);
    await world.exportTo(saved, `${folder}/exported`);
    assert.equal(Deno.readTextFileSync(`${folder}/exported${root}/sub/file`), "inside");
    assert.ok(Deno.lstatSync(`${folder}/exported${root}/out`).isSymlink);
    const first = `${folder}/exported/${folder.split("/")[1]}`;
    Deno.removeSync(first, { recursive: true });
    Deno.symlinkSync(outside, first);
    await assert.rejects(world.exportTo(saved, `${folder}/exported`), /not a folder/);
  });
});

Deno.test("names that are not UTF-8 are named, not captured, and not removed", async () => {
  await inTarget(async (world, root) => {
    const odd = new Deno.Command("sh", {
      args: ["-c", `cd "$1" && mkdir later && : > "$(printf 'later/odd\\377')"`, "sh", root],
    });
    assert.ok(odd.outputSync().success);
    const saved = await world.capture();
    assert.match(saved.warnings.join(), /name is not UTF-8.*later\/odd/);
    Deno.writeTextFileSync(`${root}/later/more`, "x");
    await world.restore(saved);
    const left = new Deno.Command("ls", { args: [`${root}/later`] }).outputSync(); // Deno 2.6 does not list it
    assert.deepEqual([...left.stdout], [...new TextEncoder().encode("odd"), 0xff, 10]);
  });
});
