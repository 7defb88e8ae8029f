/** `targets:`, `store:` and `snapshots:` of `backout.yaml`, and targets of the command line. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { checkConfigFile, configSchema, EXAMPLE_CONFIG } from "#/config/commands.ts";
import { type Config, loadConfig } from "#/config/load.ts";
import { UsageError } from "#/core/errors.ts";
import { withTempDir } from "../support/temp.ts";

const ENV: Readonly<Record<string, string>> = {
  DATABASE_URL: "postgresql://app:hunter2@db/app",
  BACKOUT_PW: "s3cret",
};
const env = (name: string) => ENV[name];

async function load(text: string): Promise<{ readonly config: Config; readonly folder: string }> {
  return await withTempDir(async (folder) => {
    await Deno.writeTextFile(join(folder, "backout.yaml"), `version: 1\n${text}`);
    const config = await loadConfig({ cwd: folder, env });
    assert.ok(config);
    return { config, folder };
  });
}

async function refused(text: string): Promise<{ readonly message: string; readonly hint: string }> {
  let caught: unknown;
  await load(text).catch((error) => caught = error);
  assert.ok(caught instanceof UsageError, `no UsageError but ${caught}`);
  const message = caught.message.replaceAll(/\/\S*\/backout\.yaml:/g, "").replaceAll(
    /\/\S*\/backout-test-\w+/g,
    "W",
  );
  return { message, hint: caught.hint ?? "" };
}

Deno.test("targets: all kinds, in their order, with paths made absolute and the text as it was written", async () => {
  const { config, folder } = await load(`
targets:
  app:    {type: git_commit, repo_path: source, branch: main}
  config: {type: configuration, config_files: [etc/app.yml]}
  data:   {type: file_system, paths: [/var/lib/app/data], exclude: ["**/*.tmp"]}
  db:     {type: database, connection_string: "\${DATABASE_URL}", after: [config], timeout: 10m}
  other:  {type: command, capture: [./take.sh], restore: [./put.sh], after: db}
`);
  assert.deepEqual(config.targets?.map(({ name, type }) => [name, type]), [
    ["app", "git_commit"],
    ["config", "configuration"],
    ["data", "file_system"],
    ["db", "database"],
    ["other", "command"],
  ]);
  const [app, files, , db, other] = config.targets!;
  assert.equal((app!.config as { repo_path: string }).repo_path, join(folder, "source"));
  assert.deepEqual(app!.written, { repo_path: "source", branch: "main" });
  assert.deepEqual((files!.config as { config_files: string[] }).config_files, [join(folder, "etc/app.yml")]);
  assert.equal((db!.config as { connection_string: string }).connection_string, ENV.DATABASE_URL);
  assert.deepEqual(db!.written, { connection_string: "${DATABASE_URL}" });
  assert.deepEqual([db!.after, db!.timeoutMs], [["config"], 600_000]);
  assert.deepEqual([other!.after, other!.timeoutMs], [["db"], undefined]);
});

Deno.test("targets: passwords that stand in the file are not kept", async () => {
  const { config } = await load(`
targets:
  a: {type: database, connection_string: "postgresql://u:p@ss@h/d?password=x&sslmode=require"}
  b: {type: database, connection_string: "mysql://u:\${BACKOUT_PW}@h/d"}
  c: {type: command, capture: [x], restore: [y], env: {PGPASSWORD: abc, AWS_SECRET_ACCESS_KEY: k, KEY_FILE: /k, API_TOKEN: "\${BACKOUT_PW}", N: "1"}}
  d: {type: command, capture: [dump, "redis://:open@h", "password='it is'", "x y=1"], restore: [y]}
