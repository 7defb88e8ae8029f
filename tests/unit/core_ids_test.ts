import assert from "node:assert/strict";
import { backupFolderName, newOperationId, parseBackupFolderName } from "#/core/ids.ts";
import { isBackupId, isOperationId } from "#/core/safe_path.ts";

const AT = new Date("2026-03-01T03:04:05.678Z");

Deno.test("an operation id is a UUID of version 7 that carries its time", () => {
  const id = newOperationId(AT);
  assert.ok(isOperationId(id), id);
  assert.match(id, /^.{14}7.{4}[89ab]/);
  assert.equal(parseInt(id.replaceAll("-", "").slice(0, 12), 16), AT.getTime());
  assert.notEqual(newOperationId(AT), id);
});

Deno.test("a backup folder's name says version and time, and is a backup id", () => {
  const name = backupFolderName("v1.0.2", "019577a0-1234-7abc-8def-012389abcdef", AT);
  assert.equal(name, "v1.0.2-20260301_030405-89abcdef");
  assert.ok(isBackupId(name));
  assert.deepEqual(parseBackupFolderName(name), { version: "v1.0.2", at: "2026-03-01T03:04:05.000Z" });
});

Deno.test("names of other tools' backups", () => {
  const at = "2025-12-31T23:59:58.000Z";
  assert.deepEqual(parseBackupFolderName("1.2-rc.1-20251231235958-a1"), { version: "1.2-rc.1", at });
  assert.deepEqual(parseBackupFolderName("v1-20251231-235958-0123abcd"), { version: "v1", at });
  for (
    const name of [
      "",
      "v1",
      "v1-20251231_235958",
      "-20251231_235958-a",
      "v1-20251331_235958-a",
      "v1-20251231_235958-a/b",
    ]
  ) {
    assert.equal(parseBackupFolderName(name), undefined, name);
  }
});
