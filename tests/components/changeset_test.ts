/** What a rollback of a changeset refuses, and how it ends where a remote does. */
import assert from "node:assert/strict";
import { testRequiring } from "../support/require.ts";
import { COMPONENTS, gitIn, lookAtMeta, makeChangeset, type MetaWorld, withMeta } from "./meta_support.ts";

const ROLLBACK = ["changeset", "rollback", "abc12345", "--yes"];
const folderOf = ({ root }: MetaWorld) => root.slice(0, -"/meta".length);
const PATH = ".meta/changesets/abc12345.yaml";

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
  "changeset rollback: a conflict in one repository is found before any is touched",
  async () => {
    await withMeta(async (world) => {
      makeChangeset(folderOf(world));
      world.write("components/web/file", "web 4, on top\n");
      world.git("web", "commit", "--quiet", "-a", "-m", "later");
      await refused(world, 47, /web: reverting [0-9a-f]{12} conflicts in file/, ...ROLLBACK, "--dry-run");
      await refused(world, 49, /web: reverting [0-9a-f]{12} conflicts in file/, ...ROLLBACK);
      assert.equal(world.git("web", "status", "--porcelain"), "");
    });
  },
);

testRequiring(
  ["posix", "git"],
  "changeset rollback: by a reset, where it drops nobody else's commits",
  async () => {
    await withMeta(async (world) => {
      makeChangeset(folderOf(world));
      world.write("components/web/unrelated", "later\n");
      world.git("web", "add", ".");
      world.git("web", "commit", "--quiet", "-m", "later");
      await refused(world, 41, /would drop 1 commits that are not of this changeset/, ...ROLLBACK, "--hard");
      world.git("web", "reset", "--quiet", "--hard", "HEAD^");
      const tips = COMPONENTS.map((name) => world.commit(name, "main"));
      const { undo } = await world.json(0, ...ROLLBACK, "--hard");
      for (const name of COMPONENTS) assert.equal(world.commit(name, "main"), world.commit(name, "v2.0.0"));
      assert.match(world.read(PATH), /status: rolled-back/);
      await world.json(0, ...undo.split(" ").slice(1), "--yes");
      assert.deepEqual(COMPONENTS.map((name) => world.commit(name, "main")), tips);
    });
  },
);

testRequiring(
  ["posix", "git"],
  "changeset rollback: pushed with a lease, in all remotes or in none",
  async () => {
    await withMeta(async (world) => {
      makeChangeset(folderOf(world));
      const remote = (name: string) => gitIn(`${world.remotes}/${name}.git`, "rev-parse", "main");
      const before = lookAtMeta(folderOf(world));
      // The last remote refuses: what the others got is pushed back.
      const hook = `${world.remotes}/web.git/hooks/pre-receive`;
      Deno.mkdirSync(`${world.remotes}/web.git/hooks`, { recursive: true });
      Deno.writeTextFileSync(hook, "#!/bin/sh\necho not on my watch >&2\nexit 1\n", { mode: 0o755 });
      const failed = await world.run([...ROLLBACK, "--push"]);
      assert.equal(failed.code, 43, failed.stderr);
      assert.match(failed.stderr, /not on my watch/);
      assert.deepEqual(lookAtMeta(folderOf(world)), before);
      Deno.removeSync(hook);
      // Somebody pushed meanwhile: their work is not overwritten.
      const other = `${folderOf(world)}/other`;
      gitIn(folderOf(world), "clone", "--quiet", `${world.remotes}/api.git`, "other");
      Deno.writeTextFileSync(`${other}/theirs`, "x\n");
      gitIn(other, "add", ".");
      gitIn(other, "commit", "--quiet", "-m", "theirs");
      gitIn(other, "push", "--quiet", "origin", "HEAD:main");
      await refused(
        world,
        47,
        /api: refs\/heads\/main of its remote is at/,
        ...ROLLBACK,
        "--push",
        "--dry-run",
      );
      await refused(world, 45, /api: refs\/heads\/main of its remote is at/, ...ROLLBACK, "--push");
      world.git("api", "pull", "--quiet", "--ff-only");
      await world.json(0, ...ROLLBACK, "--push");
      for (const name of COMPONENTS) assert.equal(remote(name), world.commit(name, "main"));
      assert.equal(world.read("components/api/theirs"), "x\n");
      assert.equal((await world.run([...ROLLBACK, "--push", "--offline"])).code, 2);
    });
  },
);

