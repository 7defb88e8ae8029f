/** Files under hard conditions: a full disk, another user, no foreign functions, holes, other filesystems. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { bundleProgram } from "../../scripts/bundle.ts";
import { withoutNative } from "#/core/native.ts";
import { makeImage, mountImage } from "../support/loop_mount.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { describeTree, run, TreeWorld } from "./tree_support.ts";

testRequiring(["root", "loop"], "a full disk: said before, and every file is old or new", async () => {
  await withTempDir(async (folder) => {
    makeImage(`${folder}/image`, { megabytes: 8, journal: false });
    using mounted = mountImage(`${folder}/image`, `${folder}/mnt`);
    const root = `${mounted.at}/data`;
    Deno.mkdirSync(root);
    for (let i = 0; i < 4; i++) Deno.writeFileSync(`${root}/f${i}`, new Uint8Array(1_000_000).fill(i));
    const world = new TreeWorld(folder, { paths: [root] });
    const saved = await world.capture();
    const before = describeTree(root);
    for (let i = 0; i < 4; i++) Deno.writeFileSync(`${root}/f${i}`, new Uint8Array(10).fill(i));
    fill(`${mounted.at}/filler`);

    const plan = await world.plan(saved);
    assert.match(plan.problems.join(), /not enough space .* bytes are needed/);
    await assert.rejects(world.restore(saved), { code: 45, message: /not enough space/ });
    const full = describeTree(root);

    // Whoever takes the room only after it was looked for meets the same.
    Deno.removeSync(`${mounted.at}/filler`);
    const writeFiles = world.store.writeFiles.bind(world.store);
    world.store.writeFiles = (files) => {
      fill(`${mounted.at}/filler`);
      return writeFiles(files);
    };
    await assert.rejects(world.restore(saved), { code: 45, message: /disk is full.*4000000 bytes/ });
    world.store.writeFiles = writeFiles;
    const names = [...Deno.readDirSync(root)].map((it) => it.name).sort();
    assert.deepEqual(names, ["f0", "f1", "f2", "f3"]);
    for (const at of names) assert.equal(describeTree(root)[at], full[at]);

    Deno.removeSync(`${mounted.at}/filler`);
    await world.restore(saved);
    assert.deepEqual(describeTree(root), before);
  });
});

testRequiring(["root", "loop"], "what came later goes first where only that makes room", async () => {
  await withTempDir(async (folder) => {
    makeImage(`${folder}/image`, { megabytes: 8, journal: false });
    using mounted = mountImage(`${folder}/image`, `${folder}/mnt`);
    const root = `${mounted.at}/data`;
    Deno.mkdirSync(root);
    for (let i = 0; i < 40; i++) Deno.writeFileSync(`${root}/f${i}`, new Uint8Array(50_000).fill(i));
    const world = new TreeWorld(folder, { paths: [root] });
    const saved = await world.capture();
    const before = describeTree(root);
    for (let i = 0; i < 40; i++) Deno.writeFileSync(`${root}/f${i}`, new Uint8Array(10).fill(i));
    fill(`${root}/a log that grew`);
    assert.deepEqual((await world.plan(saved)).problems, []);
    await world.restore(saved);
    assert.deepEqual(describeTree(root), before);
  });
});

/**
 * Writes until not one byte more fits. By another process: a child that a test beside this one starts would else hold the
 * file for a moment, and with it the room that its removal makes.
 */
function fill(path: string): void {
  const script =
    'for size in 1M 64k 4k 1k 1; do dd if=/dev/zero bs="$size" oflag=append conv=notrunc of="$1"; done';
  const { stderr } = new Deno.Command("sh", { args: ["-c", script, "sh", path] }).outputSync();
  assert.equal(new TextDecoder().decode(stderr).match(/No space left/g)?.length, 5);
}

