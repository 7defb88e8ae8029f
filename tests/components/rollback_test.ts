/** What `component rollback` refuses. */
import assert from "node:assert/strict";
import { lookAtMeta, makeMeta, type MetaWorld, metaWorld, withMeta } from "./meta_support.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

const TO_V1 = ["component", "rollback", "web", "--to-version", "v1.0.0", "--yes"];
const PREVIOUS = "manifests/components.lock.prod.previous.yaml";
const folderOf = ({ root }: MetaWorld) => root.slice(0, -"/meta".length);

/** Runs a command that must be refused with this code, say this, and change nothing. */
async function refused(
  world: MetaWorld,
  code: number,
  said: RegExp,
  ...args: readonly string[]
): Promise<void> {
  const before = lookAtMeta(folderOf(world));
  const done = await world.run(args);
  assert.equal(done.code, code, `${args.join(" ")}: ${done.stderr}${done.stdout}`);
  assert.match(done.stderr, said);
  assert.deepEqual(lookAtMeta(folderOf(world)), before, `${args.join(" ")} changed something`);
}

testRequiring(
  ["posix", "git"],
  "component rollback: uncommitted work is never given up, not even by force",
  async () => {
    await withMeta(async (world) => {
      world.write("components/web/file", "my work\n");
      await refused(world, 41, /uncommitted work \(web: file\)/, ...TO_V1);
      await refused(world, 41, /uncommitted/, ...TO_V1, "--dry-run");
      await refused(world, 41, /uncommitted/, ...TO_V1, "--force", "--reason", "I must");
      world.git("web", "add", "file");
      await refused(world, 41, /uncommitted/, ...TO_V1);
      // One that is dirty stops the others, too.
      await refused(world, 41, /web: file/, "component", "rollback", "--lock", PREVIOUS, "--yes");
      world.git("web", "reset", "--quiet", "--hard");
      // What no commit has and nothing overwrites stays where it is.
      world.write("components/web/notes.txt", "mine\n");
      world.write("components/web/build.ignored", "mine\n");
      await world.json(0, ...TO_V1);
      assert.equal(world.read("components/web/notes.txt"), "mine\n");
      assert.equal(world.read("components/web/build.ignored"), "mine\n");
    });
  },
);

testRequiring(
  ["posix", "git"],
  "component rollback: an untracked or ignored file is not overwritten",
  async () => {
    await withMeta(async (world) => {
      await world.json(0, ...TO_V1);
      world.write("components/web/new", "mine\n"); // v2.0.0 has a file of that name
      const forward = ["component", "rollback", "web", "--to-version", "v2.0.0", "--yes"];
      await refused(world, 47, /new would be overwritten/, ...forward, "--dry-run");
      await refused(world, 45, /new would be overwritten/, ...forward);
      world.write("components/web/.git/info/exclude", "new\n");
      // Git itself finds an ignored one when it gets there; all is taken back.
      await refused(world, 43, /taken back/, ...forward);
      assert.equal(world.read("components/web/new"), "mine\n");
    });
  },
);

testRequiring(
  ["posix", "git"],
  "component rollback: a merge under way, a rebase, a foreign lock",
  async () => {
    await withMeta(async (world) => {
      const gitDir = `${world.root}/components/web/.git`;
      for (
        const [file, said] of [["MERGE_HEAD", /a merge is under way/], [
          "index.lock",
          /another git process/,
        ]] as const
      ) {
        Deno.writeTextFileSync(`${gitDir}/${file}`, `${world.commit("web", "v1.0.0")}\n`);
        const done = await world.run(TO_V1);
        assert.equal(done.code, 41, done.stderr);
        assert.match(done.stderr, said);
        Deno.removeSync(`${gitDir}/${file}`);
      }
      Deno.mkdirSync(`${gitDir}/rebase-merge`);
      assert.match((await world.run(TO_V1)).stderr, /a rebase is under way/);
    });
  },
);

testRequiring(
  ["posix", "git"],
  "component rollback: what is not there is named with what is near",
  async () => {
    await withMeta(async (world) => {
      const to = (...args: string[]) => ["component", "rollback", ...args, "--yes"];
      await refused(
        world,
        40,
        /no version v1\.0\.1[\s\S]*Did you mean v1\.0\.0\? It has v2\.0\.0, v1\.0\.0/,
        ...to("web", "--to-version", "v1.0.1"),
      );
      await refused(world, 40, /no commit 0123456789ab/, ...to("web", "--to-commit", "0123456789ab"));
      await refused(
        world,
        40,
        /no component "wep"[\s\S]*Did you mean web/,
        ...to("wep", "--to-version", "v1.0.0"),
      );
      await refused(world, 40, /There is no lock file/, ...to("--lock", "manifests/components.lock.qa.yaml"));
      await refused(world, 40, /marked good/, ...to("web", "--to-last-good"));
      await refused(world, 2, /not 4 to 64 hex digits/, ...to("web", "--to-commit", "HEAD~1"));
      await refused(
        world,
        2,
        /Cannot use "--upload-pack=x" as a version/,
        ...to("web", "--to-version=--upload-pack=x"),
      );
      await refused(world, 2, /Cannot use "v1@\{1\}" as a version/, ...to("web", "--to-version", "v1@{1}"));
      await refused(
        world,
        2,
        /Cannot use "\.\.\/web" as the name of a component/,
        ...to("../web", "--to-version", "v1.0.0"),
      );
      await refused(
        world,
        2,
        /exclude each other/,
        ...to("web", "--to-version", "v1.0.0", "--to-commit", "abcd"),
      );
      await refused(world, 2, /One of --to-version/, ...to("web"));
      const short = world.commit("web", "v1.0.0").slice(0, 9);
      await world.json(0, ...to("web", "--to-commit", short));
      assert.equal(world.commit("web", "HEAD"), world.commit("web", "v1.0.0"));
      assert.match(world.read("manifests/components.yaml"), /version: 1\.0\.0/, "the commit has a tag");
    });
  },
);

