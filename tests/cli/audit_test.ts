/** `audit verify`, `export`, `archive` and key rotation on the command line. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { runCli } from "../support/cli.ts";
import { BUCKET_WORLDS } from "../support/bucket_world.ts";
import { type AnyRepository, testRepository } from "../support/repository.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

async function keygen(cwd: string, name: string): Promise<string> {
  const { code, stderr } = await runCli(["audit", "keygen", "--out", name], { cwd });
  assert.equal(code, 0, stderr);
  return name;
}

/** Five publishes: five entries. */
async function publishFive({ publish }: AnyRepository, ...flags: readonly string[]): Promise<void> {
  for (let i = 1; i <= 5; i++) await publish(`v1.0.${i}`, ...flags);
}

function logFiles(path: string): readonly string[] {
  return [...Deno.readDirSync(join(path, ".backout/audit"))].map(({ name }) => name)
    .filter((name) => name !== "keys").sort();
}

Deno.test("audit archive: old entries move, and everything goes on as before", async () => {
  await withTempDir(async (cwd) => {
    const repository = testRepository(cwd);
    const { cli, json, path } = repository;
    await publishFive(repository);
    const before = logFiles(path);
    const dry = await json(0, "audit", "archive", "--keep", "2", "--dry-run");
    assert.equal(dry.status, "dry_run");
    assert.match(dry.summary, /^Would archive 3 audit entries in archive-00000001-00000003\.jsonl\.gz/);
    assert.deepEqual(dry.steps.map((step: { kind: string }) => step.kind), [
      "write_audit_archive",
      "commit_index",
      "remove_audit_entries",
    ]);
    assert.deepEqual(logFiles(path), [...before, "00000006.json"], "but the dry run's own entry");

    const done = await json(0, "audit", "archive", "--keep", "2", "--reason", "monthly");
    assert.deepEqual(done.steps.map((step: { description: string }) => step.description), [
      ...dry.steps.map((step: { description: string }) => step.description),
    ]);
    assert.equal(done.audit_log_created, true);
    assert.ok(done.bytes_reclaimed > 0);
    assert.deepEqual(logFiles(path), [
      ...["00000004.json", "00000005.json", "00000006.json", "00000007.json"],
      "archive-00000001-00000003.jsonl.gz",
    ]);
    const verified = await json(0, "audit", "verify");
    assert.deepEqual([verified.entries, verified.archived, verified.problems], [7, 3, []]);
    assert.match((await cli("audit", "verify")).stdout, /7 entries checked, 3 of them archived, 0 signed/);

    const again = await json(0, "audit", "archive", "--keep", "2");
    assert.match(again.summary, /^Nothing to archive/);
    const [last] = await json(0, "history", "list");
    assert.equal(last.operation, "audit_archive");
    await repository.publish("v1.0.6");
    await json(0, "release", "rollback", "v1.0.6");
    assert.equal((await cli("doctor")).code, 0);
    assert.deepEqual((await json(0, "audit", "verify")).entries, 10);
  });
});

Deno.test("audit archive: --before takes a time or an age, --out keeps a copy", async () => {
  await withTempDir(async (cwd) => {
    const repository = testRepository(cwd);
    const { cli, json, path } = repository;
    await publishFive(repository);
    assert.match((await json(0, "audit", "archive", "--before", "1h")).summary, /^Nothing to archive/);
    assert.match(
      (await json(0, "audit", "archive", "--before", "2020-01-01")).summary,
      /^Nothing to archive/,
    );
    await json(0, "audit", "archive", "--before", "2999-01-01T00:00:00Z", "--out", "copies/one.gz");
    const [name] = logFiles(path).filter((file) => file.startsWith("archive-"));
    assert.equal(name, "archive-00000001-00000006.jsonl.gz", "all but the newest");
    assert.deepEqual(
      Deno.readFileSync(join(cwd, "copies/one.gz")),
      Deno.readFileSync(join(path, ".backout/audit", name)),
    );
    for (
      const [flags, words] of [
        [[], /Give --before TIME, --keep NUMBER, or both/],
        [["--keep", "0"], /not a whole number from 1 on/],
        [["--keep", "many"], /not a whole number from 1 on/],
        [["--before", "soon"], /"soon" for --before: it is not a time/],
        [["--before", "2026-13-45"], /it is not a time/],
        [["--keep", "1", "--out", "releases/.backout/audit/x.gz"], /belongs to the repository itself/],
      ] as const
    ) {
      const { code, stderr } = await cli("audit", "archive", ...flags);
      assert.equal(code, 2, stderr);
      assert.match(stderr, words);
    }
  });
});

