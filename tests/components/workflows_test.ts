/** The workflows of the meta CLI's page on rollback, in our spelling, on real git. */
import assert from "node:assert/strict";
import { testRequiring } from "../support/require.ts";
import { COMPONENTS, gitIn, lookAtMeta, makeChangeset, withMeta } from "./meta_support.ts";

testRequiring(["posix", "git"], "components: production incident recovery", async () => {
  await withMeta(async ({ json, run, commit, git, read }) => {
    // 1. Identify the issue
    await json(0, "component", "mark", "web", "v2.0.0", "bad", "--reason", "incident 42");
    const sick = await json(51, "component", "health", "--all", "--env", "prod");
    assert.deepEqual(
      sick.components.map((one: { healthy: boolean }) => one.healthy),
      [true, true, false],
    );
    assert.deepEqual(sick.components[2].problems, ["v2.0.0 is marked bad (incident 42)"]);
    // 2. List available rollback targets
    const { components: [listed] } = await json(0, "component", "targets", "--component", "web");
    assert.deepEqual(
      listed.tags.map(({ name, current, mark }: Record<string, unknown>) => [name, current, mark]),
      [
        ["v2.0.0", true, "bad"],
        ["v1.0.0", false, null],
      ],
    );
    assert.equal(listed.commits[0].about, "web two");
    assert.deepEqual(listed.locks.map(({ name }: { name: string }) => name), [
      "manifests/components.lock.prod.previous.yaml",
      "manifests/components.lock.prod.yaml",
    ]);
    // 3. Rollback to previous version
    const dry = await json(
      0,
      "component",
      "rollback",
      "web",
      "--to-version",
      "v1.0.0",
      "--env",
      "prod",
      "--dry-run",
    );
    assert.equal(commit("web", "HEAD"), commit("web", "v2.0.0"), "a dry run changes nothing");
    const done = await json(
      0,
      "component",
      "rollback",
      "web",
      "--to-version",
      "v1.0.0",
      "--env",
      "prod",
      "--yes",
    );
    assert.deepEqual(
      dry.steps.map((step: { description: string }) => step.description),
      done.steps.map((step: { description: string }) => step.description),
    );
    assert.equal(done.summary, "Rolled web back to v1.0.0");
    assert.equal(commit("web", "HEAD"), commit("web", "v1.0.0"));
    assert.equal(read("components/web/file"), "web 1\n");
    // The manifest writes it as it wrote versions before, and only that value is another one.
    assert.match(read("manifests/components.yaml"), /version: 1\.0\.0\n {4}depends_on: \["api@\^2\.0\.0"\]/);
    assert.match(read("manifests/components.yaml"), /x-owner: \{team: core\} {3}# a field of ours/);
    // 4. Verify recovery
    assert.equal((await run(["component", "health", "--all", "--env", "prod"])).code, 0);
    // And back again, from the report's own words.
    const undo = await run([...done.undo.split(" ").slice(1), "--yes"]);
    assert.equal(undo.code, 0, undo.stderr);
    assert.equal(git("web", "symbolic-ref", "HEAD"), "refs/heads/main");
    assert.match(read("manifests/components.yaml"), /version: 2\.0\.0/);
  });
});

testRequiring(["posix", "git"], "components: rollback from a lock file", async () => {
  await withMeta(async ({ json, run, commit, read }) => {
    const listed = await run(["component", "targets"]);
    assert.match(listed.stdout, /lock +manifests\/components\.lock\.prod\.previous\.yaml/);
    const previous = "manifests/components.lock.prod.previous.yaml";
    const { versions, verification } = await json(0, "component", "rollback", "--lock", previous, "--yes");
    assert.deepEqual(versions, ["lib@v1.0.0", "api@v1.0.0", "web@v1.0.0"]);
    assert.ok(verification.every(({ passed }: { passed: boolean }) => passed));
    for (const name of COMPONENTS) assert.equal(commit(name, "HEAD"), commit(name, "v1.0.0"));
    const withoutTime = (path: string) => read(path).replace(/^generated_at.*$/m, "");
    assert.equal(withoutTime("manifests/components.lock.prod.yaml"), withoutTime(previous));
    assert.equal((await run(["component", "health", "--all", "--env", "prod"])).code, 0);
    // Again: nothing is to be done, and nobody is asked.
    const again = await json(0, "component", "rollback", "--lock", previous, "--yes");
    assert.deepEqual(again.steps, []);
    assert.match(again.summary, /^Nothing to do/);
  });
});

testRequiring(
  ["posix", "git"],
  "components: rollback of one component from the lock file of another environment",
  async () => {
    await withMeta(async ({ json, commit, write, read }) => {
      write(
        "manifests/components.lock.dev.yaml",
        read("manifests/components.lock.prod.previous.yaml").replace("prod", "dev"),
      );
      await json(0, "component", "rollback", "lib", "--lock", "manifests/components.lock.dev.yaml", "--yes");
      assert.equal(commit("lib", "HEAD"), commit("lib", "v1.0.0"));
      assert.equal(commit("api", "HEAD"), commit("api", "v2.0.0"));
    });
  },
);

testRequiring(["posix", "git"], "components: a snapshot before a deployment, and back to it", async () => {
  await withMeta(async ({ json, run, root, git, commit, read }) => {
    const before = lookAtMeta(root.slice(0, -"/meta".length));
    await json(0, "component", "snapshot", "--out", "pre-deployment-snapshot.yaml");
    assert.equal(
      (await run(["component", "snapshot", "--components", "lib,api", "--out", "two.yaml"])).code,
      0,
    );
    assert.doesNotMatch(read("two.yaml"), /web/);
    await json(0, "component", "rollback", "--lock", "manifests/components.lock.prod.previous.yaml", "--yes");
    await json(0, "component", "snapshot", "--restore", "pre-deployment-snapshot.yaml", "--yes");
    for (const name of COMPONENTS) {
      assert.equal(git(name, "symbolic-ref", "HEAD"), "refs/heads/main", "the branch is checked out again");
      assert.equal(commit(name, "HEAD"), commit(name, "v2.0.0"));
    }
    const after = lookAtMeta(root.slice(0, -"/meta".length)) as { checkouts: unknown };
    assert.deepEqual(after.checkouts, (before as { checkouts: unknown }).checkouts);
  });
});

testRequiring(["posix", "git"], "components: rollback of a changeset", async () => {
  await withMeta(async ({ json, run, root, git, read }) => {
    const folder = root.slice(0, -"/meta".length);
    makeChangeset(folder);
    const before = lookAtMeta(folder);
    assert.match((await run(["changeset", "list"])).stdout, /abc12345 .*committed .*3 repositories/);
    assert.match((await run(["changeset", "show", "abc"])).stdout, /lib +main +[0-9a-f]{12} +lib: added/);
    await json(0, "changeset", "rollback", "abc12345", "--dry-run");
    assert.deepEqual(lookAtMeta(folder), before, "a dry run changes nothing, not even objects");
    assert.equal(git("lib", "fsck", "--unreachable"), "");
    const done = await json(0, "changeset", "rollback", "abc12345", "--yes");
    for (const name of COMPONENTS) {
      assert.equal(git(name, "diff", "--stat", "v2.0.0", "HEAD"), "", "as before the changeset");
      assert.deepEqual(git(name, "log", "-2", "--format=%s").split("\n"), [
        `Revert "${name}: file"`,
        `Revert "${name}: added"`,
      ]);
      assert.match(
        git(name, "log", "-1", "--format=%b"),
        /This reverts commit [0-9a-f]{40}\.[\s\S]*changeset abc12345/,
      );
      assert.notEqual(
        gitIn(`${folder}/remotes/${name}.git`, "rev-parse", "main"),
        git(name, "rev-parse", "main"),
      );
    }
    assert.match(
      read(".meta/changesets/abc12345.yaml"),
      /Rename a field {3}# everywhere\nstatus: rolled-back\nrepos:/,
    );
    assert.equal((await run(["changeset", "rollback", "abc12345", "--yes"])).code, 46);
    assert.equal((await run([...done.undo.split(" ").slice(1), "--yes"])).code, 0);
    assert.deepEqual(lookAtMeta(folder), before);
  });
});
