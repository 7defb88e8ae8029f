/** Every way to take something out and to put it back, for a repository of any storage. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { AnyRepository } from "../support/repository.ts";
import type { ReleaseScenario } from "./release_scenarios.ts";

export const MORE_RELEASE_SCENARIOS: readonly ReleaseScenario[] = [
  { name: "artifacts only, and back", body: artifactsOnly },
  { name: "index only, and back", body: indexOnly },
  { name: "single artifacts, and back", body: singleArtifacts },
  { name: "everything newer than a version, and back", body: everythingNewer },
  { name: "without a backup nothing comes back", body: withoutBackup },
  { name: "dependents refuse, lenient and force go on", body: lenientAndForce },
  { name: "what is missing stops a dry run, a rollback, and not a lenient one", body: missingArtifact },
  { name: "back to a time, and exactly to it", body: backToATime },
  { name: "a backup is restored by each of its names, and a release is published twice", body: byEachName },
  { name: "a damaged backup is noticed and not restored", body: damagedBackup },
];

const REASON = ["--reason", "test"] as const;

async function artifactsOnly({ json, state, read, listed, cli }: AnyRepository): Promise<void> {
  const report = await json(0, "release", "rollback", "v1.0.2", "--type", "artifacts_only", ...REASON);
  assert.deepEqual(report.artifacts_removed, [
    "v1.0.2/README.md",
    "v1.0.2/app.txt",
    "v1.0.2/docs/index.html",
  ]);
  assert.equal(await state("v1.0.2"), "emptied");
  assert.deepEqual(await listed(), ["v1.0.2", "v1.0.1", "v1.0.0"]);
  assert.equal(await read("v1.0.2/app.txt"), undefined);
  assert.equal((await json(0, "channel", "list")).channels.stable.version, "v1.0.1");
  await json(0, "release", "restore", "v1.0.2");
  await isWhole({ json, state, read, cli }, "v1.0.2");
}

async function indexOnly({ json, state, read, listed, cli }: AnyRepository): Promise<void> {
  await json(0, "release", "rollback", "v1.0.2", "--type", "index_only", ...REASON);
  assert.equal(await state("v1.0.2"), "hidden");
  assert.deepEqual(await listed(), ["v1.0.1", "v1.0.0"]);
  assert.equal(await read("v1.0.2/app.txt"), "app v1.0.2\n");
  await json(0, "release", "restore", "v1.0.2");
  assert.deepEqual(await listed(), ["v1.0.2", "v1.0.1", "v1.0.0"]);
  await isWhole({ json, state, read, cli }, "v1.0.2");
}

async function singleArtifacts({ json, state, read, cli }: AnyRepository): Promise<void> {
  await json(0, "release", "rollback", "v1.0.2", "--artifact", "docs/**", ...REASON);
  assert.equal(await state("v1.0.2"), "partial");
  assert.equal(await read("v1.0.2/docs/index.html"), undefined);
  assert.equal(await read("v1.0.2/app.txt"), "app v1.0.2\n");
  await json(40, "release", "rollback", "v1.0.2", "--artifact", "*.exe", ...REASON);
  await json(0, "release", "rollback", "v1.0.2", ...REASON);
  assert.equal((await json(0, "backup", "list")).length, 2);
  await json(0, "release", "restore", "v1.0.2");
  await isWhole({ json, state, read, cli }, "v1.0.2");
}

async function everythingNewer(repository: AnyRepository): Promise<void> {
  const { json, listed, read, state } = repository;
  const report = await json(0, "release", "rollback", "--to", "v1.0.0", "--yes", ...REASON);
  assert.deepEqual(report.versions, ["v1.0.2", "v1.0.1"]);
  assert.equal(report.total_artifacts_removed, 6);
  assert.deepEqual(await listed(), ["v1.0.0"]);
  await json(0, "release", "restore", report.rollback_id);
  assert.deepEqual(await listed(), ["v1.0.2", "v1.0.1", "v1.0.0"]);
  for (const version of ["v1.0.1", "v1.0.2"]) {
    assert.equal(await state(version), "active");
    assert.equal(await read(`${version}/app.txt`), `app ${version}\n`);
  }
  assert.equal((await json(0, "channel", "list")).channels.stable.version, "v1.0.2");
}

async function withoutBackup({ json, state, read }: AnyRepository): Promise<void> {
  const report = await json(0, "release", "rollback", "v1.0.2", "--no-backup", ...REASON);
  assert.equal(report.backup_created, false);
  assert.equal(report.bytes_reclaimed, report.total_bytes_freed);
  assert.equal(await state("v1.0.2"), "removed");
  assert.equal(await read("v1.0.2/app.txt"), undefined);
  assert.deepEqual(await json(0, "backup", "list"), []);
  assert.match((await json(45, "release", "restore", "v1.0.2")).error.message, /without a backup/);
}

async function lenientAndForce({ json, publish, listed }: AnyRepository): Promise<void> {
  await publish("v1.1.0", "--depends-on", "v1.0.1");
  const refused = await json(42, "release", "rollback", "v1.0.1", ...REASON);
  assert.equal(refused.dependencies_satisfied, false);
  await json(42, "release", "rollback", "v1.0.1", "--dry-run", ...REASON);
  await json(2, "release", "rollback", "v1.0.1", "--force");
  const lenient = await json(0, "release", "rollback", "v1.0.1", "--policy", "lenient", ...REASON);
  assert.match(lenient.warnings.join("\n"), /v1\.1\.0/);
  assert.equal(lenient.policy_mode, "lenient");
  await json(0, "release", "restore", "v1.0.1");
  const forced = await json(0, "release", "rollback", "v1.0.1", "--force", ...REASON);
  assert.equal(forced.forced, true);
  assert.deepEqual(await listed(), ["v1.1.0", "v1.0.2", "v1.0.0"]);
}

async function missingArtifact(repository: AnyRepository): Promise<void> {
  const { json, remove, state, listed } = repository;
  await remove("v1.0.2/docs/index.html");
  await json(54, "release", "verify");
  await json(47, "release", "rollback", "v1.0.2", "--dry-run", ...REASON);
  await json(45, "release", "rollback", "v1.0.2", ...REASON);
  assert.equal(await state("v1.0.2"), "active");
  assert.deepEqual(await listed(), ["v1.0.2", "v1.0.1", "v1.0.0"]);
  const report = await json(0, "release", "rollback", "v1.0.2", "--policy", "lenient", ...REASON);
  assert.match(report.warnings.join("\n"), /v1\.0\.2\/docs\/index\.html/);
  assert.equal(report.total_artifacts_removed, 2);
}

async function backToATime(repository: AnyRepository): Promise<void> {
  const { json, publish, listed, read } = repository;
  // What happens in the same millisecond is neither before nor after.
  await sleep(5);
  const at = new Date().toISOString();
  await sleep(5);
  await json(0, "release", "rollback", "v1.0.2", ...REASON);
  await json(0, "release", "yank", "v1.0.0", ...REASON);
  await publish("v1.1.0", "--channel", "stable");
  await json(0, "release", "restore", "--at", at);
  assert.deepEqual(new Set(await listed()), new Set(["v1.1.0", "v1.0.2", "v1.0.1", "v1.0.0"]));
  assert.equal(await repository.state("v1.0.0"), "active");
  const exact = await json(0, "release", "restore", "--at", at, "--exact", "--yes");
  assert.equal(exact.operation, "restore");
  assert.deepEqual(await listed(), ["v1.0.2", "v1.0.1", "v1.0.0"]);
  assert.equal(await read("v1.1.0/app.txt"), undefined);
  assert.equal((await json(0, "channel", "list")).channels.stable.version, "v1.0.2");
  assert.deepEqual((await json(0, "audit", "verify")).problems, []);
}

async function byEachName(repository: AnyRepository): Promise<void> {
  const { json, publish, state } = repository;
  const first = await json(0, "release", "rollback", "v1.0.2", ...REASON);
  await json(0, "release", "restore", first.backup[0].id);
  const second = await json(0, "release", "rollback", "v1.0.2", ...REASON);
  await json(0, "release", "restore", second.rollback_id.slice(0, 18));
  await json(46, "release", "restore", "v1.0.2");
  const same = await publish("v1.0.2");
  assert.equal(same.index_updated, false);
  const other = repository.source("v1.0.2", "other");
  await json(46, "release", "publish", "v1.0.2", other);
  assert.equal(await state("v1.0.2"), "active");
}

async function damagedBackup(repository: AnyRepository): Promise<void> {
  const { json, state, write } = repository;
  const report = await json(0, "release", "rollback", "v1.0.2", ...REASON);
  const folder = `.rollback-backups/${report.backup[0].id}`;
  await write(`${folder}/v1.0.2/app.txt`, "app v9.9.9\n"); // the size is right
  await json(0, "backup", "verify");
  const [verified] = await json(54, "backup", "verify", "--read-data");
  assert.deepEqual(verified.problems.map((problem: { path: string }) => problem.path), ["v1.0.2/app.txt"]);
  await json(45, "release", "restore", "v1.0.2");
  assert.equal(await state("v1.0.2"), "removed");
}

/** Active, with the bytes that were published, and everything verifies. */
async function isWhole(
  { json, state, read, cli }: Pick<AnyRepository, "json" | "state" | "read" | "cli">,
  version: string,
): Promise<void> {
  assert.equal(await state(version), "active");
  assert.equal(await read(`${version}/app.txt`), `app ${version}\n`);
  assert.equal(await read(`${version}/docs/index.html`), `<p>${version}\n`);
  assert.equal((await json(0, "channel", "list")).channels.stable.version, version);
  assert.equal((await cli("release", "verify")).code, 0);
  assert.deepEqual((await json(0, "audit", "verify")).problems, []);
}
