/** What operations report is what happened; each of these was once otherwise. */
import assert from "node:assert/strict";
import { setFaultHook } from "#/core/posix.ts";
import * as backout from "#/mod.ts";
import type { OperationEvent } from "#/report/model.ts";
import { readRepositoryTree, treeDifferences } from "../support/tree.ts";
import { withTempDir } from "../support/temp.ts";

interface Repository {
  readonly repository: string;
  readonly now: () => Date;
  readonly reason: string;
}

/** v1 and v2 published, ten seconds apart; the clock goes on by ten seconds with each `tick`. */
async function published(cwd: string) {
  let time = Date.parse("2026-03-01T00:00:00Z");
  const base: Repository = { repository: `${cwd}/releases`, now: () => new Date(time), reason: "a test" };
  const tick = () => {
    time += 10_000;
    return new Date(time - 5_000).toISOString();
  };
  const directory = (version: string) => `${cwd}/${version}`;
  for (const version of ["v1", "v2"]) {
    Deno.mkdirSync(directory(version));
    Deno.writeTextFileSync(`${directory(version)}/app`, `app ${version}\n`);
    await done(backout.publishRelease({ ...base, version, directory: directory(version) }));
    tick();
  }
  return { base, tick, directory, root: base.repository };
}

async function done(run: ReturnType<typeof backout.rollbackRelease>, code = 0) {
  const report = await run;
  assert.equal(report.exit_code, code, report.summary);
  return report;
}

// deno-lint-ignore no-explicit-any -- looked into freely
const readIndex = (root: string): any => JSON.parse(Deno.readTextFileSync(`${root}/index.json`));

Deno.test("publishing the same bytes into a new channel keeps the release's record", async () => {
  await withTempDir(async (cwd) => {
    const { base, directory, root } = await published(cwd);
    const record = Deno.readTextFileSync(`${root}/.backout/releases/v2.json`);
    const report = await done(
      backout.publishRelease({ ...base, version: "v2", directory: directory("v2"), channels: ["stable"] }),
    );
    assert.deepEqual(report.warnings, []);
    assert.equal(Deno.readTextFileSync(`${root}/.backout/releases/v2.json`), record);
    assert.deepEqual((await backout.verifyReleases({ repository: root })).problems, []);
  });
});

Deno.test("what is already there comes before what it depends on: 46, not 42", async () => {
  await withTempDir(async (cwd) => {
    const { base, directory } = await published(cwd);
    await done(
      backout.publishRelease({ ...base, version: "v2", directory: directory("v1"), dependsOn: ["v9"] }),
      46,
    );
    await done(
      backout.publishRelease({ ...base, version: "v3", directory: directory("v1"), dependsOn: ["v9"] }),
      42,
    );
  });
});

Deno.test("a release that was emptied without a backup cannot be restored: 45, also where an older backup is there", async () => {
  await withTempDir(async (cwd) => {
    const { base, tick } = await published(cwd);
    const empty = { ...base, version: "v2", type: "artifacts_only", noBackup: true } as const;
    await done(backout.rollbackRelease(empty));
    await done(backout.restoreRelease({ ...base, target: "v2" }), 45);
    await done(backout.restoreRelease({ ...base, target: "v2", dryRun: true }), 45);
    tick();
    await done(backout.rollbackRelease({ ...base, version: "v1" }));
    await done(backout.restoreRelease({ ...base, target: "v1" }));
    tick();
    await done(backout.rollbackRelease({ ...empty, version: "v1" }));
    await done(backout.restoreRelease({ ...base, target: "v1" }), 45);
  });
});

Deno.test("restore --at takes a mark back and does not say that artifacts are gone which are there", async () => {
  await withTempDir(async (cwd) => {
    const { base, tick, root } = await published(cwd);
    await done(backout.rollbackRelease({ ...base, version: "v1", type: "artifacts_only" }));
    const emptied = tick();
    await done(backout.restoreRelease({ ...base, target: "v1" }));
    tick();
    await done(backout.yankRelease({ ...base, version: "v1" }));
    tick();
    await backout.restoreRelease({ ...base, at: emptied });
    const entry = readIndex(root).releases.find((release: { version: string }) => release.version === "v1");
    assert.ok(Deno.statSync(`${root}/v1/app`).isFile);
    assert.notEqual(entry.status, "emptied");
    assert.equal(entry.removed_artifacts, undefined);
  });
});

Deno.test("an operation whose lock cannot be released afterwards is reported as what it is: done", async () => {
  await withTempDir(async (cwd) => {
    const { base, root } = await published(cwd);
    setFaultHook((call, path) => {
      if (call !== "unlink" || !path.endsWith("/.backout/lock")) return;
      throw Object.assign(new Error("EIO: injected"), { code: "EIO" });
    });
    try {
      const told: string[] = [];
      const onEvent = (event: OperationEvent) => void (event.event === "warning" && told.push(event.message));
      const report = await backout.rollbackRelease({ ...base, version: "v2", onEvent });
      assert.deepEqual(readIndex(root).releases.map((release: { version: string }) => release.version), [
        "v1",
      ]);
      assert.equal(report.exit_code, 0, report.summary);
      assert.equal(report.index_updated, true);
      assert.equal(report.total_artifacts_removed, 1);
      assert.match(told.join("\n"), /lock could not be released/);
    } finally {
      setFaultHook(undefined);
    }
  });
});

Deno.test("a refusal, a dry run and a denial leave the repository as it is and are in history and audit", async () => {
  await withTempDir(async (cwd) => {
    const { base, root, tick } = await published(cwd);
    await done(backout.setChannel({ ...base, channel: "stable", version: "v2" }));
    const before = readRepositoryTree(root);
    const entries = (await backout.verifyAudit({ repository: root })).entries;
    tick(); // the history is in the order of the clock
    await done(backout.rollbackRelease({ ...base, version: "v9" }), 40);
    await done(backout.rollbackRelease({ ...base, version: "v2" }), 41);
    await done(backout.rollbackRelease({ ...base, version: "v1", dryRun: true }));
    assert.deepEqual(treeDifferences(before, readRepositoryTree(root)), []);
    const audit = await backout.verifyAudit({ repository: root });
    assert.deepEqual(audit.problems, []);
    assert.equal(audit.entries, entries + 3);
    const codes = (await backout.listHistory({ repository: root, limit: 3 })).map((entry) => entry.exit_code);
    assert.deepEqual(codes.toSorted(), [0, 40, 41]);
  });
});