testRequiring(
  ["setpriv"],
  "another user: what cannot be read stops a capture; folders without the right to write are opened",
  async () => {
    await withTempDir((folder) => {
      const root = `${folder}/data`;
      Deno.mkdirSync(`${root}/locked`, { recursive: true });
      Deno.writeTextFileSync(`${root}/locked/file`, "one");
      Deno.writeTextFileSync(`${root}/locked/silent`, "no mode at all");
      const main = "tests/targets/tree_nobody_main.ts";
      assert.ok(bundleProgram(fileURLToPath(new URL("../..", import.meta.url)), [main], `${folder}/program`));
      const program = `${folder}/program/tree_nobody_main.js`;
      run("chown", "-R", "65534:65534", folder);
      const before = (mode: number) => Deno.chmodSync(`${root}/locked/silent`, mode);
      before(0o000);
      assert.match(asNobody(program, "capture", folder), /Cannot read .*silent \(EACCES\)/);
      before(0o400);
      Deno.chmodSync(`${root}/locked/file`, 0o444);
      Deno.chmodSync(`${root}/locked`, 0o555);
      const tree = describeTree(root);
      assert.equal(asNobody(program, "restore", folder), "restored 2 1\n");
      assert.deepEqual(describeTree(root), tree);
    });
  },
);

/** Captures, and restores after changes, in a child of another user: bundled, so that it needs nothing of ours. */
function asNobody(program: string, what: "capture" | "restore", folder: string): string {
  const deno = [
    Deno.execPath(),
    "run",
    "-A",
    "--no-prompt",
    "--no-config",
    "--cached-only",
    program,
    what,
    folder,
  ];
  const result = new Deno.Command("setpriv", {
    args: ["--reuid=65534", "--regid=65534", "--clear-groups", "--", ...deno],
    env: { DENO_DIR: `${folder}/deno`, HOME: folder, NO_COLOR: "1" },
    stdin: "null",
  }).outputSync();
  return new TextDecoder().decode(result.stdout) + new TextDecoder().decode(result.stderr);
}

Deno.test("without foreign functions: the same, to the millisecond, and the limit is named", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    Deno.mkdirSync(`${root}/sub`, { recursive: true });
    Deno.writeTextFileSync(`${root}/sub/file`, "one");
    Deno.symlinkSync("sub", `${root}/link`);
    Deno.utimeSync(`${root}/sub/file`, new Date(1600000000123), new Date(1600000000123));
    withoutNative(true);
    try {
      const world = new TreeWorld(folder, { paths: [root] });
      const saved = await world.capture();
      assert.match(saved.warnings.join(), /to the millisecond only/);
      Deno.removeSync(`${root}/sub`, { recursive: true });
      Deno.removeSync(`${root}/link`);
      Deno.writeTextFileSync(`${root}/later`, "x");
      await world.restore(saved);
      assert.equal(Deno.lstatSync(`${root}/sub/file`).mtime?.getTime(), 1600000000123);
      assert.equal(Deno.readLinkSync(`${root}/link`), "sub");
      assert.equal(await world.fingerprint(), saved.fingerprint);
      assert.deepEqual((await world.plan(saved)).changes, []);
    } finally {
      withoutNative(false);
    }
  });
});

testRequiring(["root"], "other filesystems are not entered where one was asked for", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    Deno.mkdirSync(`${root}/mnt`, { recursive: true });
    Deno.writeTextFileSync(`${root}/file`, "one");
    run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", `${root}/mnt`);
    try {
      Deno.writeTextFileSync(`${root}/mnt/other`, "other");
      const world = new TreeWorld(folder, { paths: [root], one_file_system: true });
      const saved = await world.capture();
      assert.equal(saved.files, 1);
      assert.match(saved.warnings.join(), /Another filesystem.*mnt/);
      Deno.writeTextFileSync(`${root}/file`, "two");
      world.config = { paths: [root] };
      await world.restore(saved);
      assert.equal(Deno.readTextFileSync(`${root}/mnt/other`), "other");
      assert.equal(Deno.readTextFileSync(`${root}/file`), "one");
      const all = await world.capture();
      assert.equal(all.files, 2);
    } finally {
      run("umount", `${root}/mnt`);
    }
  });
});
