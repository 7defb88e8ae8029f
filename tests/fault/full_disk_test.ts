/** A disk with no byte, or no inode, free: taking a broken release out must still work. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { makeImage, mountImage } from "../support/loop_mount.ts";
import { testRequiring } from "../support/require.ts";
import { tempDir } from "../support/temp.ts";
import { buildProgram, type Program, type Run, runProgram } from "./program.ts";
import { findArtifacts, lostArtifacts } from "./state.ts";

interface Disk {
  readonly program: Program;
  readonly mount: string;
  readonly repository: string;
  readonly command: (...argv: readonly string[]) => Run;
}

testRequiring(["root", "loop"], "full disk: a rollback works with no byte free", async () => {
  await withDisk({ megabytes: 8 }, (disk) => {
    publishThree(disk, 1_000_000);
    fillBytes(disk.mount);
    rollBackAndRestore(disk);
  });
});

testRequiring(["root", "loop"], "full disk: a rollback works with no inode free", async () => {
  await withDisk({ megabytes: 8, inodes: 200 }, (disk) => {
    publishThree(disk, 1000);
    fillInodes(disk.mount);
    rollBackAndRestore(disk);
  });
});

testRequiring(
  ["root", "loop"],
  "full disk: publish and dry run say what is missing and change nothing",
  async () => {
    await withDisk({ megabytes: 8 }, (disk) => {
      publishThree(disk, 1_000_000);
      const index = Deno.readTextFileSync(`${disk.repository}/index.json`);
      const source = join(disk.mount, "..", "new");
      writeRelease(source, "v1.0.3", 7_000_000);
      const publish = disk.command("release", "publish", "v1.0.3", source);
      assert.ok([43, 45, 49].includes(publish.code), `publish: exit ${publish.code}: ${publish.stdout}`);
      assert.match(publish.stdout, /not enough space/);
      assert.equal(Deno.readTextFileSync(`${disk.repository}/index.json`), index);
      assert.deepEqual(leftOver(disk.repository), []);
    });
  },
);

function rollBackAndRestore(disk: Disk): void {
  const known = findArtifacts(disk.repository);
  const rollback = disk.command("release", "rollback", "v1.0.2", "--reason", "broken");
  assert.equal(rollback.code, 0, `rollback: ${rollback.stdout}${rollback.stderr}`);
  assert.deepEqual(versions(disk.repository), ["v1.0.1", "v1.0.0"]);
  assert.deepEqual(lostArtifacts(disk.repository, known), []);

  const restore = disk.command("release", "restore", "v1.0.2");
  assert.ok(
    [0, 43, 45].includes(restore.code),
    `restore: exit ${restore.code}: ${restore.stdout}${restore.stderr}`,
  );
  const expected = restore.code === 0 ? ["v1.0.2", "v1.0.1", "v1.0.0"] : ["v1.0.1", "v1.0.0"];
  assert.deepEqual(versions(disk.repository), expected);
  assert.deepEqual(lostArtifacts(disk.repository, known), []);

  removeFillers(disk.mount);
  const recover = disk.command("recover");
  assert.equal(recover.code, 0, `recover: ${recover.stdout}${recover.stderr}`);
  assert.deepEqual(leftOver(disk.repository), []);
  if (restore.code === 0) return;
  const again = disk.command("release", "restore", "v1.0.2");
  assert.equal(again.code, 0, `restore with space again: ${again.stdout}${again.stderr}`);
  assert.deepEqual(versions(disk.repository), ["v1.0.2", "v1.0.1", "v1.0.0"]);
}

async function withDisk(
  options: { readonly megabytes: number; readonly inodes?: number },
  body: (disk: Disk) => void,
): Promise<void> {
  await using temp = tempDir("backout-disk-");
  const program = buildProgram(join(temp.path, "program"));
  const image = join(temp.path, "image");
  makeImage(image, { ...options, journal: false });
  using mounted = mountImage(image, join(temp.path, "mnt"));
  const repository = join(mounted.at, "repository");
  const command = (...argv: readonly string[]) => runProgram(program, [...argv, "-r", repository, "--json"]);
  body({ program, mount: mounted.at, repository, command });
}

function publishThree(disk: Disk, bytes: number): void {
  const source = join(disk.mount, "..", "source");
  for (const version of ["v1.0.0", "v1.0.1", "v1.0.2"]) {
    writeRelease(source, version, bytes);
    const run = disk.command("release", "publish", version, source, "--channel", "stable");
    assert.equal(run.code, 0, `publish ${version}: ${run.stdout}${run.stderr}`);
  }
}

function writeRelease(folder: string, version: string, bytes: number): void {
  Deno.mkdirSync(folder, { recursive: true });
  Deno.writeTextFileSync(`${folder}/README.md`, `# ${version}\n`);
  Deno.writeFileSync(`${folder}/app.bin`, new Uint8Array(bytes).fill(version.charCodeAt(5)));
}

/** Writes until not one byte more fits. */
function fillBytes(mount: string): void {
  using file = Deno.openSync(`${mount}/filler`, { write: true, create: true });
  for (let size = 1 << 20; size >= 1; size = Math.floor(size / 2)) {
    const block = new Uint8Array(size);
    try {
      while (true) file.writeSync(block);
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOSPC") throw error;
    }
  }
}

function fillInodes(mount: string): void {
  Deno.mkdirSync(`${mount}/fillers`);
  try {
    for (let i = 0;; i++) Deno.writeTextFileSync(`${mount}/fillers/${i}`, "");
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOSPC") throw error;
  }
}

function removeFillers(mount: string): void {
  for (const name of ["filler", "fillers"]) {
    try {
      Deno.removeSync(`${mount}/${name}`, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

function versions(repository: string): readonly string[] {
  const index = JSON.parse(Deno.readTextFileSync(`${repository}/index.json`));
  return index.releases.map((it: { version: string }) => it.version);
}

/** What an operation should have taken away. */
function leftOver(repository: string): readonly string[] {
  const operations = `${repository}/.backout/operations`;
  const names: string[] = [];
  try {
    names.push(...[...Deno.readDirSync(operations)].map((it) => `operations/${it.name}`));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const scratch = [...Deno.readDirSync(repository)].map((it) => it.name);
  return [...names, ...scratch.filter((name) => name.endsWith(".tmp") || name === ".backout-scratch")];
}
