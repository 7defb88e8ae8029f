/** The cache of builds: a command runs only where its inputs are new, and what it made comes back whole. */
import assert from "node:assert/strict";
import { type TestWorkspace, withWorkspace } from "../cli/snapshot_support.ts";
import { programCommand } from "../support/cli.ts";
import { testRequiring } from "../support/require.ts";
import { makeTree, namesIn } from "./entries_support.ts";

const MANIFEST = `components:
  api:
    version: v1.0.0
    build: 'echo run >> ../../runs; mkdir -p dist; cat src/* > dist/out; ln -s out dist/latest'
    outputs: [dist]
    cache: {env: [BACKOUT_FLAVOUR], exclude: ["*.log"]}
  plain: {}
`;

async function withApi(
  body: (workspace: TestWorkspace & { readonly runs: () => number }) => Promise<void>,
): Promise<void> {
  await withWorkspace("", async (workspace) => {
    const { folder, write } = workspace;
    write("manifests/components.yaml", MANIFEST);
    makeTree(`${folder}/components/api`, { "src/a": "one\n", "src/b": "two\n", ".git/HEAD": "ref: x" });
    const runs = () => namesIn(folder).includes("runs") ? workspace.read("runs").split("\n").length - 1 : 0;
    await body({ ...workspace, runs });
  });
}

const build = (workspace: TestWorkspace) => workspace.json("cache", "build", "api");

testRequiring(
  ["posix"],
  "a build runs once for the same inputs, and again when one of them changes",
  () =>
    withApi(async (workspace) => {
      const { folder, runs, write, json } = workspace;
      const first = await build(workspace);
      assert.deepEqual([first.state, first.entry.files, runs()], ["built", 1, 1]);
      assert.equal(Deno.readTextFileSync(first.log).trim(), "");
      Deno.removeSync(`${folder}/components/api/dist`, { recursive: true });
      assert.deepEqual([(await build(workspace)).state, runs()], ["hit", 1]);
      await json("cache", "get", "api", "--target", "got");
      assert.equal(Deno.readTextFileSync(`${folder}/got/dist/latest`), "one\ntwo\n");
      const keys = new Set([first.key]);
      const changes: readonly (() => void)[] = [
        () => write("components/api/src/a", "three\n"),
        () => Deno.chmodSync(`${folder}/components/api/src/a`, 0o755),
        () => write("manifests/components.yaml", MANIFEST.replace("v1.0.0", "v1.0.1")),
        () => write("manifests/components.yaml", MANIFEST.replace("mkdir -p", "mkdir -p --")),
      ];
      for (const change of changes) {
        change();
        const again = await build(workspace);
        assert.equal(again.state, "built");
        Deno.removeSync(`${folder}/components/api/dist`, { recursive: true });
        keys.add(again.key);
      }
      assert.deepEqual([keys.size, runs()], [5, 5]);
      const same: readonly (() => void)[] = [
        () => write("components/api/build.log", "no input"),
        () => write("components/api/.git/HEAD", "ref: y"),
        () => Deno.chmodSync(`${folder}/components/api/src/b`, 0o600),
        () => Deno.utimeSync(`${folder}/components/api/src/b`, 1, 1),
      ];
      for (const change of same) {
        change();
        assert.equal((await build(workspace)).state, "hit");
      }
    }),
);

testRequiring(
  ["posix"],
  "the value of a variable that was named is an input, others are not",
  () =>
    withApi(async ({ folder, runs }) => {
      const built = async (env: Readonly<Record<string, string>>) => {
        const { stdout } = await programCommand(["cache", "build", "api", "--json"], { cwd: folder, env })
          .output();
        const { state, key } = JSON.parse(new TextDecoder().decode(stdout));
        Deno.removeSync(`${folder}/components/api/dist`, { recursive: true });
        Deno.mkdirSync(`${folder}/components/api/dist`);
        return [state, key];
      };
      const [, plain] = await built({});
      const [state, sweet] = await built({ BACKOUT_FLAVOUR: "sweet" });
      assert.equal(state, "built");
      assert.notEqual(sweet, plain);
      assert.deepEqual(await built({ BACKOUT_FLAVOUR: "sweet", BACKOUT_OTHER: "x" }), ["hit", sweet]);
      assert.equal(runs(), 2);
    }),
);

testRequiring(
  ["posix"],
  "a build that fails, makes nothing, or changes its inputs is not kept",
  () =>
    withApi(async ({ write, run, json }) => {
      const wrong = {
        "echo some reason; exit 7": /The build of api failed \(exit code 7\): some reason/,
        "true": /did not make dist/,
        "mkdir -p dist; echo more >> src/a": /changed its own inputs \(src\/a\)/,
        "mkdir -p dist; echo more > left": /changed its own inputs \(left\)/,
      };
      for (const [command, message] of Object.entries(wrong)) {
        write("manifests/components.yaml", `components: {api: {build: "${command}", outputs: [dist]}}`);
        const { code, stderr } = await run(["cache", "build", "api"]);
        assert.equal(code, 49, stderr);
        assert.match(stderr, message);
      }
      assert.deepEqual((await json("cache", "list")).entries, []);
      write("manifests/components.yaml", "components: {api: {build: 'true'}}");
      assert.equal((await run(["cache", "build", "api"])).code, 2);
      assert.equal((await run(["cache", "build", "api", "--produces", "../x"])).code, 2);
      write("manifests/components.yaml", "components: {api: {build: {x: 1}}}");
      assert.equal((await run(["cache", "build", "api"])).code, 48);
      assert.equal((await run(["cache", "build", "gone"])).code, 40);
    }),
);

