/** What `store gc` takes and what it keeps, in two steps; and the meta CLI's store, which is read and taken over. */
import assert from "node:assert/strict";
import { type TestWorkspace, withWorkspace } from "../cli/snapshot_support.ts";
import { sha256Hex } from "#/core/sha256.ts";
import { testRequiring } from "../support/require.ts";
import { readTree } from "../support/tree.ts";
import { makeTree, namesIn } from "./entries_support.ts";

/** Adds an entry whose content is its own. @returns its hash */
async function add(
  { folder, json }: TestWorkspace,
  text: string,
  ...flags: readonly string[]
): Promise<string> {
  makeTree(`${folder}/${text}`, { "file": text.repeat(1000) });
  return (await json("store", "add", "api", "--source", text, ...flags)).entry.hash;
}

async function hashes({ json }: TestWorkspace): Promise<readonly string[]> {
  const { entries } = await json("store", "list");
  return entries.map((it: { hash: string }) => it.hash);
}

Deno.test("a collection keeps what is pinned, named by a lock file, or the newest, and says why", () =>
  withWorkspace("", async (workspace) => {
    const { json, write, run } = workspace;
    const [old, pinned, locked, newest] = [
      await add(workspace, "old"),
      await add(workspace, "pinned", "--pin"),
      await add(workspace, "locked"),
      await add(workspace, "newest"),
    ];
    write("manifests/components.lock.prod.yaml", `components: {api: {commit: abc1234, store: ${locked}}}\n`);
    const early = await json("store", "gc");
    assert.deepEqual([early.removed, early.doomed], [[], []]);
    const dry = await json("store", "gc", "--min-age", "0", "--dry-run");
    assert.deepEqual(dry.removed.map((it: { id: string }) => it.id), [`store~${old}`]);
    assert.deepEqual(
      dry.kept.map((it: { id: string; reason: string }) => [it.id.slice(6), it.reason]),
      [
        [newest, "it is the newest of its component"],
        [locked, "manifests/components.lock.prod.yaml names it"],
        [pinned, "it is pinned"],
      ],
    );
    assert.equal((await hashes(workspace)).length, 4);
    await json("store", "gc", "--min-age", "0");
    assert.deepEqual(await hashes(workspace), [newest, locked, pinned]);
    for (const hash of [newest, locked, pinned]) {
      assert.equal((await run(["store", "get", hash!, "--target", `got/${hash}`])).code, 0);
    }
    assert.equal((await run(["store", "get", old!, "--target", "got/old"])).code, 40);
    assert.equal((await run(["snapshot", "verify", "--read-data"])).code, 0);
  }));

Deno.test("an entry that was found without a use stays for the minimum age, and for good when it is added again", () =>
  withWorkspace("", async (workspace) => {
    const { json } = workspace;
    const old = await add(workspace, "old");
    const newest = await add(workspace, "newest");
    const ids = (list: readonly { readonly id: string }[]) => list.map(({ id }) => id);
    const wait = () => new Promise((resolve) => setTimeout(resolve, 60));
    await wait();
    const first = await json("store", "gc", "--min-age", "50ms");
    // It may be old enough for both steps at once only where the first was long ago.
    assert.deepEqual([ids(first.removed), ids(first.doomed)], [[], [`store~${old}`]]);
    assert.deepEqual(await hashes(workspace), [newest, old]);
    assert.equal(await add(workspace, "old"), old);
    await wait();
    const second = await json("store", "gc", "--min-age", "50ms");
    assert.deepEqual([ids(second.removed), ids(second.doomed)], [[], [`store~${old}`]]);
    await wait();
    assert.deepEqual(ids((await json("store", "gc", "--min-age", "50ms")).removed), [`store~${old}`]);
    assert.deepEqual(await hashes(workspace), [newest]);
  }));

Deno.test("snapshots of targets are kept by a collection of entries, and entries by one of snapshots", () =>
  withWorkspace("targets: {data: {type: file_system, paths: [data]}}\n", async (workspace) => {
    const { json, write, run, folder } = workspace;
    write("data/file", "snapshot ".repeat(1000));
    await json("snapshot", "create", "--id", "one");
    const hash = await add(workspace, "entry");
    for (const command of [["store", "gc"], ["snapshot", "collect"], ["store", "gc"]]) {
      await json(...command, "--min-age", "0");
    }
    await json("snapshot", "restore", "one", "--to", "look", "--yes");
    await json("store", "get", hash, "--target", "got");
    assert.deepEqual(readTree(`${folder}/got`), readTree(`${folder}/entry`));
    assert.equal((await json("snapshot", "list")).snapshots.length, 1);
    assert.equal((await run(["snapshot", "show", `store~${hash}`])).code, 2);
    assert.equal((await run(["snapshot", "delete", `store~${hash}`, "--yes"])).code, 2);
    const copied = await json("snapshot", "sync", "--to", "copy");
    assert.equal(copied.copied.length, 2);
    await json("store", "get", hash, "--target", "again", "--store", "copy");
  }));

