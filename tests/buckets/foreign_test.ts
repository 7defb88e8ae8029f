/** What other tools wrote into a bucket: a T.A.R.S. publisher's repository, and what they say of objects. */
import assert from "node:assert/strict";
import { relative } from "node:path";
import { BUCKET_WORLDS, type BucketWorld, type WorldRepository } from "../support/bucket_world.ts";
import type { Attributes } from "../support/raw_bucket.ts";
import { testRequiring } from "../support/require.ts";
import { tarsBackupName, type TarsOptions, writeTarsRepository } from "../support/tars.ts";
import { withTempDir } from "../support/temp.ts";

const REASON = ["--reason", "test"] as const;

for (const kind of BUCKET_WORLDS) {
  testRequiring(kind.needs, `other tools' objects on ${kind.name}`, async (t) => {
    await using world = await kind.start();
    for (const [name, body] of Object.entries(CASES)) {
      await t.step(name, () => withTempDir((cwd) => body(world.repository(cwd), world)));
    }
  });
}

const CASES: Readonly<Record<string, (repository: WorldRepository, world: BucketWorld) => Promise<void>>> = {
  "a repository that T.A.R.S. wrote is listed as it is": async (repository) => {
    const index = await uploadTars(repository);
    const { releases, serial } = await repository.json(0, "release", "list");
    assert.deepEqual(releases.map((it: { version: string }) => it.version), ["v1.0.2", "v1.0.1", "v1.0.0"]);
    assert.equal(serial, 0);
    assert.equal(await repository.read("index.json"), index, "reading changed it");
    const verified = await repository.json(0, "release", "verify");
    assert.deepEqual(verified.without_digest, ["v1.0.0", "v1.0.1", "v1.0.2"].toReversed());
  },

  "its releases are rolled back by etag, and restored": async (repository) => {
    const { json, read, listed } = repository;
    await uploadTars(repository);
    const report = await json(0, "release", "rollback", "v1.0.2", ...REASON);
    assert.equal(report.backup[0].integrity, "etag");
    const { manifest } = await json(0, "backup", "show", "v1.0.2");
    assert.equal(manifest.integrity, "etag");
    assert.equal(manifest.artifacts.length, 3);
    for (const file of manifest.artifacts) {
      assert.equal(file.sha256, null);
      assert.notEqual(file.tag ?? "", "");
    }
    assert.deepEqual(await listed(), ["v1.0.1", "v1.0.0"]);
    assert.doesNotMatch(await read("index.md") ?? "", /v1\.0\.2/);
    assert.deepEqual((await json(0, "backup", "verify", "--read-data"))[0].problems, []);
    await json(0, "release", "restore", report.rollback_id);
    assert.equal(await read("v1.0.2/README.md"), "# release v1.0.2\n");
    const [entry] = JSON.parse(await read("index.json") ?? "").releases;
    assert.equal(entry.sbom_id, "sbom-v1.0.2", "a field of another tool was lost");
    assert.match(await read("index.json") ?? "", /"score": 1\.0\b/, "a number was written in another way");
    assert.deepEqual((await json(0, "audit", "verify")).problems, []);
  },

  "with --verify-backup full its digests are known": async (repository) => {
    const { json, read } = repository;
    await uploadTars(repository);
    const report = await json(0, "release", "rollback", "v1.0.2", "--verify-backup", "full", ...REASON);
    assert.equal(report.backup[0].integrity, "sha256");
    const { manifest } = await json(0, "backup", "show", "v1.0.2");
    for (const file of manifest.artifacts) assert.match(file.sha256, /^[0-9a-f]{64}$/);
    await json(0, "release", "restore", "v1.0.2");
    assert.equal(await read("v1.0.2/bin/app"), "#!/bin/sh\necho v1.0.2\n");
  },

  "a backup that T.A.R.S. made is restored": async (repository) => {
    const { json, read, listed } = repository;
    const backup = { version: "v0.9.0", files: { "v0.9.0/app.txt": "old\n" } };
    await uploadTars(repository, { backups: [backup] });
    await json(0, "release", "restore", tarsBackupName(backup));
    assert.equal(await read("v0.9.0/app.txt"), "old\n");
    assert.ok((await listed()).includes("v0.9.0"));
  },

  "an artifact that two releases list stays": async (repository) => {
    const { json, read } = repository;
    const shared = { "shared/logo.svg": "<svg/>\n" };
    const releases = ["v1", "v2"].map((version) => ({
      version,
      files: { "app.txt": `${version}\n` },
      elsewhere: shared,
    }));
    await uploadTars(repository, { releases });
    const report = await json(0, "release", "rollback", "v2", ...REASON);
    assert.deepEqual(report.artifacts_kept, ["shared/logo.svg"]);
    assert.equal(await read("shared/logo.svg"), "<svg/>\n");
    assert.equal(await read("v2/app.txt"), undefined);
    await json(0, "release", "restore", "v2");
    await json(0, "release", "verify");
  },

  "what another tool says of an object comes back with it": async (repository, { scheme }) => {
    const { json, raw, prefix, publish } = repository;
    await publish("v1.0.1");
    await publish("v1.0.2");
    const said: Readonly<Record<string, Attributes>> = {
      "v1.0.2/app.txt": {
        contentType: "application/x-thing; charset=latin1",
        cacheControl: "private, max-age=31536000",
        metadata: { "build-number": "1742", owner: "release team" },
        ...(scheme === "s3" ? { tags: { "cost centre": "42/b", stage: "prod" } } : {}),
      },
      "v1.0.2/docs/index.html": { contentType: "text/html", cacheControl: "no-store", metadata: { a: "1" } },
    };
    for (const [key, attributes] of Object.entries(said)) {
      const content = await repository.read(key) ?? "";
      await raw.write(`${prefix}/${key}`, content, attributes);
      assertSaid(await raw.attributes(`${prefix}/${key}`), attributes, `${key} as written by the test`);
    }
    const { backup } = await json(0, "release", "rollback", "v1.0.2", ...REASON);
    for (const [key, attributes] of Object.entries(said)) {
      const name = `${prefix}/.rollback-backups/${backup[0].id}/${key}`;
      assertSaid(await raw.attributes(name), attributes, `${key} in the backup`);
    }
    await json(0, "release", "restore", "v1.0.2");
    for (const [key, attributes] of Object.entries(said)) {
      assertSaid(await raw.attributes(`${prefix}/${key}`), attributes, `${key} after the restore`);
    }
  },

  "names that a service spells in its own way": async (repository) => {
    const { json, read, cwd, list } = repository;
    const folder = `${cwd}/odd`;
    const names = [
      "a b+c.txt",
      "50%25.txt",
      "ünïcödé ☃.txt",
      "q?x=1&y#z.txt",
      "~tilde'quote\"(x)*.txt",
      "deep/er/f",
    ];
    for (const name of names) {
      Deno.mkdirSync(`${folder}/deep/er`, { recursive: true });
      Deno.writeTextFileSync(`${folder}/${name}`, `${name}\n`);
    }
    await json(0, "release", "publish", "v1", folder);
    const published = names.map((name) => `v1/${name}`).toSorted();
    const keys = async () => (await list()).filter((key) => key.startsWith("v1/")).toSorted();
    assert.deepEqual(await keys(), published);
    await json(0, "release", "rollback", "v1", ...REASON);
    assert.deepEqual(await keys(), []);
    assert.deepEqual((await json(0, "backup", "verify", "--read-data"))[0].problems, []);
    assert.equal((await json(0, "backup", "drill", "v1")).restored, names.length);
    await json(0, "release", "restore", "v1");
    assert.deepEqual(await keys(), published);
    for (const name of names) assert.equal(await read(`v1/${name}`), `${name}\n`);
    await json(0, "release", "verify");
  },
};

/** @returns the text of its index */
async function uploadTars({ cwd, raw, prefix }: WorldRepository, options: TarsOptions = {}): Promise<string> {
  const folder = `${cwd}/tars`;
  const index = writeTarsRepository(folder, options);
  for (const path of filesBelow(folder)) {
    await raw.write(`${prefix}/${relative(folder, path)}`, Deno.readFileSync(path));
  }
  return index;
}

function filesBelow(folder: string): readonly string[] {
  return [...Deno.readDirSync(folder)].flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory ? filesBelow(path) : [path];
  });
}

/** Everything that was said is said still; the driver's own metadata may stand beside it. */
function assertSaid(now: Attributes, said: Attributes, where: string): void {
  assert.equal(now.contentType, said.contentType, where);
  assert.equal(now.cacheControl, said.cacheControl, where);
  for (const [name, value] of Object.entries(said.metadata ?? {})) {
    assert.equal(now.metadata?.[name], value, `${where}: metadata ${name}`);
  }
  assert.deepEqual(now.tags ?? {}, said.tags ?? {}, where);
}
