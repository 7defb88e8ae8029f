/** The main job through the command line on folders: publish, roll back, restore; text, JSON, files, exit codes. */
import assert from "node:assert/strict";
import { runCli } from "../support/cli.ts";
import { testRepository } from "../support/repository.ts";
import type { TestRepository } from "../support/repository.ts";
import { withTempDir } from "../support/temp.ts";
import { publishThree, RELEASE_SCENARIOS } from "./release_scenarios.ts";
import { MORE_RELEASE_SCENARIOS } from "./release_scenarios_more.ts";

for (const { name, body } of [...RELEASE_SCENARIOS, ...MORE_RELEASE_SCENARIOS]) releaseTest(name, body);

function releaseTest(name: string, body: (repository: TestRepository) => Promise<void>): void {
  Deno.test(`release: ${name}`, async () => {
    await withTempDir(async (cwd) => {
      const repository = testRepository(cwd);
      await publishThree(repository);
      await body(repository);
    });
  });
}

releaseTest("globals stand before or after the verb, and between its words", async ({ path, cwd }) => {
  const orders: readonly (readonly string[])[] = [
    ["--json", "-r", path, "release", "list"],
    ["release", "list", "-r", path, "--json"],
    ["release", "--json", "list", "-r", path],
    ["-o", "json", "release", "-r", path, "list"],
    [`--repository=${path}`, "--output=json", "release", "list"],
    ["--json", "release", "list", "--repository-type", "local", "--repository-path", path],
    ["--repository-path", "releases", "release", "list", "--json"],
  ];
  const documents = await Promise.all(orders.map(async (args) => {
    const { code, stdout, stderr } = await runCli(args, { cwd });
    assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
    return JSON.parse(stdout);
  }));
  for (const document of documents) assert.deepEqual(document, documents[0]);
});

releaseTest("the repository comes from the environment or the configuration too", async ({ path, cwd }) => {
  const fromEnv = await runCli(["release", "list", "--json"], { cwd, env: { BACKOUT_REPOSITORY: path } });
  assert.equal(fromEnv.code, 0, fromEnv.stderr);
  Deno.writeTextFileSync(`${cwd}/backout.yaml`, "version: 1\nrepository: ./releases\n");
  Deno.mkdirSync(`${cwd}/below`);
  const fromConfig = await runCli(["release", "list", "--json"], { cwd: `${cwd}/below` });
  assert.equal(fromConfig.stdout, fromEnv.stdout);
});

releaseTest("the second spelling does the same", async ({ path, cwd, versions }) => {
  const result = await runCli([
    ...["release", "rollback", "--version", "v1.0.2", "--rollback-type", "full", "--policy", "strict"],
    ...["--repository-type", "local", "--repository-path", path, "--reason", "broken", "--verbose"],
    ...["--output-dir", "out", "--json-report", "new/folder/report.json", "--text-report", "out/report.txt"],
  ], { cwd });
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(versions(), ["v1.0.1", "v1.0.0"]);
  assert.match(result.stdout, /ROLLBACK REPORT/);
  const report = JSON.parse(Deno.readTextFileSync(`${cwd}/new/folder/report.json`));
  assert.equal(report.version, "v1.0.2");
  assert.equal(report.manifest_created, true);
  const text = Deno.readTextFileSync(`${cwd}/out/report.txt`);
  assert.match(text, /ROLLBACK REPORT/);
  assert.match(text, /v1\.0\.2/);
  const names = [...Deno.readDirSync(`${cwd}/out`)].map((entry) => entry.name).sort();
  assert.deepEqual(names, ["report.txt", "v1.0.2.rollback-audit.json", "v1.0.2.rollback-manifest.json"]);
});

Deno.test("release: a repository without anything says so in sentences", async () => {
  await withTempDir(async (cwd) => {
    const { publish, cli, json } = testRepository(cwd);
    await publish("v1.0.0");
    await json(0, "release", "rollback", "v1.0.0");
    assert.match((await cli("release", "list")).stdout, /^No releases are published\.\n/);
    assert.match((await cli("channel", "list")).stdout, /^No channels yet\./);
  });
});
