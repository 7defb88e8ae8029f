/** The snapshots of other rollback tools, taken over: what they kept, what they did not, and what somebody made up. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { testRequiring } from "../support/require.ts";
import { git, makeRepository, type TestWorkspace, withWorkspace } from "./snapshot_support.ts";

const POINTS = "rollback/backups";
const METADATA = "pipe_runs/rollback_snapshots";

Deno.test("import: an index with a folder for each point", async () => {
  await withWorkspace("", async (workspace) => {
    const { folder, run, json, write, read } = workspace;
    const compose = "services: {old: {}}\n";
    write(`${POINTS}/rb-a1b2c3d4e5f6/configs/docker-compose.yml`, compose);
    write(`${POINTS}/rb-a1b2c3d4e5f6/configs/.env`, "A=1\n");
    write(`${POINTS}/rb-a1b2c3d4e5f6/configs/deployment_prometheus.yml`, "scrape: old\n");
    write(`${POINTS}/rb-a1b2c3d4e5f6/volumes/data.tar.gz`, "not a real archive");
    writeIndex(workspace, {
      id: "rb-a1b2c3d4e5f6",
      timestamp: "2025-11-05T17:30:00.123456",
      description: "Before v2.0 deployment",
      services: ["redis", "api"],
      docker_images: { redis: "redis:7-alpine" },
      config_hashes: {
        "docker-compose.yml": `sha256:${sha256(compose)}`,
        ".env": `sha256:${"0".repeat(64)}`,
        "deployment/prometheus.yml": "sha256:unknown",
      },
      volumes: ["data"],
      metadata: { git_commit: "6c3d201", hostname: "web-1", include_volumes: true },
    });
    write("docker-compose.yml", "services: {new: {}}\n");
    Deno.chmodSync(`${folder}/docker-compose.yml`, 0o640);
    write("deployment/prometheus.yml", "scrape: new\n");

    const dry = await json("snapshot", "import", ".", "--dry-run");
    assert.equal(dry.status, "dry_run");
    assert.equal((await json("snapshot", "list")).snapshots.length, 0, "a dry run imports nothing");
    const report = await json("snapshot", "import", ".");
    assert.deepEqual(report.versions, ["rb-a1b2c3d4e5f6"]);
    const warnings = report.warnings.join("\n");
    assert.match(warnings, /left out the volume data: /);
    assert.match(warnings, /\.env: its copy is not what the other tool noted/);

    const manifest = await json("snapshot", "show", "rb-a1b2c3d4e5f6");
    assert.equal(manifest.created_at, "2025-11-05T17:30:00.123Z");
    assert.equal(manifest.origin, "import");
    assert.equal(manifest.labels.docker_images, "redis=redis:7-alpine");
    await json("snapshot", "restore", "rb-a1b2c3d4e5f6", "--yes");
    assert.equal(read("docker-compose.yml"), compose);
    assert.equal(read("deployment/prometheus.yml"), "scrape: old\n");
    assert.equal(
      Deno.statSync(`${folder}/docker-compose.yml`).mode! & 0o777,
      0o640,
      "as the file that was there",
    );

    const again = await run(["snapshot", "import", "."]);
    assert.equal(again.code, 0);
    assert.match(again.stdout, /is here already, and is left as it is/);
    assert.ok(read(`${POINTS}/rb-a1b2c3d4e5f6/configs/.env`), "the other tool's files stay");
  });
});

testRequiring(["posix", "git"], "import: a file of metadata for each snapshot", async () => {
  await withWorkspace("", async (workspace) => {
    const { folder, json, write, read } = workspace;
    const commit = makeRepository(`${folder}/source`, "main.txt", "v1\n");
    Deno.writeTextFileSync(`${folder}/source/main.txt`, "v2\n");
    git(`${folder}/source`, "commit", "--quiet", "-a", "-m", "second");
    write("app.yml", "new\n");
    writeMetadata(workspace, "deploy", {
      type: "git_commit",
      created_at: 1729123456,
      config: { repo_path: `${folder}/source` },
      metadata: { method: "git_commit", commit_hash: commit, repo_path: `${folder}/source`, branch: "main" },
    });
    writeMetadata(workspace, "config", {
      type: "configuration",
      created_at: 1729123456,
      metadata: { method: "configuration_files", files: { [`${folder}/app.yml`]: "old\n" } },
    });
    writeMetadata(workspace, "gone", {
      type: "git_commit",
      metadata: { commit_hash: "0".repeat(40), repo_path: `${folder}/source` },
    });
    writeMetadata(workspace, "data", { type: "file_system", metadata: { backup_location: "/backups/fs" } });

    const report = await json("snapshot", "import", METADATA);
    assert.deepEqual(report.versions.toSorted(), ["config", "deploy"]);
    assert.match(report.warnings.join("\n"), /gone: left out its commit: .* has no commit 0000/);
    assert.match(report.warnings.join("\n"), /data: left out its file_system/);
    const manifest = await json("snapshot", "show", "deploy");
    assert.equal(manifest.created_at, "2024-10-17T00:04:16.000Z");
    assert.equal(manifest.targets[0].metadata.commit_hash, commit);
    assert.ok(
      !JSON.stringify(manifest).includes("/clone"),
      "where it was captured from is nobody's business",
    );

    await json("snapshot", "restore", "deploy", "--yes");
    assert.equal(git(`${folder}/source`, "rev-parse", "HEAD"), commit);
    assert.equal(read("source/main.txt"), "v1\n");
    await json("snapshot", "restore", "config", "--yes");
    assert.equal(read("app.yml"), "old\n");
  });
});

Deno.test("import: hostile names and files are refused, the rest comes over", async () => {
  await withWorkspace("", async (workspace) => {
    const { folder, json, run, write } = workspace;
    const files = {
      [`${folder}/good.yml`]: "good\n",
      "/etc/../etc/passwd": "x",
      "../../escape": "x",
      "/": "x",
      "a\0b": "x",
    };
    writeMetadata(workspace, "mixed", { type: "configuration", metadata: { files } });
    writeMetadata(workspace, "evil", { id: "../../evil", type: "configuration", metadata: { files } });
    writeMetadata(workspace, "latest", { type: "configuration", metadata: { files } });
    write(`${METADATA}/broken_metadata.json`, "{");
    Deno.symlinkSync("/etc/passwd", `${folder}/${METADATA}/link_metadata.json`);
    const report = await json("snapshot", "import", ".");
    assert.deepEqual(report.versions, ["mixed"]);
    const manifest = await json("snapshot", "show", "mixed");
    assert.deepEqual(Object.keys(manifest.targets[0].metadata.files), [`${folder}/good.yml`]);
    const warnings = report.warnings.join("\n");
    for (
      const expected of [
        /broken_metadata\.json: it is not JSON/,
        /link_metadata\.json/,
        /evil/,
        /"\.\.\/\.\.\/escape"/,
      ]
    ) {
      assert.match(warnings, expected);
    }
    assert.equal((await run(["snapshot", "import", "nowhere"])).code, 40);
  });
});

Deno.test("import: a point may not lead out of its folder", async () => {
  await withWorkspace("", async (workspace) => {
    const { folder, json, write } = workspace;
    write("secret.txt", "secret\n");
    write(`${POINTS}/rb-1/configs/ok.yml`, "ok\n");
    Deno.symlinkSync(`${folder}/secret.txt`, `${folder}/${POINTS}/rb-1/configs/link.yml`);
    Deno.mkdirSync(`${folder}/${POINTS}/rb-2`);
    Deno.symlinkSync(folder, `${folder}/${POINTS}/rb-2/configs`);
    writeIndex(workspace, { id: "rb-1" }, { id: "rb-2" }, { id: "../../.." }, { id: "rb-3/../rb-1" });
    const report = await json("snapshot", "import", ".");
    assert.deepEqual(report.versions, ["rb-1"]);
    const manifest = await json("snapshot", "show", "rb-1");
    assert.deepEqual(manifest.targets[0].config.config_files, [`${folder}/ok.yml`]);
    assert.match(report.warnings.join("\n"), /link\.yml: it is not a file/);
    assert.match(report.warnings.join("\n"), /rb-2\/configs: it is not a folder/);
  });
});

function writeIndex({ write }: TestWorkspace, ...points: readonly unknown[]): void {
  write(`${POINTS}/rollback_index.json`, JSON.stringify({ rollback_points: points }));
}

function writeMetadata({ write }: TestWorkspace, id: string, document: object): void {
  write(`${METADATA}/${id}_metadata.json`, JSON.stringify({ id, status: "created", ...document }));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
