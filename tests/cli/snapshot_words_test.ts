/** What rollback points say to a person: the question on a terminal, refusals, tables, the next command. */
import assert from "node:assert/strict";
import { runInProcess } from "../support/cli.ts";
import { testRequiring } from "../support/require.ts";
import { FILES, git, makeRepository, type TestWorkspace, withWorkspace } from "./snapshot_support.ts";

/** Runs `backout ARGS` where somebody sits at a terminal and types `answer`. */
function atTerminal({ folder }: TestWorkspace, answer: string, ...args: readonly string[]) {
  return runInProcess(args, {
    cwd: folder,
    env: { PATH: Deno.env.get("PATH")!, HOME: folder, NO_COLOR: "1" },
    terminal: true,
    stdin: answer,
  });
}

function fill({ write }: TestWorkspace): void {
  write("etc/app.conf", "one\n");
  write("data/old", "old\n");
}

testRequiring(
  ["posix"],
  "snapshot words: the question names the snapshot, and is not asked for nothing",
  async () => {
    await withWorkspace(FILES, async (workspace) => {
      fill(workspace);
      const { id } = (await workspace.json("snapshot", "create", "before v2")).snapshot;

      const idle = await atTerminal(workspace, "", "snapshot", "restore", "latest");
      assert.equal(idle.code, 0, idle.stderr);
      assert.doesNotMatch(idle.stderr, /go on\?/);
      assert.match(idle.stdout, new RegExp(`Nothing to restore: everything is as ${id} has it`));
      const dry = await atTerminal(workspace, "", "snapshot", "restore", "latest", "--dry-run");
      assert.doesNotMatch(dry.stdout, /To run it/);

      workspace.write("etc/app.conf", "two\n");
      const asked = await atTerminal(workspace, "y\n", "snapshot", "restore", "latest");
      assert.equal(asked.code, 0, asked.stderr);
      assert.match(
        asked.stderr,
        new RegExp(`Would restore config from ${id} \\(1 change\\), taken 20\\S+:\\d\\dZ: before v2\n`),
      );
      assert.match(asked.stdout, /Verified +1 target is as the snapshot has it\n/);
    });
  },
);

testRequiring(["posix", "git"], "snapshot words: a refusal on a terminal was no dry run", async () => {
  await withWorkspace("targets: {app: {type: git_commit, repo_path: src}}\n", async (workspace) => {
    const source = `${workspace.folder}/src`;
    makeRepository(source, "main.txt", "v1\n");
    await workspace.json("snapshot", "create");
    git(source, "commit", "--quiet", "--allow-empty", "-m", "second");
    const dry = await workspace.run(["snapshot", "restore", "latest", "--dry-run"]);
    assert.doesNotMatch(dry.stdout, /restore \d+ files?, remove 0|restore 1 files/);
    workspace.write("src/main.txt", "unsaved\n");

    const refused = await atTerminal(workspace, "", "snapshot", "restore", "latest");
    assert.equal(refused.code, 41);
    assert.match(refused.stderr, /Nothing was changed\.\n/);
    assert.doesNotMatch(refused.stderr, /dry run/);
    const told = await atTerminal(workspace, "", "snapshot", "restore", "latest", "--json");
    assert.equal(JSON.parse(told.stdout).dry_run, false);
  });
});

testRequiring(["posix"], "snapshot words: a mistyped path is told", async () => {
  await withWorkspace(FILES, async (workspace) => {
    fill(workspace);
    await workspace.json("snapshot", "create");
    const typo = await workspace.run(["snapshot", "restore", "latest", "--yes", "--path", "etc/ap.conf"]);
    assert.equal(typo.code, 40, typo.stdout);
    assert.match(typo.stderr, /etc\/ap\.conf/);
    workspace.write("other", "x");
    const same = await workspace.run(["snapshot", "restore", "latest", "--yes", "--path", "etc/app.conf"]);
    assert.match(same.stdout, /Nothing to restore: \S+app\.conf: no target covers it, or it is as rb-/);
  });
});

testRequiring(["posix"], "snapshot words: pins and deletions do not tell what was once saved", async () => {
  await withWorkspace(FILES, async (workspace) => {
    fill(workspace);
    const { id } = (await workspace.json("snapshot", "create")).snapshot;
    for (const verb of [["pin", id], ["unpin", id], ["mark", id, "good"], ["delete", id, "--yes"]]) {
      const { code, stdout, stderr } = await atTerminal(workspace, "", "snapshot", ...verb);
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stdout, /saved/);
    }
  });
});

testRequiring(["posix"], "snapshot words: putting a snapshot elsewhere misses no checks", async () => {
  await withWorkspace(FILES, async (workspace) => {
    fill(workspace);
    await workspace.json("snapshot", "create");
    const report = await workspace.json("snapshot", "restore", "latest", "--to", "look");
    assert.deepEqual(report.warnings, []);
  });
});

