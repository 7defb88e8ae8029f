/** A repository that the T.A.R.S. publisher wrote: taken over as it is, and still readable by such a tool afterwards. */
import assert from "node:assert/strict";
import { type TestRepository, testRepository } from "../support/repository.ts";
import { TARS_RELEASES, tarsBackupName, writeTarsRepository } from "../support/tars.ts";
import { withTempDir } from "../support/temp.ts";
import { readTree, treeDifferences } from "../support/tree.ts";

const BACKUP = { version: "v0.9.0", files: { "v0.9.0/app": "old app\n", "v0.9.0/docs/a.md": "old docs\n" } };

function takenOver(cwd: string, options: Parameters<typeof writeTarsRepository>[1] = {}): TestRepository {
  const repository = testRepository(cwd);
  writeTarsRepository(repository.path, options);
  return repository;
}

/** What a tool that knows only the old format relies on. */
function assertReadableByOthers(repository: TestRepository): void {
  const text = Deno.readTextFileSync(`${repository.path}/index.json`);
  const index = JSON.parse(text);
  assert.equal(index.total_releases, index.releases.length);
  assert.equal(typeof index.last_updated, "string");
  const times = index.releases.map((release: { timestamp: string }) => Date.parse(release.timestamp));
  assert.deepEqual(times, times.toSorted((a: number, b: number) => b - a), "not newest first");
  for (const release of index.releases) {
    assert.ok(
      release.artifacts.every((path: unknown) => typeof path === "string"),
      "artifacts are plain paths",
    );
    for (const path of release.status === "emptied" ? [] : release.artifacts) {
      assert.ok(Deno.lstatSync(`${repository.path}/${path}`).isFile, path);
    }
    assert.equal(typeof release.sha256, "string");
    assert.equal(typeof release.size_bytes, "number");
  }
  const rows = Deno.readTextFileSync(`${repository.path}/index.md`).split("\n")
    .flatMap((line) => /^\| (v[\d.]+) \|/.exec(line)?.[1] ?? []);
  assert.deepEqual(rows, repository.versions(), "index.md is not in step");
}

/** The text of one release's entry, as it stands in the file. */
function entryText(repository: TestRepository, version: string): string {
  const text = Deno.readTextFileSync(`${repository.path}/index.json`);
  const from = text.indexOf(`    {\n      "version": "${version}"`);
  assert.ok(from >= 0, `${version} is not listed`);
  return text.slice(from, text.indexOf("\n    }", from));
}

Deno.test("takeover: list, verify and doctor read the repository and write nothing", async () => {
  await withTempDir(async (cwd) => {
    const repository = takenOver(cwd);
    const before = readTree(repository.path);
    const list = await repository.json(0, "release", "list");
    assert.deepEqual(list.releases.map((it: { version: string }) => it.version), [
      "v1.0.2",
      "v1.0.1",
      "v1.0.0",
    ]);
    const verified = await repository.json(0, "release", "verify");
    assert.deepEqual(verified.problems, []);
    assert.equal(verified.without_digest.length, 3);
    await repository.json(0, "doctor");
    assert.deepEqual(treeDifferences(before, readTree(repository.path)), []);
  });
});

Deno.test("takeover: a rollback and its restore leave every foreign field byte for byte", async () => {
  await withTempDir(async (cwd) => {
    const repository = takenOver(cwd);
    const published = readTree(`${repository.path}/v1.0.2`);
    const entries = ["v1.0.0", "v1.0.1", "v1.0.2"].map((version) => entryText(repository, version));
    assert.match(entries[2]!, /"score": 1\.0,/);
    assert.match(entries[2]!, /"coverage": 97\.50,/);

    await repository.json(0, "release", "rollback", "v1.0.2");
    assertReadableByOthers(repository);
    assert.deepEqual(repository.versions(), ["v1.0.1", "v1.0.0"]);
    assert.deepEqual(
      ["v1.0.0", "v1.0.1"].map((version) => entryText(repository, version)),
      entries.slice(0, 2),
    );
    assert.match(Deno.readTextFileSync(`${repository.path}/index.json`), /"schema": 1\.0\n/);

    await repository.json(0, "release", "restore", "v1.0.2");
    assertReadableByOthers(repository);
    assert.deepEqual(
      ["v1.0.0", "v1.0.1", "v1.0.2"].map((version) => entryText(repository, version)),
      entries,
    );
    assert.deepEqual(treeDifferences(published, readTree(`${repository.path}/v1.0.2`)), []);
    assert.deepEqual((await repository.json(0, "audit", "verify")).problems, []);
  });
});

