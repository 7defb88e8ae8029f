/** Journals that are damaged, made up, or another user's: recovery refuses them with 53 and touches nothing. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { formatJson } from "#/core/json.ts";
import { setFaultHook } from "#/core/posix.ts";
import {
  publishRelease,
  recoverRepository,
  repositoryDoctor,
  rollbackRelease,
  unlockRepository,
} from "#/mod.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { readTree, treeDifferences } from "../support/tree.ts";

interface Unfinished {
  readonly repository: string;
  readonly cwd: string;
  readonly file: string;
  readonly id: string;
}

/** A rollback that died just before (or after) its commit, with its lock removed. */
async function unfinished(cwd: string, committed = false): Promise<Unfinished> {
  const repository = `${cwd}/releases`;
  for (const version of ["v1", "v2"]) {
    Deno.mkdirSync(`${cwd}/${version}`);
    Deno.writeTextFileSync(`${cwd}/${version}/app`, `app ${version}\n`);
    const published = await publishRelease({ repository, version, directory: `${cwd}/${version}` });
    assert.equal(published.exit_code, 0);
  }
  Deno.writeTextFileSync(`${cwd}/secret`, "mine\n");
  let dead = false;
  setFaultHook((call, path) => {
    const commits = call === "rename" && path.endsWith("index.new.json");
    dead ||= committed ? call === "rename" && path.endsWith("/v2") : commits;
    if (dead) throw Object.assign(new Error("EIO: dead"), { code: "EIO" });
  });
  try {
    await rollbackRelease({ repository, version: "v2" });
  } catch { // the dead say nothing
  } finally {
    setFaultHook(undefined);
  }
  await unlockRepository({ repository, force: true });
  const [operation] = [...Deno.readDirSync(`${repository}/.backout/operations`)];
  assert.ok(operation !== undefined, "the test made no unfinished operation");
  const file = `${repository}/.backout/operations/${operation.name}/journal.json`;
  assert.ok(Deno.statSync(file).isFile);
  return { repository, cwd, file, id: operation.name };
}

// deno-lint-ignore no-explicit-any -- a journal, to be spoiled freely
type Spoiled = any;

/** Writes a journal with a right checksum. */
function forge(file: string, change: (journal: Spoiled) => void): void {
  const { journal } = JSON.parse(Deno.readTextFileSync(file));
  change(journal);
  const sha256 = createHash("sha256").update(formatJson(journal)).digest("hex");
  Deno.writeTextFileSync(file, formatJson({ journal_sha256: sha256, journal }));
}

function files(cwd: string) {
  return readTree(cwd, { ignore: (path) => /\/\.backout\/(tmp|history|audit|lock)/.test(path) });
}

async function assertRefused({ repository, cwd }: Unfinished, why: RegExp): Promise<void> {
  const before = files(cwd);
  for (
    const run of [
      () => recoverRepository({ repository }),
      () => rollbackRelease({ repository, version: "v1" }),
    ]
  ) {
    let shown:
      | { readonly code?: number; readonly message: string; readonly hint?: string | null | undefined }
      | null;
    try {
      const answer = await run();
      shown = "error" in answer ? answer.error : null;
    } catch (error) {
      shown = error as Error;
    }
    assert.ok(shown !== null, "it was not refused");
    assert.equal(shown.code, 53, shown.message);
    assert.match(shown.message, why);
    assert.match(shown.hint ?? "", /\S/);
  }
  assert.deepEqual(treeDifferences(before, files(cwd)), []);
  assert.equal(Deno.readTextFileSync(`${cwd}/secret`), "mine\n");
}