testRequiring(
  ["posix"],
  "snapshot words: a guard that took a change back says where the change is kept",
  async () => {
    await withWorkspace(FILES, async (workspace) => {
      fill(workspace);
      const script = "echo two > etc/app.conf; exit 3";
      const { code, stderr } = await atTerminal(workspace, "", "guard", "--", "/bin/sh", "-c", script);
      assert.equal(code, 56, stderr);
      assert.match(stderr, /all is as before it\n/);
      assert.match(stderr, /Kept +what it left behind, as rb-[0-9a-f]{12}\n/);
      assert.doesNotMatch(stderr, /the state is as before/);
    });
  },
);

testRequiring(
  ["posix"],
  "snapshot words: the list has a heading for every column, and room for descriptions",
  async () => {
    await withWorkspace(FILES, async (workspace) => {
      fill(workspace);
      await workspace.json("snapshot", "create", "before the upgrade");
      const narrow = await atTerminal(workspace, "", "snapshot", "list");
      assert.match(narrow.stdout, /^ID +MADE +TARGETS +SIZE +STATE +DESCRIPTION$/m);
      assert.match(narrow.stdout, /before the upgrade$/m);
      assert.match((await workspace.run(["snapshot", "list"])).stdout, /SIZE +NEW +STATE/);
    });
  },
);

Deno.test("snapshot words: hints can be typed", async () => {
  await withWorkspace("", async ({ run, folder }) => {
    const none = await run(["snapshot", "create"]);
    assert.match(none.stderr, /--type file_system --set paths=/);
    const key = await run(["snapshot", "keygen", "--out", `${folder}/none/store.key`]);
    assert.equal(key.code, 2);
    assert.match(key.stderr, /there is no folder \S+\/none\n.*mkdir -p/s);
  });
});

testRequiring(["posix"], "snapshot words: a repository that nobody has made hides no target", async () => {
  await withWorkspace(`repository: releases\n${FILES}`, async (workspace) => {
    fill(workspace);
    const { run, folder } = workspace;
    const { id } = await workspace.json("snapshot", "create").then(({ snapshot }) => snapshot);
    const status = await run(["status"]);
    assert.equal(status.code, 0, status.stderr);
    assert.match(status.stdout, /Snapshots: +1 kept/);
    assert.match(status.stderr, /There is no repository at \S+\/releases yet/);
    assert.match((await run(["history"])).stdout, new RegExp(id));

    workspace.write("build/a", "a");
    assert.equal((await run(["release", "publish", "v1", "build"])).code, 0);
    const both = await run(["history"]);
    assert.doesNotMatch(both.stdout, new RegExp(id));
    assert.match(both.stderr, new RegExp(`about the targets of ${folder} with: -r ${folder}\n`));
    assert.match((await run(["history", "-r", folder])).stdout, new RegExp(id));
  });
});

Deno.test("snapshot words: a file of checks that is not there is no configuration", async () => {
  await withWorkspace("", async ({ run }) => {
    const { code, stderr } = await run(["check", "run", "none.yaml"]);
    assert.equal(code, 2);
    assert.match(stderr, /Cannot read the checks \S+none\.yaml: there is no such file\n/);
    assert.doesNotMatch(stderr, /config init/);
  });
});

testRequiring(
  ["posix"],
  "snapshot words: what a snapshot added to the store is not counted twice",
  async () => {
    const targets = ["a", "b", "c"].map((name) => `  ${name}: {type: file_system, paths: [${name}]}\n`).join(
      "",
    );
    await withWorkspace(`targets:\n${targets}`, async (workspace) => {
      const size = 300_000;
      for (const name of ["a", "b", "c"]) {
        Deno.mkdirSync(`${workspace.folder}/${name}`);
        const bytes = new Uint8Array(size);
        for (let at = 0; at < size; at += 50_000) crypto.getRandomValues(bytes.subarray(at, at + 50_000));
        Deno.writeFileSync(`${workspace.folder}/${name}/file`, bytes);
      }
      const report = await workspace.json("snapshot", "create");
      const stored = report.snapshot.targets.reduce(
        (sum: number, target: { stored_bytes: number }) => sum + target.stored_bytes,
        0,
      );
      assert.ok(stored >= 2.9 * size && stored < 3.1 * size, `${stored} bytes of ${3 * size}`);
    });
  },
);

testRequiring(["posix"], "snapshot words: a lock that cannot be read is said to name nobody", async () => {
  await withWorkspace(FILES, async (workspace) => {
    fill(workspace);
    await workspace.json("snapshot", "create");
    workspace.write(".backout/lock", "");
    const { code, stderr } = await workspace.run(["snapshot", "create"]);
    assert.equal(code, 50);
    assert.match(stderr, /locked by an operation that left no readable lock since 20/);
    assert.match(stderr, /`backout unlock`/);
    assert.doesNotMatch(stderr, /unknown/);
  });
});
