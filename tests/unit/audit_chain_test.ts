import assert from "node:assert/strict";
import { join } from "node:path";
import { appendAudit, findAuditOf, findHead } from "#/audit/chain.ts";
import { sha256Hex } from "#/core/sha256.ts";
import { type AuditEntry, entryKey, publicKeyKey } from "#/audit/entry.ts";
import { generateKey, loadSigner } from "#/audit/sign.ts";
import { canonicalJson } from "#/core/json.ts";
import { newOperationId } from "#/core/ids.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { auditBody, fill, MemoryStore, run } from "./audit_support.ts";

function entryAt(store: MemoryStore, seq: number): AuditEntry {
  return JSON.parse(new TextDecoder().decode(store.files.get(entryKey(seq))));
}

Deno.test("entries are numbered from 1, and each names the digest of the one before", async () => {
  const store = new MemoryStore();
  const results = await fill(store, 3);
  assert.deepEqual(results.map(({ seq }) => seq), [1, 2, 3]);
  assert.deepEqual([...store.files.keys()], [
    ".backout/audit/00000001.json",
    ".backout/audit/00000002.json",
    ".backout/audit/00000003.json",
  ]);
  assert.equal(entryAt(store, 1).previous_sha256, null);
  for (const { seq, sha256, bytes, created, warnings } of results) {
    assert.equal(sha256, sha256Hex(store.files.get(entryKey(seq))!));
    assert.deepEqual(bytes, store.files.get(entryKey(seq)));
    assert.equal(created, true);
    assert.deepEqual(warnings, []);
    if (seq > 1) assert.equal(entryAt(store, seq).previous_sha256, results[seq - 2]!.sha256);
  }
});

Deno.test("an entry holds the fields of the format and nothing else that the caller's object has", async () => {
  const store = new MemoryStore();
  const body = { ...auditBody(), environment: { TOKEN: "secret" } };
  const { bytes } = await appendAudit(store, body);
  const { environment: _, ...expected } = body;
  const text = new TextDecoder().decode(bytes);
  assert.deepEqual(JSON.parse(text), { format: 1, seq: 1, previous_sha256: null, ...expected });
  assert.ok(!text.includes("secret"));
  assert.ok(text.endsWith("}\n"));
});

Deno.test("the head is found without listing, with or without a hint, for every length", async () => {
  const store = new MemoryStore();
  const results = await fill(store, 70);
  for (let length = 0; length <= 70; length++) {
    const part = new MemoryStore();
    for (const { seq, bytes } of results.slice(0, length)) part.files.set(entryKey(seq), bytes);
    for (const hint of [undefined, results[0], results[Math.floor(length / 2)], results[length - 1]]) {
      if (hint !== undefined && hint.seq > length) continue;
      const copy = new MemoryStore();
      for (const [key, bytes] of part.files) copy.files.set(key, bytes);
      const made = await appendAudit(copy, auditBody(), { hint });
      assert.equal(made.seq, length + 1);
      assert.equal(entryAt(copy, length + 1).previous_sha256, results[length - 1]?.sha256 ?? null);
      assert.equal(copy.calls.listNames, length === 0 ? 1 : 0, "only an empty log is looked at for archives");
    }
  }
});

Deno.test("finding the head costs a few questions also in a long log", async () => {
  const store = new MemoryStore();
  const last = (await fill(store, 1)).at(-1)!;
  for (let seq = 2; seq <= 20_000; seq++) store.files.set(entryKey(seq), last.bytes);
  store.calls.stat = 0;
  await appendAudit(store, auditBody());
  assert.ok(store.calls.stat < 40, `${store.calls.stat} stats without a hint`);
  store.calls.stat = 0;
  await appendAudit(store, auditBody(), { hint: { seq: 20_001, sha256: "0".repeat(64) } });
  assert.ok(store.calls.stat <= 2, `${store.calls.stat} stats with a hint`);
});

Deno.test("writers that meet take one place after the other", async () => {
  const store = new MemoryStore();
  const results = await Promise.all(Array.from({ length: 20 }, () => appendAudit(store, auditBody())));
  assert.deepEqual(
    results.map(({ seq }) => seq).sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, i) => i + 1),
  );
  for (let seq = 2; seq <= 20; seq++) {
    assert.equal(entryAt(store, seq).previous_sha256, sha256Hex(store.files.get(entryKey(seq - 1))!));
  }
});

Deno.test("a writer that never gets a place gives up with an error", async () => {
  const store = new MemoryStore();
  const other = (await fill(new MemoryStore(), 1))[0]!.bytes;
  store.beforeCreate = (key) => store.files.set(key, other);
  await assert.rejects(appendAudit(store, auditBody()), /other writers are always first/);
  store.calls.create = 0;
  await assert.rejects(appendAudit(store, auditBody(), { signal: AbortSignal.abort() }), /always first/);
  assert.equal(store.calls.create, 1);
});

Deno.test("a write whose reply was lost is not recorded twice", async () => {
  const store = new MemoryStore();
  await fill(store, 2);
  const body = auditBody();
  const first = await appendAudit(store, body);
  store.files.delete(entryKey(3));
  store.beforeCreate = (key) => store.files.set(key, first.bytes);
  const again = await appendAudit(store, body);
  assert.deepEqual(again, { ...first, created: false });
  assert.equal(store.files.size, 3);
});