Deno.test("audit archive: a log that does not verify is refused, unless somebody says why not", async () => {
  await withTempDir(async (cwd) => {
    const repository = testRepository(cwd);
    const { cli, json, path } = repository;
    await publishFive(repository);
    const file = join(path, ".backout/audit/00000002.json");
    const forged = Deno.readTextFileSync(file).replace(`"reason": ""`, `"reason": "forged"`);
    Deno.writeTextFileSync(file, forged);
    const before = logFiles(path);
    const refused = await json(54, "audit", "archive", "--keep", "1");
    assert.match(refused.error.message, /does not verify/);
    assert.deepEqual(logFiles(path), [...before, "00000006.json"]);
    const forced = await json(
      0,
      "audit",
      "archive",
      "--keep",
      "1",
      "--force",
      "--reason",
      "known since March",
    );
    assert.match(forced.warnings.join(), /does not verify/);
    const { code, stdout } = await cli("audit", "verify");
    assert.equal(code, 54, "the archive keeps the evidence");
    assert.match(stdout, /entry 00000003\.json in .*archive.* has another digest/);
    assert.match(stdout, /entry 00000002\.json in .*archive.* has another digest than the history has/);
  });
});

Deno.test("audit verify: a removed, changed or cut archive is found", async () => {
  await withTempDir(async (cwd) => {
    const repository = testRepository(cwd);
    const { cli, json, path } = repository;
    await publishFive(repository);
    await json(0, "audit", "archive", "--keep", "1");
    const file = join(path, ".backout/audit/archive-00000001-00000004.jsonl.gz");
    const sound = Deno.readFileSync(file);
    for (
      const [damage, words] of [
        [() => Deno.removeSync(file), /00000001\.json to 00000004\.json \(4 entries\) are missing/],
        [() => Deno.writeFileSync(file, sound.slice(0, -9)), /jsonl\.gz was changed or cut short/],
        [
          () => Deno.writeFileSync(file, sound.map((byte, i) => i === 300 ? byte ^ 4 : byte)),
          /was changed or cut short/,
        ],
      ] as const
    ) {
      damage();
      const { code, stdout } = await cli("audit", "verify");
      assert.equal(code, 54);
      assert.match(stdout, words);
      assert.equal((await cli("doctor")).code !== 0, true);
      Deno.writeFileSync(file, sound);
    }
    assert.equal((await cli("audit", "verify")).code, 0);
  });
});

