/** Choices that force and names open up. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { deleteBackup, publishRelease, repositoryStatus, restoreRelease, rollbackRelease } from "#/mod.ts";
import { withTempDir } from "../support/temp.ts";

function releaseFolder(cwd: string, text: string): string {
  const directory = join(cwd, "build");
  Deno.mkdirSync(directory, { recursive: true });
  Deno.writeTextFileSync(join(directory, "app"), text);
  return directory;
}

Deno.test("a dependency that is not published is refused, and only a warning with force", async () => {
  await withTempDir(async (cwd) => {
    const asked = {
      repository: join(cwd, "r"),
      version: "v2",
      directory: releaseFolder(cwd, "two"),
      dependsOn: ["v1"],
    };
    const refused = await publishRelease(asked);
    assert.equal(refused.exit_code, 42);
    assert.match(refused.summary, /depends on v1, which is not published/);
    const forced = await publishRelease({ ...asked, force: true, reason: "v1 follows" });
    assert.equal(forced.exit_code, 0, forced.summary);
    assert.match(forced.warnings.join("\n"), /dependencies-published: it depends on v1/);
    assert.equal(forced.dependencies_satisfied, false);
  });
});

Deno.test("an older backup that is named restores a version whose newest backup is gone", async () => {
  await withTempDir(async (cwd) => {
    const repository = join(cwd, "r");
    await publishRelease({ repository, version: "v1", directory: releaseFolder(cwd, "one") });
    const older = (await rollbackRelease({ repository, version: "v1" })).backup[0]!.id;
    await restoreRelease({ repository, target: "v1" });
    const newer = (await rollbackRelease({ repository, version: "v1" })).backup[0]!.id;
    assert.equal((await deleteBackup({ repository, backup: newer })).exit_code, 0);
    assert.equal((await restoreRelease({ repository, target: "v1" })).exit_code, 45);
    const restored = await restoreRelease({ repository, target: older });
    assert.equal(restored.exit_code, 0, restored.summary);
    assert.equal(Deno.readTextFileSync(join(repository, "v1/app")), "one");
  });
});

Deno.test("a repository is not published into itself, and a release does not depend on itself", async () => {
  await withTempDir(async (cwd) => {
    const repository = join(cwd, "r");
    const directory = releaseFolder(cwd, "one");
    await assert.rejects(publishRelease({ repository, version: "v1", directory, dependsOn: ["v1"] }), {
      code: 2,
    });
    assert.equal((await publishRelease({ repository, version: "v1", directory })).exit_code, 0);
    for (const folder of [repository, cwd, join(repository, ".backout"), join(repository, "v1/..")]) {
      await assert.rejects(
        publishRelease({ repository, version: "v2", directory: folder }),
        { code: 2 },
        folder,
      );
    }
    const incoming = join(repository, "incoming");
    Deno.mkdirSync(incoming);
    Deno.writeTextFileSync(join(incoming, "app"), "two");
    assert.equal((await publishRelease({ repository, version: "v2", directory: incoming })).exit_code, 0);
  });
});

Deno.test("a repository path that is a file is refused before anything is done", async () => {
  await withTempDir(async (cwd) => {
    const repository = join(cwd, "file");
    Deno.writeTextFileSync(repository, "");
    await assert.rejects(rollbackRelease({ repository, version: "v1" }), {
      code: 2,
      message: /it is not a folder/,
    });
    await assert.rejects(repositoryStatus({ repository }), { code: 2 });
  });
});
