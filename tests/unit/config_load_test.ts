import assert from "node:assert/strict";
import { join } from "node:path";
import { UsageError } from "#/core/errors.ts";
import { type Config, loadConfig } from "#/config/mod.ts";
import { withTempDir } from "../support/temp.ts";

const noEnv = () => undefined;

/** Loads `text` as a backout.yaml of its own folder. */
async function load(
  text: string | Uint8Array<ArrayBuffer>,
  env: Readonly<Record<string, string>> = {},
): Promise<{ config: Config; folder: string }> {
  return await withTempDir(async (folder) => {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    await Deno.writeFile(join(folder, "backout.yaml"), bytes);
    const config = await loadConfig({ cwd: folder, env: (name) => env[name] });
    assert.ok(config);
    return { config, folder };
  });
}

async function refusal(
  text: string | Uint8Array<ArrayBuffer>,
  env: Readonly<Record<string, string>> = {},
): Promise<{ message: string; hint: string; line: unknown; column: unknown }> {
  let caught: unknown;
  await load(text, env).catch((error) => caught = error);
  assert.ok(caught instanceof UsageError, `no UsageError but ${caught}`);
  assert.equal(caught.code, 2);
  const message = caught.message.replaceAll(/\/\S*\/backout\.yaml/g, "backout.yaml");
  return { message, hint: caught.hint ?? "", line: caught.context.line, column: caught.context.column };
}

Deno.test("all keys are read, and paths start at the config's folder", async () => {
  const { config, folder } = await load(`
version: 1
repository: releases
state_dir: ../state
policy: {mode: lenient}
audit: {sign: true, signing_key: keys/key.pem}
`);
  assert.deepEqual(config, {
    path: join(folder, "backout.yaml"),
    version: 1,
    repository: join(folder, "releases"),
    state_dir: join(folder, "../state"),
    policy: { mode: "lenient" },
    audit: { sign: true, signing_key: join(folder, "keys/key.pem") },
  });
});

Deno.test("the rules of retention are read, durations and sizes as numbers", async () => {
  const { config } = await load(`
version: 1
retention:
  keep_last: 10
  keep_hourly: 0
  keep_yearly: 3
  keep_within: 90d
  max_size: 20GiB
  min_free: 500MB
  history: {keep_last: 200, keep_within: 400d}
`);
  assert.deepEqual(config.retention, {
    keepLast: 10,
    keepHourly: 0,
    keepYearly: 3,
    keepWithin: 90 * 86_400_000,
    maxBytes: 20 * 1024 ** 3,
    minFreeBytes: 500_000_000,
    history: { keepLast: 200, keepWithin: 400 * 86_400_000 },
  });
});

Deno.test("absolute paths and object storage stay as they are", async () => {
  const { config } = await load(
    "version: 1\nrepository: s3://bucket/prefix\nstate_dir: /var/lib/backout\n",
  );
  assert.equal(config.repository, "s3://bucket/prefix");
  assert.equal(config.state_dir, "/var/lib/backout");
});

Deno.test("the nearest file above the working folder is taken, --config before BACKOUT_CONFIG before it", async () => {
  await withTempDir(async (folder) => {
    const deep = join(folder, "a/b/c");
    await Deno.mkdir(deep, { recursive: true });
    await Deno.mkdir(join(folder, "a/b/backout.yaml")); // a folder of that name is no config
    for (const name of ["backout.yaml", "a/backout.yaml", "env.yaml", "flag.yaml"]) {
      await Deno.writeTextFile(join(folder, name), `version: 1\nrepository: /${name}\n`);
    }
    const found = async (explicit?: string, env?: string): Promise<string | undefined> =>
      (await loadConfig({
        cwd: deep,
        env: (name) => name === "BACKOUT_CONFIG" ? env : undefined,
        ...(explicit === undefined ? {} : { explicit }),
      }))?.repository;
    assert.equal(await found(), "/a/backout.yaml");
    assert.equal(await found(undefined, ""), "/a/backout.yaml");
    assert.equal(await found(undefined, join(folder, "env.yaml")), "/env.yaml");
    assert.equal(await found("../../../flag.yaml", join(folder, "env.yaml")), "/flag.yaml");
  });
});

Deno.test("no file is no configuration", async () => {
  await withTempDir(async (folder) => {
    assert.equal(await loadConfig({ cwd: folder, env: noEnv }), undefined);
  });
});

Deno.test("a file that is named but cannot be read is refused", async () => {
  await withTempDir(async (folder) => {
    const attempt = (explicit: string) => loadConfig({ cwd: folder, env: noEnv, explicit });
    await assert.rejects(attempt("nowhere.yaml"), (error: UsageError) => {
      assert.equal(error.code, 2);
      assert.match(error.message, /nowhere\.yaml: there is no such file$/);
      return true;
    });
    await assert.rejects(attempt("."), /it is not a file/);
    await Deno.writeTextFile(join(folder, "large.yaml"), "#".repeat(1024 * 1024 + 1));
    await assert.rejects(attempt("large.yaml"), /larger than 1 MiB/);
  });
});

Deno.test("variables are filled in where they stand", async () => {
  const { config } = await load(
    'version: 1\nrepository: "s3://${BUCKET}/${PREFIX}"\nstate_dir: /x/$${BUCKET}\naudit: {sign: ${SIGN}}\n'
      .replace("{sign: ${SIGN}}", "\n  sign: ${SIGN}"),
    { BUCKET: "b", PREFIX: "${BUCKET}", SIGN: "true" },
  );
  assert.equal(config.repository, "s3://b/${BUCKET}", "a value is not read for variables again");
  assert.equal(config.state_dir, "/x/${BUCKET}");
  assert.equal(config.audit?.sign, true);
});

