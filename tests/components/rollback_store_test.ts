/** `component rollback --to-store`: a component goes back to what an entry of the store holds, and can come back from it. */
import assert from "node:assert/strict";
import { testRequiring } from "../support/require.ts";
import { makeTree } from "./entries_support.ts";
import { withMeta } from "./meta_support.ts";

const BACK = ["component", "rollback", "web", "--to-store"];

testRequiring(
  ["posix", "git"],
  "an entry of a clean checkout leads back to its commit",
  () =>
    withMeta(async ({ json, git, commit, run }) => {
      git("web", "checkout", "--quiet", "v1.0.0");
      const { entry: { hash } } = await json(0, "store", "add", "web");
      git("web", "checkout", "--quiet", "main");
      const { components } = await json(0, "component", "targets", "web");
      assert.deepEqual(components[0].entries.map((it: { hash: string }) => it.hash), [hash]);
      const shown = (await run(["component", "targets", "web"])).stdout;
      assert.match(shown, new RegExp(`store +${hash.slice(0, 16)}`));
      const dry = await json(0, ...BACK, hash, "--dry-run");
      assert.equal(dry.status, "dry_run");
      assert.equal(git("web", "rev-parse", "HEAD"), commit("web", "main"));
      await json(0, ...BACK, hash.slice(0, 10), "--yes");
      assert.equal(git("web", "rev-parse", "HEAD"), commit("web", "v1.0.0"));
      assert.equal(git("web", "status", "--porcelain"), "");
      assert.equal((await run([...BACK, "abcd", "--yes"])).code, 40);
      assert.equal((await run([...BACK, hash, "--to-version", "v1.0.0", "--yes"])).code, 2);
      assert.equal((await run(["component", "rollback", "api", "--to-store", hash, "--yes"])).code, 40);
    }),
);

testRequiring(
  ["posix", "git"],
  "an entry that no commit has becomes one, and the rollback can be taken back",
  () =>
    withMeta(async ({ root, json, git, commit, read, run }) => {
      makeTree(`${root}/built`, { "bin/run": "#!/bin/sh\n", "kept.ignored": "built\n", "link": "->bin/run" });
      Deno.chmodSync(`${root}/built/bin/run`, 0o755);
      const { entry: { hash } } = await json(
        0,
        "store",
        "add",
        "web",
        "--source",
        "built",
        "--remote",
        "shared",
      );
      Deno.writeTextFileSync(`${root}/components/web/file`, "work\n");
      assert.equal((await run([...BACK, hash, "--yes"])).code, 41);
      git("web", "checkout", "--quiet", "file");
      Deno.removeSync(`${root}/.backout/store`, { recursive: true });
      const report = await json(0, ...BACK, hash, "--remote", "shared", "--yes");
      assert.equal(read("components/web/bin/run"), "#!/bin/sh\n");
      assert.equal(read("components/web/kept.ignored"), "built\n");
      assert.equal(Deno.readLinkSync(`${root}/components/web/link`), "bin/run");
      assert.throws(() => read("components/web/file"), Deno.errors.NotFound);
      assert.equal(git("web", "status", "--porcelain"), "");
      assert.match(git("web", "log", "-1", "--format=%s"), new RegExp(`^Take web from the store: ${hash}$`));
      const again = await json(0, "store", "add", "web");
      assert.equal(again.entry.hash, hash);
      await json(0, "snapshot", "restore", report.snapshot.safety_id, "--yes");
      assert.equal(git("web", "rev-parse", "HEAD"), commit("web", "main"));
      assert.equal(read("components/web/file"), "web 2\n");
    }),
);
