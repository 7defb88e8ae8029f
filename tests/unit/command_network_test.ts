/**
 * When the permissions for network and programs are kept: only where a location or the configuration names a network,
 * or the configuration names programs.
 */
import assert from "node:assert/strict";
import { needsNetwork, needsPrograms } from "#/command/network.ts";
import { loadConfig } from "#/config/load.ts";
import { withTempDir } from "../support/temp.ts";

function asks(argv: readonly string[], env: Record<string, string> = {}, cwd = "/"): boolean {
  return needsNetwork({ argv, env: (name) => env[name], cwd });
}

Deno.test("network: dropped for folders", () => {
  assert.equal(asks([]), false);
  assert.equal(asks(["release", "rollback", "v1", "-r", "/srv/releases"]), false);
  assert.equal(asks(["release", "list", "-r", "file:///srv/releases"]), false);
  assert.equal(asks(["release", "list"], { BACKOUT_REPOSITORY: "/srv/s3" }), false);
  assert.equal(asks(["release", "rollback", "v1", "--reason", "see https://ops/42"]), false);
  assert.equal(asks(["release", "rollback", "v1", "--reason=see s3://x"]), false);
});

Deno.test("network: kept for buckets, however they are named", () => {
  assert.equal(asks(["release", "list", "-r", "s3://bucket/x"]), true);
  assert.equal(asks(["release", "list", "-rs3://bucket/x"]), true);
  assert.equal(asks(["release", "list", "--repository=gs://bucket"]), true);
  assert.equal(asks(["release", "list", "--repository-type", "s3", "--repository-bucket", "b"]), true);
  assert.equal(asks(["release", "list", "--repository-type=gcs"]), true);
  assert.equal(asks(["release", "list"], { BACKOUT_REPOSITORY: "S3://bucket" }), true);
});

Deno.test("network: --offline wins", () => {
  assert.equal(asks(["release", "list", "-r", "s3://bucket/x", "--offline"]), false);
});

Deno.test("network: the configuration decides too, its comments do not", async () => {
  await withTempDir((folder) => {
    const write = (text: string) => Deno.writeTextFileSync(`${folder}/backout.yaml`, text);
    Deno.mkdirSync(`${folder}/below`);
    const below = `${folder}/below`;
    write("version: 1\n# notify: https://ops.example/hook\nrepository: /srv\n");
    assert.equal(asks(["status"], {}, below), false);
    write("version: 1\nrepository: s3://bucket\n");
    assert.equal(asks(["status"], {}, below), true);
    write("version: 1\nrepository: ${WHERE}\n");
    assert.equal(asks(["status"], { WHERE: "gs://bucket" }, below), true);
    assert.equal(asks(["status"], { WHERE: "/srv" }, below), false);
    const elsewhere = `${folder}/below/other.yaml`;
    Deno.writeTextFileSync(elsewhere, "version: 1\n");
    assert.equal(asks(["status", "--config", "other.yaml"], {}, below), false);
    assert.equal(asks(["--config=../backout.yaml", "status"], { WHERE: "s3://b" }, below), true);
    assert.equal(asks(["status"], { BACKOUT_CONFIG: elsewhere }, folder), false);
  });
});

/** Configurations that name a program; the key may be written as YAML allows it. */
const WITH_PROGRAMS = [
  "hooks: {rollback: {before: [[a]]}}",
  '{"version": 1, "hooks": {}}',
  "notify:\n  - command: [tell]",
  "? hooks\n: {rollback: {before: [[a]]}}",
  '"\\x68ooks": {rollback: {before: [[a]]}}',
  '"\\u0068ooks": {rollback: {before: [[a]]}}',
  '"\\U00000068ooks": {rollback: {before: [[a]]}}',
  'notify: [{? "com\\\n  mand"\n  : [tell]}]',
  "notify: [{&key command: [tell]}]",
];
const WITHOUT_PROGRAMS = [
  "version: 1\nrepository: /srv\n# hooks: {rollback: {before: [[a]]}}\n",
  "notify: [{webhook: https://ops.example}, {file: x}]",
  'state_dir: "C:\\\\x"',
];

Deno.test("programs: kept where the configuration may name one, else given up", async () => {
  await withTempDir((folder) => {
    const question = { argv: ["status"], env: () => undefined, cwd: folder };
    assert.equal(needsPrograms(question), false, "without a configuration");
    for (const [texts, expected] of [[WITH_PROGRAMS, true], [WITHOUT_PROGRAMS, false]] as const) {
      for (const text of texts) {
        Deno.writeTextFileSync(`${folder}/backout.yaml`, `${text}\n`);
        assert.equal(needsPrograms(question), expected, text);
      }
    }
    Deno.writeTextFileSync(`${folder}/other.yaml`, "version: 1\nhooks: {}\n");
    assert.equal(needsPrograms({ ...question, argv: ["status", "--config", "other.yaml"] }), true);
  });
});

Deno.test("programs: what YAML reads as hooks is seen as hooks", async () => {
  await withTempDir(async (folder) => {
    for (const text of WITH_PROGRAMS) {
      const path = `${folder}/backout.yaml`;
      Deno.writeTextFileSync(path, text.includes("version") ? text : `version: 1\n${text}\n`);
      const config = await loadConfig({ cwd: folder, env: () => undefined });
      assert.ok(config?.hooks !== undefined || config?.notify?.some((it) => "command" in it), text);
    }
  });
});

