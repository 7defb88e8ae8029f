import assert from "node:assert/strict";
import { appendAudit } from "#/audit/chain.ts";
import { entryKey } from "#/audit/entry.ts";
import { verifyAuditLog } from "#/audit/verify.ts";
import { formatJson } from "#/core/json.ts";
import { newOperationId } from "#/core/ids.ts";
import {
  assertFound,
  auditBody,
  bytesOf,
  claims,
  entryOf,
  fill,
  MemoryStore,
  problemsOf,
} from "./audit_support.ts";

Deno.test("an untouched log has no problems", async () => {
  const store = new MemoryStore();
  const results = await fill(store, 100);
  const { seq, sha256 } = results.at(-1)!;
  assert.deepEqual(await verifyAuditLog(claims(store, results)), {
    entries: 100,
    archived: 0,
    signed: 0,
    head: { seq, sha256 },
    problems: [],
  });
  const empty = { store: new MemoryStore(), index: undefined, history: [], unfinished: [] };
  assert.deepEqual(await verifyAuditLog(empty), {
    entries: 0,
    archived: 0,
    signed: 0,
    head: null,
    problems: [],
  });
});

Deno.test("entries newer than the index and the history are allowed", async () => {
  const store = new MemoryStore();
  const results = await fill(store, 5);
  await fill(store, 3, { hint: results.at(-1) });
  assert.deepEqual(await problemsOf(claims(store, results)), []);
});

Deno.test("history may be read as a stream, and may name entries written since the listing", async () => {
  const store = new MemoryStore();
  const results = await fill(store, 5);
  const request = claims(store, results);
  async function* history() {
    yield* request.history;
    const late = await appendAudit(store, auditBody());
    yield { id: entryOf(late.bytes).operation_id!, audit: { seq: late.seq, sha256: late.sha256 } };
    yield { id: newOperationId(new Date()), audit: null };
  }
  assert.deepEqual(await problemsOf({ ...request, history: history() }), []);
});

Deno.test("a changed entry is named, wherever it is", async () => {
  for (const seq of [1, 3, 5]) {
    const store = new MemoryStore();
    const results = await fill(store, 5);
    const entry = { ...entryOf(results[seq - 1]!.bytes), by: "somebody-else" };
    store.files.set(entryKey(seq), bytesOf(entry));
    const { index } = claims(store, results);
    assertFound(await problemsOf({ store, index, history: [], unfinished: [] }), entryKey(seq));
    const { history } = claims(store, results);
    assertFound(
      await problemsOf({ store, index: undefined, history, unfinished: [] }),
      entryKey(seq),
      "history",
    );
  }
});

Deno.test("removed entries are named as one range", async () => {
  const store = new MemoryStore();
  const results = await fill(store, 9);
  for (const seq of [4, 5, 6]) store.files.delete(entryKey(seq));
  const problems = await problemsOf({ store, index: undefined, history: [], unfinished: [] });
  assert.equal(problems.length, 1);
  assertFound(problems, "00000004.json to 00000006.json (3 entries) are missing");
  store.files.delete(entryKey(9));
  assertFound(
    await problemsOf({ ...claims(store, results), history: [] }),
    "00000009.json is missing",
    "index",
  );
});

Deno.test("the beginning and the end cannot be cut off unseen", async () => {
  const store = new MemoryStore();
  const results = await fill(store, 4);
  const request = claims(store, results);
  store.files.delete(entryKey(1));
  assertFound(await problemsOf({ ...request, history: [] }), "00000001.json is missing");
  store.files.clear();
  assertFound(await problemsOf({ ...request, history: [] }), "00000004.json is missing", "index");
  const onlyHistory = { ...request, index: undefined };
  assert.equal((await problemsOf(onlyHistory)).length, 4);
  const onlyLast = { ...request, index: { last_operation: request.index!.last_operation! }, history: [] };
  assertFound(await problemsOf(onlyLast), request.index!.last_operation!, "was removed");
});

Deno.test("a log whose numbers were closed up after a removal is found", async () => {
  const store = new MemoryStore();
  const results = await fill(store, 4);
  for (const seq of [2, 3]) store.files.set(entryKey(seq), results[seq]!.bytes);
  store.files.delete(entryKey(4));
  const problems = await problemsOf({ store, index: undefined, history: [], unfinished: [] });
  assertFound(problems, "00000002.json holds the entry number 3");
});

