/** The usual set-ups: root works on a repository that belongs to somebody else, and a group shares one. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { listBackups, publishRelease, recoverRepository, rollbackRelease } from "#/mod.ts";
import { makeImage } from "../support/loop_mount.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

const SOMEBODY = 4321;
const SHARED_GROUP = 5432;
const FAULTY = fileURLToPath(new URL("../support/faulty_main.ts", import.meta.url));
const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

const FAULTY_RUN = ["run", "-A", "--quiet", "--no-check", "--preload", FAULTY, MAIN];

async function makeRepository(folder: string): Promise<string> {
  const repository = join(folder, "repository");
  for (const version of ["v1", "v2"]) {
    const source = join(folder, version);
    Deno.mkdirSync(source);
    Deno.writeTextFileSync(join(source, "app"), version);
    const report = await publishRelease({ repository, version, directory: source });
    assert.equal(report.exit_code, 0, report.summary);
  }
  return repository;
}

function run(program: string, ...args: readonly string[]): { readonly code: number; readonly text: string } {
  const { code, stdout, stderr } = new Deno.Command(program, { args: [...args], stdin: "null" }).outputSync();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

function uidsBelow(folder: string): ReadonlySet<number | null> {
  const uids = new Set<number | null>([Deno.lstatSync(folder).uid]);
  for (const entry of Deno.readDirSync(folder)) {
    const path = join(folder, entry.name);
    uids.add(Deno.lstatSync(path).uid);
    if (entry.isDirectory) { for (const uid of uidsBelow(path)) uids.add(uid); }
  }
  return uids;
}

testRequiring(
  ["root"],
  "root rolls back in a repository of another user, who owns all of it afterwards",
  async () => {
    await withTempDir(async (folder) => {
      const repository = await makeRepository(folder);
      assert.equal(run("chown", "-R", `${SOMEBODY}:${SOMEBODY}`, repository).code, 0);
      const report = await rollbackRelease({ repository, version: "v2" });
      assert.equal(report.exit_code, 0, report.summary);
      assert.deepEqual(uidsBelow(repository), new Set([SOMEBODY]));
    });
  },
);

testRequiring(["root"], "root recovers what root began in a repository of another user", async () => {
  await withTempDir(async (folder) => {
    const repository = await makeRepository(folder);
    assert.equal(run("chown", "-R", `${SOMEBODY}:${SOMEBODY}`, repository).code, 0);
    killInTheMiddle(repository);
    const { recovered } = await recoverRepository({ repository });
    assert.equal(recovered.length, 1);
    assert.deepEqual(uidsBelow(repository), new Set([SOMEBODY]));
  });
});

testRequiring(["root"], "root does not act on a journal that another user wrote", async () => {
  await withTempDir(async (folder) => {
    const repository = await makeRepository(folder);
    killInTheMiddle(repository);
    assert.equal(run("chown", "-R", `${SOMEBODY}:${SOMEBODY}`, repository).code, 0);
    await assert.rejects(recoverRepository({ repository }), {
      code: 53,
      message: new RegExp(`user ${SOMEBODY} wrote its journal`),
    });
  });
});

testRequiring(
  ["setpriv", "root"],
  "a member of the group that may write is not refused beforehand",
  async () => {
    await withTempDir(async (folder) => {
      const repository = await makeRepository(folder);
      Deno.chmodSync(folder, 0o755);
      assert.equal(run("chown", "-R", `${SOMEBODY}:${SHARED_GROUP}`, repository).code, 0);
      assert.equal(run("chmod", "-R", "g+rwX", repository).code, 0);
      const script = join(folder, "member.ts");
      const store = import.meta.resolve("#/storage/filesystem/store.ts");
      Deno.writeTextFileSync(
        script,
        `import { FilesystemStore } from ${JSON.stringify(store)};
       const store = new FilesystemStore(${JSON.stringify(repository)});
       console.log(store.writeProblem("v2/app") ?? "may write");`,
      );
      assert.equal(askAs(script, folder, String(SHARED_GROUP)), "may write");
      assert.equal(run("chmod", "-R", "g-w", repository).code, 0);
      assert.match(askAs(script, folder, String(SHARED_GROUP)), /no permission to write/);
    });
  },
);

testRequiring(["root", "loop"], "a dry run on a read-only filesystem says so", async () => {
  await withTempDir(async (folder) => {
    const image = join(folder, "image");
    const mount = join(folder, "mount");
    makeImage(image, { megabytes: 8 });
    Deno.mkdirSync(mount);
    assert.equal(run("mount", "-o", "loop", image, mount).code, 0);
    try {
      const repository = await makeRepository(mount);
      assert.equal(run("mount", "-o", "remount,ro", mount).code, 0);
      const dry = await rollbackRelease({ repository, version: "v2", dryRun: true });
      assert.equal(dry.exit_code, 47, dry.summary);
      assert.match(dry.summary, /read-only/);
      assert.deepEqual(await listBackups({ repository }), []);
    } finally {
      assert.equal(run("umount", mount).code, 0);
    }
  });
});

/** Kills a rollback, as root, when it is about to move the artifacts. */
function killInTheMiddle(repository: string): void {
  const command = new Deno.Command(Deno.execPath(), {
    args: [...FAULTY_RUN, "release", "rollback", "v2", "-r", repository],
    env: { BACKOUT_FAULT: `kill:${killPoint(repository)}` },
    stdin: "null",
  });
  assert.equal(command.outputSync().signal, "SIGKILL");
}

/** The number of the changing call that moves the artifacts, counted in a copy. */
function killPoint(repository: string): number {
  const copy = `${repository}-copy`;
  const calls = `${repository}-calls`;
  assert.equal(run("cp", "-a", repository, copy).code, 0);
  const { success } = new Deno.Command(Deno.execPath(), {
    args: [...FAULTY_RUN, "release", "rollback", "v2", "-r", copy],
    env: { BACKOUT_FAULT: `count:${calls}` },
    stdin: "null",
  }).outputSync();
  assert.ok(success);
  const at = Deno.readTextFileSync(calls).trimEnd().split("\n").findIndex((line) =>
    /rename .*\/v2"$/.test(line)
  );
  assert.ok(at > 0, Deno.readTextFileSync(calls));
  return at + 1;
}

/** What the script prints for a user who is in the group and owns nothing. */
function askAs(script: string, folder: string, group: string): string {
  const cache = join(folder, "cache");
  Deno.mkdirSync(cache, { recursive: true });
  Deno.chmodSync(cache, 0o777);
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
  const { stdout, stderr } = new Deno.Command("setpriv", {
    args: [
      ...["--reuid", "6543", "--regid", group, "--clear-groups", Deno.execPath()],
      ...["run", "-A", "--quiet", "--no-check", "--no-lock", "--config", config, script],
    ],
    env: { HOME: cache, DENO_DIR: cache },
    cwd: "/",
    stdin: "null",
  }).outputSync();
  return new TextDecoder().decode(stdout).trim() || new TextDecoder().decode(stderr);
}
