/** Two hundred components, twenty levels deep: rolled back as one, and back again. */
import assert from "node:assert/strict";
import { runCli } from "../support/cli.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { makeMany } from "./many_support.ts";
import { gitIn } from "./meta_support.ts";

testRequiring(
  ["posix", "git"],
  "components: two hundred in twenty levels go back as one, or not at all",
  async () => {
    await withTempDir(async (folder) => {
      const { root, names, locks } = makeMany(folder);
      const run = async (code: number, ...args: string[]) => {
        const env = { PATH: Deno.env.get("PATH")!, HOME: folder };
        const done = await runCli([...args, "--json"], { cwd: root, env });
        assert.equal(done.code, code, done.stderr);
        return JSON.parse(done.stdout);
      };
      const commits = () =>
        names.map((name) => Deno.readTextFileSync(`${root}/components/${name}/.git/HEAD`).trim());
      const [old, now] = ["v1.0.0", "v1.1.0"].map((tag) => gitIn(`${folder}/template`, "rev-parse", tag));
      // The last one has somebody's work: nothing of the others is touched.
      Deno.writeTextFileSync(`${root}/components/${names.at(-1)}/file0`, "work\n");
      await run(41, "component", "rollback", "--lock", locks[0], "--yes");
      assert.deepEqual(new Set(commits()), new Set([now]));
      gitIn(`${root}/components/${names.at(-1)}`, "checkout", "--quiet", "file0");
      const { undo } = await run(0, "component", "rollback", "--lock", locks[0], "--yes");
      assert.deepEqual(new Set(commits()), new Set([old]));
      assert.equal((await run(0, "component", "health", "c000", "c199", "--env", "old")).healthy, true);
      await run(0, ...undo.split(" ").slice(1), "--yes");
      assert.deepEqual(new Set(commits()), new Set([now]));
      // One in the middle, below which others would not fit any more.
      const manifest = Deno.readTextFileSync(`${root}/manifests/components.yaml`);
      Deno.writeTextFileSync(
        `${root}/manifests/components.yaml`,
        manifest.replaceAll("c000@^1.0.0", "c000@^1.1.0"),
      );
      await run(42, "component", "rollback", "c000", "--to-version", "v1.0.0", "--yes");
    });
  },
);
