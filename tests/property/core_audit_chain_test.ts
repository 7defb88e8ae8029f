/** Whatever is done to one or more entries of a log, `verifyAuditLog` sees it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import "../support/property_seed.ts";
import { sha256Hex } from "#/core/sha256.ts";
import { type AuditEntry, entryKey } from "#/audit/entry.ts";
import { type AuditVerifyRequest, verifyAuditLog } from "#/audit/verify.ts";
import { formatJson } from "#/core/json.ts";
import { auditBody, fill, MemoryStore } from "../unit/audit_support.ts";
import { appendAudit } from "#/audit/chain.ts";

const LENGTH = 6;
const log = new MemoryStore();
const results = await fill(log, LENGTH);
const entries = results.map(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)) as AuditEntry);
const { seq, sha256 } = results.at(-1)!;
const index = { audit_head: { seq, sha256 }, last_operation: entries.at(-1)!.operation_id! };
const history = entries.map((entry, i) => ({ id: entry.operation_id!, audit: results[i]! }));

type Mutation = (files: Map<string, Uint8Array>) => void;

const anySeq = fc.integer({ min: 1, max: LENGTH });
const bytesOf = (value: unknown) => new TextEncoder().encode(formatJson(value));

const flipBit = fc.tuple(anySeq, fc.nat(), fc.integer({ min: 0, max: 7 })).map(
  ([n, at, bit]): Mutation => (files) => {
    const bytes = Uint8Array.from(files.get(entryKey(n)) ?? [0]);
    bytes[at % bytes.length]! ^= 1 << bit;
    files.set(entryKey(n), bytes);
  },
);
const cutFile = fc.tuple(anySeq, fc.nat()).map(([n, at]): Mutation => (files) => {
  const bytes = files.get(entryKey(n)) ?? new Uint8Array(1);
  files.set(entryKey(n), bytes.slice(0, at % bytes.length));
});
const replaceField = fc.tuple(
  anySeq,
  fc.constantFrom(...Object.keys(entries[0]!)),
  fc.oneof(fc.string(), fc.nat(), fc.boolean(), fc.constant(null), fc.constant([])),
).map(([n, field, value]): Mutation => (files) => {
  files.set(entryKey(n), bytesOf({ ...entries[n - 1], [field]: value }));
});
const remove = anySeq.map((n): Mutation => (files) => files.delete(entryKey(n)));
const truncate = anySeq.map((n): Mutation => (files) => {
  for (let i = n; i <= LENGTH; i++) files.delete(entryKey(i));
});
const swap = fc.tuple(anySeq, anySeq).map(([a, b]): Mutation => (files) => {
  const [first, second] = [files.get(entryKey(a)), files.get(entryKey(b))];
  if (first === undefined || second === undefined) return;
  files.set(entryKey(a), second);
  files.set(entryKey(b), first);
});
/** Closes the gap by renaming, with or without renumbering and linking anew. */
const removeAndCloseUp = fc.tuple(anySeq, fc.boolean()).map(([n, relink]): Mutation => (files) => {
  let previous = files.get(entryKey(n - 1));
  for (let i = n; i < LENGTH; i++) {
    const bytes = files.get(entryKey(i + 1)) ?? new Uint8Array();
    const moved = relink
      ? bytesOf({
        ...entries[i],
        seq: i,
        previous_sha256: previous === undefined ? null : sha256Hex(previous),
      })
      : bytes;
    files.set(entryKey(i), moved);
    previous = moved;
  }
  files.delete(entryKey(LENGTH));
});
const insert = fc.tuple(anySeq, fc.boolean()).map(([n, relink]): Mutation => (files) => {
  const before = files.get(entryKey(n - 1));
  let previous = bytesOf({
    ...entries[n - 1],
    ...auditBody(),
    previous_sha256: before === undefined ? null : sha256Hex(before),
  });
  files.set(entryKey(n), previous);
  for (let i = n; i <= LENGTH; i++) {
    const changed = relink ? { seq: i + 1, previous_sha256: sha256Hex(previous) } : {};
    previous = bytesOf({ ...entries[i - 1], ...changed });
    files.set(entryKey(i + 1), previous);
  }
});
const mutation = fc.oneof(
  flipBit,
  cutFile,
  replaceField,
  remove,
  truncate,
  swap,
  removeAndCloseUp,
  insert,
);

function equalFiles(a: ReadonlyMap<string, Uint8Array>, b: ReadonlyMap<string, Uint8Array>): boolean {
  return a.size === b.size &&
    [...a].every(([key, bytes]) => b.has(key) && sha256Hex(bytes) === sha256Hex(b.get(key)!));
}

async function problemsOf(
  files: ReadonlyMap<string, Uint8Array>,
  claims: Pick<AuditVerifyRequest, "index" | "history">,
): Promise<readonly string[]> {
  const store = new MemoryStore();
  for (const [key, bytes] of files) store.files.set(key, bytes);
  return (await verifyAuditLog({ store, unfinished: [], ...claims })).problems;
}

Deno.test("any mutation of the entries is found, by the index alone and by the history alone", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), async (mutations) => {
      const files = new Map(log.files);
      for (const mutate of mutations) mutate(files);
      fc.pre(!equalFiles(files, log.files));
      assert.notDeepEqual(await problemsOf(files, { index, history: [] }), []);
      assert.notDeepEqual(await problemsOf(files, { index: undefined, history }), []);
    }),
    { numRuns: 1000 },
  );
  assert.deepEqual(await problemsOf(log.files, { index, history }), []);
});

Deno.test("what is done to entries in the middle is found by the chain alone", async () => {
  const inner = fc.integer({ min: 1, max: LENGTH - 1 });
  const change = fc.oneof(
    inner.map((n): Mutation => (files) => files.delete(entryKey(n))),
    fc.tuple(inner, fc.string()).map(([n, by]): Mutation => (files) =>
      files.set(entryKey(n), bytesOf({ ...entries[n - 1], by: "x" + by }))
    ),
  );
  await fc.assert(
    fc.asyncProperty(change, async (mutate) => {
      const files = new Map(log.files);
      mutate(files);
      assert.notDeepEqual(await problemsOf(files, { index: undefined, history: [] }), []);
    }),
  );
});

Deno.test("going on after any damage does not hide it", async () => {
  await fc.assert(
    fc.asyncProperty(mutation, fc.integer({ min: 1, max: 3 }), async (mutate, more) => {
      const store = new MemoryStore();
      for (const [key, bytes] of log.files) store.files.set(key, bytes);
      mutate(store.files);
      fc.pre(!equalFiles(store.files, log.files));
      let head = index.audit_head;
      for (let i = 0; i < more; i++) {
        const { seq, sha256 } = await appendAudit(store, auditBody(), { hint: head });
        head = { seq, sha256 };
      }
      const claims = { index: { audit_head: head }, history: [] };
      const found = await problemsOf(store.files, claims);
      const withHistory = await problemsOf(store.files, { ...claims, history });
      assert.notDeepEqual([...found, ...withHistory], []);
    }),
    { numRuns: 500 },
  );
});
