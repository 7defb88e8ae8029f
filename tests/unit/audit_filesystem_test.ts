/** The audit log on the real driver. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { appendAudit } from "#/audit/chain.ts";
import { entryKey, publicKeyKey } from "#/audit/entry.ts";
import { generateKey, loadSigner } from "#/audit/sign.ts";
import { verifyAuditLog } from "#/audit/verify.ts";
import { openStorage } from "#/storage/registry.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { auditBody, fill } from "./audit_support.ts";

Deno.test("a signed log on a filesystem verifies, and an edit of it is found", async () => {
  await withTempDir(async (folder) => {
    const signer = loadSigner((await generateKey({ out: join(folder, "key.pem") })).private_key);
    const root = join(folder, "releases");
    const { store } = await openStorage(root);
    const results = await fill(store, 40, { signer });
    const { seq, sha256 } = results.at(-1)!;
    const request = {
      store,
      index: { audit_head: { seq, sha256 } },
      history: [],
      unfinished: [],
      publicKeyPem: signer.publicKeyPem,
    };
    assert.deepEqual(await verifyAuditLog(request), {
      entries: 40,
      archived: 0,
      signed: 40,
      head: { seq, sha256 },
      problems: [],
    });
    const file = join(root, entryKey(17));
    Deno.writeTextFileSync(file, Deno.readTextFileSync(file).replace("broken", "fine"));
    const { problems } = await verifyAuditLog(request);
    assert.deepEqual(problems.map((problem) => problem.split(" ")[0]), [entryKey(17), entryKey(18)]);
    assert.deepEqual(
      [...Deno.readDirSync(join(root, ".backout/audit"))].map(({ name }) => name).sort(),
      [...results.map(({ seq }) => entryKey(seq).split("/").at(-1)), "keys"],
    );
  });
});

Deno.test("several writers on one folder each get a place of their own", async () => {
  await withTempDir(async (folder) => {
    const results = await Promise.all(
      Array.from({ length: 8 }, async () => appendAudit((await openStorage(folder)).store, auditBody())),
    );
    assert.deepEqual(results.map(({ seq }) => seq).sort(), [1, 2, 3, 4, 5, 6, 7, 8]);
    const { store } = await openStorage(folder);
    const { problems } = await verifyAuditLog({ store, index: undefined, history: [], unfinished: [] });
    assert.deepEqual(problems, []);
  });
});

testRequiring(["posix"], "a symlink or a folder in place of an entry or a key is named", async () => {
  await withTempDir(async (folder) => {
    const signer = loadSigner((await generateKey({ out: join(folder, "key.pem") })).private_key);
    const root = join(folder, "releases");
    const { store } = await openStorage(root);
    await fill(store, 3, { signer });
    const path = (key: string) => join(root, key);
    Deno.renameSync(path(entryKey(1)), join(folder, "moved.json"));
    Deno.symlinkSync(join(folder, "moved.json"), path(entryKey(1)));
    Deno.removeSync(path(entryKey(2)));
    Deno.mkdirSync(path(entryKey(2)));
    const key = publicKeyKey(signer.fingerprint);
    Deno.removeSync(path(key));
    Deno.symlinkSync(join(folder, "key.pem.pub"), path(key));
    const { problems } = await verifyAuditLog({ store, index: undefined, history: [], unfinished: [] });
    assert.deepEqual(problems, [
      `${entryKey(1)} is not a file but a symlink`,
      `${entryKey(2)} is not a file but a folder`,
      `The signature of 1 entry cannot be checked: the key ${key} is not a file but a symlink`,
    ]);
  });
});

testRequiring(["posix"], "an unwritable log is an error that names the file, and adds nothing", async () => {
  await withTempDir(async (folder) => {
    const { store } = await openStorage(folder);
    await fill(store, 1);
    Deno.removeSync(join(folder, ".backout/audit"), { recursive: true });
    Deno.writeTextFileSync(join(folder, ".backout/audit"), "in the way");
    await assert.rejects(appendAudit(store, auditBody()), /\.backout\/audit/);
  });
});
