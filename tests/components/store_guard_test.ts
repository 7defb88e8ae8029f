/** What a store command must not take with it, wait for, or misread. */
import assert from "node:assert/strict";
import { makeLogFolder } from "#/component/logs.ts";
import { setFaultHook } from "#/core/posix.ts";
import { withWorkspace } from "../cli/snapshot_support.ts";
import { testRequiring } from "../support/require.ts";
import { readTree } from "../support/tree.ts";
import { makeTree, namesIn } from "./entries_support.ts";

testRequiring(
  ["posix"],
  "an entry never replaces the workspace, the working folder, a store, or a folder that holds them",
  () =>
    withWorkspace("", async ({ folder, json, run }) => {
      makeTree(`${folder}/source`, { "file": "new\n" });
      makeTree(`${folder}/work/here`, { "precious": "mine\n" });
      const { hash } = (await json("store", "add", "api", "--source", "source")).entry;
      Deno.symlinkSync(".", `${folder}/way`);
      const before = await readTree(folder);
      const places = [
        ".",
        "..",
        "/",
        ".backout",
        ".backout/store",
        ".backout/store/new",
        "way/.backout/x",
      ];
      for (const target of places) {
        const got = await run(["store", "get", hash, "--target", target, "--replace"]);
        assert.deepEqual([got.code, target], [2, target], got.stderr);
        assert.match(got.stderr, /Cannot write to .+\n {2}Hint: Give another --target/);
      }
      assert.deepEqual(await readTree(folder), before);
      // A link to such a place is a name like any other: it goes, what it leads to stays.
      assert.equal((await run(["store", "get", hash, "--target", "way", "--replace"])).code, 0);
      assert.deepEqual(namesIn(`${folder}/way`), ["file"]);
      assert.deepEqual(namesIn(`${folder}/work/here`), ["precious"]);
      assert.equal((await run(["store", "get", hash, "--target", "work", "--replace"])).code, 0);
    }),
);

testRequiring(
  ["posix"],
  "a collection waits for no FIFO, and deletes nothing when a lock file cannot be read",
  () =>
    withWorkspace("", async ({ folder, json, run }) => {
      for (const text of ["one", "two", "three"]) {
        makeTree(`${folder}/${text}`, { "file": text });
        await json("store", "add", "api", "--source", text);
      }
      const { entries } = await json("store", "list");
      const hashes = entries.map((it: { hash: string }) => it.hash).toReversed() as string[];
      makeTree(`${folder}/manifests`, {
        "folder.yaml": null,
        "components.lock.yaml": `components: {api: {commit: abc1234, store: ${hashes[0]!.slice(0, 12)}}}\n`,
      });
      assert.ok(new Deno.Command("mkfifo", { args: [`${folder}/manifests/fifo.yaml`] }).outputSync().success);
      Deno.symlinkSync("away", `${folder}/manifests/gone.yaml`);
      const refused = await run(["store", "gc", "--min-age", "0"]);
      assert.equal(refused.code, 52, refused.stderr);
      assert.match(refused.stderr, /Cannot read .+gone\.yaml/);
      assert.equal((await json("store", "list")).entries.length, 3);
      Deno.removeSync(`${folder}/manifests/gone.yaml`);
      const { removed, kept } = await json("store", "gc", "--min-age", "0");
      assert.deepEqual(removed.map((it: { id: string }) => it.id), [`store~${hashes[1]}`]);
      assert.deepEqual(
        kept.map((it: { id: string; reason: string }) => [it.id.slice(6), it.reason]),
        [
          [hashes[2], "it is the newest of its component"],
          [hashes[0], "manifests/components.lock.yaml names it"],
        ],
      );
    }),
);

