/** Exported attestations, checked with the specification's words and with openssl, not with our own code. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as crypto from "node:crypto";
import { join } from "node:path";
import { envelope, preAuthenticationEncoding } from "#/audit/dsse.ts";
import { generateKey, loadSigner } from "#/audit/sign.ts";
import { type AuditStatement, statementOf } from "#/audit/statement.ts";
import { archiveAudit, exportAudit, publishRelease, rollbackRelease } from "#/mod.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { auditBody, bytesOf, run } from "./audit_support.ts";

interface Envelope {
  readonly payload: string;
  readonly payloadType: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/** The encoding that is signed, by hand. */
function pae(type: string, payload: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from("DSSEv1 "),
    Buffer.from(String(Buffer.byteLength(type)) + " " + type + " " + String(payload.length) + " "),
    payload,
  ]);
}

/** A repository with two releases, one rolled back, one refusal, and four entries in an archive. */
async function repositoryIn(folder: string): Promise<string> {
  const repository = join(folder, "releases");
  for (const version of ["v1.0.0", "v1.0.1"]) {
    const directory = join(folder, version);
    Deno.mkdirSync(directory);
    Deno.writeTextFileSync(join(directory, "app"), version);
    assert.equal((await publishRelease({ repository, version, directory })).exit_code, 0);
  }
  assert.equal((await rollbackRelease({ repository, version: "v1.0.1", reason: "broken" })).exit_code, 0);
  assert.equal((await rollbackRelease({ repository, version: "v9.9.9" })).exit_code, 40);
  assert.equal((await rollbackRelease({ repository, version: "v1.0.1" })).exit_code, 46);
  assert.equal((await archiveAudit({ repository, keep: 1 })).exit_code, 0);
  return repository;
}

async function exported(
  repository: string,
  signingKeyFile: string,
  since?: string,
): Promise<{ envelopes: Envelope[]; statements: AuditStatement[] }> {
  const envelopes: Envelope[] = [];
  const given = since === undefined ? {} : { since };
  const result = await exportAudit({
    repository,
    signingKeyFile,
    ...given,
    onLine: (line) => {
      assert.ok(line.endsWith("\n") && line.indexOf("\n") === line.length - 1, "one line each");
      envelopes.push(JSON.parse(line));
    },
  });
  assert.equal(result.entries, envelopes.length);
  return { envelopes, statements: envelopes.map(statementIn) };
}

function statementIn({ payload }: Envelope): AuditStatement {
  return JSON.parse(Buffer.from(payload, "base64").toString("utf8"));
}

Deno.test("export: the encoding that is signed is the specification's, with lengths in bytes", async () => {
  const text = (type: string, payload: string) =>
    new TextDecoder().decode(preAuthenticationEncoding(type, new TextEncoder().encode(payload)));
  assert.equal(text("text/plain", "take it back"), "DSSEv1 10 text/plain 12 take it back");
  assert.equal(text("text/größe", "für alle"), "DSSEv1 12 text/größe 9 für alle");
  assert.equal(text("", ""), "DSSEv1 0  0 ");
  const payload = new TextEncoder().encode(`{"n": "ü"}`);
  const signer = { fingerprint: "abc", sign: (bytes: Uint8Array) => Promise.resolve(bytes) };
  assert.deepEqual(await envelope("a/b", payload, signer), {
    payload: Buffer.from(payload).toString("base64"),
    payloadType: "a/b",
    signatures: [{ keyid: "abc", sig: pae("a/b", payload).toString("base64") }],
  });
});

