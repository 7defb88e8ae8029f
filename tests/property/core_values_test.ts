import assert from "node:assert/strict";
import { posix, win32 } from "node:path";
import fc from "fast-check";
import "../support/property_seed.ts";
import { backupFolderName, newOperationId, parseBackupFolderName } from "#/core/ids.ts";
import { canonicalJson, formatJson, parseJson } from "#/core/json.ts";
import { artifactPathProblem, isBackupId, isOperationId, versionProblem } from "#/core/safe_path.ts";

const RUNS = { numRuns: 2000 };

const nastyPart = fc.oneof(
  fc.constantFrom(
    "",
    ".",
    "..",
    "...",
    "~",
    "C:",
    "c:x",
    "\\",
    "..\\..",
    "/",
    "//",
    " ",
    "\0",
    "\n",
    "%2e%2e",
    "\u2025",
  ),
  fc.constantFrom(
    ".backout",
    ".BACKOUT",
    ".rollback-backups",
    "index.json",
    "index.md",
    "v1.0.2",
    "\ud800",
    "．．",
  ),
  fc.string({ maxLength: 8 }),
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.string({ minLength: 250, maxLength: 260, unit: "grapheme" }),
);
const nastyPath = fc.oneof(
  fc.tuple(fc.array(nastyPart, { maxLength: 8 }), fc.constantFrom("/", "/", "/", "\\", "//", ""))
    .map(([parts, separator]) => parts.join(separator)),
  fc.string({ unit: "binary" }),
  fc.webPath(),
);
/** Paths of which most are accepted, so that the properties are not empty. */
const path = fc.oneof(
  nastyPath,
  fc.array(fc.stringMatching(/^[\w. ~+-]{1,6}$/), { minLength: 1, maxLength: 5 }).map((parts) =>
    parts.join("/")
  ),
);

Deno.test("no accepted path leaves its root or touches backout's own files", () => {
  let accepted = 0;
  fc.assert(
    fc.property(path, (path) => {
      if (artifactPathProblem(path) !== undefined) return;
      accepted++;
      for (const { resolve, sep } of [posix, win32]) {
        const root = resolve("/srv/releases");
        const full = resolve(root, path);
        assert.ok(full.startsWith(root + sep), full);
        const relative = full.slice(root.length + 1).split(sep);
        assert.equal(relative.join("/"), path, "the path is already in its shortest form");
        assert.ok(
          ![".backout", ".rollback-backups", "index.json", "index.md"].includes(relative[0]!.toLowerCase()),
        );
      }
      assert.equal(
        new TextDecoder().decode(new TextEncoder().encode(path)),
        path,
        "it is stored as it is named",
      );
      assert.ok(path.split("/").every((part) => new TextEncoder().encode(part).length <= 255));
    }),
    RUNS,
  );
  assert.ok(accepted > 100, `only ${accepted} paths were accepted`);
});

Deno.test("two accepted paths that differ are two files", () => {
  fc.assert(
    fc.property(path, path, (a, b) => {
      if (a === b || artifactPathProblem(a) !== undefined || artifactPathProblem(b) !== undefined) return;
      assert.notEqual(posix.resolve("/r", a), posix.resolve("/r", b));
    }),
    RUNS,
  );
});

const version = fc.oneof(nastyPath, fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$/));

Deno.test("an accepted version is one plain path segment, and safe as an argument", () => {
  let accepted = 0;
  fc.assert(
    fc.property(version, (version) => {
      if (versionProblem(version) !== undefined) return;
      accepted++;
      assert.equal(posix.basename(posix.resolve("/r", version)), version);
      assert.equal(artifactPathProblem(version), undefined);
      assert.equal(artifactPathProblem(`${version}/file`), undefined);
      assert.ok(!version.startsWith("-") && !version.startsWith("."));
      assert.match(version, /^[\x21-\x7e]{1,128}$/);
    }),
    RUNS,
  );
  assert.ok(accepted > 100, `only ${accepted} versions were accepted`);
});

