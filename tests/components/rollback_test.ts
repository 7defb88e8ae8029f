/** What `component rollback` refuses, and what it fetches. */
import assert from "node:assert/strict";
import { testRequiring } from "../support/require.ts";
import {
  COMPONENTS,
  gitIn,
  lookAtMeta,
  makeMeta,
  type MetaWorld,
  metaWorld,
  withMeta,
} from "./meta_support.ts";
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

testRequiring(
  ["posix", "git"],
  "component rollback: a missing checkout is cloned, a missing commit fetched",
  async () => {
    await withMeta(async (world) => {
      const checkout = `${world.root}/components/web`;
      Deno.removeSync(checkout, { recursive: true });
      const before = lookAtMeta(folderOf(world));
      const dry = await world.json(0, ...TO_V1, "--dry-run");
      assert.deepEqual(lookAtMeta(folderOf(world)), before);
      assert.equal(dry.snapshot.targets[0].changes[0].action, "create");
      const { undo } = await world.json(0, ...TO_V1);
      assert.equal(world.read("components/web/file"), "web 1\n");
      assert.equal(world.git("web", "status", "--porcelain"), "");
      // Taken back, it is away again: nobody's files are deleted for that.
      const back = await world.json(0, ...undo.split(" ").slice(1), "--yes");
      assert.match(back.warnings.join(), /its checkout is .*aside\/web-/);
      assert.deepEqual(lookAtMeta(folderOf(world)), before);

      // A version that only the remote has, by its tag and by its commit.
      const other = `${folderOf(world)}/other`;
      gitIn(folderOf(world), "clone", "--quiet", `${world.remotes}/lib.git`, "other");
      Deno.writeTextFileSync(`${other}/file`, "lib 3\n");
      gitIn(other, "commit", "--quiet", "-a", "-m", "lib three");
      gitIn(other, "tag", "-a", "-m", "third", "v3.0.0");
      gitIn(other, "push", "--quiet", "origin", "HEAD:refs/heads/side", "v3.0.0");
      const third = gitIn(other, "rev-parse", "HEAD");
      const forward = ["component", "rollback", "lib", "--to-version", "3.0.0", "--yes"];
      const objects = world.git("lib", "count-objects", "-v");
      await world.json(0, ...forward, "--dry-run");
      assert.equal(
        world.git("lib", "count-objects", "-v"),
        objects,
        "a dry run fetches into a folder of its own",
      );
      await world.json(0, ...forward);
      assert.equal(world.commit("lib", "HEAD"), third);
      assert.equal(world.commit("lib", "v3.0.0"), third, "the tag is there, too");
      await world.json(0, "component", "rollback", "lib", "--to-version", "v1.0.0", "--yes");
      await world.json(0, "component", "rollback", "lib", "--to-commit", third, "--yes");
    });
  },
);

testRequiring(
  ["posix", "git"],
  "component rollback: addresses that look like options or run programs",
  async () => {
    await withMeta(async (world) => {
      Deno.removeSync(`${world.root}/components/web`, { recursive: true });
      const manifest = world.read("manifests/components.yaml");
      const marker = `${folderOf(world)}/pwned`;
      const urls: readonly (readonly [string, RegExp])[] = [
        [`--upload-pack=touch ${marker}`, /spaces|option/],
        [`--upload-pack=touch`, /looks like an option/],
        [`ext::sh -c touch% ${marker}`, /spaces|helper/],
        [`ext::sh`, /transport helper/],
        ["ssh://-oProxyCommand=touch/x", /host looks like an option/],
        ["-oProxyCommand=x:y", /looks like an option/],
        ["gopher://host/x", /none of file/],
        ["https://user:hunter2@host/x.git", /has a password in it/],
      ];
      for (const [url, said] of urls) {
        world.write(
          "manifests/components.yaml",
          manifest.replace(`file://${world.remotes}/web.git`, JSON.stringify(url)),
        );
        const done = await world.run(TO_V1);
        assert.equal(done.code, 2, done.stderr);
        assert.match(done.stderr, said);
        assert.doesNotMatch(done.stderr + done.stdout, /hunter2/);
      }
      assert.throws(() => Deno.lstatSync(marker), Deno.errors.NotFound);
      world.write("manifests/components.yaml", manifest.replace("web.git", "away.git"));
      const away = await world.run(TO_V1);
      assert.equal(away.code, 40, away.stderr);
      assert.match(away.stderr, /There is no repository file:\/\/.*away\.git of web/);
    });
  },
);

