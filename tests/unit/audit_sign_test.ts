import assert from "node:assert/strict";
import { join } from "node:path";
import { generateKey, loadSigner, loadVerifier, loadVerifiers, verifySignature } from "#/audit/sign.ts";
import { UsageError } from "#/core/errors.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { run } from "./audit_support.ts";

const BYTES = new TextEncoder().encode('{"what":"was rolled back"}\n');
const RSA_PSS_VERIFY = [
  ...["dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"],
];

async function openssl(folder: string, ...args: string[]): Promise<void> {
  const { code, output } = await run("openssl", args, folder);
  assert.equal(code, 0, output);
}

/** Signs with the key and lets openssl check it with the public key that openssl itself derives. */
async function checkWithOpenssl(folder: string, key: string): Promise<void> {
  const signer = loadSigner(join(folder, key));
  const signature = await signer.sign(BYTES);
  Deno.writeFileSync(join(folder, "data"), BYTES);
  Deno.writeFileSync(join(folder, "data.sig"), signature);
  Deno.writeTextFileSync(join(folder, "ours.pub"), signer.publicKeyPem);
  await openssl(folder, "pkey", "-in", key, "-pubout", "-out", "theirs.pub");
  for (const publicKey of ["ours.pub", "theirs.pub"]) {
    const args = signer.algorithm === "ed25519"
      ? ["pkeyutl", "-verify", "-pubin", "-inkey", publicKey, "-rawin", "-in", "data", "-sigfile", "data.sig"]
      : [...RSA_PSS_VERIFY, "-verify", publicKey, "-signature", "data.sig", "data"];
    await openssl(folder, ...args);
    const tampered = [...args];
    Deno.writeFileSync(join(folder, "other"), BYTES.map((byte, i) => (i === 3 ? byte ^ 1 : byte)));
    tampered[tampered.lastIndexOf("data")] = "other";
    assert.notEqual((await run("openssl", tampered, folder)).code, 0, "openssl accepted changed bytes");
    const pem = Deno.readTextFileSync(join(folder, publicKey));
    assert.equal(await verifySignature(pem, BYTES, signature), true);
    assert.equal(loadVerifier(pem).fingerprint, signer.fingerprint);
  }
}

for (const type of ["ed25519", "rsa"] as const) {
  testRequiring(["openssl", "posix"], `openssl verifies what a generated ${type} key signs`, async () => {
    await withTempDir(async (folder) => {
      const made = await generateKey({ out: join(folder, "key.pem"), type });
      assert.equal(made.private_key, join(folder, "key.pem"));
      assert.equal(made.public_key, join(folder, "key.pem.pub"));
      assert.equal(Deno.statSync(made.private_key).mode! & 0o777, 0o600);
      const signer = loadSigner(made.private_key);
      assert.equal(signer.fingerprint, made.fingerprint);
      assert.equal(signer.publicKeyPem, Deno.readTextFileSync(made.public_key));
      assert.deepEqual(signer.warnings, []);
      await checkWithOpenssl(folder, "key.pem");
    });
  });
}

