/** The pure parts of trees: order, paths that are refused, globs, what a tree's lines must be. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { needsForeignFunctions } from "#/command/ffi.ts";
import { driver as configuration } from "#/target/configuration.ts";
import { driver as fileSystem } from "#/target/file_system.ts";
import { entryProblem, fingerprintLine, type TreeEntry } from "#/target/tree/entry.ts";
import { excluding } from "#/target/tree/exclude.ts";
import { sameTime } from "#/target/tree/compare.ts";
import { comparePaths, isWithin, outermost, pathProblem } from "#/target/tree/path.ts";
import { coverageOf, covers } from "#/target/tree/roots.ts";
import "../support/property_seed.ts";

const path = fc.array(fc.constantFrom("a", "a b", "a-", "a!", "b", "é", "\u{1f600}", "\uffff"), {
  minLength: 1,
  maxLength: 4,
});

Deno.test("paths are in the order of a walk: folder first, then names by code units", () => {
  fc.assert(fc.property(path, path, (a, b) => {
    const order = Math.sign(comparePaths(`/${a.join("/")}`, `/${b.join("/")}`));
    for (let i = 0; i < Math.max(a.length, b.length); i++) {
      if (a[i] === b[i]) continue;
      const expected = a[i] === undefined ? -1 : b[i] === undefined ? 1 : a[i]! < b[i]! ? -1 : 1;
      return assert.equal(order, expected);
    }
    assert.equal(order, 0);
  }));
});

Deno.test("paths that could lead elsewhere are refused", () => {
  for (const it of ["/", "/a", "/a b/..c", "/a/...", "/.hidden/-x", "/a\nb"]) {
    assert.equal(pathProblem(it), undefined, it);
  }
  const refused = [
    "",
    "a",
    "a/b",
    "/a/",
    "//a",
    "/a//b",
    "/a/./b",
    "/a/..",
    "/../a",
    "/..",
    "/a\0",
    "/\ud800",
    null,
    7,
  ];
  for (const it of refused) assert.notEqual(pathProblem(it), undefined, JSON.stringify(it));
  assert.notEqual(pathProblem(`/${"a".repeat(5000)}`), undefined);
});

Deno.test("within and outermost", () => {
  assert.ok(isWithin("/a/b", "/a") && isWithin("/a", "/a") && isWithin("/a", "/"));
  assert.ok(!isWithin("/ab", "/a") && !isWithin("/", "/a"));
  assert.deepEqual(outermost(["/b/c", "/a b", "/a/x", "/b", "/a", "/a"]), ["/a", "/a b", "/b"]);
});

Deno.test("globs leave out names, paths below a root, and whole paths", () => {
  const excluded = excluding(["*.tmp", "cache/**", "/srv/other/x", "logs/"]);
  for (const it of ["/r/a.tmp", "/r/d/.b.tmp", "/r/cache/x", "/r/cache/d/.x", "/srv/other/x", "/r/d/logs"]) {
    assert.ok(excluded(it, it.startsWith("/srv") ? "/srv" : "/r"), it);
  }
  for (const it of ["/r/a.tmpx", "/r/d/cache/x", "/r/x", "/r"]) assert.ok(!excluded(it, "/r"), it);
  assert.ok(!excluded("/r/a.tmp", "/r/a.tmp"), "what was asked for by its own name");
});

Deno.test("what a configuration covers: names, globs, and what is below either", () => {
  const coverage = coverageOf(["app.yml", "/etc/app/*.d", "conf/**/*.conf"], "/ws", true);
  assert.deepEqual(coverage.literal, ["/ws/app.yml"]);
  const covered = covers(coverage);
  for (
    const it of ["/ws/app.yml", "/ws/app.yml/x", "/etc/app/a.d", "/etc/app/a.d/x/y", "/ws/conf/a/b.conf"]
  ) {
    assert.ok(covered(it), it);
  }
  for (const it of ["/ws/app.yml2", "/ws", "/etc/app", "/etc/app/a.x", "/etc/passwd", "/ws/conf/a/b.cnf"]) {
    assert.ok(!covered(it), it);
  }
  assert.deepEqual(coverageOf(["/a/[x]*"], "/ws", false).literal, ["/a/[x]*"]);
});