`);
  const [a, b, c, d] = config.targets!.map(({ written }) => written);
  assert.equal(a!.connection_string, "postgresql://u:***@h/d?password=***&sslmode=require");
  assert.equal(b!.connection_string, "mysql://u:${BACKOUT_PW}@h/d");
  assert.deepEqual(c!.env, {
    PGPASSWORD: "***",
    AWS_SECRET_ACCESS_KEY: "***",
    KEY_FILE: "/k",
    API_TOKEN: "${BACKOUT_PW}",
    N: "1",
  });
  assert.deepEqual(d!.capture, ["dump", "redis://:***@h", "password=***", "x y=1"]);
});

const MISTAKES: Readonly<Record<string, readonly [string, RegExp, RegExp?]>> = {
  "no block": ["targets: [a]\n", /^2:10: targets must be a block of names$/],
  "a target that is none": ["targets:\n  app: x\n", /^3:8: targets\.app must be a block of keys$/],
  "no type": ["targets:\n  app: {repo_path: /a}\n", /^3:8: targets\.app lacks type$/],
  "a mistyped type": [
    "targets:\n  app: {type: git_comit, repo_path: /a}\n",
    /^3:15: targets\.app\.type is not a kind of target$/,
    /Did you mean "git_commit"\?/,
  ],
  "a mistyped key": [
    "targets:\n  app:\n    type: git_commit\n    repo_pat: /a\n",
    /^5:5: "repo_pat" is not a known key in targets\.app$/m,
    /Did you mean "repo_path"\?/,
  ],
  "a mistyped common key": [
    "targets:\n  app: {type: git_commit, repo_path: /a, aftr: [x]}\n",
    /^3:42: "aftr" is not a known key in targets\.app$/,
    /Did you mean "after"\?/,
  ],
  "a missing key": ["targets:\n  d: {type: file_system}\n", /^3:6: targets\.d lacks paths$/],
  "a value of another type": [
    "targets:\n  d: {type: file_system, paths: {a: 1}}\n",
    /^3:33: targets\.d\.paths must be a list$/,
  ],
  "a secret in the wrong place": [
    'targets:\n  d: {type: database, connection_string: "${BACKOUT_PW}"}\n',
    /^3:42: targets\.d\.connection_string: must begin with postgresql:(?!.*s3cret)/,
  ],
  "a time that is none": [
    "targets:\n  d: {type: file_system, paths: [/a], timeout: soon}\n",
    /^3:48: targets\.d\.timeout must be a duration$/,
  ],
  "after nobody": [
    "targets:\n  config: {type: file_system, paths: [/a]}\n  b: {type: file_system, paths: [/b], after: [confg]}\n",
    /^4:46: targets\.b\.after names "confg", which is not a target$/,
    /Did you mean "config"\?/,
  ],
  "a circle": [
    "targets:\n  a: {type: file_system, paths: [/a], after: c}\n  b: {type: file_system, paths: [/b], after: [a]}\n" +
    "  c: {type: file_system, paths: [/c], after: [b]}\n",
    /^3:46: targets wait for each other: a after c after b after a$/,
  ],
  "after itself": [
    "targets:\n  a: {type: file_system, paths: [/a], after: a}\n",
    /targets wait for each other: a after a$/,
  ],
  "a name that climbs": [
    'targets:\n  "../x": {type: file_system, paths: [/a]}\n',
    /^3:3: targets\.\.\.\/x cannot be the name of a target: it must start with a letter or digit/,
  ],
  "a name of numbers": [
    "targets:\n  007: {type: file_system, paths: [/a]}\n",
    /cannot be the name of a target: it needs a letter$/,
  ],
  "a name of programs": [
    "targets:\n  constructor: {type: file_system, paths: [/a]}\n",
    /cannot be the name of a target: it is a word that programs use themselves$/,
  ],
  "names that differ in capitals": [
    "targets:\n  App: {type: file_system, paths: [/a]}\n  app: {type: file_system, paths: [/b]}\n",
    /^4:3: targets\.app differs from targets\.App in capitals only$/,
  ],
  "the same file twice": [
    "targets:\n  a: {type: configuration, config_files: [/etc/app.yml]}\n" +
    "  b: {type: configuration, config_files: [/x, /etc/app.yml]}\n",
    /^4:47: targets\.b\.config_files\.1 \(\/etc\/app\.yml\) overlaps targets\.a\.config_files\.0 \(\/etc\/app\.yml\)/,
  ],
  "a file of a folder": [
    "targets:\n  a: {type: file_system, paths: [/srv/]}\n  b: {type: configuration, config_files: [/srv/app.yml]}\n",
    /targets\.b\.config_files\.0 \(\/srv\/app\.yml\) overlaps targets\.a\.paths\.0 \(\/srv\)/,
  ],
  "backout's own files": [
    "targets:\n  a: {type: file_system, paths: [.backout/history]}\n",
    /^3:34: targets\.a\.paths\.0 lies in backout's own files in W\/\.backout$/,
  ],
  "its store": [
    "store: /srv/points\ntargets:\n  a: {type: file_system, paths: [/srv/points]}\n",
    /lies in backout's own files in \/srv\/points$/,
  ],
  "a store that is none": ["store: [a]\n", /^2:8: store must be text or a block of keys$/],
  "a mistyped key of the store": [
    "store: {locaton: x}\n",
    /^2:9: "locaton" is not a known key in store$/,
    /Did you mean "location"\?/,
  ],
  "two keys of encryption": [
    "store: {encryption: {key_file: a, passphrase_env: BACKOUT_X}}\n",
    /store\.encryption: needs one of key_file, passphrase_env and passphrase_file$/,
  ],
  "a passphrase instead of its name": [
    "store: {encryption: {passphrase_env: 'my secret'}}\n",
    /passphrase_env: must be the name of an environment variable that begins with BACKOUT_$/,
  ],
  "a mistyped class": [
    "snapshots: {retention: {safty: {keep_last: 1}}}\n",
    /"safty" is not a known key in snapshots\.retention$/,
    /Did you mean "safety"\?/,
  ],
};

for (const [name, [text, message, hint]] of Object.entries(MISTAKES)) {
  Deno.test(`mistake in targets: ${name}`, async () => {
    const found = await refused(text);
    assert.match(found.message, message);
    if (hint !== undefined) assert.match(found.hint, hint);
  });
}

Deno.test("targets: a path inside another one is fine where the outer leaves something out", async () => {
  await load(`
