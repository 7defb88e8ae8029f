/** What `component rollback` fetches, keeps, and does not run. */
import assert from "node:assert/strict";
import { testRequiring } from "../support/require.ts";
import { COMPONENTS, gitIn, lookAtMeta, type MetaWorld, withMeta } from "./meta_support.ts";

const TO_V1 = ["component", "rollback", "web", "--to-version", "v1.0.0", "--yes"];
const PREVIOUS = "manifests/components.lock.prod.previous.yaml";
const folderOf = ({ root }: MetaWorld) => root.slice(0, -"/meta".length);

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
