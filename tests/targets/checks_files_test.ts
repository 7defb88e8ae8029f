/** Checks of files, git, disks, programs, processes and ports of this machine. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { withTempDir } from "../support/temp.ts";
import { testRequiring } from "../support/require.ts";
import { sees } from "./checks_support.ts";

Deno.test("file_exists: files, folders, links", async () => {
  await withTempDir(async (folder) => {
    const at = (path: string) => ({ type: "file_exists", path });
    await Deno.writeTextFile(join(folder, "app.yml"), "a: 1\n");
    await Deno.symlink("app.yml", join(folder, "link"));
    await Deno.symlink("gone", join(folder, "dangling"));
    const result = await sees(at("app.yml"), { folder }, "passes");
    assert.equal(result.name, "file_exists app.yml");
    await sees(at("link"), { folder }, "passes");
    await sees(at(folder), {}, "passes");
    await sees(at("other.yml"), { folder }, /^other\.yml: expected a file or folder, found nothing$/);
    await sees(at("dangling"), { folder }, /found a symlink that leads nowhere$/);
  });
});

Deno.test("file_checksum: the right content, another, none", async () => {
  await withTempDir(async (folder) => {
    await Deno.writeTextFile(join(folder, "f"), "abc");
    const sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    await sees({ type: "file_checksum", path: "f", sha256: sha256.toUpperCase() }, { folder }, "passes");
    const other = { type: "file_checksum", path: "f", sha256: "0".repeat(64) };
    await sees(other, { folder }, /^SHA-256 of f: expected 0{64}, found ba7816bf/);
    await sees({ ...other, path: "gone" }, { folder }, /found no such file$/);
    await sees({ ...other, path: "." }, { folder }, /found something that is not a file$/);
  });
});

Deno.test("disk_space: what is free", async () => {
  await withTempDir(async (folder) => {
    await sees({ type: "disk_space", path: "not/yet/there", min_free: "1KiB" }, { folder }, "passes");
    const much = { type: "disk_space", path: folder, min_free: "4000TiB" };
    await sees(much, {}, /^free space at \S+: expected at least 3\.9 PiB, found \d/);
  });
});

testRequiring(["posix"], "command: exit codes, what it said, a missing program", async () => {
  await withTempDir(async (folder) => {
    await sees({ type: "command", command: ["true"] }, { folder }, "passes");
    await sees({ type: "command", command: ["sh", "-c", "exit 3"], expected_exit: 3 }, { folder }, "passes");
    await sees(
      { type: "command", command: ["sh", "-c", "echo not ready >&2; exit 7"] },
      { folder },
      /^exit code of sh: expected 0, found 7 \(not ready\)$/,
    );
    await sees(
      { type: "command", command: ["sh", "-c", "kill -9 $$"] },
      { folder },
      /found the end by a signal$/,
    );
    await sees(
      { type: "command", command: ["no-such-program-here"] },
      { folder },
      /cannot be looked at: .*was not found/,
    );
    await Deno.writeTextFile(join(folder, "ok.sh"), "#!/bin/sh\ntest -f marker\n", { mode: 0o755 });
    await sees({ type: "command", command: ["./ok.sh"] }, { folder }, /found 1$/);
    await Deno.writeTextFile(join(folder, "marker"), "");
    await sees({ type: "command", command: ["./ok.sh"] }, { folder }, "passes");
  });
});

testRequiring(["git"], "git_commit: whole and shortened ids, no commit, no repository", async () => {
  await withTempDir(async (folder) => {
    const git = (...args: string[]) => {
      const { stdout, success } = new Deno.Command("git", {
        args: ["-C", folder, "-c", "user.name=t", "-c", "user.email=t@example", ...args],
      }).outputSync();
      assert.ok(success, args.join(" "));
      return new TextDecoder().decode(stdout).trim();
    };
    git("init", "-q");
    const check = (expected_commit: string, repo_path = ".") => ({
      type: "git_commit",
      expected_commit,
      repo_path,
    });
    await sees(check("abc123"), { folder }, /found no commit yet$/);
    git("commit", "-q", "--allow-empty", "-m", "one");
    const head = git("rev-parse", "HEAD");
    await sees(check(head), { folder }, "passes");
    await sees(check(head.slice(0, 9).toUpperCase()), { folder }, "passes");
    await sees({ type: "git_commit", expected_commit: head }, { folder }, "passes");
    const other = head.startsWith("0000") ? "1111" : "0000";
    await sees(check(other), { folder }, new RegExp(`expected ${other}, found ${head}$`));
    await Deno.mkdir(join(folder, "sub"));
    await sees(check(head, join(folder, "gone")), {}, /found no repository/);
  });
});

testRequiring(["ps"], "process: by name and by pid file", async () => {
  await withTempDir(async (folder) => {
    const program = join(folder, "backout-test-sleeper");
    await Deno.copyFile("/bin/sleep", program);
    await Deno.chmod(program, 0o755);
    const named = { type: "process", name: "backout-test-sleeper" };
    const filed = { type: "process", pid_file: "app.pid" };
    await sees(named, { folder }, /expected at least 1, found none$/);
    await sees(filed, { folder }, /found no pid file$/);
    const child = new Deno.Command(program, { args: ["60"], stdin: "null" }).spawn();
    try {
      await Deno.writeTextFile(join(folder, "app.pid"), `${child.pid}\n`);
      await sees(named, { folder }, "passes");
      await sees(filed, { folder }, "passes");
    } finally {
      child.kill("SIGKILL");
      await child.status;
    }
    await sees(named, { folder }, /found none$/);
    await sees(filed, { folder }, /found no process \d+$/);
    await Deno.writeTextFile(join(folder, "app.pid"), "soon\n");
    await sees(filed, { folder }, /found a pid file without a number$/);
  });
});

testRequiring(["linux"], "port: who listens on this machine", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  try {
    await sees({ type: "port", port }, { offline: true }, "passes");
    await sees({ type: "port", port, listening: false }, {}, /expected no listener, found a listener$/);
    await sees({ type: "tcp", host: "127.0.0.1", port }, {}, "passes");
  } finally {
    listener.close();
  }
  await sees({ type: "port", port }, {}, /^port \d+: expected a listener, found no listener$/);
  await sees({ type: "port", port, listening: false }, {}, "passes");
  await sees(
    { type: "tcp", host: "127.0.0.1", port },
    {},
    /expected a connection, found connection refused$/,
  );
  await sees({ type: "tcp", host: "no-such-host.invalid", port }, {}, /found no such host$/);
  await sees(
    { type: "tcp", host: "127.0.0.1", port },
    { offline: true },
    /cannot be looked at with --offline/,
  );
});