Deno.test("an operation is recorded once after a crash, when asked for", async () => {
  const store = new MemoryStore();
  const [hint] = await fill(store, 5);
  const operation_id = newOperationId(new Date());
  const body = () => auditBody({ operation_id });
  const first = await appendAudit(store, body(), { hint, onlyOnce: true });
  await fill(store, 70);
  const size = store.files.size;
  const again = await appendAudit(store, body(), { hint, onlyOnce: true });
  assert.deepEqual(again, { ...first, created: false });
  assert.equal(store.files.size, size);
  assert.equal((await appendAudit(store, body(), { hint })).created, true);
});

Deno.test("findAuditOf looks from the hint to the head", async () => {
  const store = new MemoryStore();
  const results = await fill(store, 100);
  const idOf = (seq: number) => entryAt(store, seq).operation_id!;
  for (const seq of [1, 2, 33, 50, 99, 100]) {
    const { sha256 } = results[seq - 1]!;
    assert.deepEqual(await findAuditOf(store, idOf(seq), undefined), { seq, sha256 });
    assert.deepEqual(await findAuditOf(store, idOf(seq), results[seq - 1]), { seq, sha256 });
  }
  assert.equal(await findAuditOf(store, idOf(49), results[49]), undefined);
  assert.equal(await findAuditOf(store, newOperationId(new Date()), undefined), undefined);
  assert.equal(await findAuditOf(new MemoryStore(), idOf(1), undefined), undefined);
});

Deno.test("a changed or missing head is not papered over", async () => {
  for (const damage of ["changed", "missing"]) {
    const store = new MemoryStore();
    const head = (await fill(store, 4)).at(-1)!;
    if (damage === "missing") store.files.delete(entryKey(4));
    else store.files.set(entryKey(4), head.bytes.map((byte, i) => (i === 40 ? byte ^ 1 : byte)));
    const made = await appendAudit(store, auditBody(), { hint: head });
    assert.equal(made.seq, 5);
    assert.equal(entryAt(store, 5).previous_sha256, head.sha256);
    assert.equal(made.warnings.length, 1);
    assert.match(made.warnings[0]!, /00000004\.json.*audit verify/);
  }
});

Deno.test("a hint that cannot be is ignored with a warning", async () => {
  const sha256 = "0".repeat(64);
  const hints = [0, -1, 1.5, 99_999_999, 1e12, NaN].map((seq) => ({ seq, sha256 }));
  for (const hint of [...hints, null, { seq: 1, sha256: "x" }] as { seq: number; sha256: string }[]) {
    const store = new MemoryStore();
    await fill(store, 2);
    const made = await appendAudit(store, auditBody(), { hint });
    assert.equal(made.seq, 3);
    assert.match(made.warnings.join(), /cannot exist/);
  }
});

Deno.test("a body that could not be read back is refused and writes nothing", async () => {
  const store = new MemoryStore();
  await assert.rejects(appendAudit(store, auditBody({ exit_code: NaN })), TypeError);
  assert.equal(store.files.size, 0);
});

Deno.test("a signed append keeps the public key beside the log, once", async () => {
  await withTempDir(async (folder) => {
    const { private_key, public_key, fingerprint } = await generateKey({ out: join(folder, "key.pem") });
    const signer = loadSigner(private_key);
    const store = new MemoryStore();
    const results = await fill(store, 2, { signer });
    assert.deepEqual(results.map(({ signed }) => signed), [true, true]);
    const key = store.files.get(publicKeyKey(fingerprint));
    assert.equal(new TextDecoder().decode(key), Deno.readTextFileSync(public_key));
    assert.equal(store.files.size, 3);
    assert.equal(entryAt(store, 2).signature?.public_key_fingerprint, fingerprint);
  });
});

testRequiring(
  ["openssl", "jq"],
  "openssl and jq alone verify an entry, as the documentation says",
  async () => {
    await withTempDir(async (folder) => {
      const { private_key, public_key } = await generateKey({ out: join(folder, "key.pem") });
      const store = new MemoryStore();
      const { bytes } = await appendAudit(store, auditBody(), { signer: loadSigner(private_key) });
      Deno.writeFileSync(join(folder, "00000001.json"), bytes);
      const script = [
        "jq -cSj 'del(.signature)' 00000001.json > entry.signed",
        "jq -rj .signature.value 00000001.json | base64 -d > entry.sig",
        `openssl pkeyutl -verify -pubin -inkey ${public_key} -rawin -in entry.signed -sigfile entry.sig`,
      ].join(" && ");
      const { code, output } = await run("sh", ["-c", script], folder);
      assert.equal(code, 0, output);
      const { signature: _, ...unsigned } = entryAt(store, 1);
      assert.equal(Deno.readTextFileSync(join(folder, "entry.signed")), canonicalJson(unsigned));
    });
  },
);

Deno.test("findHead answers with the newest entry, and with what the hint says where that disagrees", async () => {
  const store = new MemoryStore();
  assert.equal(await findHead(store, undefined), undefined);
  const results = await fill(store, 3);
  const { seq, sha256 } = results[2]!;
  for (const hint of [undefined, results[0], results[2]]) {
    assert.deepEqual(await findHead(store, hint), { seq, sha256, warnings: [] });
  }
  const wrong = { seq: 3, sha256: "0".repeat(64) };
  const head = await findHead(store, wrong);
  assert.deepEqual([head?.seq, head?.sha256, head?.warnings.length], [3, wrong.sha256, 1]);
  const impossible = await findHead(store, { seq: NaN, sha256 });
  assert.deepEqual([impossible?.seq, impossible?.sha256, impossible?.warnings.length], [3, sha256, 1]);
});