testRequiring(["posix", "git"], "component rollback: version ranges of dependents", async () => {
  await withMeta(async (world) => {
    const api = ["component", "rollback", "api", "--to-version", "1.0.0", "--yes"];
    await refused(world, 42, /web needs api \^2\.0\.0, and would get v1\.0\.0/, ...api);
    await refused(world, 42, /web needs api/, ...api, "--dry-run");
    const forced = await world.json(0, ...api, "--force", "--reason", "incident 42");
    assert.match(forced.warnings.join(), /web needs api/);
    await world.json(0, "component", "rollback", "lib", "--to-version", "1.0.0", "--yes");
  });
});

testRequiring(["posix", "git"], "component rollback: lock files that cannot be meant", async () => {
  await withMeta(async (world) => {
    const { write, read } = world;
    const to = (
      path: string,
      ...more: string[]
    ) => ["component", "rollback", "--lock", path, "--yes", ...more];
    const bad: readonly (readonly [string, number, RegExp])[] = [
      ["", 48, /it is empty/],
      ["# nothing\n", 48, /it is empty/],
      ["components: {}\n", 48, /names no component/],
      ["components: [web]\n", 48, /not a block of names/],
      ["components: {web: {commit: --upload-pack=x}}\n", 48, /7 to 64 hex digits/],
      ["components: {../web: {commit: 0123456789}}\n", 48, /cannot be the name of a component/],
      ["components: {web: {commit: 0123456789}, web: {commit: 0123456789}}\n", 48, /unique/],
      ["a: &a [x]\nb: [*a, *a\n", 48, /Cannot use the lock file/],
    ];
    for (const [text, code, said] of bad) {
      write("bad.yaml", text);
      await refused(world, code, said, ...to("bad.yaml"));
    }
    const lock = read(PREVIOUS);
    await refused(world, 2, /is of the environment prod, not of dev/, ...to(PREVIOUS, "--env", "dev"));
    write("manifests/components.lock.dev.yaml", lock);
    await refused(
      world,
      2,
      /says that it is of the environment prod/,
      ...to("manifests/components.lock.dev.yaml"),
    );
    Deno.removeSync(`${world.root}/manifests/components.lock.dev.yaml`);
    write("gone.yaml", lock.replace(world.commit("web", "v1.0.0"), "0".repeat(39) + "1"));
    await refused(world, 40, /web has no commit 0{39}1, and neither has its repository/, ...to("gone.yaml"));
    await refused(
      world,
      40,
      /does not have the component|no component/,
      "component",
      "rollback",
      "nope",
      "--lock",
      PREVIOUS,
      "--yes",
    );
  });
});

testRequiring(
  ["posix", "git"],
  "component rollback: a tag that moved since the lock was written is said",
  async () => {
    await withMeta(async (world) => {
      world.git("web", "tag", "--force", "v1.0.0", "v2.0.0^{commit}");
      const { warnings } = await world.json(0, "component", "rollback", "web", "--lock", PREVIOUS, "--yes");
      assert.match(warnings.join(), /web: the tag v1\.0\.0 moved since it was locked/);
      assert.equal(world.read("components/web/file"), "web 1\n", "the commit is what was locked");
    });
  },
);

testRequiring(["posix", "git"], "component rollback: manifests that cannot be used", async () => {
  await withTempDir(async (folder) => {
    makeMeta(folder);
    const world = metaWorld(folder);
    for (
      const [text, said] of [
        ["", /it is empty/],
        ["components: 3\n", /not a block of names/],
        ["components: {a/b: {}}\n", /cannot be the name/],
        ["components: {a: {depends_on: [b]}}\n", /depends on "b", which it does not name/],
        ["components: {a: {version: [1}}\n", /Cannot use the manifest/],
      ] as const
    ) {
      world.write("manifests/components.yaml", text);
      const done = await world.run(TO_V1);
      assert.equal(done.code, 48, done.stderr);
      assert.match(done.stderr, said);
    }
    Deno.removeSync(`${world.root}/manifests/components.yaml`);
    assert.equal((await world.run(TO_V1)).code, 40);
  });
});