const META_FILE = "file of the meta store\n";

testRequiring(
  ["posix"],
  "a .meta-store is listed, read, and taken over under its old hashes",
  () =>
    withWorkspace("", async ({ folder, json, run }) => {
      const [file, tree] = [sha256Hex(META_FILE), "ab".repeat(32)];
      const place = (hash: string) => `${folder}/.meta-store/${hash.slice(0, 2)}/${hash}`;
      makeTree(folder, { [`.meta-store/${file.slice(0, 2)}/${file}`]: META_FILE });
      makeTree(place(tree), { "bin/run": "run", "link": "->bin/run" });
      // None of these is an entry.
      makeTree(`${folder}/.meta-store`, { "xx/what": "?", "index.json": "{}", [`cd/${tree}`]: "elsewhere" });
      Deno.mkdirSync(`${folder}/.meta-store/ef`);
      Deno.symlinkSync("/etc", place("ef".repeat(32)));
      const before = readTree(`${folder}/.meta-store`);
      const { meta_store } = await json("store", "list");
      assert.deepEqual(meta_store.map((it: { hash: string }) => it.hash), [file, tree].sort());
      const got = await json("store", "get", tree, "--target", "got");
      assert.equal(got.from, "meta-store");
      assert.deepEqual(readTree(`${folder}/got`), readTree(place(tree)));
      const imported = await json("store", "import", "--component", "api");
      assert.deepEqual([imported.imported.length, imported.already_there], [1, [tree]]);
      assert.deepEqual((await json("store", "list")).meta_store, []);
      assert.equal((await json("store", "get", file.slice(0, 10), "--target", "file")).from, "local");
      assert.equal(Deno.readTextFileSync(`${folder}/file`), META_FILE);
      assert.deepEqual(readTree(`${folder}/.meta-store`), before);
      makeTree(`${place("12".repeat(32))}`, { "bad": "->/etc/passwd" });
      const refused = await run(["store", "import", "--json"]);
      assert.equal(refused.code, 49);
      assert.match(JSON.parse(refused.stdout).failed[0].reason, /"bad"/);
      assert.equal((await run(["store", "import", "nowhere"])).code, 40);
    }),
);

testRequiring(
  ["posix"],
  "an archive is the same bytes each time, and comes back under the same hash",
  () =>
    withWorkspace("", async ({ folder, json, run }) => {
      makeTree(`${folder}/source`, {
        "bin/run": "run",
        "data/large": new Uint8Array(10 << 20).map((_, i) => i >> 7),
        "link": "->bin/run",
        "empty": null,
        [`${"long".repeat(30)}/${"name".repeat(50)}`]: "far",
      });
      Deno.chmodSync(`${folder}/source/bin/run`, 0o755);
      const { entry: { hash } } = await json("store", "add", "api", "--source", "source");
      for (const ending of ["tar", "tar.gz", "tar.zst"]) {
        await json("store", "export", hash, "--out", `one.${ending}`);
        await json("store", "export", hash, "--out", `two.${ending}`);
        assert.deepEqual(
          Deno.readFileSync(`${folder}/one.${ending}`),
          Deno.readFileSync(`${folder}/two.${ending}`),
        );
        const taken = await json(
          "store",
          "import",
          `one.${ending}`,
          "--component",
          "api",
          "--store",
          `other-${ending}`,
        );
        assert.equal(taken.imported[0].hash, hash, ending);
      }
      assert.equal((await run(["store", "export", hash, "--out", "one.tar"])).code, 2);
      assert.equal((await run(["store", "export", hash, "--out", "one.zip"])).code, 2);
      const tar = new Deno.Command("tar", {
        args: ["xf", `${folder}/one.tar.gz`, "-C", folder, "--one-top-level=tarred"],
      });
      assert.ok(tar.outputSync().success);
      assert.deepEqual(readTree(`${folder}/tarred`), readTree(`${folder}/source`));
      const whole = Deno.readFileSync(`${folder}/one.tar`);
      for (const [name, bytes] of [["cut", whole.slice(0, 5 << 20)], ["bent", whole.with(3, 200)]] as const) {
        Deno.writeFileSync(`${folder}/${name}.tar`, bytes);
        const { code, stderr } = await run(["store", "import", `${name}.tar`, "--component", "api"]);
        assert.equal(code, 54, `${name}: ${stderr}`);
      }
      makeTree(`${folder}/evil`, { "x": "1" });
      const evil = new Deno.Command("tar", {
        args: ["cf", `${folder}/evil.tar`, "-C", `${folder}/evil`, "--transform=s#x#../climbs#", "-P", "x"],
      });
      assert.ok(evil.outputSync().success);
      const climbing = await run(["store", "import", "evil.tar", "--component", "api"]);
      assert.equal(climbing.code, 54);
      assert.match(climbing.stderr, /climbs out/);
      assert.ok(!namesIn(folder).includes("climbs"));
    }),
);