store: /var/lib/app/points
targets:
  a: {type: file_system, paths: [/srv], exclude: ["app/**"]}
  b: {type: configuration, config_files: [/srv/app/x.yml]}
  c: {type: git_commit, repo_path: .}
  e: {type: file_system, paths: [/var/lib/app]}
  d: {type: configuration, config_files: [ignored.yml]}
`);
});

Deno.test("targets: all mistakes at once, in the order of the file", async () => {
  const { message } = await refused(
    "repositry: x\ntargets:\n  a: {type: fil_system}\n  b: {type: command, capture: [x]}\n",
  );
  assert.deepEqual(message.split("\n").map((line) => line.replace(/: .*/, "")), ["2:1", "4:13", "5:6"]);
});

Deno.test("store and snapshots: as options", async () => {
  const { config, folder } = await load(`
store: {fallback: local, encryption: {key_file: key}, level: 3}
snapshots:
  retention: {keep_last: 5, keep_within: 1d, max_size: 1GiB, safety: {keep_last: 2}, with_volumes: {keep_daily: 3}}
  timeout: 30m
`);
  assert.deepEqual(config.store, {
    location: join(folder, ".backout/store"),
    fallback: join(folder, "local"),
    encryption: { keyFile: join(folder, "key") },
    level: 3,
  });
  assert.deepEqual(config.snapshots, {
    retention: {
      keepLast: 5,
      keepWithin: 86_400_000,
      maxBytes: 1024 ** 3,
      safety: { keepLast: 2 },
      withVolumes: { keepDaily: 3 },
    },
    timeout_ms: 1_800_000,
  });
  assert.deepEqual((await load("store: s3://bucket/points\n")).config.store, {
    location: "s3://bucket/points",
  });
});

Deno.test("config check shows no secret of targets and checks", async () => {
  await withTempDir(async (folder) => {
    const path = join(folder, "backout.yaml");
    await Deno.writeTextFile(
      path,
      `version: 1
targets: {db: {type: database, connection_string: "\${DATABASE_URL}"}}
checks: [{type: redis_ping, url: "redis://:\${BACKOUT_PW}@h"}]
`,
    );
    const shown = JSON.stringify(await checkConfigFile(path, env));
    assert.ok(shown.includes("${DATABASE_URL}"));
    assert.ok(!/hunter2|s3cret/.test(shown), shown);
  });
});

Deno.test("config init: the targets in it can be used", async () => {
  const start = EXAMPLE_CONFIG.indexOf("# targets:");
  const end = EXAMPLE_CONFIG.indexOf("# Who is told");
  const { config } = await load(EXAMPLE_CONFIG.slice(start, end).replaceAll(/^# ?/gm, ""));
  assert.deepEqual(config.targets?.map(({ name }) => name), ["app", "config", "data", "db"]);
  assert.equal(config.checks?.length, 2);
  assert.equal(config.snapshots?.retention?.safety?.keepLast, 5);
});

Deno.test("the JSON Schema has every kind of target and check with its keys", async () => {
  const schema = await configSchema() as {
    properties: {
      targets: {
        additionalProperties: { oneOf: readonly { properties: Record<string, { const?: string }> }[] };
      };
      checks: { items: { oneOf: readonly { properties: Record<string, { const?: string }> }[] } };
    };
  };
  const kinds = (list: readonly { properties: Record<string, { const?: string }> }[]) =>
    Object.fromEntries(list.map(({ properties }) => [properties.type?.const, Object.keys(properties)]));
  const targets = kinds(schema.properties.targets.additionalProperties.oneOf);
  assert.deepEqual(Object.keys(targets), [
    "git_commit",
    "configuration",
    "file_system",
    "database",
    "infrastructure",
    "container",
    "command",
    "components",
    "remote_branches",
  ]);
  assert.ok(["repo_path", "after", "timeout"].every((key) => targets.git_commit?.includes(key)));
  const checks = kinds(schema.properties.checks.items.oneOf);
  assert.equal(Object.keys(checks).length, 12);
  assert.ok(
    ["url", "expected_status", "retries", "required"].every((key) => checks.health_check?.includes(key)),
  );
});

Deno.test("targets that overlap through a symlink are refused; a symlink that is itself kept is no overlap", async () => {
  await withTempDir(async (folder) => {
    Deno.mkdirSync(join(folder, "releases/v1"), { recursive: true });
    Deno.mkdirSync(join(folder, "etc"));
    Deno.symlinkSync("releases", join(folder, "current"));
    const check = async (one: string, other: string) => {
      const text = `version: 1\ntargets:\n  a: {type: file_system, paths: [${one}]}\n` +
        `  b: {type: configuration, config_files: [${other}]}\n`;
      await Deno.writeTextFile(join(folder, "backout.yaml"), text);
      return await loadConfig({ cwd: folder, env });
    };
    await assert.rejects(
      check("releases", "current/v1/app.yml"),
      /overlaps targets\.a\.paths\.0 \(\S+releases\) through a symlink: a restore would write it twice/,
    );
    await assert.rejects(check("current/v1", "releases/v1/not_there_yet/app.yml"), /through a symlink/);
    assert.ok(await check("releases", "current"), "the link alone");
    assert.ok(await check("releases", "etc/app.yml"));
  });
});
