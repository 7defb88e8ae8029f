/** Archives of old audit entries: what is in them, what stays verifiable, and that no change of one goes unseen. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { decodeArchive } from "#/audit/archive.ts";
import { appendAudit, findAuditOf, findHead } from "#/audit/chain.ts";
import { sha256Hex } from "#/core/sha256.ts";
import { entryKey } from "#/audit/entry.ts";
import { planArchive } from "#/audit/plan_archive.ts";
import { generateKey, loadSigner } from "#/audit/sign.ts";
import { verifyAuditLog } from "#/audit/verify.ts";
import { archiveKey } from "#/core/audit_key.ts";
import { newOperationId } from "#/core/ids.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import {
  archive,
  archivedLog,
  assertFound,
  auditBody,
  claims,
  copyOf,
  entryOf,
  fill,
  FIRST,
  logFiles as files,
  MemoryStore,
  problemsOf,
  run,
} from "./audit_support.ts";

Deno.test("archive: old entries move, with their exact bytes, and everything is verified as before", async () => {
  const { whole, store, results } = await archivedLog();
  assert.deepEqual(files(store), [
    ...["00000007.json", "00000008.json", "00000009.json", "00000010.json"],
    "archive-00000001-00000006.jsonl.gz",
  ]);
  const decoded = await decodeArchive(store.files.get(archiveKey(FIRST))!, FIRST);
  assert.ok("entries" in decoded);
  for (const { seq, bytes } of decoded.entries) assert.deepEqual(bytes, whole.files.get(entryKey(seq)));
  const { seq, sha256 } = results.at(-1)!;
  assert.deepEqual(await verifyAuditLog(claims(store, results)), {
    entries: 10,
    archived: 6,
    signed: 0,
    head: { seq, sha256 },
    problems: [],
  });
});

Deno.test("archive: again with the same rule there is nothing to do, also when archivings were recorded", async () => {
  const { store } = await archivedLog();
  for (let i = 0; i < 3; i++) {
    await appendAudit(store, auditBody({ operation: "audit_archive", versions: [], version: "" }));
    const before = files(store);
    assert.deepEqual(await archive(store, { keep: 4 }), { archives: [], removals: [], entryBytes: 0 });
    assert.deepEqual(files(store), before);
  }
  await fill(store, 2);
  await archive(store, { keep: 4 });
  assert.deepEqual(files(store).filter((name) => name.startsWith("archive")), [
    "archive-00000001-00000006.jsonl.gz",
    "archive-00000007-00000008.jsonl.gz",
  ]);
});

Deno.test("archive: which entries go", async (t) => {
  const store = new MemoryStore();
  const day = (n: number) => `2026-03-0${n}T00:00:00.000Z`;
  for (let n = 1; n <= 6; n++) await appendAudit(store, auditBody({ timestamp: day(n) }));
  // A clock that was wrong once: what stands before it is still older.
  await appendAudit(store, auditBody({ timestamp: day(1) }));
  const at = (n: number) => Date.parse(day(n));
  for (
    const [name, rule, last] of [
      ["nothing is older", { before: at(1) }, 0],
      ["up to the time, not at it", { before: at(3) }, 2],
      ["never the newest", { before: at(9) }, 6],
      ["an older one behind a younger one stays", { before: at(5) }, 4],
      ["all but the newest one", { keep: 1 }, 6],
      ["all but some", { keep: 3 }, 4],
      ["more than there are", { keep: 100 }, 0],
      ["both let go", { keep: 3, before: at(3) }, 2],
      ["both let go, the other way", { keep: 6, before: at(3) }, 1],
    ] as const
  ) {
    await t.step(name, async () => {
      const { archives } = await planArchive(store, rule);
      assert.deepEqual(archives.map((each) => [each.first, each.last]), last === 0 ? [] : [[1, last]]);
    });
  }
});

Deno.test("archive: an empty log and a log of one entry have nothing to archive", async () => {
  const store = new MemoryStore();
  assert.deepEqual((await planArchive(store, { keep: 1 })).removals, []);
  await fill(store, 1);
  assert.deepEqual((await planArchive(store, { before: Infinity })).removals, []);
});

Deno.test("archive: an interrupted archiving leaves entries twice, which verifies, and the next one finishes it", async () => {
  const { whole, results } = await archivedLog();
  for (let removed = 0; removed <= 6; removed++) {
    const store = copyOf(whole);
    const [planned] = (await planArchive(store, { keep: 4 })).archives;
    await store.create(archiveKey(FIRST), planned!.bytes);
    for (let seq = 1; seq <= removed; seq++) store.files.delete(entryKey(seq));
    assert.deepEqual(await problemsOf(claims(store, results)), [], `${removed} removed`);
    assert.equal((await verifyAuditLog(claims(store, results))).entries, 10);
    const plan = await archive(store, { keep: 4 });
    assert.equal(plan.archives.length, 0);
    assert.deepEqual(files(store), files((await archivedLog()).store));
  }
});

Deno.test("archive: the new end of the log is found, wherever the search begins", async () => {
  for (const keep of [1, 2, 4]) {
    const whole = new MemoryStore();
    const results = await fill(whole, 10);
    for (const hint of [undefined, results[0], results[4], results[8], results[9]]) {
      const store = copyOf(whole);
      await archive(store, { keep });
      const { seq, sha256 } = results[9]!;
      assert.deepEqual(await findHead(store, hint), { seq, sha256, warnings: [] });
      const made = await appendAudit(store, auditBody(), { hint });
      assert.equal(made.seq, 11);
      assert.deepEqual(await problemsOf(claims(store, results)), []);
      const id = entryOf(made.bytes).operation_id!;
      assert.equal((await findAuditOf(store, id, hint))?.seq, 11);
      assert.equal(await findAuditOf(store, newOperationId(new Date()), hint), undefined);
    }
  }
});

Deno.test("archive: the head is found without listing while the hint names an entry that is there", async () => {
  const { store, results } = await archivedLog();
  const hint = results[8];
  store.calls.listNames = 0;
  await appendAudit(store, auditBody(), { hint });
  assert.equal(store.calls.listNames, 0);
});

Deno.test("archive: when all files of entries were removed, the log goes on behind its archive, and that is found", async () => {
  const { store, results } = await archivedLog();
  for (const seq of [7, 8, 9, 10]) store.files.delete(entryKey(seq));
  const made = await appendAudit(store, auditBody());
  assert.equal(made.seq, 7);
  assert.equal(entryOf(made.bytes).previous_sha256, results[5]!.sha256);
  assertFound(await problemsOf(claims(store, results)), "00000010.json is missing");
});

Deno.test("archive: signatures hold in an archive, and keys that the caller trusts cover it", async () => {
  await withTempDir(async (folder) => {
    const signer = loadSigner((await generateKey({ out: join(folder, "key.pem") })).private_key);
    const store = new MemoryStore();
    const results = await fill(store, 8, { signer });
    await archive(store, { keep: 2 });
    const request = { ...claims(store, results), publicKeyPem: signer.publicKeyPem };
    const { problems, signed, archived } = await verifyAuditLog(request);
    assert.deepEqual([problems, signed, archived], [[], 8, 6]);
  });
});

Deno.test("archive: many entries make several archives", async () => {
  const store = new MemoryStore();
  const reason = "x".repeat(7 * 1024 * 1024);
  for (let i = 0; i < 6; i++) await appendAudit(store, auditBody({ reason }));
  const { archives } = await archive(store, { keep: 1 });
  assert.deepEqual(archives.map(({ first, last }) => [first, last]), [[1, 4], [5, 5]]);
  const { problems, entries } = await verifyAuditLog({
    store,
    index: undefined,
    history: [],
    unfinished: [],
  });
  assert.deepEqual([problems, entries], [[], 6]);
});

Deno.test("archive: a log that is archived while it is verified has no problems", async () => {
  const { whole, results } = await archivedLog();
  const store = copyOf(whole);
  const read = store.read.bind(store);
  let archived = false;
  store.read = async (key) => {
    if (!archived) {
      archived = true;
      await archive(store, { keep: 4 });
    }
    return await read(key);
  };
  const { problems, archived: count } = await verifyAuditLog(claims(store, results));
  assert.deepEqual([problems, count], [[], 6]);
});

testRequiring(["posix"], "archive: zcat and sha256sum alone read it", async () => {
  const { whole, store } = await archivedLog();
  await withTempDir(async (folder) => {
    const file = join(folder, "archive.jsonl.gz");
    Deno.writeFileSync(file, store.files.get(archiveKey(FIRST))!);
    const { code, output } = await run("zcat", [file]);
    assert.equal(code, 0);
    const [header, ...lines] = output.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(header, { format: 1, kind: "backout.audit-archive", ...FIRST });
    for (const { seq, sha256, entry } of lines) {
      assert.equal(sha256, sha256Hex(whole.files.get(entryKey(seq))!));
      assert.equal(sha256Hex(new TextEncoder().encode(entry)), sha256);
    }
    assert.equal(lines.length, 6);
  });
});
