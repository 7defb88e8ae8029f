/** The store of entries on this machine: what goes in comes out, under a hash that anybody can compute. */
import assert from "node:assert/strict";
import { sha256Hex } from "#/core/sha256.ts";
import { type TestWorkspace, withWorkspace } from "../cli/snapshot_support.ts";
import { testRequiring } from "../support/require.ts";
import { readTree } from "../support/tree.ts";
import { makeTree, namesIn, type Tree } from "./entries_support.ts";

const TREE: Tree = {
  "bin/run": "#!/bin/sh\necho run\n",
  "data/ä 'quoted' \"file\"": "odd name\n",
  "data/big": new Uint8Array(9 << 20).map((_, i) => (i * 2654435761) >>> 13),
  "data/empty": "",
  "empty": null,
  "link": "->bin/run",
  "data/up": "->../bin",
  ".git/config": "left out",
};

function withSource(body: (workspace: TestWorkspace) => Promise<void>): Promise<void> {
  return withWorkspace("", async (workspace) => {
    makeTree(`${workspace.folder}/source`, TREE);
    Deno.chmodSync(`${workspace.folder}/source/bin/run`, 0o750);
    Deno.chmodSync(`${workspace.folder}/source/data`, 0o555);
    try {
      await body(workspace);
    } finally {
      Deno.chmodSync(`${workspace.folder}/source/data`, 0o755);
    }
  });
}

/** `docs/store_and_cache.md`, in the words of a shell. */
const SHELL_HASH = `
cd "$1"
quoted() { printf '%s' "$1" | sed 's/\\\\/\\\\\\\\/g; s/"/\\\\"/g'; }
{ echo "backout entry 1 folder"
  find . -mindepth 1 -path ./.git -prune -o -mindepth 1 -print | sed 's#^\\./##' | LC_ALL=C sort | while IFS= read -r path; do
    if [ -L "$path" ]; then
      printf 'l 0000 %s "%s"\\n' "$(printf '%s' "$(readlink "$path")" | sha256sum | cut -d' ' -f1)" "$(quoted "$path")"
    elif [ -d "$path" ]; then printf 'd 0%s - "%s"\\n' "$(stat -c %a "$path")" "$(quoted "$path")"
    else printf 'f 0%s %s "%s"\\n' "$(stat -c %a "$path")" "$(sha256sum < "$path" | cut -d' ' -f1)" "$(quoted "$path")"; fi
  done; } | sha256sum | cut -d' ' -f1`;

