/** `notify:`, `hooks:` and `metrics_file` of backout.yaml: what is read, and each mistake with its place. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { checkConfigFile, configSchema, EXAMPLE_CONFIG } from "#/config/commands.ts";
import { type Config, loadConfig } from "#/config/load.ts";
import { UsageError } from "#/core/errors.ts";
import { withTempDir } from "../support/temp.ts";

const ENV: Readonly<Record<string, string>> = { BACKOUT_HOOK: "https://chat.example/T0p-s3cret" };
const env = (name: string) => ENV[name];

async function load(text: string): Promise<{ config: Config; folder: string }> {
  return await withTempDir(async (folder) => {
    await Deno.writeTextFile(join(folder, "backout.yaml"), `version: 1\n${text}`);
    const config = await loadConfig({ cwd: folder, env });
    assert.ok(config);
    return { config, folder };
  });
}

const WHOLE = `notify:
  - {webhook: "https://ops.example/hook?x=1", secret_env: BACKOUT_WEBHOOK_SECRET, on: [failure, denial], timeout: 5s}
  - webhook: "\${BACKOUT_HOOK}"
  - {command: [/usr/local/bin/tell-ops, --urgent], on: [failure], timeout: 500ms}
  - {command: [bin/tell]}
  - {file: log/events.jsonl, on: [recovery]}
hooks:
  rollback:
    before: [[systemctl, stop, app]]
    after: [{command: [./start.sh, app], timeout: 5m}, [echo]]
  channel_set: {before: []}
  recover: {after: [[systemctl, start, app]]}
metrics_file: ../prom/backout.prom
`;

Deno.test("notify and hooks: everything is read, paths start at the file's folder", async () => {
  const { config, folder } = await load(WHOLE);
  assert.deepEqual(config.notify, [
    {
      webhook: "https://ops.example/hook?x=1",
      secret_env: "BACKOUT_WEBHOOK_SECRET",
      on: ["failure", "denial"],
      timeout_ms: 5000,
    },
    { webhook: "https://chat.example/T0p-s3cret" },
    { command: ["/usr/local/bin/tell-ops", "--urgent"], on: ["failure"], timeout_ms: 500 },
    { command: [join(folder, "bin/tell")] },
    { file: join(folder, "log/events.jsonl"), on: ["recovery"] },
  ]);
  assert.deepEqual(config.hooks, {
    rollback: {
      before: [{ command: ["systemctl", "stop", "app"] }],
      after: [{ command: [join(folder, "start.sh"), "app"], timeout_ms: 300_000 }, { command: ["echo"] }],
    },
    channel_set: { before: [] },
    recover: { after: [{ command: ["systemctl", "start", "app"] }] },
  });
  assert.equal(config.metrics_file, join(folder, "../prom/backout.prom"));
});

Deno.test("notify and hooks: `config check` does not show what may be secret", async () => {
  await withTempDir(async (folder) => {
    const path = join(folder, "backout.yaml");
    await Deno.writeTextFile(path, `version: 1\n${WHOLE}`);
    const { config, problems } = await checkConfigFile(path, env);
    assert.deepEqual(problems, []);
    assert.equal(config?.hooks?.rollback?.before?.[0]?.command.join(" "), "systemctl …");
    const text = JSON.stringify(config);
    for (const secret of ["T0p-s3cret", "x=1", "--urgent"]) assert.ok(!text.includes(secret), secret);
    assert.match(text, /https:\/\/chat\.example\/…/);
  });
});

const KNOWN_KINDS = /^Known keys in hooks: publish, rollback, restore, .*, recover\.$/;

const MISTAKES: Readonly<Record<string, readonly [text: string, message: RegExp, hint?: RegExp]>> = {
  "no list": ["notify: {webhook: x}\n", /^backout\.yaml:2:9: notify must be a list of those who are told$/],
  "nothing": ["notify:\n", /:2:8: notify must be a list of those who are told$/],
  "a target that is text": [
    "notify: [https://ops.example]\n",
    /:2:10: notify\.0 must be a block of keys$/,
  ],
  "nobody to tell": [
    "notify:\n  - {on: [failure]}\n",
    /:3:5: notify\.0 names nobody to tell$/,
    /^Give it one of webhook, command or file\.$/,
  ],
  "two in one": [
    "notify:\n  - {webhook: https://a.example, file: b}\n",
    /:3:5: notify\.0 has webhook and file$/,
    /Make a target of each/,
  ],
  "an unknown key": [
    "notify:\n  - {webhook: https://a.example, secretenv: X}\n",
    /:3:34: "secretenv" is not a known key in notify\.0$/,
    /^Did you mean "secret_env"\?$/,
  ],
  "a key of another kind": [
    "notify:\n  - {file: b, timeout: 3s}\n",
    /:3:15: "timeout" is not a known key in notify\.0$/,
    /^Known keys in notify\.0: file, on\.$/,
  ],
  "a mistyped kind": [
    "notify:\n  - {webhok: https://a.example}\n",
    /^backout\.yaml:3:6: "webhok" is not a known key in notify\.0$/,
    /^Did you mean "webhook"\?$/,
  ],
  "an address that is none": ["notify: [{webhook: ops}]\n", /:2:20: notify\.0\.webhook is not a URL$/],
  "another protocol": [
    "notify: [{webhook: 'ftp://ops.example/x'}]\n",
    /:2:20: notify\.0\.webhook must begin with https:\/\/ or http:\/\/$/,
  ],
  "a password in the address": [
    "notify: [{webhook: 'https://me:hunter2@ops.example'}]\n",
    /:2:20: notify\.0\.webhook must not hold a user or password; use secret_env to prove who sends$/,
  ],
  "an address that is no text": ["notify: [{webhook: 5}]\n", /:2:20: notify\.0\.webhook must be text$/],
  "a variable that nobody can read": [
    "notify: [{webhook: https://a.example, secret_env: hunter2}]\n",
    /:2:51: notify\.0\.secret_env must be the name of an environment variable that begins with BACKOUT_$/,
    /BACKOUT_WEBHOOK_SECRET/,
  ],
  "an unknown outcome": [
    "notify: [{file: a, on: [failures]}]\n",
    /:2:25: notify\.0\.on\.0 must be success, failure, denial or recovery$/,
    /^Did you mean "failure"\?$/,
  ],
  "an outcome without a list": [
    "notify: [{file: a, on: failure}]\n",
    /:2:24: notify\.0\.on must be a list$/,
    /on: \[failure\]/,
  ],
  "no outcome": ["notify: [{file: a, on: []}]\n", /:2:24: notify\.0\.on is empty$/],
  "a number as a time limit": [
    "notify: [{command: [a], timeout: 5}]\n",
    /:2:34: notify\.0\.timeout must be a duration$/,
    /Write a number with its unit/,
  ],
  "too long a time limit": [
    "notify: [{webhook: https://a.example, timeout: 1m}]\n",
    /:2:48: notify\.0\.timeout must be at most 30s$/,
  ],
  "no time at all": [
    "notify: [{command: [a], timeout: 0s}]\n",
    /:2:34: notify\.0\.timeout must be longer than nothing$/,
  ],
  "a command line": [
    "notify: [{command: tell ops}]\n",
    /:2:20: notify\.0\.command must be a list of words: the program and its arguments$/,
    /there is no shell/,
  ],
  "a word that is a number": [
    "notify: [{command: [sleep, 5]}]\n",
    /:2:28: notify\.0\.command\.1 must be text$/,
    /quotes/,
  ],
  "no program": ["notify: [{command: []}]\n", /:2:20: notify\.0\.command names no program$/],
  "an empty file": ['notify: [{file: ""}]\n', /:2:17: notify\.0\.file is empty$/],
  "hooks without operations": ["hooks: [[a]]\n", /:2:8: hooks must be a block of keys$/],
  "an operation that is none": [
    "hooks:\n  rolback: {before: []}\n",
    /:3:3: "rolback" is not a known key in hooks$/,
    /^Did you mean "rollback"\?$/,
  ],
  "an operation far from all": ["hooks:\n  deployment: {}\n", /"deployment" is not a known key/, KNOWN_KINDS],
  "a phase that is none": [
    "hooks:\n  rollback: {befor: []}\n",
    /:3:14: "befor" is not a known key in hooks\.rollback$/,
    /^Did you mean "before"\?$/,
  ],
  "one pair of brackets too few": [
    "hooks:\n  rollback: {before: [systemctl, stop, app]}\n",
    /:3:22: hooks\.rollback\.before must be a list of programs, each a list of words$/,
    /\[\["systemctl", "stop", "app"\]\]/,
  ],
  "a hook that is text": [
    "hooks:\n  rollback: {before: stop.sh}\n",
    /:3:22: hooks\.rollback\.before must be a list of programs$/,
  ],
  "a hook without a program": [
    "hooks:\n  rollback: {after: [{timeout: 3s}]}\n",
    /:3:22: hooks\.rollback\.after\.0 lacks command$/,
  ],
  "a hook with an unknown key": [
    "hooks:\n  rollback: {after: [{command: [a], timout: 3s}]}\n",
    /:3:37: "timout" is not a known key in hooks\.rollback\.after\.0$/,
    /^Did you mean "timeout"\?$/,
  ],
  "a hook that may take for ever": [
    "hooks:\n  rollback: {after: [{command: [a], timeout: 4w}]}\n",
    /:3:46: hooks\.rollback\.after\.0\.timeout must be at most 1d$/,
  ],
  "a hook before a recovery": [
    "hooks:\n  recover: {before: [[a]]}\n",
    /:3:13: hooks\.recover has no before: nothing may hold a recovery up$/,
    /Use after/,
  ],
  "metrics into a list": ["metrics_file: [a]\n", /:2:15: metrics_file must be text$/],
  "a mistyped block": ["notfy: []\n", /:2:1: "notfy" is not a known key$/, /^Did you mean "notify"\?$/],
};

for (const [name, [text, message, hint]] of Object.entries(MISTAKES)) {
  Deno.test(`mistake around operations: ${name}`, async () => {
    let caught: unknown;
    await load(text).catch((error) => caught = error);
    assert.ok(caught instanceof UsageError, `no UsageError but ${caught}`);
    assert.match(caught.message.replaceAll(/\/\S*\/(?=backout\.yaml)/g, ""), message);
    if (hint !== undefined) assert.match(caught.hint ?? "", hint);
    assert.ok(!(caught.message + caught.hint).includes("hunter2"));
  });
}

Deno.test("notify and hooks: the schema describes them, the first configuration has them as comments", async () => {
  const text = JSON.stringify(await configSchema());
  for (const word of ["webhook", "secret_env", "denial", "channel_set", "metrics_file"]) {
    assert.ok(text.includes(`"${word}"`), word);
  }
  const start = EXAMPLE_CONFIG.indexOf("# notify:");
  const uncommented = EXAMPLE_CONFIG.slice(start).replaceAll(/^# ?/gm, "")
    .replace("Numbers for the textfile collector of Prometheus.", "");
  const { config } = await load(uncommented);
  assert.equal(config.notify?.length, 3);
  assert.deepEqual(Object.keys(config.hooks ?? {}), ["rollback", "recover"]);
  assert.ok(config.metrics_file !== undefined);
});