Deno.test("export: every entry, archived or not, is a statement about what it is about", async () => {
  await withTempDir(async (folder) => {
    const repository = await repositoryIn(folder);
    const key = await generateKey({ out: join(folder, "key.pem") });
    const { envelopes, statements } = await exported(repository, key.private_key);
    const index = JSON.parse(Deno.readTextFileSync(join(repository, "index.json")));
    const digests = new Map([...index.releases, ...index.rolled_back].map((it) => [it.version, it.sha256]));
    assert.equal(digests.size, 2);
    for (const { payloadType, signatures } of envelopes) {
      assert.equal(payloadType, "application/vnd.in-toto+json");
      assert.deepEqual(signatures.map(({ keyid }) => keyid), [key.fingerprint]);
    }
    const release = (version: string) => [{ name: version, digest: { sha256: digests.get(version) } }];
    const indexDigest = crypto.createHash("sha256").update(Deno.readFileSync(join(repository, "index.json")))
      .digest("hex");
    const own = (n: number) => [{
      name: `.backout/audit/0000000${n}.json`,
      digest: { sha256: statements[n - 1]!.predicate.entry_sha256 },
    }];
    assert.deepEqual(statements.map(({ subject }) => subject), [
      release("v1.0.0"),
      release("v1.0.1"),
      release("v1.0.1"),
      own(4), // asked for a version that does not exist
      release("v1.0.1"),
      [{ name: "index.json", digest: { sha256: indexDigest } }], // the archiving wrote the index that is there now
    ]);
    let previous: string | null = null;
    for (const [i, { _type, predicateType, predicate }] of statements.entries()) {
      assert.equal(_type, "https://in-toto.io/Statement/v1");
      assert.equal(predicateType, "https://backout.invalid/attestation/audit-entry/v1");
      assert.equal(predicate.repository, repository);
      assert.equal(predicate.entry.seq, i + 1);
      // The entry's bytes can be made again from the statement, and the chain be followed.
      const bytes = Buffer.from(JSON.stringify(predicate.entry, undefined, 2) + "\n");
      assert.equal(crypto.createHash("sha256").update(bytes).digest("hex"), predicate.entry_sha256);
      assert.equal(predicate.entry.previous_sha256, previous);
      previous = predicate.entry_sha256;
    }
  });
});