Deno.test("audit export: envelopes on standard output or in a file, the key from wherever it is configured", async () => {
  await withTempDir(async (cwd) => {
    const repository = testRepository(cwd);
    const { cli, json, path } = repository;
    await publishFive(repository);
    await json(0, "audit", "archive", "--keep", "1");
    await keygen(cwd, "key.pem");
    const seqs = (text: string) =>
      text.trimEnd().split("\n").map((line) =>
        JSON.parse(Buffer.from(JSON.parse(line).payload, "base64").toString()).predicate.entry.seq
      );
    const all = await cli("audit", "export", "--signing-key", "key.pem");
    assert.equal(all.code, 0, all.stderr);
    assert.deepEqual(seqs(all.stdout), [1, 2, 3, 4, 5, 6]);
    const some = await cli("audit", "export", "--since", "5", "--out", "-", "--signing-key", "key.pem");
    assert.deepEqual(seqs(some.stdout), [5, 6]);
    const written = await json(
      ...[0, "audit", "export", "--signing-key", "key.pem", "--out", "out/log.intoto.jsonl"] as const,
    );
    assert.deepEqual([written.entries, written.first, written.last], [6, 1, 6]);
    assert.equal(written.file, join(cwd, "out/log.intoto.jsonl"));
    assert.deepEqual(seqs(Deno.readTextFileSync(written.file)), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual([...Deno.readDirSync(join(cwd, "out"))].map(({ name }) => name), ["log.intoto.jsonl"]);

    const env = { BACKOUT_SIGNING_KEY: "key.pem" };
    const fromEnv = await runCli(["audit", "export", "-r", path], { cwd, env });
    assert.deepEqual(seqs(fromEnv.stdout), [1, 2, 3, 4, 5, 6]);
    Deno.writeTextFileSync(
      join(cwd, "backout.yaml"),
      `version: 1\nrepository: ${path}\naudit: {signing_key: ${join(cwd, "key.pem")}}\n`,
    );
    const fromConfig = await runCli(["audit", "export"], { cwd });
    assert.deepEqual(seqs(fromConfig.stdout), [1, 2, 3, 4, 5, 6]);
  });
});

Deno.test("audit export: refusals write nothing", async () => {
  await withTempDir(async (cwd) => {
    const repository = testRepository(cwd);
    const { cli, path } = repository;
    await publishFive(repository);
    const unsigned = await cli("audit", "export", "--out", "log.jsonl");
    assert.equal(unsigned.code, 2);
    assert.match(unsigned.stderr, /needs a key, and none was given/);
    await keygen(cwd, "key.pem");
    const inside = await cli(
      "audit",
      "export",
      "--signing-key",
      "key.pem",
      "--out",
      "releases/.backout/log.jsonl",
    );
    assert.equal(inside.code, 2);
    Deno.removeSync(join(path, ".backout/audit/00000002.json"));
    const broken = await cli("audit", "export", "--signing-key", "key.pem", "--out", "log.jsonl");
    assert.equal(broken.code, 54);
    assert.match(broken.stderr, /Refused to export the audit log.*00000002\.json is missing/);
    assert.deepEqual([...Deno.readDirSync(cwd)].filter(({ name }) => /log|\.tmp$/.test(name)), []);
  });
});

Deno.test("audit verify: a rotation, with --public-key for each key", async () => {
  await withTempDir(async (cwd) => {
    const repository = testRepository(cwd);
    const { cli, publish, json } = repository;
    for (const name of ["old.pem", "new.pem", "other.pem"]) await keygen(cwd, name);
    await publishFive(repository, "--signing-key", "old.pem");
    await json(0, "audit", "archive", "--keep", "2", "--signing-key", "new.pem");
    await publish("v2.0.0", "--signing-key", "new.pem");
    const verify = async (...names: readonly string[]) =>
      await cli("audit", "verify", ...names.flatMap((name) => ["--public-key", `${name}.pem.pub`]));
    for (const keys of [[], ["old", "new"], ["new", "old"], ["new"]]) {
      const { code, stdout } = await verify(...keys);
      assert.equal(code, 0, stdout);
      assert.match(stdout, /7 entries checked, 3 of them archived, 7 signed; no problem found/);
    }
    for (const keys of [["old"], ["other"], ["old", "other"]]) {
      const { code, stdout } = await verify(...keys);
      assert.equal(code, 54, keys.join());
      assert.match(stdout, /signed with the given public key/);
    }
    await publish("v2.0.1", "--signing-key", "other.pem");
    const foreign = await verify("old", "new");
    assert.equal(foreign.code, 54);
    assert.match(foreign.stdout, /00000008\.json is not signed with the given public key/);
  });
});

for (const { name, needs, start } of BUCKET_WORLDS) {
  testRequiring(needs, `audit archive and export: on ${name}`, async () => {
    await using world = await start();
    await withTempDir(async (cwd) => {
      await keygen(cwd, "key.pem");
      const repository = world.repository(cwd);
      const { cli, json, list, read, write } = repository;
      await publishFive(repository, "--signing-key", "key.pem");
      await json(0, "audit", "archive", "--keep", "2", "--signing-key", "key.pem");
      const log = (await list()).map((key) => key.split(".backout/audit/")[1])
        .filter((key) => key !== undefined && !key.startsWith("keys/"));
      assert.deepEqual(log, [
        ...["00000004.json", "00000005.json", "00000006.json"],
        "archive-00000001-00000003.jsonl.gz",
      ]);
      const verified = await json(0, "audit", "verify", "--public-key", "key.pem.pub");
      assert.deepEqual([verified.entries, verified.archived, verified.signed], [6, 3, 6]);
      const { code, stdout } = await cli("audit", "export", "--signing-key", "key.pem");
      assert.equal(code, 0);
      assert.equal(stdout.trimEnd().split("\n").length, 6);
      await repository.publish("v1.0.6");
      assert.match((await json(0, "audit", "archive", "--keep", "3")).summary, /^Nothing to archive/);
      const key = ".backout/audit/00000005.json";
      await write(key, (await read(key))!.replace(`"reason": ""`, `"reason": "forged"`));
      assert.equal((await cli("audit", "verify")).code, 54);
    });
  });
}