testRequiring(
  ["posix"],
  "a damaged cached build is told, and built anew",
  () =>
    withApi(async (workspace) => {
      const { folder, runs, run, json } = workspace;
      const { key } = await build(workspace);
      const manifest = `${folder}/.backout/store/snapshots/cache~${key}.json`;
      Deno.writeTextFileSync(
        manifest,
        Deno.readTextFileSync(manifest).replace(/"files": \d+/, '"files": 77'),
      );
      Deno.removeSync(`${folder}/components/api/dist`, { recursive: true });
      const got = await run(["cache", "get", "api", "--target", "got"]);
      assert.equal(got.code, 40);
      assert.match(got.stderr, /damaged and is not used/);
      const again = await build(workspace);
      assert.deepEqual([again.state, runs(), again.warnings.length], ["built", 2, 1]);
      assert.match(again.warnings[0], /checksum is wrong/);
      await json("cache", "get", "api", "--target", "got");
      assert.equal((await build(workspace)).warnings.length, 0);
    }),
);

testRequiring(
  ["posix"],
  "without a build command the source is kept, and the newest one comes back",
  () =>
    withApi(async ({ folder, json, run }) => {
      for (const text of ["1", "2"]) {
        makeTree(`${folder}/build`, { "file": text });
        assert.equal((await json("cache", "build", "plain", "--source", "build/")).state, "kept");
      }
      assert.equal((await json("cache", "build", "plain", "--source", "build/")).state, "hit");
      const got = await json("cache", "get", "plain", "--target", "out/");
      assert.deepEqual([got.chosen, Deno.readTextFileSync(`${folder}/out/file`)], ["newest", "2"]);
      const { entries } = await json("cache", "list", "plain");
      const [, older] = entries;
      const named = await json("cache", "get", "plain", "--key", older.id.slice(0, 12), "--target", "old");
      assert.deepEqual([named.chosen, Deno.readTextFileSync(`${folder}/old/file`)], ["key", "1"]);
      assert.equal((await json("cache", "stats")).entries, 2);
      assert.equal((await run(["cache", "invalidate"])).code, 2);
      assert.equal((await json("cache", "invalidate", "--key", older.id)).local.length, 1);
      assert.equal((await json("cache", "invalidate", "--all", "--dry-run")).local.length, 1);
      assert.equal((await json("cache", "invalidate", "plain")).local.length, 1);
      assert.equal((await run(["cache", "get", "plain", "--target", "none"])).code, 40);
      assert.deepEqual((await json("cache", "list")).entries, []);
    }),
);

testRequiring(["posix"], "--rebuild builds anew and keeps that instead", () =>
  withApi(async (workspace) => {
    const { folder, runs, json } = workspace;
    await build(workspace);
    Deno.removeSync(`${folder}/components/api/dist`, { recursive: true });
    const forced = await json("cache", "build", "api", "--rebuild");
    assert.deepEqual([forced.state, runs()], ["built", 2]);
    assert.equal((await json("cache", "list")).entries.length, 1);
    assert.equal((await json("cache", "build", "api", "--dry-run")).state, "hit");
  }));

testRequiring(
  ["posix"],
  "two builds of one source take turns, and the second uses what the first made",
  () =>
    withApi(async (workspace) => {
      const { folder, runs, write } = workspace;
      const build = "echo run >> ../../runs; mkdir ../../busy || exit 7; sleep 0.5; " +
        "mkdir -p dist; cat src/* > dist/out; rmdir ../../busy";
      write(
        "manifests/components.yaml",
        JSON.stringify({ components: { api: { build, outputs: ["dist"] } } }),
      );
      const both = await Promise.all([1, 2].map(() => workspace.json("cache", "build", "api")));
      assert.deepEqual(both.map(({ state }) => state).sort(), ["built", "hit"]);
      assert.equal(runs(), 1);
      assert.deepEqual(namesIn(`${folder}/.backout/locks`).length, 1);
      assert.equal(Deno.statSync(`${folder}/.backout`).mode! & 0o777, 0o700);
    }),
);

testRequiring(
  ["posix"],
  "--produces without a build command is refused, and nothing is kept",
  () =>
    withApi(async ({ folder, run, json }) => {
      makeTree(`${folder}/components/plain`, { "file": "text\n" });
      const refused = await run(["cache", "build", "plain", "--produces", "dist"]);
      assert.equal(refused.code, 2, refused.stderr);
      assert.match(refused.stderr, /plain has no build command, so nothing makes "dist"/);
      assert.deepEqual((await json("cache", "list")).entries, []);
    }),
);
