/** Checkouts seen from files alone, and what git says of a checkout that somebody works in. */
import assert from "node:assert/strict";
import { native, withoutNative } from "#/core/native.ts";
import { kindOf, readStartIfThere, readTextIfThere } from "#/core/quick_look.ts";
import { openCheckout } from "#/target/components/checkout.ts";
import { gitBatch, whenUnlocked } from "#/target/components/git_batch.ts";
import { moveMany } from "#/target/components/move_many.ts";
import { lookAtTag } from "#/target/components/tags.ts";
import { testRequiring } from "../support/require.ts";
import { tempDir, withTempDir } from "../support/temp.ts";
import { makeMany } from "./many_support.ts";
import { gitIn } from "./meta_support.ts";

const context = (root: string) => ({
  root,
  folder: root,
  env: (name: string) => Deno.env.get(name),
  signal: new AbortController().signal,
  warn: () => {},
});

for (const without of native() === undefined ? [true] : [false, true]) {
  Deno.test(`small files are looked at ${without ? "without" : "with"} foreign functions`, async () => {
    await withTempDir((folder) => {
      withoutNative(without);
      try {
        Deno.writeTextFileSync(`${folder}/ö`, "text\n");
        Deno.writeTextFileSync(`${folder}/large`, "x".repeat(100_000));
        Deno.writeTextFileSync(`${folder}/empty`, "");
        Deno.symlinkSync("ö", `${folder}/link`);
        Deno.symlinkSync("none", `${folder}/dangling`);
        const names = ["ö", "link", "dangling", ".", "none", "ö/none"];
        assert.deepEqual(
          names.map((name) => kindOf(`${folder}/${name}`)),
          ["file", "symlink", "symlink", "folder", undefined, undefined],
        );
        assert.deepEqual(
          [...names, "empty"].map((name) => readTextIfThere(`${folder}/${name}`)),
          ["text\n", "text\n", undefined, undefined, undefined, undefined, ""],
        );
        assert.equal(readTextIfThere(`${folder}/large`)?.length, 100_000);
        assert.equal(readStartIfThere(`${folder}/large`)?.length, 8192);
        assert.equal(readStartIfThere(folder), undefined);
      } finally {
        withoutNative(false);
      }
    });
  });
}

testRequiring(["git"], "where a tag is, loose and packed, with and without a text of its own", async () => {
  await using temp = tempDir("backout-tags-");
  const folder = `${temp.path}/components/api`;
  Deno.mkdirSync(folder, { recursive: true });
  gitIn(folder, "init", "--quiet", "--initial-branch=main");
  gitIn(folder, "commit", "--quiet", "--allow-empty", "-m", "one");
  gitIn(folder, "tag", "light");
  gitIn(folder, "tag", "-a", "-m", "said", "annotated");
  const commit = gitIn(folder, "rev-parse", "HEAD");
  const object = gitIn(folder, "rev-parse", "annotated");
  const ask = (tag: string, at: string) => lookAtTag(openCheckout(temp.path, "api")!, `refs/tags/${tag}`, at);
  assert.equal(ask("light", commit), "at");
  assert.equal(ask("annotated", commit), "unknown");
  assert.equal(ask("annotated", object), "unknown", "what it names is a tag");
  assert.equal(ask("light", object), "unknown");
  assert.equal(ask("none", commit), "missing");
  gitIn(folder, "pack-refs", "--all");
  assert.equal(ask("light", commit), "at");
  assert.equal(ask("annotated", commit), "at");
  assert.equal(ask("annotated", object), "unknown");
  assert.equal(ask("none", commit), "missing");
  const packed = `${folder}/.git/packed-refs`;
  Deno.writeTextFileSync(packed, Deno.readTextFileSync(packed).replace(/^#.*\n/, ""));
  assert.equal(ask("light", commit), "unknown", "an old git did not say what tags come to");
});

testRequiring(
  ["git"],
  "an edit that git leaves in its place while checkouts are moved is no success",
  async () => {
    await using temp = tempDir("backout-edited-");
    const { root, names } = makeMany(temp.path, 5, 1);
    const commit = gitIn(`${root}/components/${names[0]}`, "rev-parse", "v1.0.0");
    const states = names.map((name) => ({ name, branch: null, commit, refs: {} }));
    Deno.writeTextFileSync(`${root}/components/${names[3]}/file11`, "mine\n"); // the same in both versions
    await assert.rejects(
      moveMany(states, context(root), () => {}),
      (error: Error) =>
        error.message.includes(`Cannot bring ${names[3]}`) &&
        error.message.includes("differ from the commit") &&
        error.message.includes("file11"),
    );
    assert.equal(Deno.readTextFileSync(`${root}/components/${names[3]}/file11`), "mine\n");
  },
);

testRequiring(["git"], "what a killed backout left running with the lock is waited for", async () => {
  await withTempDir(async (folder) => {
    const wait = 'echo "$1" >>started; until [ -e go ]; do sleep 0.05; done; sleep 0.1; echo "$1" >>done';
    const common = { cwd: folder, doing: "wait", context: context(folder), lock: folder };
    const running = gitBatch({ ...common, script: wait, jobs: [["a"], ["b"], ["c"]] });
    const lines = (name: string) =>
      (readTextIfThere(`${folder}/${name}`) ?? "").split("\n").filter(Boolean).sort();
    while (lines("started").length < 3) await new Promise((resolve) => setTimeout(resolve, 20));
    const free = whenUnlocked(folder, context(folder));
    // Others of the same operation do not wait for each other.
    assert.equal(
      (await gitBatch({ ...common, script: "echo $1", jobs: [["x"]] }))[0]?.output.toString(),
      "x\n",
    );
    Deno.writeTextFileSync(`${folder}/go`, "");
    await free;
    assert.deepEqual(lines("done"), ["a", "b", "c"]);
    assert.deepEqual((await running).map((it) => it?.code), [0, 0, 0]);
  });
});