testRequiring(
  ["posix"],
  "a symlink that says no UTF-8 is refused and named",
  () =>
    withWorkspace("", async ({ folder, run }) => {
      makeTree(`${folder}/source`, { "file": "text\n" });
      const made = new Deno.Command("sh", {
        args: ["-c", `ln -s "$(printf '\\377')" source/odd`],
        cwd: folder,
      }).outputSync();
      assert.ok(made.success);
      const added = await run(["store", "add", "api", "--source", "source"]);
      assert.equal(added.code, 2, added.stderr);
      assert.match(added.stderr, /"odd" \(it says a path that is not UTF-8\)/);
    }),
);

Deno.test("a remote store that cannot be one is refused before anything is noted, and credentials are not told", () =>
  withWorkspace("", async ({ folder, run }) => {
    makeTree(`${folder}/source`, { "file": "text\n" });
    for (const remote of ["s3://AKIA:hunter2@bucket/x", "s3://No_Bucket/x", "https://bot:hunter2@host/x"]) {
      const refused = await run(["store", "add", "api", "--source", "source", "--remote", remote, "--json"]);
      assert.equal(refused.code, 2, refused.stderr);
      assert.ok(!`${refused.stdout}${refused.stderr}`.includes("hunter2"), refused.stderr);
    }
    assert.deepEqual(namesIn(folder).filter((it) => it === ".backout"), []);
  }));

testRequiring(
  ["posix"],
  "an archive is read through a symlink, and one with a name that is not UTF-8 is refused",
  () =>
    withWorkspace("", async ({ folder, run, json }) => {
      const script = `mkdir good bad; echo a > good/file; tar cf good.tar -C good .; ln -s good.tar way.tar
      echo b > "bad/$(printf 'x\\377')"; tar cf bad.tar -C bad .`;
      assert.ok(new Deno.Command("sh", { args: ["-c", script], cwd: folder }).outputSync().success);
      const { imported } = await json("store", "import", "way.tar", "--component", "api");
      assert.equal(imported.length, 1);
      const refused = await run(["store", "import", "bad.tar", "--component", "api"]);
      assert.equal(refused.code, 54, refused.stderr);
      assert.match(refused.stderr, /is not UTF-8/);
      assert.equal((await json("store", "list")).entries.length, 1);
    }),
);

Deno.test("logs of old runs that another command lets go of at the same time are no error", () =>
  withWorkspace("", ({ folder }) => {
    const old = Array.from(
      { length: 51 },
      (_, i) => `build-20200101T0000${String(i).padStart(2, "0")}Z-00000000`,
    );
    for (const name of old) makeTree(`${folder}/.backout/logs/${name}`, { "api-build.log": "text\n" });
    let others = 0;
    setFaultHook((call, path) => {
      if (call !== "rmdir") return;
      others += 1;
      Deno.removeSync(path);
    });
    try {
      makeLogFolder(folder, "build-20261130T000000Z-00000000");
    } finally {
      setFaultHook(undefined);
    }
    assert.equal(others, 2);
    assert.equal(namesIn(`${folder}/.backout/logs`).length, 50);
    return Promise.resolve();
  }));

Deno.test("what was at a target is back at once when the entry cannot be moved there", () =>
  withWorkspace("", async ({ folder, json, run }) => {
    makeTree(`${folder}/source`, { "file": "new\n" });
    makeTree(`${folder}/target`, { "precious": "mine\n" });
    const { hash } = (await json("store", "add", "api", "--source", "source")).entry;
    let moved = false;
    setFaultHook((call, path) => {
      if (call !== "rename" || !/\/(target|\.backout-(new|old)-[^/]+)$/.test(path)) return;
      if (moved && namesIn(folder).some((it) => it.startsWith(".backout-new-"))) {
        setFaultHook(undefined);
        throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
      }
      moved = true;
    });
    try {
      const got = await run(["store", "get", hash, "--target", "target", "--replace"]);
      assert.notEqual(got.code, 0);
      assert.ok(moved);
    } finally {
      setFaultHook(undefined);
    }
    assert.deepEqual(namesIn(`${folder}/target`), ["precious"]);
    assert.deepEqual(namesIn(folder).filter((it) => /^\.backout-(new|old)/.test(it)), []);
  }));