const FILE = {
  ...{ path: "/a", type: "file", mode: 0o644, uid: 0, gid: 0, size: 1, ino: 5 } as const,
  ...{ mtime: "1.000000001", ctime: "2.0", content: { size: 1, chunks: ["a".repeat(64)] } },
};

Deno.test("lines that are no entries are refused", () => {
  assert.equal(entryProblem(FILE), undefined);
  const wrong: readonly object[] = [
    ...[{ path: "a" }, { type: "door" }, { mode: 0o10000 }, { mode: "644" }, { uid: -1 }, { gid: 2 ** 32 }],
    ...[{ mtime: "now" }, { ctime: "1e5.0" }, { size: -1 }, { size: 1.5 }, { content: undefined }],
    ...[{ content: { size: 1, chunks: ["../x"] } }, { link: "../x" }, { attributes: { a: 1 } }, {
      rdev: [1],
    }],
    ...[{ type: "symlink" }, { type: "symlink", target: "" }, { type: "symlink", target: "a\0" }],
  ];
  for (const it of wrong) assert.notEqual(entryProblem({ ...FILE, ...it }), undefined, JSON.stringify(it));
  for (const it of [null, 1, "x"]) assert.notEqual(entryProblem(it), undefined);
});

Deno.test("a fingerprint leaves out what a restore makes anew, and nothing else", () => {
  const line = (change: Partial<TreeEntry>) => fingerprintLine({ ...FILE, ...change });
  assert.equal(line({ ctime: "9.0", ino: 9, racy: true, sparse: true }), line({}));
  const changes: readonly Partial<TreeEntry>[] = [
    ...[{ mode: 0o600 }, { uid: 1 }, { gid: 1 }, { mtime: "1.000000002" }, { size: 2 }, { link: "/b" }],
    ...[{ attributes: { "user.a": "" } }, { path: "/b" }, {
      content: { size: 1, chunks: [], sha256: "b".repeat(64) },
    }],
  ];
  for (const it of changes) assert.notEqual(line(it), line({}), JSON.stringify(it));
  const folder = { ...FILE, type: "folder" } as const;
  assert.equal(fingerprintLine({ ...folder, mtime: "7.0" }), fingerprintLine(folder));
});

Deno.test("times are compared as exactly as both are known", () => {
  assert.ok(sameTime("5.123", "5.123456789") && sameTime("5.123456789", "5.123"));
  assert.ok(!sameTime("5.123", "5.124000000") && !sameTime("5.123456788", "5.123456789"));
});

Deno.test("the keys of the targets are strict", () => {
  assert.deepEqual(fileSystem.schema.parse({ paths: ["a"] }), {
    paths: ["a"],
    exclude: [],
    one_file_system: false,
  });
  assert.deepEqual(configuration.schema.parse({ config_files: ["a"] }), { config_files: ["a"], exclude: [] });
  for (const it of [{}, { paths: [] }, { paths: [""] }, { paths: ["a"], other: 1 }, { paths: ["a\0"] }]) {
    assert.ok(!fileSystem.schema.safeParse(it).success, JSON.stringify(it));
  }
  assert.ok(!configuration.schema.safeParse({ paths: ["a"] }).success);
});

Deno.test("foreign functions are for commands on targets only", () => {
  const needs = (text: string) => needsForeignFunctions({ argv: text.split(" ") });
  for (
    const it of [
      "snapshot create",
      "--json guard -- x",
      "confirm",
      "recover",
      "plugin",
      "service rollback web",
      "component rollback --lock x",
      "changeset rollback 1",
    ]
  ) {
    assert.ok(needs(it), it);
  }
  for (const it of ["release list", "status", "release rollback v1 --yes", "hold list -- snapshot"]) {
    assert.ok(!needs(it), it);
  }
});
