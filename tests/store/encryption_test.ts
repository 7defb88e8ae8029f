/** Keys of encrypted stores, and what sealed bytes withstand. */
import assert from "node:assert/strict";
import { IntegrityError, StorageError, UsageError } from "#/core/errors.ts";
import { aesCipher } from "#/store/aes_cipher.ts";
import { type EncryptionDescriptor, PLAIN_CIPHER, SealError } from "#/store/cipher.ts";
import { cipherFrom } from "#/store/cipher_from.ts";
import { createCipher, openCipher, rewrap } from "#/store/encryption.ts";
import type { StoreEncryption } from "#/store/options.ts";
import { generateKeyFile } from "#/store/user_key.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

const text = (value: string) => new TextEncoder().encode(value);
const PASSPHRASES: Readonly<Record<string, string>> = {
  RIGHT: "correct horse",
  WRONG: "battery staple",
  EMPTY: "",
};
const context = { env: (name: string) => PASSPHRASES[name], location: "/srv/store" };
const newKey = () => crypto.getRandomValues(new Uint8Array(32));
/** What was written to config.json and read again. */
const stored = (descriptor: EncryptionDescriptor) =>
  JSON.parse(JSON.stringify(descriptor)) as EncryptionDescriptor;

Deno.test("sealed bytes open again, and say nothing of what they are", () => {
  const cipher = aesCipher(newKey());
  for (const length of [0, 1, 15, 16, 17, 1000, 600_000]) {
    const bytes = new Uint8Array(length).fill(7);
    const sealed = cipher.seal(bytes, "frame");
    assert.equal(sealed.length, length + 29);
    assert.deepEqual(new Uint8Array(cipher.open(sealed, "frame")), bytes);
    if (length > 15) assert.equal(new TextDecoder("latin1").decode(sealed).includes("\x07".repeat(8)), false);
  }
});

Deno.test("the same bytes are never sealed the same way: no nonce comes twice", () => {
  const cipher = aesCipher(newKey());
  const seen = new Set<string>();
  for (let n = 0; n < 5000; n++) seen.add(cipher.seal(text("same"), "frame").slice(1, 13).toHex());
  assert.equal(seen.size, 5000);
});

Deno.test("no changed, cut or lengthened bytes open", () => {
  const cipher = aesCipher(newKey());
  const sealed = cipher.seal(text("what was stored"), "frame");
  for (let at = 0; at < sealed.length; at++) {
    const changed = sealed.slice();
    changed[at] = changed[at]! ^ 1;
    assert.throws(() => cipher.open(changed, "frame"), SealError, `byte ${at}`);
    assert.throws(() => cipher.open(sealed.slice(0, at), "frame"), SealError, `cut at ${at}`);
  }
  assert.throws(() => cipher.open(new Uint8Array([...sealed, 0]), "frame"), SealError);
});

Deno.test("nothing opens in the place of something else, or with another key", () => {
  const cipher = aesCipher(newKey());
  const sealed = cipher.seal(text("x"), "snapshots/rb-1.json");
  assert.throws(() => cipher.open(sealed, "snapshots/rb-2.json"), SealError);
  assert.throws(() => cipher.open(sealed, "frame"), SealError);
  assert.throws(() => cipher.open(sealed), SealError);
  assert.throws(() => aesCipher(newKey()).open(sealed, "snapshots/rb-1.json"), SealError);
});

Deno.test("ids of chunks depend on the key, and are the same in every thread", async () => {
  const key = newKey();
  const cipher = aesCipher(key);
  const sha256 = new Uint8Array(32).fill(9);
  const id = new Uint8Array(cipher.id(sha256));
  assert.equal(id.length, 32);
  assert.notDeepEqual(id, sha256);
  assert.notDeepEqual(new Uint8Array(aesCipher(newKey()).id(sha256)), id);
  const source = new URL("./cipher_worker.ts", import.meta.url);
  const worker = new Worker(source, { type: "module" });
  try {
    const answer = Promise.withResolvers<{ readonly id: Uint8Array; readonly sealed: Uint8Array }>();
    worker.onmessage = ({ data }) => answer.resolve(data);
    worker.onerror = (event) => answer.reject(new Error(event.message));
    worker.postMessage({ material: cipher.material, sha256 });
    const { id: theirs, sealed } = await answer.promise;
    assert.deepEqual(theirs, id);
    assert.deepEqual(new Uint8Array(cipher.open(sealed, "frame")), sha256);
  } finally {
    worker.terminate();
  }
  assert.equal(cipherFrom(PLAIN_CIPHER.material), PLAIN_CIPHER);
});

Deno.test("a store opens with its own key file, in each way to write it", () =>
  withTempDir((folder) => {
    const file = (name: string) => ({ keyFile: `${folder}/${name}` });
    generateKeyFile(`${folder}/key`);
    const line = Deno.readTextFileSync(`${folder}/key`).trim();
    assert.equal(Deno.lstatSync(`${folder}/key`).mode! & 0o777, 0o600);
    const bytes = Uint8Array.fromBase64(line);
    Deno.writeFileSync(`${folder}/raw`, bytes, { mode: 0o600 });
    Deno.writeTextFileSync(`${folder}/hex`, `${bytes.toHex()}\n`, { mode: 0o600 });
    Deno.writeTextFileSync(`${folder}/url`, bytes.toBase64({ alphabet: "base64url", omitPadding: true }), {
      mode: 0o600,
    });
    const cipher = createCipher(file("key"), context);
    const sealed = cipher.seal(text("x"), "frame");
    for (const name of ["key", "raw", "hex", "url"]) {
      const again = openCipher(stored(cipher.descriptor), file(name), context);
      assert.deepEqual(new Uint8Array(again.open(sealed, "frame")), text("x"), name);
    }
    assert.equal(JSON.stringify(cipher.descriptor).includes(bytes.toHex()), false);
    assert.equal(JSON.stringify(cipher.descriptor).includes(cipher.material.key.toHex()), false);
    assert.throws(() => generateKeyFile(`${folder}/key`), UsageError);
    assert.equal(Deno.readTextFileSync(`${folder}/key`).trim(), line);
  }));