Deno.test("takeover: releases leave and come back in any order, and the list stays newest first", async () => {
  await withTempDir(async (cwd) => {
    const repository = takenOver(cwd);
    for (const version of ["v1.0.1", "v1.0.0", "v1.0.2"]) {
      await repository.json(0, "release", "rollback", version, "--force", "--reason", "x");
    }
    assert.deepEqual(repository.versions(), []);
    for (const version of ["v1.0.1", "v1.0.2", "v1.0.0"]) {
      await repository.json(0, "release", "restore", version);
      assertReadableByOthers(repository);
    }
    assert.deepEqual(repository.versions(), ["v1.0.2", "v1.0.1", "v1.0.0"]);
  });
});

Deno.test("takeover: every type of rollback works, and the digests are computed into the backup", async () => {
  await withTempDir(async (cwd) => {
    const repository = takenOver(cwd);
    for (const type of ["artifacts_only", "index_only", "full"]) {
      const report = await repository.json(0, "release", "rollback", "v1.0.2", "--type", type);
      const manifest = JSON.parse(
        Deno.readTextFileSync(`${repository.path}/.rollback-backups/${report.backup[0].id}/manifest.json`),
      );
      for (const file of manifest.artifacts) assert.match(file.sha256, /^[0-9a-f]{64}$/);
      assertReadableByOthers(repository);
      await repository.json(0, "release", "restore", "v1.0.2");
      assertReadableByOthers(repository);
    }
  });
});

Deno.test("takeover: two releases that share a file leave together, each backup holds it", async () => {
  await withTempDir(async (cwd) => {
    const shared = { "shared/both.txt": "both\n" };
    const releases = TARS_RELEASES.map((release, i) => i === 0 ? release : { ...release, elsewhere: shared });
    const repository = takenOver(cwd, { releases });
    const report = await repository.json(0, "release", "rollback", "--to", "v1.0.0", "--yes");
    assert.equal(report.artifacts_removed.filter((path: string) => path === "shared/both.txt").length, 1);
    assert.deepEqual(report.artifacts_kept, []);
    assert.equal(
      Deno.readTextFileSync(`${repository.path}/.rollback-backups/${report.backup[0].id}/shared/both.txt`),
      "both\n",
    );
    assert.equal(
      Deno.readTextFileSync(`${repository.path}/.rollback-backups/${report.backup[1].id}/shared/both.txt`),
      "both\n",
    );
    for (const version of ["v1.0.1", "v1.0.2"]) {
      await repository.json(0, "release", "restore", version);
      assertReadableByOthers(repository);
    }
  });
});

for (const by of ["version", "folder"] as const) {
  Deno.test(`takeover: a backup without a manifest is restored by its ${by}`, async () => {
    await withTempDir(async (cwd) => {
      const repository = takenOver(cwd, { backups: [BACKUP] });
      const list = await repository.json(0, "backup", "list");
      assert.deepEqual(
        list.map?.((it: { id: string }) => it.id) ?? list.backups.map((it: { id: string }) => it.id),
        [tarsBackupName(BACKUP)],
      );
      const wanted = by === "version" ? "v0.9.0" : tarsBackupName(BACKUP);
      const report = await repository.json(0, "release", "restore", wanted);
      assert.equal(report.artifacts_restored.length, 2);
      for (const [path, content] of Object.entries(BACKUP.files)) {
        assert.equal(Deno.readTextFileSync(`${repository.path}/${path}`), content);
      }
      assert.equal(await repository.state("v0.9.0"), "active");
      const index = JSON.parse(Deno.readTextFileSync(`${repository.path}/index.json`));
      const entry = index.releases.find((it: { version: string }) => it.version === "v0.9.0");
      assert.deepEqual(entry.artifacts, ["v0.9.0/app", "v0.9.0/docs/a.md"]);
      assertReadableByOthers(repository);
      await repository.json(46, "release", "restore", wanted);
      await repository.json(0, "release", "rollback", "v0.9.0");
    });
  });
}

Deno.test("takeover: the artifacts that T.A.R.S. moved out of a listed release come back", async () => {
  await withTempDir(async (cwd) => {
    const repository = takenOver(cwd, {
      backups: [{ version: "v1.0.2", files: { "v1.0.2/bin/app": "#!/bin/sh\necho v1.0.2\n" } }],
    });
    Deno.removeSync(`${repository.path}/v1.0.2/bin/app`);
    const report = await repository.json(0, "release", "restore", "v1.0.2");
    assert.deepEqual(report.artifacts_restored, ["v1.0.2/bin/app"]);
    assertReadableByOthers(repository);
  });
});
