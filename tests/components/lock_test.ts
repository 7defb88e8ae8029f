/** Lock files: written, compared, promoted; and edits that leave everything else alone. */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { lockDocument, setFields } from "#/component/edit.ts";
import { parseLock } from "#/component/lock.ts";
import { parseManifest } from "#/component/manifest.ts";
import { checkRanges, isInRange, newestFirst, tagNames, writtenLike } from "#/component/versions.ts";
import { testRequiring } from "../support/require.ts";
import { withMeta } from "./meta_support.ts";

testRequiring(
  ["posix", "git"],
  "component lock: what is checked out; the old one stays as previous",
  async () => {
    await withMeta(async ({ json, run, read, write, commit, root }) => {
      const path = "manifests/components.lock.dev.yaml";
      await json(0, "component", "lock", "--env", "dev");
      const first = parse(read(path));
      assert.equal(first.environment, "dev");
      assert.deepEqual(first.components.lib, {
        version: "v2.0.0",
        commit: commit("lib", "HEAD"),
        repo: parse(read("manifests/components.yaml")).components.lib.repo,
        type: "python",
      });
      assert.deepEqual((await json(0, "component", "lock", "--env", "dev")).steps, [], "nothing changed");
      assert.throws(() => read("manifests/components.lock.dev.previous.yaml"), Deno.errors.NotFound);
      write(path, read(path).replace("  lib:", "  lib: # pinned for a reason\n    note: keep me"));
      const before = read(path);
      await json(0, "component", "rollback", "lib", "--to-version", "v1.0.0", "--yes");
      const { undo } = await json(0, "component", "lock", "--env", "dev");
      assert.equal(read("manifests/components.lock.dev.previous.yaml"), before);
      assert.match(read(path), /lib: # pinned for a reason\n {4}note: keep me\n {4}version: v1\.0\.0/);
      await json(0, ...undo.split(" ").slice(1), "--yes");
      assert.equal(read(path), before);
      Deno.removeSync(`${root}/components/web`, { recursive: true });
      const missing = await run(["component", "lock", "--env", "dev"]);
      assert.equal(missing.code, 40);
      assert.match(missing.stderr, /web is not checked out/);
      assert.equal((await run(["component", "lock", "--env", "../x"])).code, 2);
    });
  },
);

testRequiring(["posix", "git"], "lock compare and lock promote", async () => {
  await withMeta(async ({ json, run, read, write }) => {
    write(
      "manifests/components.lock.dev.yaml",
      read("manifests/components.lock.prod.previous.yaml").replace("prod", "dev"),
    );
    const compared = await json(0, "lock", "compare", "dev", "prod");
    assert.deepEqual(compared.differences.map(({ component }: { component: string }) => component), [
      "api",
      "lib",
      "web",
    ]);
    const before = read("manifests/components.lock.prod.yaml");
    const dry = await json(0, "lock", "promote", "dev", "prod", "--dry-run");
    assert.equal(dry.status, "dry_run");
    assert.equal(read("manifests/components.lock.prod.yaml"), before);
    await json(0, "lock", "promote", "dev", "prod");
    assert.equal(read("manifests/components.lock.prod.previous.yaml"), before);
    assert.equal(parse(read("manifests/components.lock.prod.yaml")).environment, "prod");
    assert.match((await run(["lock", "compare", "dev", "prod"])).stdout, /say the same of 3 components/);
    assert.equal((await run(["lock", "promote", "qa", "prod"])).code, 40);
    assert.equal((await run(["lock", "promote", "prod", "prod"])).code, 2);
    assert.equal((await run(["component", "health", "--env", "qa"])).code, 40);
  });
});

Deno.test("edits of documents: only the value is another one", () => {
  const text = `# head
components:
  a: {version: '1.0.0', x: [1,  2]}   # flow
  b:
    version:   "v1.0.0"   # quoted

    other: *x
`.replace("*x", "&x y");
  const edited = setFields(text, "f", {
    a: { version: "2.0.0" },
    b: { version: "v2.0.0" },
    gone: { version: "1" },
  });
  assert.equal(edited, text.replace("'1.0.0'", "'2.0.0'").replace('"v1.0.0"', '"v2.0.0"'));
  assert.equal(setFields(text, "f", { a: { version: "1.0.0" } }), text, "nothing to do");
  // A text that would be read as something else is put into quotes.
  const plain = "components: {a: {version: v1, commit: abc}}\n";
  assert.deepEqual(parse(setFields(plain, "f", { a: { version: "1.0", commit: "1234567" } })).components.a, {
    version: "1.0",
    commit: "1234567",
  });
  const added = setFields("components:\n  a:\n    repo: x # where\n", "f", { a: { version: "v1" } });
  assert.equal(added, "components:\n  a:\n    repo: x # where\n    version: v1\n");
});

Deno.test("versions: tags with and without v, ranges, order", () => {
  assert.deepEqual([tagNames("1.0.0"), tagNames("v1.0.0"), tagNames("release-1")], [
    ["1.0.0", "v1.0.0"],
    ["v1.0.0", "1.0.0"],
    ["release-1"],
  ]);
  assert.deepEqual([
    writtenLike("v1.0.0", "2.0.0"),
    writtenLike("1.0.0", "v2.0.0"),
    writtenLike("v1", undefined),
  ], [
    "1.0.0",
    "v1.0.0",
    "v1",
  ]);
  assert.equal(isInRange("v2.1.0-rc.1", "^2.0.0"), true);
  assert.equal(isInRange("main", "^2.0.0"), undefined);
  assert.deepEqual(newestFirst(["v1.9.0", "x", "v1.10.0"]), ["v1.10.0", "v1.9.0", "x"]);
  const manifest = parseManifest(
    `components:
  a: {}
  b: {depends_on: ["a@^1.0", {name: a, version: "<3"}, "a: >=1", {a: ~1.2}]}
  c: {depends_on: {a: "*"}}
`,
    "f",
  );
  const { broken, unknown } = checkRanges(manifest, new Map([["a", "v2.0.0"]]));
  assert.deepEqual(broken.map(({ range }) => range), ["^1.0", "~1.2"]);
  assert.deepEqual(unknown, []);
  assert.equal(checkRanges(manifest, new Map([["a", undefined]])).unknown.length, 4);
});

testRequiring([], "commits and versions that look like numbers are read as they are written", () => {
  const text = `environment: prod
components:
  zero: {version: 1.0, commit: 0123456}
  float: {version: 0x10, commit: 12345e6789}
  long: {version: 2, commit: ${"1234567890".repeat(4)}}
`;
  const lock = parseLock(text, "/lock.yaml");
  assert.deepEqual(
    [...lock.components.values()].map(({ version, commit }) => [version, commit]),
    [["1.0", "0123456"], ["0x10", "12345e6789"], ["2", "1234567890".repeat(4)]],
  );
  const edited = setFields(text, "/lock.yaml", { float: { version: "1.1" }, long: { branch: "main" } });
  assert.equal(parseLock(edited, "/lock.yaml").components.get("zero")?.commit, "0123456", edited);
  // Adding a field writes the whole document again: what others read as numbers stays numbers where it can.
  const limits = `components:
  a:
    limits: { cpu: 0.50, scale: 1.0, mode: 0644 }
  b: {}
`;
  const more = setFields(limits, "/components.yaml", { b: { version: "2.0" } });
  assert.match(more, /cpu: 0\.50, scale: 1\.0, mode: "0644"/);
  assert.match(more, /version: "2\.0"/);
  const again = lockDocument("components: {a: {commit: 12345e6789}}", "/lock.yaml", {}, {
    a: { commit: "12345e6789" },
  }, "now");
  assert.match(again, /commit: "12345e6789"/, "quoted for those who would read a number");
  const manifest = parseManifest("components: {a: {version: 1.10}}", "/components.yaml");
  assert.equal(manifest.components.get("a")?.version, "1.10");
});
