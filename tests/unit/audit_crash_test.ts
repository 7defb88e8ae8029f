/** `audit archive` is killed before its changing calls; then the next command, or the same one again, goes on. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { archiveAudit, publishRelease, recoverRepository, repositoryStatus, verifyAudit } from "#/mod.ts";
import { buildProgram, killPoints, readCalls, runProgram } from "../fault/program.ts";
import { testRequiring } from "../support/require.ts";
import { tempDir, withTempDir } from "../support/temp.ts";
import { atLevel } from "../support/sweep_level.ts";
import { run } from "./audit_support.ts";

const ENTRIES = 8;
const KEEP = 3;
const EVERY = atLevel({ sample: 3, wide: 3, full: 1 });

async function newRepository(folder: string): Promise<string> {
  const repository = join(folder, "template");
  for (let i = 1; i <= ENTRIES; i++) {
    const directory = join(folder, `v${i}`);
    Deno.mkdirSync(directory);
    Deno.writeTextFileSync(join(directory, "app"), String(i));
    assert.equal((await publishRelease({ repository, version: `v${i}`, directory })).exit_code, 0);
  }
  return repository;
}

async function copyTo(template: string, repository: string): Promise<void> {
  assert.equal((await run("rm", ["-rf", repository])).code, 0);
  assert.equal((await run("cp", ["-a", template, repository])).code, 0);
}

function logFiles(repository: string): readonly string[] {
  return [...Deno.readDirSync(join(repository, ".backout/audit"))].map(({ name }) => name).sort();
}

const number = (n: number) => String(n).padStart(8, "0");
const entryFiles = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => `${number(first + i)}.json`);

testRequiring(
  ["posix"],
  "archive: killed before any of its calls, nothing is lost and it can be finished",
  async () => {
    await using programs = tempDir("backout-archive-program-");
    const program = buildProgram(programs.path);
    await withTempDir(async (folder) => {
      const template = await newRepository(folder);
      const repository = join(folder, "releases");
      const argv = ["audit", "archive", "--keep", String(KEEP), "-r", repository, "--json"];
      await copyTo(template, repository);
      const calls = join(folder, "calls");
      assert.equal(runProgram(program, argv, `count:${calls}`).code, 0);
      assert.deepEqual((await verifyAudit({ repository })).problems, []);
      const points = killPoints(readCalls(calls)).filter((_, i) => i % EVERY === 0);
      assert.ok(points.length > 10);
      const cut = ENTRIES - KEEP;
      const archived = [...entryFiles(cut + 1, ENTRIES), `archive-00000001-${number(cut)}.jsonl.gz`];
      const ends = { before: 0, after: 0 };
      for (const point of points) {
        await copyTo(template, repository);
        assert.ok(runProgram(program, argv, `kill:${point}`).killed);
        const where = `killed before call ${point}`;
        // As it lies there: every entry is somewhere, and what is there twice is the same.
        const { problems, entries } = await verifyAudit({ repository });
        assert.deepEqual(problems, [], where);
        assert.ok(entries >= ENTRIES, where);

        await recoverRepository({ repository });
        assert.deepEqual((await verifyAudit({ repository })).problems, [], `${where}, recovered`);
        assert.deepEqual((await repositoryStatus({ repository })).unfinished, []);
        const files = logFiles(repository);
        const isAfter = files.some((name) => name.startsWith("archive-"));
        ends[isAfter ? "after" : "before"]++;
        const old = isAfter ? archived : entryFiles(1, ENTRIES);
        assert.deepEqual(files.filter((name) => old.includes(name)), old, where);
        assert.ok(
          !isAfter || !files.includes("00000001.json"),
          `${where}: recovery finishes what was committed`,
        );

        const again = await archiveAudit({ repository, keep: KEEP });
        assert.equal(again.exit_code, 0, `${where}: ${again.summary}`);
        const end = await verifyAudit({ repository });
        assert.deepEqual(end.problems, [], `${where}, once more`);
        assert.ok(end.archived >= cut && logFiles(repository).every((name) => !name.startsWith(".")));
      }
      assert.ok(ends.before > 0 && ends.after > 0, JSON.stringify(ends));
    });
  },
);