Deno.test("a wrong key is refused as such, whichever kind it is", () =>
  withTempDir((folder) => {
    generateKeyFile(`${folder}/key`);
    generateKeyFile(`${folder}/other`);
    Deno.writeTextFileSync(`${folder}/passphrase`, "correct horse\n", { mode: 0o600 });
    const byFile = createCipher({ keyFile: `${folder}/key` }, context).descriptor;
    const byWord = createCipher({ passphraseEnv: "RIGHT" }, context).descriptor;
    const refused = (
      descriptor: EncryptionDescriptor,
      encryption: StoreEncryption | undefined,
      why: RegExp,
    ) => {
      assert.throws(() => openCipher(stored(descriptor), encryption, context), (error: unknown) => {
        assert.ok(error instanceof UsageError, String(error));
        assert.match(error.message, why);
        assert.equal(/horse|staple/.test(error.message + error.hint), false);
        return true;
      });
    };
    refused(
      byFile,
      { keyFile: `${folder}/other` },
      /other is not the key of the snapshot store \/srv\/store/,
    );
    refused(byFile, { passphraseEnv: "RIGHT" }, /opens with a key file, not with a passphrase/);
    refused(byFile, undefined, /is encrypted, and no key was given/);
    refused(byWord, { passphraseEnv: "WRONG" }, /the variable WRONG is not the key/);
    refused(byWord, { keyFile: `${folder}/key` }, /opens with a passphrase, not with a key file/);
    refused(byWord, { passphraseEnv: "MISSING" }, /the variable MISSING is not set/);
    refused(byWord, { passphraseEnv: "EMPTY" }, /it is empty/);
    refused({ kind: "none" }, { keyFile: `${folder}/key` }, /is not encrypted, but a key was given/);
    openCipher(stored(byWord), { passphraseFile: `${folder}/passphrase` }, context);
    assert.equal(openCipher({ kind: "none" }, undefined, context), PLAIN_CIPHER);
  }));

Deno.test("a configuration that was tampered with is not believed", () => {
  const { kind, key } = createCipher({ passphraseEnv: "RIGHT" }, context).descriptor as {
    readonly kind: string;
    readonly key: Readonly<Record<string, string | number>>;
  } & EncryptionDescriptor;
  const opened = (change: Readonly<Record<string, unknown>>, otherKind = kind) => () =>
    openCipher({ kind: otherKind, key: { ...key, ...change } as never }, { passphraseEnv: "RIGHT" }, context);
  opened({})();
  const flipped = (name: string) => String(key[name]).replace(/^./, (it) => it === "0" ? "1" : "0");
  assert.throws(opened({ sealed: flipped("sealed") }), IntegrityError);
  assert.throws(opened({ nonce: flipped("nonce") }), IntegrityError);
  assert.throws(opened({ salt: flipped("salt") }), UsageError);
  assert.throws(opened({ n: 2 ** 30 }), IntegrityError); // would take all memory
  assert.throws(opened({ n: 40_000 }), IntegrityError);
  assert.throws(opened({ p: 1000 }), IntegrityError);
  assert.throws(opened({ kdf: "none" }), IntegrityError);
  assert.throws(opened({}, "rot13"), /does not know/);
});

Deno.test("the key can be changed: the new one opens what the old one sealed, the old one nothing", () =>
  withTempDir((folder) => {
    generateKeyFile(`${folder}/old`);
    generateKeyFile(`${folder}/new`);
    const [old, next] = [{ keyFile: `${folder}/old` }, { keyFile: `${folder}/new` }];
    const before = createCipher(old, context);
    const sealed = before.seal(text("x"), "frame");
    const changed = rewrap(before.descriptor, old, next, context);
    const after = openCipher(stored(changed), next, context);
    assert.deepEqual(new Uint8Array(after.open(sealed, "frame")), text("x"));
    assert.throws(() => openCipher(changed, old, context), UsageError);
    const word = rewrap(changed, next, { passphraseEnv: "RIGHT" }, context);
    openCipher(word, { passphraseEnv: "RIGHT" }, context);
    assert.throws(() => rewrap(changed, old, next, context), UsageError);
  }));

testRequiring(
  ["posix"],
  "a key that everybody may read, or that is none, is refused",
  () =>
    withTempDir((folder) => {
      const path = `${folder}/key`;
      generateKeyFile(path);
      const use = () => createCipher({ keyFile: path }, context);
      for (const mode of [0o644, 0o604, 0o660, 0o602]) {
        Deno.chmodSync(path, mode);
        assert.throws(use, (error: unknown) => {
          return error instanceof StorageError && /other users may read or change it/.test(error.message) &&
            error.hint === `Take that away: chmod 600 ${path}`;
        });
      }
      for (const mode of [0o600, 0o400, 0o640]) {
        Deno.chmodSync(path, mode);
        use();
      }
      Deno.chmodSync(path, 0o600);
      for (const content of ["", "short", "x".repeat(31), `${"A".repeat(44)}`, "y".repeat(5000)]) {
        Deno.writeTextFileSync(path, content);
        assert.throws(use, (error) => error instanceof UsageError || error instanceof StorageError, content);
      }
      assert.throws(() => createCipher({ keyFile: `${folder}/none` }, context), StorageError);
      assert.throws(() => createCipher({ keyFile: folder }, context), StorageError);
    }),
);
