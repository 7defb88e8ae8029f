/** What a restore of a git checkout leaves alone, and tells before. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { testRequiring } from "../support/require.ts";
import { fixture, moveOn, repo } from "./git_fixture.ts";
import { commit, exists, git, makeRepository, put } from "./git_support.ts";
import { inWorld } from "./target_contract.ts";

const plain = fixture("plain", {});

testRequiring(["posix", "git"], "git_commit: what is ignored stays, unless it is asked for", async () => {
  await inWorld(plain, async ({ folder, driver, target, context, capture }) => {
    put(repo(folder), "debug.log", "before\n");
    const saved = await capture();
    put(repo(folder), "debug.log", "after\n");
    await driver.restore(target, saved, context());
    assert.equal(Deno.readTextFileSync(`${repo(folder)}/debug.log`), "after\n");
  });
  const all = fixture("all", {
    setUp: (world) => {
      makeRepository(repo(world));
      return { repo_path: repo(world), include_ignored: true };
    },
  });
  await inWorld(all, async ({ folder, driver, target, context, capture }) => {
    put(repo(folder), "debug.log", "before\n");
    const saved = await capture();
    put(repo(folder), "debug.log", "after\n");
    await driver.restore(target, saved, context());
    assert.equal(Deno.readTextFileSync(`${repo(folder)}/debug.log`), "before\n");
  });
});

testRequiring(
  ["posix", "git"],
  "git_commit: an ignored file in the way is named, and not destroyed",
  async () => {
    await inWorld(plain, async ({ folder, driver, target, context, capture }) => {
      const it = repo(folder);
      put(it, "build.d/x", "tracked\n");
      commit(it, "build.d");
      const saved = await capture();
      git(it, "rm", "-q", "-r", "build.d");
      put(it, ".gitignore", "build.d\n");
      commit(it, "gone");
      put(it, "build.d/x/precious", "precious\n");
      await assert.rejects(driver.restore(target, saved, context()), /in the way/);
      assert.equal(Deno.readTextFileSync(`${it}/build.d/x/precious`), "precious\n");
    });
  },
);

testRequiring(
  ["posix", "git"],
  "git_commit: the plan lists uncommitted work, and the commits that come off",
  async () => {
    await inWorld(plain, async ({ folder, driver, target, context, capture }) => {
      const saved = await capture();
      moveOn(folder);
      const clean = await driver.plan(target, saved, context());
      assert.deepEqual(clean.uncommitted, []);
      assert.match(clean.warnings.join(), /1 commit comes off refs\/heads\/main/);
      put(repo(folder), "app.ts", "hacked\n");
      put(repo(folder), "new.ts", "new\n");
      put(repo(folder), "run.sh", "#!/bin/bash\n", 0o755);
      git(repo(folder), "add", "run.sh");
      const plan = await driver.plan(target, saved, context());
      assert.deepEqual(plan.uncommitted.map((it) => it.slice(repo(folder).length + 1)).sort(), [
        "app.ts (changed)",
        "new.ts (untracked)",
        "run.sh (staged)",
      ]);
    });
  },
);

testRequiring(["posix", "git"], "git_commit: single paths leave HEAD and index alone", async () => {
  await inWorld(plain, async ({ folder, driver, target, context, capture }) => {
    const saved = await capture();
    moveOn(folder);
    const head = git(repo(folder), "rev-parse", "HEAD");
    const path = join(repo(folder), "app.ts");
    const plan = await driver.plan(target, saved, context([path]));
    assert.deepEqual(plan.changes.map((it) => it.path), [path]);
    await driver.restore(target, saved, context([path]));
    assert.equal(Deno.readTextFileSync(path), "two\n");
    assert.equal(git(repo(folder), "rev-parse", "HEAD"), head);
    assert.equal(git(repo(folder), "status", "--porcelain"), " M app.ts");
    assert.ok(exists(join(repo(folder), "added.ts")));
  });
});

testRequiring(
  ["posix", "git"],
  "git_commit: other branches, stashes, remotes and hooks are left alone, hooks do not run",
  async () => {
    await inWorld(plain, async ({ folder, driver, target, context, capture }) => {
      const it = repo(folder);
      for (const hook of ["post-checkout", "reference-transaction", "post-index-change", "pre-commit"]) {
        put(it, `.git/hooks/${hook}`, `#!/bin/sh\ntouch ${folder}/ran\n`, 0o755);
      }
      git(it, "config", "core.fsmonitor", `touch ${folder}/ran; false`);
      const saved = await capture();
      put(it, "app.ts", "moved\n");
      git(it, "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "commit", "-qam", "moved");
      git(it, "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "branch", "mine");
      const mine = git(it, "rev-parse", "mine");
      await driver.restore(target, saved, context());
      assert.equal(exists(join(folder, "ran")), false);
      assert.equal(git(it, "rev-parse", "mine"), mine);
    });
  },
);

testRequiring(
  ["posix", "git"],
  "git_commit: a branch that is checked out elsewhere is a problem",
  async () => {
    await inWorld(plain, async ({ folder, driver, target, context, capture }) => {
      const saved = await capture();
      git(repo(folder), "checkout", "-q", "other");
      git(repo(folder), "worktree", "add", "-q", join(folder, "second"), "main");
      const plan = await driver.plan(target, saved, context());
      assert.match(plan.problems.join(), /linked work tree .*second/);
    });
  },
);

testRequiring(["posix", "git"], "git_commit: a second snapshot of the same commit adds no pack", async () => {
  await inWorld(plain, async ({ folder, capture, store }) => {
    const first = await capture();
    const before = store.storedBytes;
    await capture(first);
    assert.ok(store.storedBytes - before < 20_000, `${store.storedBytes - before} bytes`);
    put(repo(folder), "big", crypto.randomUUID().repeat(10_000));
    commit(repo(folder), "big");
    await capture(first);
    assert.equal(
      git(repo(folder), "for-each-ref", "--format=%(refname)", "refs/backout").split("\n").length,
      2,
    );
  });
});

testRequiring(["posix", "git"], "git_commit: backout's own folder is neither kept nor touched", async () => {
  await inWorld(plain, async ({ folder, driver, target, context, capture }) => {
    put(repo(folder), ".backout/journal", "before\n");
    const saved = await capture();
    put(repo(folder), ".backout/journal", "after\n");
    put(repo(folder), ".backout/more", "after\n");
    const restored = await driver.restore(target, saved, context());
    assert.deepEqual([restored.changed, restored.removed], [0, 0]);
    assert.equal(Deno.readTextFileSync(`${repo(folder)}/.backout/more`), "after\n");
  });
});

testRequiring(
  ["posix", "git"],
  "git_commit: packs of several snapshots together bring everything back",
  async () => {
    await inWorld(plain, async ({ folder, driver, target, context, capture, look }) => {
      const it = repo(folder);
      let saved = await capture();
      for (const turn of [1, 2, 3]) {
        put(it, `turn-${turn}`, `${turn}\n`);
        commit(it, `turn ${turn}`);
        put(it, "staged", `staged ${turn}\n`);
        git(it, "add", "staged");
        saved = await capture(saved);
      }
      const before = await look();
      Deno.removeSync(it, { recursive: true });
      Deno.mkdirSync(it);
      git(it, "init", "-q");
      await driver.restore(target, saved, context());
      assert.deepEqual(await look(), before);
      assert.equal(git(it, "rev-list", "--count", "HEAD"), "6");
      git(it, "fsck", "--strict");
    });
  },
);