function shellHash(folder: string): string {
  const { success, stdout, stderr } = new Deno.Command("sh", { args: ["-c", SHELL_HASH, "sh", folder] })
    .outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

testRequiring(
  ["linux"],
  "an entry comes out as it went in, and a shell computes the same hash",
  () =>
    withSource(async ({ folder, json, run }) => {
      const added = await json("store", "add", "api", "--source", "source", "--label", "build=7");
      const { hash } = added.entry;
      assert.equal(hash, shellHash(`${folder}/source`));
      assert.deepEqual([added.is_new, added.remote, added.warnings], [true, null, []]);
      assert.deepEqual([added.entry.files, added.entry.labels], [4, { build: "7" }]);
      const { code, stdout } = await run(["store", "add", "api", "--source", "source"]);
      assert.deepEqual([code, stdout], [0, `${hash}\n`]);
      const got = await json("store", "get", hash.slice(0, 8), "--target", "deep/target");
      assert.deepEqual([got.put, got.from], ["written", "local"]);
      const expected = readTree(`${folder}/source`, { ignore: (path) => path === ".git" });
      assert.deepEqual(readTree(`${folder}/deep/target`), expected);
      assert.deepEqual(namesIn(`${folder}/deep`), ["target"]);
      assert.equal((await json("store", "get", hash, "--target", "deep/target")).put, "already there");
      assert.equal((await run(["snapshot", "verify", "--read-data"])).code, 0);
      assert.deepEqual((await json("snapshot", "list")).snapshots, []);
      Deno.chmodSync(`${folder}/deep/target/data`, 0o755);
    }),
);

Deno.test("adding the files of an entry again puts back what the store has lost of it", () =>
  withSource(async ({ folder, json, run }) => {
    const { entry: { hash } } = await json("store", "add", "api", "--source", "source", "--label", "build=7");
    const packs = `${folder}/.backout/store/packs`;
    for (const name of namesIn(packs)) Deno.removeSync(`${packs}/${name}`);
    assert.equal((await run(["store", "get", hash, "--target", "lost"])).code, 54);
    const again = await json("store", "add", "api", "--source", "source");
    assert.deepEqual([again.is_new, again.entry.hash, again.entry.labels], [false, hash, { build: "7" }]);
    await json("store", "get", hash, "--target", "target");
    const expected = readTree(`${folder}/source`, { ignore: (path) => path === ".git" });
    assert.deepEqual(readTree(`${folder}/target`), expected);
    Deno.chmodSync(`${folder}/target/data`, 0o755);
    const before = namesIn(packs);
    await json("store", "add", "api", "--source", "source");
    assert.deepEqual(namesIn(packs), before, "nothing is stored twice");
  }));

Deno.test("what is at a target stays unless --replace is given", () =>
  withWorkspace("", async ({ folder, json, run }) => {
    makeTree(`${folder}/one`, { "a": "1" });
    makeTree(`${folder}/target`, { "mine": "keep" });
    const { entry: { hash } } = await json("store", "add", "api", "--source", "one");
    const refused = await run(["store", "get", hash, "--target", "target"]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /there is something else already/);
    assert.deepEqual(namesIn(`${folder}/target`), ["mine"]);
    assert.equal((await json("store", "get", hash, "--target", "target", "--replace")).put, "replaced");
    assert.deepEqual(namesIn(`${folder}/target`), ["a"]);
    Deno.mkdirSync(`${folder}/empty`);
    await json("store", "get", hash, "--target", "empty");
    assert.deepEqual(namesIn(`${folder}/empty`), ["a"]);
    assert.deepEqual(namesIn(folder), [".backout", "empty", "one", "target"]);
  }));

Deno.test("one file is an entry too", () =>
  withWorkspace("", async ({ folder, json }) => {
    makeTree(folder, { "tool": "#!/bin/sh\n" });
    Deno.chmodSync(`${folder}/tool`, 0o755);
    const { entry: { hash, files } } = await json("store", "add", "tool", "--source", "tool");
    assert.equal(files, 1);
    await json("store", "get", hash, "--target", "out/tool");
    assert.deepEqual(readTree(`${folder}/out`), { tool: `file 755 10 ${sha256Hex("#!/bin/sh\n")}` });
  }));

testRequiring(
  ["linux"],
  "what leads out of a source, or is no file, is refused and named",
  () =>
    withWorkspace("", async ({ folder, run }) => {
      const sources: Readonly<Record<string, Tree>> = {
        absolute: { "bad": "->/etc/passwd" },
        up: { "bad": "->../../etc" },
        // Only who follows the links as the system does sees that this leads out.
        through: { "up": "->.", "bad": "->up/up/../outside" },
        round: { "bad": "->good", "good": "->bad" },
      };
      for (const [name, tree] of Object.entries(sources)) {
        makeTree(`${folder}/${name}`, tree);
        const { code, stderr } = await run(["store", "add", "api", "--source", name]);
        assert.equal(code, 2, `${name}: ${stderr}`);
        assert.match(stderr, /"bad"/, name);
      }
      Deno.mkdirSync(`${folder}/fifo`);
      assert.ok(new Deno.Command("mkfifo", { args: [`${folder}/fifo/pipe`] }).outputSync().success);
      const { code, stderr } = await run(["store", "add", "api", "--source", "fifo"]);
      assert.equal(code, 2);
      assert.match(stderr, /"pipe" \(it is no file, folder or symlink\)/);
      makeTree(`${folder}/fine`, { "a/to": "->../b/../a/x", "a/x": "1", "b": null });
      assert.equal((await run(["store", "add", "api", "--source", "fine"])).code, 0);
      for (const wrong of ["../api", "", "a/b", "--", "a..b"]) {
        assert.equal((await run(["store", "add", "--source", "fine", "--", wrong])).code, 2, wrong);
      }
      assert.equal((await run(["store", "add", "api", "--source", "nothing"])).code, 40);
      assert.equal(
        (await run(["store", "add", "api", "--source", "fine", "--label", "backout.pending=x"])).code,
        2,
      );
    }),
);

Deno.test("a damaged entry is not written, and a target stays as it is", () =>
  withWorkspace("", async ({ folder, json, run }) => {
    makeTree(`${folder}/one`, { "a": "text ".repeat(4000), "b": new Uint8Array(9 << 20).fill(7) });
    makeTree(`${folder}/target`, { "mine": "keep" });
    const { entry: { hash } } = await json("store", "add", "api", "--source", "one");
    const packs = `${folder}/.backout/store/packs`;
    for (const name of namesIn(packs)) {
      const bytes = Deno.readFileSync(`${packs}/${name}`);
      for (let at = 20; at < 60; at++) bytes[at]! ^= 0xff;
      Deno.writeFileSync(`${packs}/${name}`, bytes);
    }
    const { code, stderr } = await run(["store", "get", hash, "--target", "target", "--replace"]);
    assert.equal(code, 54, stderr);
    assert.deepEqual(namesIn(`${folder}/target`), ["mine"]);
    assert.deepEqual(namesIn(folder), [".backout", "one", "target"]);
  }));

Deno.test("queries find entries by what is known of them", () =>
  withWorkspace("", async ({ folder, json, run, write }) => {
    write("manifests/components.yaml", "components:\n  api: {version: v1.2.0}\n  web: {}\n");
    for (const [name, text] of [["api", "1"], ["api", "2"], ["web", "3"]] as const) {
      makeTree(`${folder}/components/${name}`, { "file": text });
      await json("store", "add", name, "--label", `run=${text}`, ...(text === "2" ? ["--pin"] : []));
    }
    const found = async (...args: readonly string[]) => {
      const { entries } = await json("store", "query", ...args);
      return entries.map((it: { labels: { run: string } }) => it.labels.run).sort();
    };
    assert.deepEqual(await found(), ["1", "2", "3"]);
    assert.deepEqual(await found("--component", "api"), ["1", "2"]);
    assert.deepEqual(await found("--component-version", "v1.2.0", "--label", "run=2"), ["2"]);
    assert.deepEqual(await found("--pinned"), ["2"]);
    assert.deepEqual(await found("--since", "2100-01-01"), []);
    assert.equal((await run(["store", "query", "--since", "soon"])).code, 2);
    const stats = await json("store", "stats");
    assert.deepEqual([stats.entries, stats.pinned, stats.files], [3, 1, 3]);
    const list = await run(["store", "list", "api"]);
    assert.match(list.stdout, /HASH .*\n[0-9a-f]{16} +api +v1\.2\.0 .*\n[0-9a-f]{16} +api/);
    assert.equal((await run(["store", "get", "0000", "--target", "x"])).code, 40);
    assert.equal((await run(["store", "get", "XYZ", "--target", "x"])).code, 2);
  }));

Deno.test("a dry run keeps nothing and says the hash; where there is none it is refused", () =>
  withWorkspace("", async ({ folder, json, run }) => {
    makeTree(`${folder}/one`, { "a": "1" });
    const dry = await json("store", "add", "api", "--source", "one", "--dry-run");
    assert.deepEqual([dry.is_new, namesIn(folder)], [true, ["one"]]);
    const { entry } = await json("store", "add", "api", "--source", "one");
    assert.equal(entry.hash, dry.entry.hash);
    assert.equal((await json("store", "add", "api", "--source", "one", "--dry-run")).is_new, false);
    for (const command of [["store", "get", entry.hash, "--target", "x"], ["store", "pin", entry.hash]]) {
      assert.equal((await run([...command, "--dry-run"])).code, 2, command.join(" "));
    }
    const waiting = await json("store", "sync", "--remote", "shared", "--all", "--dry-run");
    assert.deepEqual([waiting.sent.length, namesIn(folder)], [1, [".backout", "one"]]);
    assert.equal((await json("store", "pin", entry.hash)).pinned, true);
    assert.equal((await json("store", "unpin", entry.hash.slice(0, 9))).pinned, false);
  }));

Deno.test("a folder is a remote store too, and what others wrote into its manifests is not believed", () =>
  withWorkspace("", async ({ folder, json, run }) => {
    makeTree(`${folder}/one`, { "a": "1" });
    const { entry: { hash } } = await json("store", "add", "api", "--source", "one", "--remote", "shared");
    const path = `${folder}/shared/snapshots/store~${hash}.json`;
    const { checksum: _checksum, ...good } = JSON.parse(Deno.readTextFileSync(path));
    const [target] = good.targets;
    const forged: readonly object[] = [
      { ...good, labels: null },
      { ...good, targets: "none" },
      { ...good, created_at: "yesterday" },
      { ...good, targets: [{ ...target, name: "../../etc" }] },
      { ...good, targets: [{ ...target, state: { tree: { size: -1 } } }] },
      { ...good, targets: [{ ...target, fingerprint: "f".repeat(64) }] },
    ];
    for (const manifest of forged) {
      const checksum = `sha256:${sha256Hex(JSON.stringify(manifest))}`;
      Deno.writeTextFileSync(path, JSON.stringify({ ...manifest, checksum }));
      const words = ["--remote", "shared", "--store", "other"];
      const { code, stderr } = await run(["store", "get", hash, "--target", "got", ...words]);
      assert.equal(code, 54, `${JSON.stringify(manifest)}: ${stderr}`);
      assert.equal((await run(["store", "list", ...words])).code, 0, JSON.stringify(manifest));
      assert.ok(!namesIn(folder).includes("got"));
    }
  }));
