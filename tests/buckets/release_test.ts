/** The main job through the command line, on object storage. */
import assert from "node:assert/strict";
import { publishThree, RELEASE_SCENARIOS } from "../cli/release_scenarios.ts";
import { MORE_RELEASE_SCENARIOS } from "../cli/release_scenarios_more.ts";
import { BUCKET_WORLDS, type WorldRepository } from "../support/bucket_world.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

for (const kind of BUCKET_WORLDS) {
  testRequiring(kind.needs, `releases on ${kind.name}`, async (t) => {
    await using world = await kind.start();
    for (const { name, body } of [...RELEASE_SCENARIOS, ...MORE_RELEASE_SCENARIOS, ...OWN_SCENARIOS]) {
      await t.step(name, () =>
        withTempDir(async (cwd) => {
          const repository = world.repository(cwd);
          await publishThree(repository);
          await body(repository);
        }));
    }
  });
}

type OwnScenario = { readonly name: string; readonly body: (repository: WorldRepository) => Promise<void> };

const OWN_SCENARIOS: readonly OwnScenario[] = [
  {
    name: "each spelling of the location, the environment and the configuration mean the same",
    body: async ({ location, run, cwd, scheme, bucketName, prefix }) => {
      const type = scheme === "s3" ? "s3" : "gcs";
      const place = [
        "--repository-type",
        type,
        "--repository-bucket",
        bucketName,
        "--repository-prefix",
        prefix,
      ];
      Deno.writeTextFileSync(`${cwd}/some.yaml`, `version: 1\nrepository: ${location}\n`);
      const documents = await Promise.all([
        run(["release", "list", "--json", "-r", location], { cwd }),
        run(["release", "list", "--json", "-r", `${location}/`], { cwd }),
        run(["--json", ...place, "release", "list"], { cwd }),
        run(["release", "list", "--json"], { cwd, env: { BACKOUT_REPOSITORY: location } }),
        run(["release", "list", "--json", "--config", "some.yaml"], { cwd }),
      ]);
      for (const { code, stdout, stderr } of documents) {
        assert.equal(code, 0, stderr);
        assert.equal(JSON.parse(stdout).releases.length, 3);
        assert.equal(stdout, documents[0]!.stdout);
      }
    },
  },
  {
    name: "reports say where it happened, and files are written for a pipeline",
    body: async ({ cli, cwd, location, scheme }) => {
      const { code, stderr } = await cli(
        ...["release", "rollback", "--version", "v1.0.2", "--rollback-type", "full", "--reason", "broken"],
        ...["--output-dir", "out", "--json-report", "out/report.json", "--text-report", "out/report.txt"],
        "--verbose",
      );
      assert.equal(code, 0, stderr);
      const report = JSON.parse(Deno.readTextFileSync(`${cwd}/out/report.json`));
      assert.equal(report.repository_location, location);
      assert.equal(report.repository_type, scheme === "s3" ? "s3" : "gcs");
      assert.equal(report.manifest_created, true);
      assert.equal(report.backup[0].location, `${location}/.rollback-backups/${report.backup[0].id}`);
      assert.match(Deno.readTextFileSync(`${cwd}/out/report.txt`), /ROLLBACK REPORT/);
      const names = [...Deno.readDirSync(`${cwd}/out`)].map((entry) => entry.name).sort();
      const wanted = ["v1.0.2.rollback-audit.json", "v1.0.2.rollback-manifest.json"];
      assert.deepEqual(names, ["report.json", "report.txt", ...wanted]);
    },
  },
  {
    name: "what was published is known by its digest without being read",
    body: async ({ json }) => {
      const report = await json(0, "release", "rollback", "v1.0.2", "--reason", "test");
      assert.equal(report.backup[0].integrity, "sha256");
      const { manifest } = await json(0, "backup", "show", "v1.0.2");
      for (const file of manifest.artifacts) assert.match(file.sha256, /^[0-9a-f]{64}$/);
    },
  },
  {
    name: "bytes that somebody replaced: etag by default, refused when they are read, accepted when lenient",
    body: async ({ json, write, state, read }) => {
      await write("v1.0.2/app.txt", "app v6.6.6\n"); // as long as what was published
      const [planned] = [await json(0, "release", "rollback", "v1.0.2", "--dry-run", "--reason", "test")];
      assert.equal(planned.status, "dry_run");
      const refused = await json(
        ...[45, "release", "rollback", "v1.0.2", "--verify-backup", "full", "--reason", "test"] as const,
      );
      assert.match(refused.error.message, /app\.txt is not what was published/);
      assert.equal(await state("v1.0.2"), "active");
      const report = await json(0, "release", "rollback", "v1.0.2", "--reason", "test");
      assert.equal(report.backup[0].integrity, "etag");
      assert.match(report.warnings.join("\n"), /written anew since the publication/);
      await json(0, "release", "restore", "v1.0.2");
      assert.equal(await read("v1.0.2/app.txt"), "app v6.6.6\n");
    },
  },
  {
    name: "nothing but what the index names and backout's own folders is left",
    body: async ({ json, list }) => {
      const before = (await list()).filter((key) => !key.startsWith(".backout/"));
      await json(0, "release", "rollback", "v1.0.2", "--reason", "test");
      await json(0, "release", "restore", "v1.0.2");
      await json(0, "backup", "delete", "v1.0.2", "--yes");
      const after = await list();
      assert.deepEqual(after.filter((key) => !key.startsWith(".backout/")), before);
      assert.deepEqual(after.filter((key) => key.startsWith(".backout/operations")), []);
    },
  },
  {
    name: "nobody's objects beside the repository are touched",
    body: async ({ json, raw, prefix }) => {
      const beside = [`${prefix}-other/index.json`, `${prefix}.txt`, `${prefix}/v1.0.2x/app.txt`];
      for (const name of beside) await raw.write(name, "theirs");
      await json(0, "release", "rollback", "v1.0.2", "--reason", "test");
      await json(0, "backup", "delete", "v1.0.2", "--yes");
      for (const name of beside) assert.equal(await raw.read(name), "theirs", name);
    },
  },
];