testRequiring(
  ["posix", "git"],
  "changeset rollback: a branch that is not checked out moves alone",
  async () => {
    await withMeta(async (world) => {
      makeChangeset(folderOf(world));
      await world.json(0, "component", "rollback", "lib", "--to-version", "v1.0.0", "--yes");
      world.git("api", "checkout", "--quiet", "-b", "feature");
      world.write("components/api/stable", "my work\n"); // not touched, as main is not checked out
      await world.json(0, ...ROLLBACK);
      assert.equal(world.commit("lib", "HEAD"), world.commit("lib", "v1.0.0"));
      assert.equal(world.git("lib", "diff", "--stat", "v2.0.0", "main"), "");
      assert.equal(world.git("api", "symbolic-ref", "HEAD"), "refs/heads/feature");
      assert.equal(world.git("api", "diff", "--stat", "v2.0.0", "main"), "");
      assert.equal(world.read("components/api/stable"), "my work\n");
    });
  },
);

testRequiring(["posix", "git"], "changeset rollback: a merge is reverted to its first parent", async () => {
  await withMeta(async (world) => {
    world.git("web", "checkout", "--quiet", "-b", "side");
    world.write("components/web/side", "x\n");
    world.git("web", "add", ".");
    world.git("web", "commit", "--quiet", "-m", "side");
    world.git("web", "checkout", "--quiet", "main");
    world.git("web", "merge", "--quiet", "--no-ff", "-m", "merge side", "side");
    const merge = world.commit("web", "HEAD");
    world.write(PATH, `id: abc12345\nstatus: open\nrepos: [{name: web, commit: "${merge}", branch: main}]\n`);
    await world.json(0, ...ROLLBACK);
    assert.equal(world.git("web", "diff", "--stat", "v2.0.0", "HEAD"), "");
    assert.match(world.git("web", "log", "-1", "--format=%b"), /reversing\nchanges made to/);
  });
});

testRequiring(
  ["posix", "git"],
  "changeset rollback: uncommitted work, and documents that cannot be meant",
  async () => {
    await withMeta(async (world) => {
      makeChangeset(folderOf(world));
      const text = world.read(PATH);
      world.write("components/lib/stable", "my work\n");
      await refused(world, 41, /uncommitted work \(lib: stable\)/, ...ROLLBACK);
      world.git("lib", "checkout", "--quiet", "stable");
      const bad: readonly (readonly [string, number, RegExp])[] = [
        ["", 48, /it is empty/],
        ["id: abc12345\n", 48, /`repos:` is not a list/],
        [text.replace("id: abc12345", "id: other"), 48, /it says that it is "other"/],
        [text.replace("- name: lib", "- name: ../lib"), 48, /has the name "\.\.\/lib"/],
        [text.replace(/commit: "[0-9a-f]{40}"/, "commit: --hard"), 48, /has the commit "--hard"/],
        [text.replace("branch: main", "branch: --hard"), 48, /has the branch "--hard"/],
        [text.replace("branch: main", "branch: gone"), 40, /lib has no branch gone/],
        [
          text.replace(/commit: "[0-9a-f]{40}"/, `commit: "${"0".repeat(39)}1"`),
          40,
          /lib has no commit 0{39}1/,
        ],
      ];
      for (const [changed, code, said] of bad) {
        world.write(PATH, changed);
        await refused(world, code, said, ...ROLLBACK);
      }
      world.write(PATH, text);
      await refused(
        world,
        40,
        /no changeset abc12346[\s\S]*Did you mean abc12345/,
        "changeset",
        "rollback",
        "abc12346",
        "--yes",
      );
      await refused(world, 2, /as the id of a changeset/, "changeset", "rollback", "../x", "--yes");
    });
  },
);
