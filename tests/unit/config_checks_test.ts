/** `checks:` of `backout.yaml`, files of `--checks`, and checks of another program's request. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { checksFromValue, loadChecks, parseChecks } from "#/config/checks.ts";
import { loadConfig } from "#/config/load.ts";
import { UsageError } from "#/core/errors.ts";
import { withTempDir } from "../support/temp.ts";

const env = (name: string) => name === "BACKOUT_PW" ? "s3cret" : undefined;
const parse = (text: string) => parseChecks({ path: "checks.yaml", text, env });

async function refusal(text: string): Promise<{ readonly message: string; readonly hint: string }> {
  try {
    await parse(text);
  } catch (error) {
    assert.ok(error instanceof UsageError, String(error));
    return { message: error.message, hint: error.hint ?? "" };
  }
  throw new Error("it was taken");
}

const FIELDS = `
- {type: git_commit, expected_commit: abc123def}
- type: health_check
  url: http://localhost:8080/health
  expected_status: 200
  required: false
  retries: 5
  interval: 2s
  start_delay: 500ms
  timeout: 3
  name: the front door
- {type: service_status, services: [nginx, postgres]}
- {type: process, name: nginx}
`;

const EXPECTED = [
  { type: "git_commit", config: { expected_commit: "abc123def" } },
  {
    type: "health_check",
    name: "the front door",
    required: false,
    retries: 5,
    intervalMs: 2_000,
    startDelayMs: 500,
    timeoutMs: 3_000,
    config: { url: "http://localhost:8080/health", expected_status: 200 },
  },
  { type: "service_status", config: { services: ["nginx", "postgres"] } },
  { type: "process", config: { name: "nginx" } },
];

Deno.test("checks: a list, under checks, and under validation.tests; YAML and JSON", async () => {
  const indented = FIELDS.replaceAll(/^/gm, "    ");
  assert.deepEqual(await parse(FIELDS), EXPECTED);
  assert.deepEqual(await parse(`checks:\n${indented}`), EXPECTED);
  assert.deepEqual(await parse(`validation:\n  tests:\n${indented}`), EXPECTED);
  const tests = [{ type: "file_exists", path: "/a" }];
  const one = [{ type: "file_exists", config: { path: "/a" } }];
  assert.deepEqual(await parse(JSON.stringify({ validation: { tests } })), one);
  assert.deepEqual(await checksFromValue({ validation: { tests } }), one);
  assert.deepEqual(await checksFromValue(tests), one);
  assert.deepEqual(await parse("checks: []\n"), []);
});

Deno.test("checks: a file, with variables filled in", async () => {
  await withTempDir(async (folder) => {
    await Deno.writeTextFile(
      join(folder, "c.yaml"),
      "- {type: redis_ping, url: 'redis://:${BACKOUT_PW}@h'}\n",
    );
    const [check] = await loadChecks("c.yaml", folder, env);
    assert.deepEqual(check!.config, { url: "redis://:s3cret@h" });
    await assert.rejects(loadChecks("gone.yaml", folder, env), UsageError);
  });
});

const MISTAKES: Readonly<Record<string, readonly [string, RegExp, RegExp?]>> = {
  "nothing": ["", /^checks\.yaml:1:1: the file is empty$/],
  "no checks": ["validation: {}\n", /^checks\.yaml:1:1: there are no checks: validation\.tests is missing$/],
  "no list": ["checks: {type: tcp}\n", /:1:9: checks must be a list of checks$/],
  "no type": ["- {path: /a}\n", /:1:3: \S+ lacks type$/],
  "a mistyped type": [
    "- {type: file_exist, path: /a}\n",
    /:1:10: \S+ is not a kind of check$/,
    /"file_exists"/,
  ],
  "a mistyped key": [
    "checks:\n  - {type: file_exists, pth: /a}\n",
    /:2:25: "pth" is not a known key in checks\.0$/m,
    /Did you mean "path"\?/,
  ],
  "a mistyped common key": [
    "checks:\n  - {type: file_exists, path: /a, retires: 3}\n",
    /:2:35: "retires" is not a known key in checks\.0$/,
    /Did you mean "retries"\?/,
  ],
  "a port that is none": ["- {type: tcp, host: a, port: 0}\n", /:1:30: \S*port must be at least 1$/],
  "a URL that is none": ["- {type: health_check, url: ftp://x}\n", /:1:29: \S*url: must begin with http/],
  "a secret that is no URL": [
    '- {type: health_check, url: "${BACKOUT_PW}"}\n',
    /url: must begin with http(?!.*s3cret)/,
  ],
  "too many tries": [
    "- {type: file_exists, path: /a, retries: 5000}\n",
    /retries must be a whole number from 0 to 1000$/,
  ],
  "a time that is none": [
    "- {type: file_exists, path: /a, timeout: soon}\n",
    /:1:42: \S*timeout must be a duration$/,
  ],
  "two ways to name a process": [
    "- {type: process, name: a, pid_file: b}\n",
    /needs one of name and pid_file$/,
  ],
  "an unknown variable": [
    "- {type: file_exists, path: '${NOPE}'}\n",
    /the environment variable NOPE is not set$/,
  ],
  "a service that is an option": [
    "- {type: service_status, services: [--help]}\n",
    /is not the name of a service$/,
  ],
  "a query that writes": [
    "- {type: sql, connection_string: 'sqlite://a', query: DROP TABLE t}\n",
    /query: must be a query that reads/,
  ],
  "a query with a client's command": [
    "- {type: sql, connection_string: 'sqlite://a', query: 'SELECT 1 \\! id'}\n",
    /query: must be a query that reads/,
  ],
};

for (const [name, [text, message, hint]] of Object.entries(MISTAKES)) {
  Deno.test(`mistake in checks: ${name}`, async () => {
    const found = await refusal(text);
    assert.match(found.message, message);
    if (hint !== undefined) assert.match(found.hint, hint);
  });
}

Deno.test("checks of another program: all mistakes in one line", async () => {
  await assert.rejects(
    checksFromValue({ tests: [] }),
    { message: "there are no checks: checks is missing" },
  );
  await assert.rejects(
    checksFromValue([{ type: "tcp" }, { type: "bogus" }]),
    { message: "checks.0 lacks host; checks.0 lacks port; checks.1.type is not a kind of check" },
  );
});

Deno.test("policy.automatic: its tests are checks, and are kept as they were written", async () => {
  await withTempDir(async (folder) => {
    const load = async (text: string) => {
      await Deno.writeTextFile(join(folder, "backout.yaml"), `version: 1\n${text}`);
      return await loadConfig({ cwd: folder, env });
    };
    const config = await load(
      `policy: {automatic: {when: 'failure.attempts > 1', tests: [{type: redis_ping, url: "redis://:\${BACKOUT_PW}@h"}]}}\n`,
    );
    const [setting] = [config?.policy?.automatic ?? []].flat() as { tests: unknown }[];
    assert.deepEqual(setting?.tests, [{ type: "redis_ping", url: "redis://:${BACKOUT_PW}@h" }]);
    const [check] = await checksFromValue(setting?.tests, env);
    assert.deepEqual(check?.config, { url: "redis://:s3cret@h" });
    await assert.rejects(
      load("policy: {automatic: [{when: 'true', tests: [{type: tcp, host: a, prt: 1}]}]}\n"),
      /2:\d+: "prt" is not a known key in policy\.automatic\.0\.tests\.0/,
    );
    await assert.rejects(
      load("policy: {automatic: {when: plan.total_bytes > 1}}\n"),
      /2:\d+: the expression: plan is not known here/,
    );
  });
});
