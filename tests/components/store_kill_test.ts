/** Killed anywhere in adding, getting and collecting: no entry loses a byte, no target is a mix, and the next run finishes. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { addToStore } from "#/component/store/add.ts";
import { collectEntries } from "#/component/store/gc.ts";
import { getFromStore } from "#/component/store/get.ts";
import { listAllEntries } from "#/component/store/list.ts";
import { checkStore } from "#/store/check_store.ts";
import { testRequiring } from "../support/require.ts";
import { SWEEP_LEVEL } from "../support/sweep_level.ts";
import { tempDir } from "../support/temp.ts";
import { readTree } from "../support/tree.ts";
import { openTestStore } from "../store/store_support.ts";
import { makeTree, namesIn, type Tree } from "./entries_support.ts";

const IS_FULL = SWEEP_LEVEL === "full";
const SAMPLE = 4;

const BEFORE: Tree = { "keep": "before\n", "sub/old": "old\n" };
const FILES: Tree = {
  "bin/run": "run\n".repeat(3000),
  "data/a": "a".repeat(70_000),
  "link": "->bin/run",
  "empty": null,
};
const OTHER: Tree = { "x": "x".repeat(50_000) };

interface Ended {
  readonly killed: boolean;
  readonly stdout: string;
}

async function child(at: number, ...args: readonly string[]): Promise<Ended> {
  const script = fileURLToPath(new URL("./entries_child.ts", import.meta.url));
  const { success, signal, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--no-prompt", script, String(at), ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  assert.ok(success || signal === "SIGKILL", new TextDecoder().decode(stderr));
  return { killed: !success, stdout: new TextDecoder().decode(stdout).trim() };
}

/** Makes a world, lets `args` be killed in it at one call after the other (or at some of them), and looks each time. */
async function forKillPoints(
  make: (folder: string) => Promise<readonly string[]>,
  verify: (folder: string, args: readonly string[]) => Promise<void>,
): Promise<void> {
  const run = async (at: number) => {
    await using temp = tempDir("backout-kill-");
    const args = await make(temp.path);
    const ended = await child(at, ...args);
    await verify(temp.path, args);
    return ended;
  };
  const whole = await run(-1);
  const calls = Number(whole.stdout.split(" ").at(-1));
  assert.ok(calls > 5, whole.stdout);
  const step = IS_FULL ? 1 : calls / SAMPLE;
  let kills = 0;
  for (let at = IS_FULL ? 0 : Math.random() * step; at < calls; at += step) {
    if ((await run(Math.floor(at))).killed) kills++;
  }
  assert.ok(kills > 0, "no run was killed");
}

async function assertSound(store: string): Promise<void> {
  await using test = await openTestStore(store);
  const check = await checkStore(await test.parts(), { readData: true });
  assert.ok(check.ok, JSON.stringify(check, undefined, 2));
}

const options = (store: string) => ({
  folder: "/",
  store: { location: store },
  env: () => undefined,
  onWarning: () => {},
});

/** @returns the hash */
async function add(folder: string, source: string): Promise<string> {
  const store = options(`${folder}/store`);
  return (await addToStore({ ...store, component: "api", source: `${folder}/${source}` })).entry.hash;
}

async function get(store: string, hash: string, target: string): Promise<void> {
  await getFromStore({ ...options(store), hash, target, replace: true });
}

testRequiring(
  ["posix"],
  "adding that is killed leaves the whole entry or none, and the next one finishes",
  () =>
    forKillPoints(async (folder) => {
      makeTree(`${folder}/other`, OTHER);
      makeTree(`${folder}/source`, FILES);
      await add(folder, "other");
      return ["add", `${folder}/store`, `${folder}/source`];
    }, async (folder) => {
      await assertSound(`${folder}/store`);
      const hash = await add(folder, "source");
      await get(`${folder}/store`, hash, `${folder}/got`);
      assert.deepEqual(readTree(`${folder}/got`), readTree(`${folder}/source`));
      await get(`${folder}/store`, await add(folder, "other"), `${folder}/got-other`);
    }),
);

testRequiring(
  ["posix"],
  "getting that is killed leaves the target as before or as after, or the next one puts it back",
  () =>
    forKillPoints(async (folder) => {
      makeTree(`${folder}/source`, FILES);
      makeTree(`${folder}/here/target`, BEFORE);
      const hash = await add(folder, "source");
      return ["get", `${folder}/store`, hash, `${folder}/here/target`];
    }, async (folder, args) => {
      const here = `${folder}/here`;
      makeTree(`${folder}/before`, BEFORE);
      const before = readTree(`${folder}/before`);
      const after = readTree(`${folder}/source`);
      const isOneOf = (path: string) => {
        const tree = JSON.stringify(readTree(path));
        return tree === JSON.stringify(before) || tree === JSON.stringify(after);
      };
      const old = namesIn(here).find((name) => name.startsWith(".backout-old-"));
      if (namesIn(here).includes("target")) assert.ok(isOneOf(`${here}/target`), "the target is a mix");
      else assert.deepEqual(readTree(`${here}/${old}`), before);
      await get(args[1]!, args[2]!, args[3]!);
      assert.deepEqual(readTree(`${here}/target`), after);
      assert.ok(!namesIn(here).some((name) => name.startsWith(".backout-old-")));
    }),
);

testRequiring(
  ["posix"],
  "a collection that is killed keeps what it should, and the next one finishes",
  () =>
    forKillPoints(async (folder) => {
      makeTree(`${folder}/other`, OTHER);
      makeTree(`${folder}/source`, FILES);
      const old = await add(folder, "other");
      await add(folder, "source");
      return ["gc", `${folder}/store`, old];
    }, async (folder, [, store, old]) => {
      await assertSound(store!);
      await collectEntries({ ...options(store!), minAgeMs: 0 });
      const { entries } = await listAllEntries({ ...options(store!), kind: "store" });
      assert.deepEqual(entries.map((entry) => entry.hash === old), [false]);
      await assertSound(store!);
      const hash = await add(folder, "source");
      await get(store!, hash, `${folder}/got`);
      assert.deepEqual(readTree(`${folder}/got`), readTree(`${folder}/source`));
    }),
);
