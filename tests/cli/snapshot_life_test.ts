/** The life of a rollback point as a person has it, on files, a git checkout and a database. */
import assert from "node:assert/strict";
import { runInProcess } from "../support/cli.ts";
import { testRequiring } from "../support/require.ts";
import { FILES, git, makeRepository, sql, type TestWorkspace, withWorkspace } from "./snapshot_support.ts";

testRequiring(["posix", "git"], "snapshot: create, change, look, go back, and forth again", async () => {
  const targets = `${FILES}  app: {type: git_commit, repo_path: src}
  db: {type: database, connection_string: "sqlite://app.db", after: [config]}
checks:
  - {type: file_exists, path: etc/app.conf}
`;
  await withWorkspace(targets, async (workspace) => {
    const { folder, run, json, read } = workspace;
    fill(workspace);
    const first = makeRepository(`${folder}/src`, "main.txt", "v1\n");
    sql(`${folder}/app.db`, "create table t(x); insert into t values (1), (2)");

    const created = await json("snapshot", "create", "before v2");
    assert.match(created.snapshot.id, /^rb-[0-9a-f]{12}$/);
    assert.deepEqual(
      created.snapshot.targets.map((one: { status: string }) => one.status),
      Array(4).fill("captured"),
    );

    change(workspace);
    Deno.writeTextFileSync(`${folder}/src/main.txt`, "v2\n");
    git(`${folder}/src`, "commit", "--quiet", "-a", "-m", "second");
    sql(`${folder}/app.db`, "delete from t");

    const diff = await run(["snapshot", "diff", "latest"]);
    assert.match(diff.stdout, /config: 1 difference\n {2}replace +\S+app\.conf/);
    assert.match(diff.stdout, /remove +\S+data\/old/);
    assert.match(diff.stdout, /create +\S+data\/new/);
    const dry = await run(["snapshot", "restore", "latest", "--dry-run"]);
    assert.equal(dry.code, 0, dry.stderr);
    assert.match(dry.stdout, /remove +\S+data\/new/);
    assert.equal(read("etc/app.conf"), "two\n", "a dry run changes nothing");

    const restored = await json("snapshot", "restore", "latest", "--yes", "--reason", "v2 fails");
    assert.deepEqual([read("etc/app.conf"), read("data/old"), read("src/main.txt")], [
      "one\n",
      "old\n",
      "v1\n",
    ]);
    assert.equal(await exists(`${folder}/data/new`), false);
    assert.equal(git(`${folder}/src`, "rev-parse", "HEAD"), first);
    assert.deepEqual(sql(`${folder}/app.db`, ""), [1, 2]);
    assert.deepEqual(restored.snapshot.checks.map((one: { passed: boolean }) => one.passed), [true]);
    assert.equal(restored.undo, `backout snapshot restore ${restored.snapshot.safety_id}`);

    await json("snapshot", "restore", restored.snapshot.safety_id, "--yes");
    assert.deepEqual([read("etc/app.conf"), read("data/new"), read("src/main.txt")], [
      "two\n",
      "new\n",
      "v2\n",
    ]);
    assert.deepEqual(sql(`${folder}/app.db`, ""), []);
  });
});

Deno.test("snapshot: list, show, pin, mark, delete, verify, collect", async () => {
  await withWorkspace(FILES, async (workspace) => {
    fill(workspace);
    const { run, json } = workspace;
    assert.match((await run(["snapshot", "list"])).stdout, /^No snapshots of \S+ yet: take one with /);
    await json("snapshot", "create", "first", "--id", "before-v1", "--label", "ticket=42");
    change(workspace);
    await json("snapshot", "create", "second", "--id", "before-v2", "--target", "config");

    const list = await json("snapshot", "list");
    assert.deepEqual(list.snapshots.map((one: { id: string }) => one.id), ["before-v2", "before-v1"]);
    const shown = await run(["snapshot", "show", "before-v1"]);
    assert.match(shown.stdout, /Labels: +ticket=42/);
    assert.match(shown.stdout, /data +file_system/);

    await json("snapshot", "pin", "before-v1");
    await json("snapshot", "mark", "before-v1", "good");
    assert.match((await run(["snapshot", "list"])).stdout, /before-v1.*pinned, good/);
    const refused = await run(["snapshot", "delete", "before-v1", "--yes"]);
    assert.equal(refused.code, 41);
    assert.match(refused.stderr, /it is pinned/);
    assert.equal((await run(["snapshot", "delete", "before-v1"])).code, 2, "it asks, and nobody can answer");
    await json("snapshot", "unpin", "before-v1");

    await json("snapshot", "restore", "last-good", "--yes");
    assert.equal(workspace.read("etc/app.conf"), "one\n");
    await json("snapshot", "delete", "before-v1", "--yes");
    assert.equal((await run(["snapshot", "show", "before-v1"])).code, 40);

    const checked = await run(["snapshot", "verify", "--read-data"]);
    assert.equal(checked.code, 0, checked.stdout);
    assert.match(checked.stdout, /no problem found/);
    const collected = await json("snapshot", "collect", "--min-age", "0");
    assert.equal(collected.dry_run, false);
    assert.equal((await run(["snapshot", "verify", "--read-data"])).code, 0);
  });
});

