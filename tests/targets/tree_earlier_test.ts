/** What a capture reads of the tree before it: the lists of what was touched, and only those. */
import assert from "node:assert/strict";
import { withTempDir } from "../support/temp.ts";
import { describeTree, TreeWorld } from "./tree_support.ts";

const FOLDERS = 40;
const FILES = 150;
/** What was changed in the last two seconds is read again in any case. */
const SETTLE_MS = 3100;

Deno.test("lists of an untouched part of a tree are not read, whoever touched another part", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    for (let i = 0; i < FOLDERS; i++) {
      Deno.mkdirSync(`${root}/d${i}`, { recursive: true });
      for (let f = 0; f < FILES; f++) Deno.writeTextFileSync(`${root}/d${i}/f${f}`, `${i} ${f}`);
    }
    const world = new TreeWorld(folder, { paths: [root] });
    const { store } = world;
    const after = async (change: () => void) => {
      change();
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      store.reads = 0;
      store.filesRead.length = 0;
      const before = saved;
      saved = await world.capture(saved);
      return {
        reads: store.reads,
        files: [...store.filesRead],
        same: before?.fingerprint === saved.fingerprint,
      };
    };
    let saved: Awaited<ReturnType<TreeWorld["capture"]>> | undefined;
    const first = await after(() => {});
    assert.equal(first.files.length, FOLDERS * FILES);
    const unchanged = await after(() => {});
    assert.deepEqual([unchanged.files, unchanged.same], [[], true]);
    assert.ok(unchanged.reads > 3, `${unchanged.reads} lists: too few for this test`);
    const again = await after(() => {});
    assert.deepEqual(again, { reads: 1, files: [], same: true }, "only the list of lists");

    const one = await after(() => Deno.writeTextFileSync(`${root}/d7/f7`, "other"));
    assert.deepEqual(one, { reads: 2, files: [`${root}/d7/f7`], same: false });
    const mode = await after(() => Deno.chmodSync(`${root}/d8/f8`, 0o600));
    assert.deepEqual([mode.files, mode.same], [[`${root}/d8/f8`], false]);
    const gone = await after(() => Deno.removeSync(`${root}/d9/f9`));
    assert.deepEqual([gone.files, gone.same], [[], false]);
    const tree = describeTree(root);
    Deno.removeSync(root, { recursive: true });
    await world.restore(saved!);
    assert.deepEqual(describeTree(root), tree);
  });
});