const OPENSSL_KEYS: Readonly<Record<string, readonly string[]>> = {
  "Ed25519": ["genpkey", "-algorithm", "ed25519"],
  "RSA": ["genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048"],
  "RSA-PSS without restriction": ["genpkey", "-algorithm", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"],
  "RSA-PSS restricted to SHA-256": [
    ...["genpkey", "-algorithm", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"],
    ...["-pkeyopt", "rsa_pss_keygen_md:sha256", "-pkeyopt", "rsa_pss_keygen_mgf1_md:sha256"],
    ...["-pkeyopt", "rsa_pss_keygen_saltlen:32"],
  ],
  "RSA in the older PKCS#1 form": ["genrsa", "-traditional"],
};

for (const [name, args] of Object.entries(OPENSSL_KEYS)) {
  testRequiring(["openssl"], `an openssl key signs: ${name}`, async () => {
    await withTempDir(async (folder) => {
      await openssl(folder, args[0]!, ...args.slice(1), "-out", "key.pem");
      await checkWithOpenssl(folder, "key.pem");
    });
  });
}

const REFUSED: Readonly<Record<string, { args: readonly string[]; why: RegExp }>> = {
  "encrypted PKCS#8": {
    args: ["genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:secret"],
    why: /encrypted/,
  },
  "encrypted PKCS#1": {
    args: ["genrsa", "-traditional", "-aes128", "-passout", "pass:secret"],
    why: /encrypted/,
  },
  "elliptic curve": {
    args: ["genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    why: /neither Ed25519 nor RSA/,
  },
  "elliptic curve in the older form": {
    args: ["ecparam", "-name", "prime256v1", "-genkey", "-noout"],
    why: /"ec private key"/,
  },
  "X25519": { args: ["genpkey", "-algorithm", "x25519"], why: /neither Ed25519 nor RSA/ },
  "RSA of 1024 bits": {
    args: ["genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:1024"],
    why: /1024 bits/,
  },
  "RSA-PSS restricted to SHA-512": {
    args: [
      ...["genpkey", "-algorithm", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"],
      ...["-pkeyopt", "rsa_pss_keygen_md:sha512", "-pkeyopt", "rsa_pss_keygen_mgf1_md:sha512"],
    ],
    why: /another digest/,
  },
  "RSA-PSS restricted to a longer salt": {
    args: [
      ...["genpkey", "-algorithm", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"],
      ...["-pkeyopt", "rsa_pss_keygen_md:sha256", "-pkeyopt", "rsa_pss_keygen_mgf1_md:sha256"],
      ...["-pkeyopt", "rsa_pss_keygen_saltlen:64"],
    ],
    why: /salt/,
  },
};

for (const [name, { args, why }] of Object.entries(REFUSED)) {
  testRequiring(["openssl"], `a key that cannot sign is refused with a hint: ${name}`, async () => {
    await withTempDir(async (folder) => {
      await openssl(folder, args[0]!, ...args.slice(1), "-out", "key.pem");
      refused(join(folder, "key.pem"), why);
    });
  });
}

function refused(file: string, why: RegExp): void {
  assert.throws(() => loadSigner(file), (error) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.match(error.message, why);
    assert.ok(error.message.includes(file));
    assert.ok(error.hint);
    return true;
  });
}

Deno.test("a file that is no key is refused", async () => {
  await withTempDir(async (folder) => {
    const made = await generateKey({ out: join(folder, "key.pem") });
    refused(join(folder, "absent.pem"), /no such file/);
    refused(folder, /cannot be read/);
    refused(made.public_key, /public key/);
    const key = Deno.readTextFileSync(made.private_key).split("\n");
    const contents: Readonly<Record<string, RegExp>> = {
      "": /no private key/,
      "hello\n": /no private key/,
      "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n": /valid key/,
      [[key[0], key[1]!.slice(0, 40), key[2], ""].join("\n")]: /valid key/,
      "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n": /openssh/,
    };
    for (const [content, why] of Object.entries(contents)) {
      Deno.writeTextFileSync(join(folder, "bad.pem"), content);
      refused(join(folder, "bad.pem"), why);
    }
    assert.throws(() => loadVerifier("nothing"), UsageError);
    assert.throws(() => loadVerifier(Deno.readTextFileSync(made.private_key)), /not a public key/);
  });
});

testRequiring(["posix"], "a key file that others can read works, with a warning", async () => {
  await withTempDir(async (folder) => {
    const { private_key } = await generateKey({ out: join(folder, "key.pem") });
    Deno.chmodSync(private_key, 0o644);
    const signer = loadSigner(private_key);
    assert.equal(signer.warnings.length, 1);
    assert.match(signer.warnings[0]!, /0644.*chmod 600/);
    assert.equal(await verifySignature(signer.publicKeyPem, BYTES, await signer.sign(BYTES)), true);
  });
});

Deno.test("generateKey overwrites neither file", async () => {
  await withTempDir(async (folder) => {
    const out = join(folder, "key.pem");
    await generateKey({ out });
    const before = Deno.readTextFileSync(out);
    await assert.rejects(generateKey({ out }), UsageError);
    assert.equal(Deno.readTextFileSync(out), before);
    const half = join(folder, "half.pem");
    Deno.writeTextFileSync(half + ".pub", "mine");
    await assert.rejects(generateKey({ out: half }), /half\.pem\.pub: it exists already/);
    assert.equal(Deno.readTextFileSync(half + ".pub"), "mine");
    assert.throws(() => Deno.statSync(half), Deno.errors.NotFound);
    await assert.rejects(generateKey({ out: join(folder, "absent", "key.pem") }), UsageError);
  });
});

Deno.test("a signature holds for its key, its bytes and its length only", async () => {
  await withTempDir(async (folder) => {
    for (const type of ["ed25519", "rsa"] as const) {
      const signer = loadSigner((await generateKey({ out: join(folder, type), type })).private_key);
      const other = loadSigner(
        (await generateKey({ out: join(folder, type + "-other"), type })).private_key,
      );
      const signature = await signer.sign(BYTES);
      const { verify } = loadVerifier(signer.publicKeyPem);
      assert.equal(await verify(BYTES, signature), true);
      assert.equal(await verify(BYTES.slice(1), signature), false);
      assert.equal(await verify(BYTES, signature.slice(1)), false);
      assert.equal(await verify(BYTES, new Uint8Array([...signature, 0])), false);
      assert.equal(await verify(BYTES, new Uint8Array()), false);
      assert.equal(await verify(BYTES, signature.map((byte) => byte ^ 1)), false);
      assert.equal(await verifySignature(other.publicKeyPem, BYTES, signature), false);
      const both = loadVerifiers(other.publicKeyPem + "\n" + signer.publicKeyPem);
      assert.deepEqual(both.map(({ fingerprint }) => fingerprint), [other.fingerprint, signer.fingerprint]);
    }
  });
});