Deno.test("snapshot: a damaged store is told with 54, and names what is hit", async () => {
  await withWorkspace(FILES, async (workspace) => {
    fill(workspace);
    const { folder, run, json } = workspace;
    await json("snapshot", "create", "--id", "whole");
    for (const pack of packs(`${folder}/.backout/store`)) {
      const bytes = Deno.readFileSync(pack);
      bytes[Math.floor(bytes.length / 2)]! ^= 0xff;
      Deno.chmodSync(pack, 0o600);
      Deno.writeFileSync(pack, bytes);
    }
    const { code, stdout } = await run(["snapshot", "verify", "--read-data"]);
    assert.equal(code, 54, stdout);
    assert.match(stdout, /the snapshot whole cannot be restored whole/);
  });
});

Deno.test("snapshot: single paths, another folder, and what differs only", async () => {
  await withWorkspace(FILES, async (workspace) => {
    fill(workspace);
    const { folder, json, read } = workspace;
    await json("snapshot", "create", "--id", "point");
    change(workspace);
    const exported = await json("snapshot", "restore", "point", "--to", "out");
    assert.equal(exported.status, "success");
    assert.equal(read("etc/app.conf"), "two\n", "the targets stay");
    assert.ok(filesBelow(`${folder}/out`).some((path) => path.endsWith("/data/old")));
    await json("snapshot", "restore", "point", "--path", "data/old", "--yes");
    assert.equal(read("data/old"), "old\n");
    assert.equal(read("data/new"), "new\n", "only the path");
    assert.equal(read("etc/app.conf"), "two\n");
    await json("snapshot", "restore", "point", "--target", "config", "--auto-confirm");
    assert.equal(read("etc/app.conf"), "one\n");
  });
});

Deno.test("snapshot: without a configuration, targets come in flags", async () => {
  await withWorkspace("", async ({ run, json, write, read }) => {
    write("etc/a.conf", "a1\n");
    write("etc/b.conf", "b1\n");
    const none = await run(["snapshot", "create"]);
    assert.equal(none.code, 2);
    assert.match(none.stderr, /No targets are configured/);
    const set = ["--set", "config_files=etc/a.conf", "--set", "config_files=etc/b.conf"];
    const { snapshot } = await json("snapshot", "create", "--type", "configuration", ...set);
    write("etc/a.conf", "a2\n");
    await json("snapshot", "restore", snapshot.id, "--yes");
    assert.equal(read("etc/a.conf"), "a1\n");

    const wrong = await run(["snapshot", "create", "--type", "configuration", "--set", "config_file=x"]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /"config_file" is not a known key/);
    assert.match(wrong.stderr, /config_files/);
    assert.equal((await run(["snapshot", "create", "--type", "nope"])).code, 2);
    assert.equal((await run(["snapshot", "create", "--set", "a=b"])).code, 2);
  });
});

