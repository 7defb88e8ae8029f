/** Repositories in less usual states: submodules, sparse, shallow, detached, unborn, worktrees, conflicts. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fixture, moveOn, repo } from "./git_fixture.ts";
import { commit, git, gitTry, makeRepository, put } from "./git_support.ts";
import { targetContract } from "./target_contract.ts";

targetContract(fixture("a detached HEAD", {
  brief: true,
  setUp: (world) => {
    makeRepository(repo(world));
    git(repo(world), "checkout", "-q", "--detach", "HEAD~1");
    return { repo_path: repo(world) };
  },
  changes: { "a branch was checked out": (world) => void git(repo(world), "checkout", "-q", "main") },
}));

targetContract(fixture("an unborn HEAD", {
  setUp: (world) => {
    Deno.mkdirSync(repo(world));
    git(repo(world), "init", "-q");
    put(repo(world), "staged", "x\n");
    git(repo(world), "add", "staged");
    put(repo(world), "untracked", "y\n");
    return { repo_path: repo(world) };
  },
  changes: { "the first commit was made": moveOn },
}));

targetContract(fixture("a renamed branch", {
  brief: true,
  changes: { "and the old one deleted": (world) => void git(repo(world), "branch", "-m", "main", "trunk") },
  // The new name is left alone: what is looked at is what is checked out.
}));

targetContract(fixture("a conflict in the index", {
  brief: true,
  setUp: (world) => {
    makeRepository(repo(world));
    put(repo(world), "src/b.ts", "mine\n");
    git(repo(world), "stash", "-q");
    put(repo(world), "src/b.ts", "theirs\n");
    commit(repo(world), "theirs");
    assert.equal(gitTry(repo(world), "stash", "pop").success, false);
    return { repo_path: repo(world) };
  },
  changes: {
    "it was resolved": (world) => {
      put(repo(world), "src/b.ts", "resolved\n");
      commit(repo(world), "resolved");
    },
  },
}));

targetContract(fixture("a sparse checkout", {
  setUp: (world) => {
    makeRepository(repo(world));
    git(repo(world), "sparse-checkout", "set", "--cone", "src/deep");
    put(repo(world), "src/deep/a.ts", "dirty\n");
    return { repo_path: repo(world) };
  },
  changes: {
    "other folders were asked for": (world) => {
      put(repo(world), "other/x", "x\n");
      git(repo(world), "add", "--sparse", "other/x");
      git(repo(world), "sparse-checkout", "set", "other");
    },
    "it was made full": (world) => void git(repo(world), "sparse-checkout", "disable"),
  },
}));

targetContract(fixture("a sparse index", {
  brief: true,
  setUp: (world) => {
    makeRepository(repo(world));
    for (const index of [1, 2, 3]) put(repo(world), `other/${index}/file`, "x\n");
    commit(repo(world), "others");
    git(repo(world), "sparse-checkout", "set", "--cone", "--sparse-index", "src");
    put(repo(world), "src/b.ts", "staged\n");
    git(repo(world), "add", "src/b.ts");
    return { repo_path: repo(world) };
  },
  changes: { "it was made full": (world) => void git(repo(world), "sparse-checkout", "disable") },
}));

targetContract(fixture("a split index", {
  setUp: (world) => {
    makeRepository(repo(world));
    git(repo(world), "update-index", "--split-index");
    put(repo(world), "src/b.ts", "staged\n");
    git(repo(world), "add", "src/b.ts");
    return { repo_path: repo(world) };
  },
  changes: { "a commit came": moveOn },
}));

targetContract(fixture("a shallow clone", {
  setUp: (world) => {
    makeRepository(join(world, "origin"));
    git(world, "clone", "-q", "--depth=1", `file://${world}/origin`, "repo");
    put(repo(world), "local.ts", "local\n");
    commit(repo(world), "local");
    return { repo_path: repo(world) };
  },
  changes: { "a commit came": moveOn },
}));

targetContract(fixture("a submodule", {
  setUp: (world) => {
    makeRepository(join(world, "library"));
    makeRepository(repo(world));
    git(repo(world), "submodule", "--quiet", "add", `${world}/library`, "vendor/lib");
    commit(repo(world), "with a library");
    put(repo(world), "vendor/lib/app.ts", "dirty in the library\n");
    put(repo(world), "vendor/lib/extra.ts", "untracked\n");
    return { repo_path: repo(world) };
  },
  changes: {
    "it moved on": (world) => {
      commit(join(repo(world), "vendor/lib"), "local work");
      commit(repo(world), "bump");
    },
    "its work tree was removed": (world) => {
      Deno.removeSync(join(repo(world), "vendor/lib"), { recursive: true });
    },
  },
  exported: (world, folder) => {
    assert.equal(
      Deno.readTextFileSync(`${folder}/repository/vendor/lib/app.ts`),
      Deno.readTextFileSync(`${repo(world)}/vendor/lib/app.ts`),
    );
  },
  sweep: true,
  killPoints: 2,
}));

targetContract(fixture("a linked work tree", {
  brief: true,
  setUp: (world) => {
    makeRepository(join(world, "main-tree"));
    git(join(world, "main-tree"), "worktree", "add", "-q", "-b", "linked", repo(world));
    put(repo(world), "app.ts", "dirty in the linked one\n");
    return { repo_path: repo(world) };
  },
  changes: { "a commit came": moveOn },
}));

targetContract(fixture("line ends and filters", {
  brief: true,
  setUp: (world) => {
    makeRepository(repo(world));
    put(repo(world), ".gitattributes", "*.txt text eol=crlf\n*.up filter=up\n");
    git(repo(world), "config", "filter.up.smudge", "tr a-z A-Z");
    git(repo(world), "config", "filter.up.clean", "tr A-Z a-z");
    put(repo(world), "dos.txt", "one\r\ntwo\r\n");
    put(repo(world), "loud.up", "LOUD\n");
    commit(repo(world), "attributes");
    return { repo_path: repo(world) };
  },
  changes: {
    "they were taken out": (world) => {
      Deno.removeSync(join(repo(world), ".gitattributes"));
      put(repo(world), "dos.txt", "three\n");
      put(repo(world), "loud.up", "quiet\n");
      commit(repo(world), "no attributes");
    },
  },
}));
