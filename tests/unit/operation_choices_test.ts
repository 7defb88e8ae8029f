/** Choices that force and names open up. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { deleteBackup, publishRelease, restoreRelease, rollbackRelease } from "#/mod.ts";
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
