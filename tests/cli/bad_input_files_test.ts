/** What stands where an artifact should be, who owns it, and what changes while a command runs. */
import assert from "node:assert/strict";
import { withTempDir } from "../support/temp.ts";
import { programCommand, programWords, runProgram } from "../support/cli.ts";
import type { TestRepository } from "../support/repository.ts";
import { testRequiring } from "../support/require.ts";
import { treeDifferences } from "../support/tree.ts";
import { exists, must, published, refused, visibleTree } from "./bad_input_support.ts";

const NOBODY = 65534;
const decoder = new TextDecoder();

const inTheWay: readonly (readonly [string, (path: string) => void, RegExp])[] = [
  ["a symlink", (path) => Deno.symlinkSync("/etc/hostname", path), /app\.txt is a symlink, not a file/],
  ["a folder", (path) => Deno.mkdirSync(path), /app\.txt is a folder, not a file/],
  ["a FIFO", (path) => must("mkfifo", path), /app\.txt is a device, socket or FIFO, not a file/],
  ["nothing", () => {}, /app\.txt is missing/],
  [
    "a shorter file",
    (path) => Deno.writeTextFileSync(path, "a"),
    /app\.txt has 1 bytes, but was published with/,
  ],
];

for (const [what, put, sentence] of inTheWay) {
  testRequiring(["posix"], `bad input: ${what} where an artifact should be`, async () => {
    await withTempDir(async (cwd) => {
      const repository = await published(cwd);
      const path = `${repository.path}/v1.0.2/app.txt`;
      Deno.removeSync(path);
      put(path);
      await refused(repository, 45, sentence, "release", "rollback", "v1.0.2");
      await refused(repository, 47, sentence, "release", "rollback", "v1.0.2", "--dry-run");
      const report = await repository.json(0, "release", "rollback", "v1.0.2", "--policy", "lenient");
      assert.match(report.warnings.join("\n"), sentence);
      assert.equal(await repository.state("v1.0.2"), "removed");
      assert.equal(report.total_artifacts_removed, what === "a shorter file" ? 3 : 2);
    });
  });
}

testRequiring(["root"], "bad input: a device where an artifact should be", async () => {
  await withTempDir(async (cwd) => {
    const repository = await published(cwd);
    const path = `${repository.path}/v1.0.2/app.txt`;
    Deno.removeSync(path);
    must("mknod", path, "c", "1", "5");
    await refused(repository, 45, /app\.txt is a device, socket or FIFO/, "release", "rollback", "v1.0.2");
  });
});

Deno.test("bad input: an artifact with other bytes of the same length is not backed up as if it were whole", async () => {
  await withTempDir(async (cwd) => {
    const repository = await published(cwd);
    const path = `${repository.path}/v1.0.2/app.txt`;
    const other = Deno.readTextFileSync(path).replaceAll("v", "w");
    Deno.writeTextFileSync(path, other);
    await refused(
      repository,
      45,
      /v1\.0\.2\/app\.txt is not what was published/,
      "release",
      "rollback",
      "v1.0.2",
    );
    const report = await repository.json(
      0,
      "release",
      "rollback",
      "v1.0.2",
      "--force",
      "--reason",
      "take it as it is",
    );
    assert.match(report.warnings.join("\n"), /app\.txt is not what was published/);
    assert.equal(
      Deno.readTextFileSync(`${repository.path}/.rollback-backups/${report.backup[0].id}/v1.0.2/app.txt`),
      other,
    );
  });
});

testRequiring(
  ["setpriv"],
  "bad input: files of another owner and unwritable folders, as a plain user",
  async () => {
    await withTempDir(async (cwd) => {
      Deno.chmodSync(cwd, 0o755);
      const repository = await published(cwd);
      const cache = plainCache(cwd);
      const asNobody = async (...args: readonly string[]) => {
        const [program, ...words] = programWords([...args, "-r", repository.path]);
        const plain = ["--reuid", String(NOBODY), "--regid", String(NOBODY), "--clear-groups"];
        const env = { PATH: Deno.env.get("PATH") ?? "", HOME: cache, DENO_DIR: cache };
        const command = new Deno.Command("setpriv", { args: [...plain, program!, ...words], env, cwd: "/" });
        const { code, stdout, stderr } = await command.output();
        return { code, text: decoder.decode(stderr) + decoder.decode(stdout) };
      };
      const before = visibleTree(repository.path);
      const run = await asNobody("release", "rollback", "v1.0.2");
      assert.ok([45, 52].includes(run.code), `${run.code}: ${run.text}`);
      assert.match(run.text, /permission|may not|cannot|denied|closed/i);
      assert.doesNotMatch(run.text, /Unexpected error/);
      const dry = await asNobody("release", "rollback", "v1.0.2", "--dry-run");
      assert.ok([47, 52].includes(dry.code), `${dry.code}: ${dry.text}`);
      assert.equal((await asNobody("release", "list")).code, 0);
      assert.deepEqual(treeDifferences(before, visibleTree(repository.path)), []);

      // The repository is theirs, but one release's folder is not.
      must("chown", "-R", `${NOBODY}:${NOBODY}`, cwd);
      must("chown", "-R", "0:0", `${repository.path}/v1.0.2`);
      const mixed = visibleTree(repository.path);
      const foreign = await asNobody("release", "rollback", "v1.0.2");
      assert.equal(foreign.code, 45, foreign.text);
      assert.match(foreign.text, /v1\.0\.2\/.* cannot be moved/);
      const foreignDry = await asNobody("release", "rollback", "v1.0.2", "--dry-run");
      assert.equal(foreignDry.code, 47, foreignDry.text);
      assert.deepEqual(treeDifferences(mixed, visibleTree(repository.path)), []);
      const own = await asNobody("release", "rollback", "v1.0.1");
      assert.equal(own.code, 0, own.text);
    });
  },
);

