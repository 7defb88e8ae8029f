import assert from "node:assert/strict";
import { UsageError } from "#/core/errors.ts";
import {
  artifactPathProblem,
  assertChannelName,
  assertVersion,
  isBackupId,
  isOperationId,
  quoteShort,
  versionProblem,
} from "#/core/safe_path.ts";

Deno.test("artifact paths that are accepted", () => {
  for (
    const path of [
      "v1.0.2/README.md",
      "a",
      ".hidden/file",
      "v1/..data",
      "v1/a..b/...",
      "v1/with space/ü/日本",
      "v1/index.json",
      "v1/.backout/x",
      "a".repeat(255),
      `${"a/".repeat(511)}aa`,
    ]
  ) assert.equal(artifactPathProblem(path), undefined, path);
});

const REFUSED_PATHS: readonly (readonly [unknown, RegExp])[] = [
  ["", /empty/],
  [null, /not text/],
  [7, /not text/],
  [["a"], /not text/],
  ["/etc/passwd", /absolute/],
  ["//host/share", /absolute/],
  ["C:/x", /absolute/],
  ["c:x", /absolute/],
  ["..", /climbs/],
  ["../x", /climbs/],
  ["v1/../../x", /climbs/],
  ["v1/..", /climbs/],
  ["v1\\..\\x", /backslash/],
  [".", /empty part/],
  ["./x", /empty part/],
  ["v1//x", /empty part/],
  ["v1/", /empty part/],
  ["v1/a\0b", /control/],
  ["v1/a\nb", /control/],
  ["v1/\u007f", /control/],
  ["v1/\ud800", /Unicode/],
  ["a".repeat(256), /255 bytes/],
  ["ü".repeat(128), /255 bytes/],
  ["a/".repeat(512) + "a", /1024 bytes/],
  [".backout/lock", /own files/],
  [".BackOut/lock", /own files/],
  [".rollback-backups/x", /own files/],
  ["index.json", /own files/],
  ["INDEX.md", /own files/],
];

Deno.test("artifact paths that are refused, each with its reason", () => {
  for (const [path, why] of REFUSED_PATHS) {
    assert.match(artifactPathProblem(path) ?? "accepted", why, JSON.stringify(path));
  }
});

Deno.test("versions that are accepted", () => {
  for (const version of ["v1.0.2", "1", "2026-03-01", "1.0.0+build~1", "constructor", "a".repeat(128)]) {
    assert.equal(versionProblem(version), undefined, version);
    assertVersion(version);
  }
});

Deno.test("versions that are refused with a usage error", () => {
  for (
    const version of [
      ...["", "../x", "..", ".", "-rf", "__proto__", "a/b", "a\\b", "v1\n", "v1\0", " v1", "v1 ", "ü", "v1."],
      ...["a".repeat(129), "a".repeat(300), "index.json", "Index.JSON", "index.md", ".backout", "C:"],
    ]
  ) {
    assert.notEqual(versionProblem(version), undefined, version);
    assert.throws(() => assertVersion(version), UsageError);
  }
  assert.throws(() => assertVersion("x\u001b[31m"), (error) => !(error as Error).message.includes("\u001b"));
});

Deno.test("channel names", () => {
  for (const name of ["stable", "a", "1.x", "beta_2", "a".repeat(64)]) assertChannelName(name);
  for (
    const name of [
      "",
      "-x",
      ".x",
      "a/b",
      "a b",
      "a".repeat(65),
      "x\n",
      "__proto__",
      "constructor",
      "toString",
    ]
  ) {
    assert.throws(() => assertChannelName(name), UsageError, name);
  }
});

Deno.test("backup and operation ids", () => {
  assert.ok(isBackupId("v1.0.2-20260301_030000-0a1b2c3d"));
  for (const id of ["", "..", "a/b", "-a", "a\n", "a".repeat(201)]) assert.equal(isBackupId(id), false, id);
  assert.ok(isOperationId("019577a0-1234-7abc-8def-0123456789ab"));
  for (
    const id of ["", "../x", "019577A0-1234-7ABC-8DEF-0123456789AB", "019577a0-1234-7abc-8def-0123456789ab\n"]
  ) {
    assert.equal(isOperationId(id), false, id);
  }
});

Deno.test("text in a message is short and has no control characters", () => {
  assert.equal(quoteShort("a\n\u001bb"), '"a\\n\\u001bb"');
  assert.ok(quoteShort("x".repeat(1000)).length < 70);
});