Deno.test("network: an address may be escaped", async () => {
  await withTempDir((folder) => {
    for (const text of ['"https:\\/\\/ops.example"', '"\\x68ttp://ops.example"', '"\\x24{WHERE}"']) {
      Deno.writeTextFileSync(`${folder}/backout.yaml`, `version: 1\nnotify: [{webhook: ${text}}]\n`);
      assert.equal(asks(["status"], { WHERE: "http://ops.example" }, folder), true, text);
    }
  });
});

Deno.test("network: targets and checks decide for commands that work on them", async () => {
  await withTempDir((folder) => {
    const write = (text: string) => Deno.writeTextFileSync(`${folder}/backout.yaml`, text);
    const local = "version: 1\ntargets:\n  a: {type: configuration, config_files: [/etc/a]}\n";
    const restore = ["snapshot", "restore", "latest", "--yes"];
    write(local);
    assert.equal(asks(restore, {}, folder), false);
    assert.equal(asks([...restore, "--store", "s3://bucket"], {}, folder), true);
    assert.equal(asks(restore, { BACKOUT_STORE: "gs://bucket" }, folder), true);
    assert.equal(asks([...restore, "--store=s3://bucket", "--offline"], {}, folder), false);
    write(`${local}checks: [{type: file_exists, path: /a}]\n`);
    assert.equal(asks(restore, {}, folder), false);
    for (
      const check of [
        "[{type: tcp, host: localhost, port: 1}]",
        "\n  - type: redis_ping",
        '\n  - "type": "health_check"',
        "\n  - ? type\n    : tcp",
        "\n  - type: &kind tcp",
        '\n  - type: "t\\x63p"',
        "\n  - type: ${KIND}",
      ]
    ) {
      write(`${local}checks: ${check}\n`);
      assert.equal(asks(restore, { KIND: "tcp" }, folder), true, check);
      assert.equal(asks(["check", "run"], { KIND: "tcp" }, folder), true, check);
      assert.equal(asks(["release", "list"], { KIND: "tcp" }, folder), false, "a release has no checks");
    }
    write(local);
    Deno.writeTextFileSync(`${folder}/smoke.yaml`, "- {type: tcp, host: localhost, port: 1}\n");
    assert.equal(asks([...restore, "--checks", "smoke.yaml"], {}, folder), true);
    assert.equal(asks([...restore, "--checks=smoke.yaml"], {}, folder), true);
    assert.equal(asks(["check", "run", "smoke.yaml"], {}, folder), true);
    assert.equal(asks(["plugin"], {}, folder), true, "its requests come later");
    assert.equal(asks(["plugin", "--offline"], {}, folder), false);
    assert.equal(
      asks(["guard", "--", "curl", "https://example.org"], {}, folder),
      false,
      "a child's own affair",
    );
  });
});

Deno.test("programs: kept for commands that work on targets", async () => {
  await withTempDir((cwd) => {
    const asksRun = (...argv: readonly string[]) => needsPrograms({ argv, env: () => undefined, cwd });
    for (
      const words of [
        ["snapshot", "restore", "rb-1"],
        ["snapshot", "create", "--type", "git_commit"],
        ["--store", "/srv/store", "snapshot", "diff", "latest"],
        ["guard", "--", "make"],
        ["plugin"],
        ["check", "run", "checks.yaml"],
        ["confirm"],
        ["recover"],
        ["snapshot", "pin", "rb-1"],
      ]
    ) assert.equal(asksRun(...words), true, words.join(" "));
    for (
      const words of [["snapshot", "list"], ["snapshot", "show", "rb-1"], ["release", "list"], ["doctor"]]
    ) {
      assert.equal(asksRun(...words), false, words.join(" "));
    }
    Deno.writeTextFileSync(
      `${cwd}/backout.yaml`,
      "version: 1\ntargets: {a: {type: git_commit, repo_path: a}}\n",
    );
    assert.equal(asksRun("doctor"), true);
    Deno.writeTextFileSync(`${cwd}/other.yaml`, "version: 1\n");
    assert.equal(asksRun("status", "--config", "other.yaml", "--", "--config", "backout.yaml"), false);
  });
});

Deno.test("programs: kept for components and builds, which run what a manifest says; the network is not", () => {
  for (
    const argv of [["component", "apply", "--all"], ["cache", "build", "api"], ["changeset", "rollback", "x"]]
  ) {
    assert.equal(needsPrograms({ argv, env: () => undefined, cwd: "/" }), true, argv.join(" "));
    assert.equal(asks(argv), false, argv.join(" "));
  }
  assert.equal(asks(["store", "add", "api", "--remote", "s3://bucket/store"]), true);
  assert.equal(asks(["store", "add", "api", "--remote", "s3://bucket/store", "--offline"]), false);
});

Deno.test("network and programs: the kinds that are named as local are those that need no network", async () => {
  const { checkTypes } = await import("#/verify/registry.ts");
  const { targetTypes } = await import("#/target/registry.ts");
  await withTempDir(async (cwd) => {
    const decide = (type: string) => {
      Deno.writeTextFileSync(`${cwd}/checks.yaml`, `- {type: ${type}}\n`);
      return asks(["check", "run", "checks.yaml"], {}, cwd);
    };
    for (const [type, load] of Object.entries(checkTypes)) {
      assert.equal(decide(type), (await load()).driver.needsNetwork === true, type);
    }
    for (const type of Object.keys(targetTypes)) {
      assert.equal(asks(["snapshot", "create", "--type", type], {}, cwd), false, type);
    }
    assert.equal(decide("something_new"), true);
  });
});