const forgeries: readonly (readonly [string, (journal: Spoiled) => void, RegExp])[] = [
  ["moves something from outside", (j) => j.moves[0].from = "../secret", /unsafe move/],
  ["moves something out", (j) => j.moves[0].to = "../stolen", /unsafe move/],
  ["moves into the published tree", (j) => j.moves[0].to = "v1/app", /unsafe move/],
  [
    "moves below another's backup by climbing",
    (j) => j.moves[0].to = ".rollback-backups/../../stolen",
    /unsafe move/,
  ],
  ["moves the lock", (j) => j.moves[0].from = ".backout/lock", /unsafe move/],
  ["removes a created file outside", (j) => j.created.push("../secret"), /unsafe file/],
  ["removes an absolute path", (j) => j.created.push("/etc/passwd"), /unsafe file/],
  ["removes an artifact as if it had made it", (j) => j.created.push("v1/app"), /unsafe file/],
  [
    "removes an added file outside",
    (j) => j.added.push({ path: "../secret", size: 5, sha256: "0".repeat(64), mode: 420 }),
    /unsafe file/,
  ],
  ["removes a backup outside", (j) => j.backups.push("../.."), /unsafe backup/],
  ["removes all backups", (j) => j.backups.push(""), /unsafe backup/],
  [
    "deletes a backup outside",
    (j) => j.steps.push({ kind: "delete_backup", backup: "../../x" }),
    /unsafe backup/,
  ],
  ["is another operation's", (j) => j.id = "01900000-0000-7000-8000-000000000000", /another operation/],
  ["has another format", (j) => j.format = 2, /its format is 2/],
  ["has no moves", (j) => delete j.moves, /incomplete/],
  ["has text for steps", (j) => j.steps = "all", /incomplete/],
  ["has no index", (j) => delete j.index, /incomplete/],
];

for (const [what, change, why] of forgeries) {
  Deno.test(`journal: one that ${what} is refused`, async () => {
    await withTempDir(async (cwd) => {
      const state = await unfinished(cwd);
      forge(state.file, change);
      await assertRefused(state, why);
    });
  });
}

const damages: readonly (readonly [string, (text: string) => string, RegExp])[] = [
  ["empty", () => "", /not JSON/],
  ["torn", (text) => text.slice(0, text.length / 2), /not JSON/],
  ["a list", () => "[]", /not a journal/],
  ["null", () => "null", /not a journal/],
  ["changed", (text) => text.replace(`"v2/app"`, `"v1/app"`), /checksum does not match/],
  ["without a checksum", (text) => text.replace("journal_sha256", "other"), /checksum does not match/],
];

for (const [what, damage, why] of damages) {
  Deno.test(`journal: one that is ${what} is refused, and doctor names it`, async () => {
    await withTempDir(async (cwd) => {
      const state = await unfinished(cwd);
      const text = Deno.readTextFileSync(state.file);
      const damaged = damage(text);
      assert.notEqual(damaged, text);
      Deno.writeTextFileSync(state.file, damaged);
      await assertRefused(state, why);
      const { checks } = await repositoryDoctor({ repository: state.repository });
      const check = checks.find((each) => each.id === "unfinished")!;
      assert.equal(check.outcome, "problem");
      assert.match(check.detail, why);
      // Put right again, it is recovered.
      Deno.writeTextFileSync(state.file, text);
      assert.equal(
        (await recoverRepository({ repository: state.repository })).recovered[0]?.direction,
        "back",
      );
    });
  });
}

testRequiring(["root"], "journal: root does not act on another user's", async () => {
  await withTempDir(async (cwd) => {
    const state = await unfinished(cwd, true);
    Deno.chownSync(state.file, 1234, 1234);
    await assertRefused(state, /as root: user 1234 wrote its journal/);
    Deno.chownSync(state.file, 0, 0);
    assert.equal(
      (await recoverRepository({ repository: state.repository })).recovered[0]?.direction,
      "forward",
    );
  });
});

Deno.test("journal: a symlink in the place of the operation's folder is not followed", async () => {
  await withTempDir(async (cwd) => {
    const state = await unfinished(cwd);
    const folder = state.file.slice(0, state.file.lastIndexOf("/"));
    Deno.renameSync(folder, `${cwd}/elsewhere`);
    Deno.symlinkSync(`${cwd}/elsewhere`, folder);
    const before = files(cwd);
    await assert.rejects(recoverRepository({ repository: state.repository }), /symlink/);
    assert.deepEqual(treeDifferences(before, files(cwd)), []);
  });
});

Deno.test("journal: what is no operation's folder is left alone", async () => {
  await withTempDir(async (cwd) => {
    const state = await unfinished(cwd);
    Deno.mkdirSync(`${state.repository}/.backout/operations/notes`);
    Deno.writeTextFileSync(`${state.repository}/.backout/operations/notes/mine`, "mine\n");
    await recoverRepository({ repository: state.repository });
    assert.equal(Deno.readTextFileSync(`${state.repository}/.backout/operations/notes/mine`), "mine\n");
  });
});