Deno.test("snapshot restore: on a terminal it shows what would happen, and asks", async () => {
  await withWorkspace(FILES, async (workspace) => {
    fill(workspace);
    const { folder, json, read } = workspace;
    await json("snapshot", "create", "--id", "point");
    change(workspace);
    const asked = (stdin: string) =>
      runInProcess(["snapshot", "restore", "point", "--no-color"], { cwd: folder, terminal: true, stdin });
    const no = await asked("n\n");
    assert.equal(no.code, 2);
    assert.match(no.stderr, /config \(configuration\): planned: 1 to change/);
    assert.match(no.stderr, /remove +\S+data\/new/);
    assert.match(no.stderr, /Restoring point: go on\? \[y\/N\]/);
    assert.equal(read("etc/app.conf"), "two\n");
    const yes = await asked("y\n");
    assert.equal(yes.code, 0, yes.stderr);
    assert.match(yes.stdout, /✔ Restored config, data from point/);
    assert.match(yes.stdout, /Undo +backout snapshot restore rb-/);
    assert.equal(read("etc/app.conf"), "one\n");
  });
});

Deno.test("snapshot: bad ids and names", async () => {
  await withWorkspace(FILES, async (workspace) => {
    fill(workspace);
    const { run } = workspace;
    for (const id of ["../x", "a/b", "", ".hidden", "latest", "a b", "x".repeat(200)]) {
      assert.equal((await run(["snapshot", "create", `--id=${id}`])).code, 2, id);
    }
    assert.equal((await run(["snapshot", "restore", "../../etc/passwd", "--yes"])).code, 2);
    assert.equal((await run(["snapshot", "restore", "rb-000000000000", "--yes"])).code, 40);
    assert.equal((await run(["snapshot", "create", "--target", "nope"])).code, 40);
  });
});

Deno.test("status, doctor and metrics tell of the workspace", async () => {
  await withWorkspace(FILES, async (workspace) => {
    fill(workspace);
    const { run, json, read } = workspace;
    await json("snapshot", "create", "--id", "point", "--metrics-file", "numbers.prom");
    assert.match(read("numbers.prom"), /^backout_snapshots\{workspace="[^"]+"\} 1$/m);
    change(workspace);
    await json("snapshot", "restore", "point", "--yes");
    const { workspace: view } = await json("status");
    assert.deepEqual(view.targets, ["config", "data"]);
    assert.equal(view.numbers.restores, 1);
    assert.equal(view.numbers.restore_success_rate, 1);
    assert.ok(view.numbers.store_bytes > 0);
    assert.match((await run(["status"])).stdout, /Restores: +1 restore, 100% succeeded/);
    const doctor = await run(["doctor"]);
    assert.equal(doctor.code, 0, doctor.stdout);
    assert.match(doctor.stdout, /snapshots: 2 snapshots/);
    assert.match((await run(["recover"])).stdout, /Nothing to recover/);

    const history = await json("history");
    assert.deepEqual(history.map((one: { operation: string }) => one.operation), [
      "snapshot_restore",
      "snapshot_create",
    ]);
    const shown = await json("history", "show", history[0].id);
    assert.equal(shown.snapshot.id, "point");
    const audit = await json("audit", "verify");
    assert.deepEqual([audit.entries, audit.problems], [2, []]);
    assert.match((await run(["unlock"])).stdout, /There was no lock/);
  });
});

function fill({ write }: TestWorkspace): void {
  write("etc/app.conf", "one\n");
  write("data/old", "old\n");
}

function change({ folder, write }: TestWorkspace): void {
  write("etc/app.conf", "two\n");
  Deno.removeSync(`${folder}/data/old`);
  write("data/new", "new\n");
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

function filesBelow(folder: string): readonly string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}/${name}`) : [`${folder}/${name}`]
  );
}

function packs(store: string): readonly string[] {
  return filesBelow(store).filter((path) => path.endsWith(".pack"));
}

Deno.test("metrics: one file for the repository and the workspace of a configuration, whoever wrote it last", async () => {
  await withWorkspace(`repository: releases\nmetrics_file: numbers.prom\n${FILES}`, async (workspace) => {
    fill(workspace);
    const { json, read, write } = workspace;
    write("build/app", "app\n");
    await json("release", "publish", "v1", "build");
    assert.match(read("numbers.prom"), /^backout_snapshots\{workspace="[^"]+"\} 0$/m);
    await json("snapshot", "create");
    for (const name of ["backout_releases", "backout_snapshots"]) {
      assert.match(read("numbers.prom"), new RegExp(`^${name}\\{[^}]+\\} 1$`, "m"));
      assert.equal(read("numbers.prom").split(`# TYPE ${name} `).length, 2, "said once");
    }
  });
});
