/** A second signing key: entries that the first one signed stay valid, and an unknown one is refused. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { sha256Hex } from "#/core/sha256.ts";
import { encodeEntry, entryKey, publicKeyKey } from "#/audit/entry.ts";
import { generateKey, loadSigner, type Signer } from "#/audit/sign.ts";
import { archiveAudit, publishRelease, verifyAudit, yankRelease } from "#/mod.ts";
import { withTempDir } from "../support/temp.ts";
import { archive, assertFound, entryOf, fill, MemoryStore, problemsOf } from "./audit_support.ts";

async function newSigner(folder: string, name: string): Promise<Signer> {
  return loadSigner((await generateKey({ out: join(folder, name) })).private_key);
}

const alone = { index: undefined, history: [], unfinished: [] };

Deno.test("rotation: which public keys say yes to a log of two keys, archived or not", async (t) => {
  await withTempDir(async (folder) => {
    const [old, fresh, unknown] = await Promise.all(
      ["old", "fresh", "unknown"].map((name) => newSigner(folder, name)),
    );
    const pem = (...signers: (Signer | undefined)[]) =>
      signers.map((signer) => signer!.publicKeyPem).join("\n");
    for (const archived of [false, true]) {
      const store = new MemoryStore();
      await fill(store, 3, { signer: old });
      await fill(store, 3, { signer: fresh });
      if (archived) await archive(store, { keep: 2 });
      for (
        const [name, keys, found] of [
          ["no key: those beside the log", undefined, []],
          ["both", pem(old, fresh), []],
          ["both, the other way round", pem(fresh, old), []],
          ["the new one covers what came before", pem(fresh), []],
          ["the old one alone does not say who wrote since", pem(old), ["00000004.json to 00000006.json"]],
          ["an unknown one", pem(unknown), ["No entry of the audit log is validly signed"]],
          ["an unknown one beside the old one", pem(unknown, old), ["00000004.json to 00000006.json"]],
        ] as const
      ) {
        await t.step(`${name}${archived ? ", archived" : ""}`, async () => {
          const problems = await problemsOf({ store, ...alone, publicKeyPem: keys });
          assert.equal(problems.length, found.length, problems.join("\n"));
          if (found.length > 0) assertFound(problems, ...found);
        });
      }
    }
  });
});

Deno.test("rotation: a tail that an unknown key signed anew is refused, also with its key beside the log", async () => {
  await withTempDir(async (folder) => {
    const [old, fresh, thief] = await Promise.all(
      ["old", "fresh", "thief"].map((name) => newSigner(folder, name)),
    );
    const store = new MemoryStore();
    const results = [...await fill(store, 3, { signer: old! }), ...await fill(store, 3, { signer: fresh! })];
    for (const from of [2, 4, 6]) {
      const forged = new MemoryStore();
      for (const [key, bytes] of store.files) forged.files.set(key, bytes);
      forged.files.set(publicKeyKey(thief!.fingerprint), new TextEncoder().encode(thief!.publicKeyPem));
      let previousSha256 = results[from - 2]!.sha256;
      for (let seq = from; seq <= 6; seq++) {
        const body = { ...entryOf(results[seq - 1]!.bytes), reason: "rewritten" };
        const bytes = await encodeEntry(body, { seq, previousSha256 }, thief);
        forged.files.set(entryKey(seq), bytes);
        previousSha256 = sha256Hex(bytes);
      }
      assert.deepEqual(
        await problemsOf({ store: forged, ...alone }),
        [],
        "by itself the forged log is whole",
      );
      assertFound(
        await problemsOf({ store: forged, ...alone, publicKeyPem: old!.publicKeyPem + fresh!.publicKeyPem }),
        `0000000${from}.json`,
        "not signed with the given public key",
      );
    }
  });
});

Deno.test("rotation: after the old key was stolen, trusting only the new one refuses what the thief adds", async () => {
  await withTempDir(async (folder) => {
    const [stolen, fresh] = await Promise.all(["stolen", "fresh"].map((name) => newSigner(folder, name)));
    const store = new MemoryStore();
    await fill(store, 2, { signer: stolen! });
    await fill(store, 2, { signer: fresh! });
    assert.deepEqual(await problemsOf({ store, ...alone, publicKeyPem: fresh!.publicKeyPem }), []);
    await fill(store, 1, { signer: stolen! });
    assertFound(
      await problemsOf({ store, ...alone, publicKeyPem: fresh!.publicKeyPem }),
      "00000005.json is not signed with the given public key",
    );
    const both = stolen!.publicKeyPem + fresh!.publicKeyPem;
    assert.deepEqual(
      await problemsOf({ store, ...alone, publicKeyPem: both }),
      [],
      "so never trust a stolen key",
    );
  });
});

Deno.test("rotation: through the library, with keys in files, over an archiving", async () => {
  await withTempDir(async (folder) => {
    const repository = join(folder, "releases");
    const directory = join(folder, "v1");
    Deno.mkdirSync(directory);
    Deno.writeTextFileSync(join(directory, "app"), "1");
    const old = await generateKey({ out: join(folder, "old.pem") });
    const fresh = await generateKey({ out: join(folder, "new.pem"), type: "rsa" });
    const [withOld, withNew] = [{ signingKeyFile: old.private_key }, { signingKeyFile: fresh.private_key }];
    await publishRelease({ repository, version: "v1", directory, ...withOld });
    await yankRelease({ repository, version: "v1", reason: "first", ...withOld });
    assert.equal((await archiveAudit({ repository, keep: 1, ...withNew })).exit_code, 0);
    const verified = async (...publicKeyFile: string[]) => await verifyAudit({ repository, publicKeyFile });
    for (const keys of [[], [old.public_key, fresh.public_key], [fresh.public_key]]) {
      const { problems, signed, entries, archived } = await verified(...keys);
      assert.deepEqual([problems, signed, entries, archived], [[], 3, 3, 1]);
    }
    assert.deepEqual((await verifyAudit({ repository, publicKeyFile: fresh.public_key })).problems, []);
    assertFound(
      (await verified(old.public_key)).problems,
      "00000003.json is not signed with the given public key",
    );
    await assert.rejects(verified(join(folder, "none.pub")), /Cannot read the public key/);
    assert.deepEqual(
      [...Deno.readDirSync(join(repository, ".backout/audit/keys"))].map(({ name }) => name).sort(),
      [`${old.fingerprint}.pem`, `${fresh.fingerprint}.pem`].sort(),
    );
  });
});