Deno.test("a variable that is not set is named with its line, and no other value is shown", async () => {
  const { message, hint, line, column } = await refusal(
    "version: 1\nrepository: /${SECRET}/${WHERE}\n",
    { SECRET: "hunter2" },
  );
  assert.equal(message, "backout.yaml:2:13: the environment variable WHERE is not set");
  assert.match(hint, /Set WHERE, .* begin with BACKOUT_/);
  const seen = await refusal("version: 1\nrepository: /${BACKOUT_WHERE}\n", {});
  assert.doesNotMatch(seen.hint, /few names/);
  assert.deepEqual([line, column], [2, 13]);
});

const mistakes: readonly (readonly [name: string, text: string, message: RegExp, hint?: RegExp])[] = [
  [
    "mistyped key",
    "version: 1\nrepositry: /x\n",
    /^backout\.yaml:2:1: "repositry" is not a known key$/,
    /"repository"/,
  ],
  [
    "mistyped key inside",
    "version: 1\npolicy:\n  mdoe: strict\n",
    /:3:3: "mdoe" is not a known key in policy$/,
    /Did you mean "mode"/,
  ],
  [
    "key of nobody",
    "version: 1\nxyzzy: 1\n",
    /:2:1: "xyzzy" is not a known key$/,
    /Known keys: version, repository/,
  ],
  ["wrong mode", "version: 1\npolicy: {mode: harsh}\n", /:2:16: policy\.mode must be strict or lenient$/],
  ["wrong type", "version: 1\nrepository: [a]\n", /:2:13: repository must be text$/],
  ["number for text", "version: 1\nstate_dir: 5\n", /:2:12: state_dir must be text$/],
  ["text for a flag", 'version: 1\naudit:\n  sign: "yes"\n', /:3:9: audit\.sign must be true or false$/],
  ["text for a block", "version: 1\naudit: on\n", /:2:8: audit must be a block of keys$/],
  ["empty text", 'version: 1\nrepository: ""\n', /:2:13: repository is empty$/],
  ["no value", "version: 1\nrepository:\n", /repository must be text$/],
  ["no version", "repository: /x\n", /:1:1: version is missing$/, /version: 1/],
  ["other version", "version: 2\n", /:1:10: version must be 1$/],
  ["duplicate key", "version: 1\npolicy: {}\npolicy: {}\n", /:3:1: this key stands here a second time$/],
  ["empty file", "", /:1:1: the file is empty$/, /version: 1/],
  ["only a comment", "# nothing\n", /:1:1: the file is empty$/],
  ["a list", "- version: 1\n", /:1:1: the file must be a block of keys$/],
  ["plain text", "hello\n", /:1:1: the file must be a block of keys$/],
  ["broken YAML", 'version: 1\nrepository: "abc\n', /backout\.yaml:\d+:\d+: \S/],
  ["a tab", "version: 1\npolicy:\n\tmode: strict\n", /backout\.yaml:3:1: /],
  ["two documents", "version: 1\n---\nversion: 1\n", /backout\.yaml:2:1: /, /Keep one document/],
  ["a tag", "version: !!js/function 'x'\n", /backout\.yaml:1:10: /],
  [
    "an unclosed variable",
    "version: 1\nrepository: /x/${HOME\n",
    /:2:13: \$\{HOME does not name an environment/,
  ],
  ["__proto__", "version: 1\n__proto__: {mode: strict}\n", /"__proto__" is not a known key/],
  [
    "an unknown alias",
    "version: 1\nrepository: *nobody\n",
    /backout\.yaml:2:13: |aliases cannot be followed/,
  ],
];
for (const [name, text, message, hint] of mistakes) {
  Deno.test(`mistake in backout.yaml: ${name}`, async () => {
    const found = await refusal(text);
    assert.match(found.message, message);
    if (hint !== undefined) assert.match(found.hint, hint);
  });
}

Deno.test("every mistake is named, in the order of the file", async () => {
  const { message } = await refusal("verison: 1\nrepository: 5\npolicy: {mode: x, modus: y}\n");
  const lines = message.split("\n").map((line) => line.split(":").slice(1, 3).join(":"));
  assert.deepEqual(lines, ["1:1", "1:1", "2:13", "3:16", "3:19"]);
});

Deno.test("an alias bomb is refused", async () => {
  const levels = Array.from({ length: 9 }, (_, i) => {
    const inner = Array(9).fill(i === 0 ? "x" : `*a${i - 1}`).join(", ");
    return `a${i}: &a${i} [${inner}]`;
  });
  const { message } = await refusal(`version: 1\n${levels.join("\n")}\n`);
  assert.match(message, /aliases cannot be followed/);
});

Deno.test("a plain anchor works", async () => {
  const { config } = await load("version: 1\nrepository: &where /srv/releases\nstate_dir: *where\n");
  assert.equal(config.state_dir, "/srv/releases");
});

Deno.test("bytes that are no UTF-8 are refused", async () => {
  const { message } = await refusal(new Uint8Array([0x76, 0xff, 0xfe]));
  assert.match(message, /it is not UTF-8 text$/);
});
