/** What signatures of the log prove, with and without the owner's public key at hand. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { sha256Hex } from "#/core/sha256.ts";
import { encodeEntry, entryKey, publicKeyKey } from "#/audit/entry.ts";
import { generateKey, loadSigner, type Signer } from "#/audit/sign.ts";
import { verifyAuditLog } from "#/audit/verify.ts";
import { withTempDir } from "../support/temp.ts";
import { assertFound, bytesOf, claims, entryOf, fill, MemoryStore, problemsOf } from "./audit_support.ts";

async function newSigner(folder: string, name: string, type: "ed25519" | "rsa" = "ed25519"): Promise<Signer> {
  return loadSigner((await generateKey({ out: join(folder, name), type })).private_key);
}

Deno.test("a rewritten chain passes unsigned, and a signature finds it", async () => {
  await withTempDir(async (folder) => {
    for (const type of ["ed25519", "rsa"] as const) {
      const signer = await newSigner(folder, `key-${type}`, type);
      const store = new MemoryStore();
      const results = await fill(store, 4, { signer });
      const claimed = claims(store, results);
      assert.deepEqual(await problemsOf({ ...claimed, publicKeyPem: signer.publicKeyPem }), []);
      assert.equal((await verifyAuditLog(claimed)).signed, 4);
      let previous = results[0]!.sha256;
      for (const seq of [2, 3, 4]) {
        const entry = { ...entryOf(results[seq - 1]!.bytes), previous_sha256: previous, reason: "rewritten" };
        const bytes = bytesOf(entry);
        store.files.set(entryKey(seq), bytes);
        previous = sha256Hex(bytes);
      }
      const request = { store, index: undefined, history: [], unfinished: [] };
      assertFound(await problemsOf(request), "00000002.json has a signature that is not valid");
      for (const seq of [2, 3, 4]) {
        const { signature: _, ...entry } = entryOf(store.files.get(entryKey(seq))!);
        const before = seq === 2 ? results[0]!.sha256 : sha256Hex(store.files.get(entryKey(seq - 1))!);
        store.files.set(entryKey(seq), bytesOf({ ...entry, previous_sha256: before }));
      }
      assert.deepEqual(await problemsOf(request), [], "without a key nothing tells stripped signatures");
      assertFound(
        await problemsOf({ ...request, publicKeyPem: signer.publicKeyPem }),
        "00000002.json to 00000004.json (3 entries) are not signed",
      );
    }
  });
});

Deno.test("a log signed anew with a foreign key passes only without the true public key", async () => {
  await withTempDir(async (folder) => {
    const [owner, thief] = [await newSigner(folder, "owner"), await newSigner(folder, "thief")];
    const store = new MemoryStore();
    const results = await fill(store, 3, { signer: owner });
    store.files.set(publicKeyKey(thief.fingerprint), new TextEncoder().encode(thief.publicKeyPem));
    let previousSha256: string | null = null;
    for (const { seq, bytes } of results) {
      const forged = await encodeEntry(
        { ...entryOf(bytes), by: "thief" },
        { seq, previousSha256 },
        thief,
      );
      store.files.set(entryKey(seq), forged);
      previousSha256 = sha256Hex(forged);
    }
    const request = { store, index: undefined, history: [], unfinished: [] };
    assert.deepEqual(await problemsOf(request), []);
    assertFound(
      await problemsOf({ ...request, publicKeyPem: owner.publicKeyPem }),
      "No entry of the audit log is validly signed with the given public key",
    );
  });
});

Deno.test("with a public key, entries are covered by their own signature or by a later one", async () => {
  await withTempDir(async (folder) => {
    const [old, fresh] = [await newSigner(folder, "old"), await newSigner(folder, "fresh")];
    const store = new MemoryStore();
    await fill(store, 2);
    await fill(store, 2, { signer: old });
    await fill(store, 2, { signer: fresh });
    const request = { store, index: undefined, history: [], unfinished: [] };
    assert.equal((await verifyAuditLog(request)).signed, 4);
    assert.deepEqual(await problemsOf(request), []);
    assert.deepEqual(await problemsOf({ ...request, publicKeyPem: fresh.publicKeyPem }), []);
    assert.deepEqual(
      await problemsOf({ ...request, publicKeyPem: old.publicKeyPem + fresh.publicKeyPem }),
      [],
    );
    assertFound(
      await problemsOf({ ...request, publicKeyPem: old.publicKeyPem }),
      "00000005.json to 00000006.json",
      "not signed with the given public key",
    );
    await fill(store, 1);
    assertFound(
      await problemsOf({ ...request, publicKeyPem: fresh.publicKeyPem }),
      "00000007.json is not signed",
    );
    await assert.rejects(problemsOf({ ...request, publicKeyPem: "nonsense" }), /PEM/);
  });
});

Deno.test("a missing, exchanged or damaged key is one sentence", async () => {
  await withTempDir(async (folder) => {
    const [signer, other] = [await newSigner(folder, "key"), await newSigner(folder, "other")];
    const store = new MemoryStore();
    await fill(store, 3, { signer });
    const key = publicKeyKey(signer.fingerprint);
    const request = { store, index: undefined, history: [], unfinished: [] };
    const encoder = new TextEncoder();
    for (
      const [bytes, words] of [
        [undefined, "is missing"],
        [encoder.encode(other.publicKeyPem), "another key than its name says"],
        [encoder.encode("junk"), "is damaged"],
      ] as const
    ) {
      if (bytes === undefined) store.files.delete(key);
      else store.files.set(key, bytes);
      const problems = await problemsOf(request);
      assert.equal(problems.length, 1);
      assertFound(problems, "3 entries", key, words);
      assert.deepEqual(await problemsOf({ ...request, publicKeyPem: signer.publicKeyPem }), []);
    }
  });
});

Deno.test("a signature moved to another entry is not valid there", async () => {
  await withTempDir(async (folder) => {
    const signer = await newSigner(folder, "key");
    const store = new MemoryStore();
    const [first, second] = await fill(store, 2, { signer });
    const forged = { ...entryOf(second!.bytes), signature: entryOf(first!.bytes).signature };
    store.files.set(entryKey(2), bytesOf(forged));
    const request = { store, index: undefined, history: [], unfinished: [] };
    assertFound(await problemsOf(request), "00000002.json has a signature that is not valid");
    const renamed = { ...entryOf(second!.bytes).signature, algorithm: "rsa-pss-sha256" };
    store.files.set(entryKey(2), bytesOf({ ...entryOf(second!.bytes), signature: renamed }));
    assertFound(await problemsOf(request), "00000002.json has a signature that is not valid");
  });
});