/** JSON texts with numbers that JavaScript cannot hold, and every kind of white space. */
const numberText = fc.oneof(
  fc.constantFrom(
    "1.0",
    "-0",
    "-0.0",
    "0e0",
    "1e400",
    "-1E-400",
    "9223372036854775808",
    "1e21",
    "1E+2",
    "0.1",
  ),
  fc.constantFrom("100000000000000000000000", "9007199254740993", "5e-324", "2.50", "0.30000000000000004"),
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => JSON.stringify(number)),
  fc.bigInt().map(String),
);
const { json: jsonText } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    numberText,
    fc.string({ unit: "grapheme" }).map((text) => JSON.stringify(text)),
    fc.constantFrom("null", "true", "false", '"1.0"', '" -0 "', '"a:1e5,"'),
    fc.array(tie("json"), { maxLength: 4 }).map((items) => `[${items.join(",")}]`),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom("__proto__", "1", "b", "a", "toJSON")), tie("json"), {
      maxKeys: 4,
      noNullPrototype: true,
    }).map(objectText),
  ),
}));

/** Keys in the order in which JavaScript keeps them, so that the text can be compared byte for byte. */
function objectText(members: Readonly<Record<string, string>>): string {
  return `{${Object.entries(members).map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(",")}}`;
}

/** Removes white space outside strings. */
function compact(json: string): string {
  return json.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_, text) => text ?? "");
}

Deno.test("what is read and written again is the same, byte for byte, whatever the numbers", () => {
  fc.assert(
    fc.property(jsonText, fc.constantFrom("", " ", "\n\t"), (text, space) => {
      const spaced = space +
        text.replace(/("(?:[^"\\]|\\.)*")|([,:[\]{}])/g, (_, string, mark) => string ?? mark + space);
      assert.equal(compact(formatJson(parseJson(spaced))), text);
      assert.equal(formatJson(parseJson(formatJson(parseJson(text)))), formatJson(parseJson(text)));
    }),
    RUNS,
  );
});

function shuffled(value: unknown, seed: number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, seed));
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, shuffled(inner, seed)] as const);
  return Object.fromEntries(
    seed % 2 === 0 ? entries.reverse() : [...entries.slice(seed % 3), ...entries.slice(0, seed % 3)],
  );
}

Deno.test("canonicalJson does not depend on the order of keys, and says all there is", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(), (value, seed) => {
      const text = canonicalJson(value);
      assert.equal(canonicalJson(shuffled(value, seed)), text);
      assert.equal(canonicalJson(parseJson(text)), text);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
    }),
    RUNS,
  );
});

Deno.test("canonicalJson gives equal text for equal JSON texts with any numbers", () => {
  fc.assert(
    fc.property(jsonText, (text) => {
      const once = canonicalJson(parseJson(text));
      assert.equal(canonicalJson(parseJson(once)), once);
      assert.equal(canonicalJson(parseJson(formatJson(parseJson(text)))), once);
    }),
    RUNS,
  );
});

const moment = fc.date({
  min: new Date("1970-01-01T00:00:00.000Z"),
  max: new Date("9999-12-31T23:59:59.999Z"),
  noInvalidDate: true,
});

Deno.test("a backup folder's name can be taken apart again, and is safe", () => {
  const accepted = fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$/),
    fc.constantFrom(
      "v1-20240101_000000-abcdef12",
      "1-20240101-000000-a",
      "20240101_000000",
      "a-20240101000000-1",
    ),
  ).filter((version) => versionProblem(version) === undefined);
  fc.assert(
    fc.property(accepted, moment, (version, at) => {
      const name = backupFolderName(version, newOperationId(at), at);
      const second = at.toISOString().slice(0, 19) + ".000Z";
      assert.deepEqual(parseBackupFolderName(name), { version, at: second });
      assert.ok(isBackupId(name));
      assert.equal(artifactPathProblem(name), undefined);
    }),
    RUNS,
  );
});

Deno.test("operation ids sort by time", () => {
  fc.assert(
    fc.property(moment, moment, (a, b) => {
      const [first, second] = [newOperationId(a), newOperationId(b)];
      assert.ok(isOperationId(first));
      if (a.getTime() !== b.getTime()) assert.equal(first < second, a < b);
    }),
    RUNS,
  );
});