Deno.test("the last operation of the index needs an entry, unless it is unfinished", async () => {
  const store = new MemoryStore();
  const results = await fill(store, 2);
  const id = newOperationId(new Date());
  const request = { ...claims(store, results), index: { last_operation: id } };
  assertFound(await problemsOf(request), id);
  assert.deepEqual(await problemsOf({ ...request, unfinished: [id] }), []);
  await appendAudit(store, auditBody({ operation_id: id, dry_run: true, status: "dry_run" }));
  assertFound(await problemsOf(request), id);
  await appendAudit(store, auditBody({ operation_id: id }));
  assert.deepEqual(await problemsOf(request), []);
});

Deno.test("a history record must name the entry of its own operation", async () => {
  const store = new MemoryStore();
  const [first, second] = await fill(store, 2);
  const history = [{ id: entryOf(first!.bytes).operation_id!, audit: second! }];
  const problems = await problemsOf({ store, index: undefined, history, unfinished: [] });
  assertFound(problems, "00000002.json records another operation");
});

Deno.test("malformed files are named and do not stop the check", async () => {
  const good = entryOf((await fill(new MemoryStore(), 1))[0]!.bytes);
  const cases: Readonly<Record<string, [Uint8Array, string]>> = {
    empty: [new Uint8Array(), "not a JSON object"],
    cut: [bytesOf(good).slice(0, 50), "not a JSON object"],
    "not UTF-8": [new Uint8Array([0x22, 0xff, 0x22]), "not a JSON object"],
    list: [bytesOf([good]), "not a JSON object"],
    "a later format": [bytesOf({ ...good, format: 2 }), "format"],
    "a missing field": [bytesOf({ ...good, reason: undefined }), "reason"],
    "a wrong type": [bytesOf({ ...good, versions: [1] }), "versions"],
    "other spaces": [new TextEncoder().encode(JSON.stringify(good)), "not written the way"],
    "a key twice": [
      new TextEncoder().encode(formatJson(good).replace("{", '{\n  "by": "first",')),
      "not written the way",
    ],
    "a malformed signature": [bytesOf({ ...good, signature: "yes" }), "signature"],
    "a key path": [
      bytesOf({
        ...good,
        signature: { algorithm: "ed25519", public_key_fingerprint: "../../x", value: "AA==" },
      }),
      "signature",
    ],
  };
  for (const [name, [bytes, words]] of Object.entries(cases)) {
    const store = new MemoryStore();
    await fill(store, 3);
    store.files.set(entryKey(1), bytes);
    const problems = await problemsOf({ store, index: undefined, history: [], unfinished: [] });
    assertFound(problems, "00000001.json", words);
    assert.ok(problems.length >= 2, `${name}: the next entry no longer fits`);
  }
});

Deno.test("files that are no entries are named", async () => {
  const store = new MemoryStore();
  await fill(store, 2);
  for (const name of ["0000003.json", "00000000.json", "00000002.json.bak", "notes.txt"]) {
    store.files.set(`.backout/audit/${name}`, new Uint8Array());
  }
  store.files.set(".backout/audit/.partial-1", new Uint8Array());
  const problems = await problemsOf({ store, index: undefined, history: [], unfinished: [] });
  assert.equal(problems.length, 4);
  assertFound(problems, "notes.txt is not an audit entry");
});

Deno.test("an index or a history that names an impossible entry is a problem, not a crash", async () => {
  const store = new MemoryStore();
  const results = await fill(store, 2);
  const { sha256 } = results[1]!;
  for (const wrong of [null, 2, {}, { seq: "2", sha256 }, { seq: 1.5, sha256 }, { seq: 2, sha256: 7 }]) {
    const audit = wrong as unknown as { seq: number; sha256: string };
    const request = { store, history: [], unfinished: [] };
    assert.equal((await problemsOf({ ...request, index: { audit_head: audit } })).length, 1);
    const history = [{ id: newOperationId(new Date()), audit }];
    assert.equal(
      (await problemsOf({ ...request, index: undefined, history })).length,
      wrong === null ? 0 : 1,
    );
  }
});

Deno.test("a log that begins in the middle of another is found by itself", async () => {
  const store = new MemoryStore();
  const [, second] = await fill(new MemoryStore(), 2);
  store.files.set(entryKey(1), bytesOf({ ...entryOf(second!.bytes), seq: 1 }));
  const problems = await problemsOf({ store, index: undefined, history: [], unfinished: [] });
  assert.equal(problems.length, 1);
  assertFound(problems, "00000001.json", "should be the first");
});