testRequiring(
  ["posix", "git"],
  "component rollback: hooks and monitors of a checkout do not run, symlinks are refused",
  async () => {
    await withMeta(async (world) => {
      const marker = `${folderOf(world)}/pwned`;
      const gitDir = `${world.root}/components/web/.git`;
      Deno.mkdirSync(`${gitDir}/hooks`, { recursive: true });
      for (const hook of ["post-checkout", "reference-transaction", "post-index-change"]) {
        Deno.writeTextFileSync(`${gitDir}/hooks/${hook}`, `#!/bin/sh\ntouch ${marker}\n`, { mode: 0o755 });
      }
      world.git("web", "config", "core.fsmonitor", `touch ${marker}`);
      Deno.removeSync(`${gitDir}/hooks/post-checkout`);
      await world.json(0, ...TO_V1);
      assert.throws(() => Deno.lstatSync(marker), Deno.errors.NotFound);
      Deno.renameSync(`${world.root}/components/web`, `${folderOf(world)}/elsewhere`);
      Deno.symlinkSync(`${folderOf(world)}/elsewhere`, `${world.root}/components/web`);
      const done = await world.run(["component", "rollback", "web", "--to-version", "v2.0.0", "--yes"]);
      assert.equal(done.code, 49, done.stderr);
      assert.match(done.stderr, /it is a symlink/);
    });
  },
);

testRequiring(
  ["posix", "git"],
  "component rollback: a commit that nothing names is kept, and found again",
  async () => {
    await withMeta(async (world) => {
      world.git("web", "checkout", "--quiet", "--detach");
      world.write("components/web/file", "never pushed\n");
      world.git("web", "commit", "--quiet", "-a", "-m", "on no branch");
      const lonely = world.commit("web", "HEAD");
      const { undo } = await world.json(0, ...TO_V1);
      assert.equal(
        world.git("web", "for-each-ref", "--format=%(refname)", "refs/backout"),
        `refs/backout/${lonely}`,
      );
      world.git("web", "reflog", "expire", "--expire=now", "--all");
      world.git("web", "gc", "--quiet", "--prune=now");
      await world.json(0, ...undo.split(" ").slice(1), "--yes");
      assert.equal(world.read("components/web/file"), "never pushed\n");
    });
  },
);

testRequiring(
  ["posix", "git"],
  "component rollback: the last good version, skipping what is checked out",
  async () => {
    await withMeta(async (world) => {
      await world.json(0, "component", "mark", "web", "1.0.0", "good", "--reason", "a year");
      await world.json(0, "component", "mark", "web", "v2.0.0", "bad");
      const done = await world.json(0, "component", "rollback", "web", "--to-last-good", "--yes");
      assert.deepEqual(done.versions, ["web@v1.0.0"]);
      assert.match(world.read(".meta/marks.yaml"), /v1\.0\.0:\n {6}mark: good/);
      await world.json(0, "component", "mark", "web", "v1.0.0", "none");
      assert.equal((await world.run(["component", "mark", "web", "v1.0.0", "none"])).code, 40);
    });
  },
);

testRequiring(
  ["posix", "git"],
  "component rollback: a failed check takes it back when that was asked for",
  async () => {
    await withMeta(async (world) => {
      const before = lookAtMeta(folderOf(world));
      world.write("checks.yaml", "- {type: file_exists, path: components/web/new}\n");
      const command = ["component", "rollback", "--lock", PREVIOUS, "--yes", "--checks", "checks.yaml"];
      const taken = await world.json(43, ...command, "--rollback-on-failure");
      assert.match(taken.summary, /did not pass its checks/);
      assert.deepEqual(lookAtMeta(folderOf(world)), before);
      const stands = await world.json(51, ...command);
      assert.equal(stands.status, "partial");
      for (const name of COMPONENTS) assert.equal(world.commit(name, "HEAD"), world.commit(name, "v1.0.0"));
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