/** A cache that a plain user can read and write. */
function plainCache(cwd: string): string {
  const own = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  const folder = `${cwd}/cache`;
  Deno.mkdirSync(folder);
  must("cp", "-r", `${own}/npm`, `${folder}/npm`);
  must("chown", "-R", `${NOBODY}:${NOBODY}`, folder);
  return folder;
}

/** Stops the program before its n-th changing call until `go` is called. */
function paused(repository: TestRepository, n: number, args: readonly string[]) {
  const file = `${repository.cwd}/paused-${n}`;
  const preload = new URL("../support/faulty_main.ts", import.meta.url).pathname;
  const options = { cwd: repository.cwd, preload, env: { BACKOUT_FAULT: `pause:${n}:${file}` } };
  const child = programCommand([...args, "-r", repository.path], options).spawn();
  return {
    reached: async () => {
      while (!exists(file)) await new Promise((resolve) => setTimeout(resolve, 10));
    },
    go: async () => {
      Deno.writeTextFileSync(`${file}.go`, "");
      const { code, stdout, stderr } = await child.output();
      return { code, text: decoder.decode(stderr) + decoder.decode(stdout) };
    },
  };
}

/** Only a program that runs from source can be paused. */
const fromSource = Deno.env.get("BACKOUT_BIN") === undefined;

Deno.test({
  name: "bad input: two runs at once: the second one ends with 50 and says who, or waits",
  ignore: !fromSource,
  fn: async () => {
    await withTempDir(async (cwd) => {
      const repository = await published(cwd);
      const first = paused(repository, 12, ["release", "rollback", "v1.0.2", "--reason", "it is broken"]);
      await first.reached();
      const second = await repository.cli("release", "rollback", "v1.0.1");
      assert.equal(second.code, 50, second.stderr);
      assert.match(second.stderr, /roll back v1\.0\.2/);
      assert.match(second.stderr, /it is broken/);
      const missing = await repository.cli("release", "rollback", "v7");
      assert.equal(missing.code, 40, "what does not exist comes before the lock");
      const waiting = runProgram([
        "release",
        "rollback",
        "v1.0.1",
        "--lock-timeout",
        "60s",
        "-r",
        repository.path,
      ], { cwd });
      const { code, text } = await first.go();
      assert.equal(code, 0, text);
      assert.equal((await waiting).code, 0, (await waiting).stderr);
      assert.deepEqual(repository.versions(), ["v1.0.0"]);
      assert.deepEqual((await repository.json(0, "audit", "verify")).problems, []);
    });
  },
});

Deno.test({
  name:
    "bad input: the index is edited by hand while an operation runs: it is planned again, and the edit stays",
  ignore: !fromSource,
  fn: async () => {
    await withTempDir(async (cwd) => {
      const repository = await published(cwd);
      const run = paused(repository, 14, ["release", "rollback", "v1.0.2"]);
      await run.reached();
      const file = `${repository.path}/index.json`;
      const index = JSON.parse(Deno.readTextFileSync(file));
      Deno.writeTextFileSync(file, JSON.stringify({ ...index, note: "by hand" }));
      const { code, text } = await run.go();
      assert.equal(code, 0, text);
      assert.equal(JSON.parse(Deno.readTextFileSync(file)).note, "by hand");
      assert.equal(await repository.state("v1.0.2"), "removed");
    });
  },
});

Deno.test({
  name: "bad input: an artifact that is altered after it was read is noticed, and the rollback taken back",
  ignore: !fromSource,
  fn: async () => {
    await withTempDir(async (cwd) => {
      const repository = await published(cwd);
      const before = repository.versions();
      const altered = `${repository.path}/v1.0.2/app.txt`;
      const run = paused(repository, 14, ["release", "rollback", "v1.0.2"]); // the digests are known by then
      await run.reached();
      Deno.writeTextFileSync(altered, Deno.readTextFileSync(altered).replaceAll("v", "w"));
      const { code, text } = await run.go();
      assert.equal(code, 43, text);
      assert.match(text, /app\.txt changed while it was being backed up/);
      assert.deepEqual(repository.versions(), before);
      assert.match(Deno.readTextFileSync(altered), /w1\.0\.2/, "the bytes somebody wrote were lost");
    });
  },
});
