import { join } from "node:path";
import assert from "node:assert/strict";
import { commit, filesOf, git, lookAtRepository, makeRepository, put } from "./git_support.ts";
import { targetContract, type TargetFixture } from "./target_contract.ts";

const repo = (world: string) => join(world, "repo");

function moveOn(world: string): void {
  put(repo(world), "app.ts", "three\n");
  put(repo(world), "new/later.ts", "later\n");
  Deno.removeSync(join(repo(world), "src/deep"), { recursive: true });
  commit(repo(world), "fourth");
}

const changes: TargetFixture["changes"] = {
  "a commit came": moveOn,
  "a file was edited to the same size": (world) => put(repo(world), "app.ts", "owt\n"),
  "a mode was changed": (world) => Deno.chmodSync(join(repo(world), "src/b.ts"), 0o600),
  "a file was made executable and staged": (world) => {
    Deno.chmodSync(join(repo(world), "src/b.ts"), 0o755);
    git(repo(world), "add", "src/b.ts");
  },
  "a file became a folder, a folder a file": (world) => {
    Deno.removeSync(join(repo(world), "run.sh"));
    put(repo(world), "run.sh/inner", "x");
    Deno.removeSync(join(repo(world), "src"), { recursive: true });
    put(repo(world), "src", "now a file");
  },
  "a symlink became a file, a file a symlink to elsewhere": (world) => {
    Deno.removeSync(join(repo(world), "link"));
    put(repo(world), "link", "no link");
    Deno.removeSync(join(repo(world), "src"), { recursive: true });
    Deno.mkdirSync(join(world, "outside"), { recursive: true });
    put(world, "outside/b.ts", "not ours\n");
    Deno.symlinkSync(join(world, "outside"), join(repo(world), "src"));
  },
  "another branch, new files, half staged": (world) => {
    git(repo(world), "reset", "-q", "--hard");
    git(repo(world), "clean", "-fdq");
    git(repo(world), "checkout", "-q", "other");
    put(repo(world), "app.ts", "staged\n");
    git(repo(world), "add", "app.ts");
    put(repo(world), "app.ts", "staged and changed\n");
    put(repo(world), "later/untracked.txt", "later\n");
    git(repo(world), "rm", "-q", "run.sh");
  },
  "the history was rewritten and collected": (world) => {
    git(repo(world), "reset", "-q", "--hard", "HEAD~2");
    put(repo(world), "app.ts", "rewritten\n");
    commit(repo(world), "another second");
    prune(repo(world));
  },
};

/** Nothing is left of what no branch has; the refs that keep it are gone as well. */
function prune(folder: string): void {
  for (const ref of git(folder, "for-each-ref", "--format=%(refname)", "refs/backout").split("\n")) {
    if (ref !== "") git(folder, "update-ref", "-d", ref);
  }
  if (git(folder, "stash", "list") !== "") git(folder, "stash", "clear");
  git(folder, "reflog", "expire", "--expire=now", "--all");
  git(folder, "gc", "-q", "--prune=now");
}

const clean: TargetFixture = {
  name: "git_commit: a clean checkout",
  type: "git_commit",
  needs: ["posix", "git"],
  setUp: (world) => {
    makeRepository(repo(world));
    return { repo_path: repo(world) };
  },
  changes,
  look: (world) => lookAtRepository(repo(world)),
  exported: (world, folder) => assert.deepEqual(filesOf(join(folder, "repository")), filesOf(repo(world))),
  sweep: false,
};
targetContract(clean);

const dirty: TargetFixture = {
  ...clean,
  name: "git_commit: a dirty checkout with configuration files",
  sweep: true,
  killPoints: 5,
  setUp: (world) => {
    makeRepository(repo(world));
    const it = repo(world);
    put(it, "staged.ts", "staged\n");
    git(it, "add", "staged.ts");
    put(it, "staged.ts", "staged, and more\n");
    put(it, "src/b.ts", "dirty\n", 0o640);
    put(it, "announced.ts", "soon\n");
    git(it, "add", "-N", "announced.ts");
    git(it, "rm", "-q", "--cached", "run.sh");
    Deno.removeSync(join(it, "src/deep/a.ts"));
    put(it, "untracked/ü b.txt", "mine\n", 0o600);
    put(it, "empty", "");
    Deno.symlinkSync("/nowhere", join(it, "untracked/link"));
    put(it, "debug.log", "ignored\n");
    put(world, "etc/app.yml", "port: 1\n", 0o640);
    return {
      repo_path: it,
      branch: "main",
      config_files: [join(world, "etc/app.yml"), join(world, "etc/none.yml")],
    };
  },
  look: (world) => [lookAtRepository(repo(world)), filesOf(join(world, "etc"))],
  changes: {
    "another branch, new files, half staged": changes["another branch, new files, half staged"]!,
    "the history was rewritten and collected": changes["the history was rewritten and collected"]!,
    "the configuration changed": (world) => {
      put(world, "etc/app.yml", "port: 2\n", 0o600);
      put(world, "etc/none.yml", "came later\n");
    },
    "everything was committed": moveOn,
  },
  exported: (world, folder) => {
    const { "debug.log": _ignored, ...files } = filesOf(repo(world));
    assert.deepEqual(filesOf(join(folder, "repository")), files);
    assert.equal(Object.values(filesOf(join(folder, "config_files")))[0], "640 port: 1\n");
  },
};
targetContract(dirty);