Deno.test("export: --since takes a number, a time or an age", async () => {
  await withTempDir(async (folder) => {
    const repository = await repositoryIn(folder);
    const key = (await generateKey({ out: join(folder, "key.pem") })).private_key;
    const { statements } = await exported(repository, key);
    const third = statements[2]!.predicate.entry.timestamp;
    const seqs = async (since: string) =>
      (await exported(repository, key, since)).statements.map(({ predicate }) => predicate.entry.seq);
    assert.deepEqual(await seqs("5"), [5, 6]);
    assert.deepEqual(await seqs("0"), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(await seqs("7"), []);
    assert.deepEqual(await seqs(third), [3, 4, 5, 6]);
    assert.deepEqual(await seqs("1h"), [1, 2, 3, 4, 5, 6]);
    await assert.rejects(seqs("yesterday"), /"yesterday" for --since: it is not a time/);
  });
});

testRequiring(
  ["openssl"],
  "export: node:crypto and openssl verify the signatures over the encoding, made by hand",
  async () => {
    await withTempDir(async (folder) => {
      const repository = await repositoryIn(folder);
      for (const type of ["ed25519", "rsa"] as const) {
        const key = await generateKey({ out: join(folder, `${type}.pem`), type });
        const { envelopes } = await exported(repository, key.private_key);
        assert.equal(envelopes.length, 6);
        for (const [i, { payload, payloadType, signatures }] of envelopes.entries()) {
          const signed = pae(payloadType, Buffer.from(payload, "base64"));
          const signature = Buffer.from(signatures[0]!.sig, "base64");
          if (type === "ed25519") {
            const publicKey = crypto.createPublicKey(Deno.readTextFileSync(key.public_key));
            assert.ok(crypto.verify(null, signed, publicKey, signature), `entry ${i + 1}`);
            assert.ok(
              !crypto.verify(null, Buffer.from(payload, "base64"), publicKey, signature),
              "not the payload alone",
            );
          }
          Deno.writeFileSync(join(folder, "signed"), signed);
          Deno.writeFileSync(join(folder, "sig"), signature);
          const args = type === "ed25519"
            ? [
              "pkeyutl",
              "-verify",
              "-pubin",
              "-inkey",
              key.public_key,
              "-rawin",
              "-in",
              "signed",
              "-sigfile",
              "sig",
            ]
            : [
              ...["dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"],
              ...["-verify", key.public_key, "-signature", "sig", "signed"],
            ];
          const { code, output } = await run("openssl", args, folder);
          assert.equal(code, 0, output);
        }
      }
    });
  },
);

Deno.test("export: without a key, and of a log that does not verify, nothing is exported", async () => {
  await withTempDir(async (folder) => {
    const repository = await repositoryIn(folder);
    const onLine = () => assert.fail("a line was written");
    await assert.rejects(exportAudit({ repository, onLine }), { code: 2, message: /no key was given/ });
    const signingKeyFile = (await generateKey({ out: join(folder, "key.pem") })).private_key;
    const newest = join(repository, ".backout/audit/00000006.json");
    Deno.writeTextFileSync(newest, Deno.readTextFileSync(newest).replace(`"by": "`, `"by": "not-`));
    await assert.rejects(exportAudit({ repository, signingKeyFile, onLine }), {
      code: 54,
      message: /Refused to export the audit log: it does not verify: .*00000006\.json/,
    });
  });
});

Deno.test("export: the subjects of a statement", () => {
  const hex = (digit: string) => digit.repeat(64);
  const known = new Map([["v1", hex("1")], ["v2", hex("2")]]);
  const subjectsOf = (changes: Parameters<typeof auditBody>[0]) => {
    const entry = { format: 1, seq: 12, previous_sha256: null, ...auditBody(changes) } as const;
    return statementOf(entry, bytesOf(entry), "/srv/releases", (version) => known.get(version)).subject
      .map(({ name, digest }) => [name, digest.sha256.slice(0, 2)]);
  };
  assert.deepEqual(subjectsOf({ versions: ["v2", "v1", "v0"] }), [["v2", "22"], ["v1", "11"]]);
  assert.deepEqual(subjectsOf({ versions: [], version: "v1" }), [["v1", "11"]]);
  assert.deepEqual(subjectsOf({ versions: ["v0"], index_sha256: hex("a") }), [["index.json", "aa"]]);
  for (const index_sha256 of [null, undefined]) {
    const changes = index_sha256 === undefined ? {} : { index_sha256 };
    assert.deepEqual(subjectsOf({ versions: [], version: "", ...changes }).map(([name]) => name), [
      ".backout/audit/00000012.json",
    ]);
  }
});

Deno.test("export: an RSA key signs as its algorithm says", async () => {
  await withTempDir(async (folder) => {
    const signer = loadSigner((await generateKey({ out: join(folder, "rsa.pem"), type: "rsa" })).private_key);
    const { signatures } = await envelope("a/b", new Uint8Array([1, 2]), signer);
    assert.equal(Buffer.from(signatures[0]!.sig, "base64").length, 384);
    assert.equal(signatures[0]!.keyid, signer.fingerprint);
  });
});

testRequiring(
  ["openssl", "jq"],
  "export: the commands of the documentation verify an export and an archive",
  async () => {
    const documentation = Deno.readTextFileSync(new URL("../../docs/audit.md", import.meta.url));
    const commands = (first: RegExp) => {
      const lines = documentation.split("\n");
      const begin = lines.findIndex((line) => first.test(line));
      assert.ok(begin >= 0, `no line of docs/audit.md is like ${first}`);
      const end = lines.findIndex((line, i) => i > begin && !line.startsWith("    "));
      return lines.slice(begin, end).map((line) => line.trim()).join("\n");
    };
    await withTempDir(async (folder) => {
      const repository = await repositoryIn(folder);
      await generateKey({ out: join(folder, "key.pem") });
      const lines: string[] = [];
      const onLine = (line: string) => void lines.push(line);
      await exportAudit({ repository, signingKeyFile: join(folder, "key.pem"), onLine });
      Deno.writeTextFileSync(join(folder, "audit.intoto.jsonl"), lines.join(""));
      const verified = await run("sh", ["-ec", commands(/^ {4}head -1 audit\.intoto/)], folder);
      assert.equal(verified.code, 0, verified.output);
      assert.match(verified.output, /Signature Verified Successfully/);
      const digest = await run("sh", ["-ec", "jq '.predicate.entry' payload | sha256sum"], folder);
      const { predicate } = statementIn(JSON.parse(lines[0]!));
      assert.equal(digest.output.split(" ")[0], predicate.entry_sha256);

      const [name] = [...Deno.readDirSync(join(repository, ".backout/audit"))].filter(({ name }) =>
        name.endsWith(".gz")
      );
      Deno.copyFileSync(join(repository, ".backout/audit", name!.name), join(folder, name!.name));
      const script = commands(/^ {4}zcat archive-/).replaceAll(
        "archive-00000001-00000090.jsonl.gz",
        name!.name,
      )
        .replaceAll("12", "2");
      const unpacked = await run("sh", ["-ec", script], folder);
      const second = statementIn(JSON.parse(lines[1]!)).predicate.entry_sha256;
      assert.equal(unpacked.output.split(" ")[0], second, unpacked.output);
    });
  },
);
