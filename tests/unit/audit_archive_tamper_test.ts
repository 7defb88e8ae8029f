/** Archives of the audit log that somebody changed, and what refuses to act on one. */
import assert from "node:assert/strict";
import { gunzipSync, gzipSync } from "node:zlib";
import { decodeArchive, encodeArchive } from "#/audit/archive.ts";
import { entryKey } from "#/audit/entry.ts";
import { planArchive } from "#/audit/plan_archive.ts";
import { verifyAuditLog } from "#/audit/verify.ts";
import { archiveKey } from "#/core/audit_key.ts";
import { areArchived, isArchiveKey } from "#/operation/archived_entries.ts";
import {
  archive,
  archivedLog,
  assertFound,
  bytesOf,
  claims,
  copyOf,
  entryOf,
  FIRST,
  logFiles as files,
  type MemoryStore,
  problemsOf,
} from "./audit_support.ts";

/** Anew sealed, so that only the chain can tell. */
async function resealed(
  store: MemoryStore,
  change: (entries: { seq: number; bytes: Uint8Array }[]) => { seq: number; bytes: Uint8Array }[],
): Promise<Uint8Array> {
  const decoded = await decodeArchive(store.files.get(archiveKey(FIRST))!, FIRST);
  assert.ok("entries" in decoded);
  return await encodeArchive(change([...decoded.entries]));
}

const encoder = new TextEncoder();
type Damage = (store: MemoryStore) => void | Promise<void>;
const change = (bytes: (old: Uint8Array) => Uint8Array): Damage => (store) =>
  void store.files.set(archiveKey(FIRST), bytes(store.files.get(archiveKey(FIRST))!));
const linesChanged = (edit: (lines: string[]) => string[]): Damage =>
  change((old) => {
    const lines = new TextDecoder().decode(gunzipSync(old)).trimEnd().split("\n");
    return gzipSync(edit(lines).join("\n") + "\n");
  });

const DAMAGES: readonly (readonly [name: string, damage: Damage, ...words: string[]])[] = [
  [
    "removed",
    (store) => void store.files.delete(archiveKey(FIRST)),
    "00000001.json to 00000006.json",
    "missing",
  ],
  ["empty", change(() => new Uint8Array()), "archive-00000001-00000006.jsonl.gz was changed or cut short"],
  ["cut short", change((old) => old.slice(0, -1)), "was changed or cut short"],
  ["half of it", change((old) => old.slice(0, old.length >> 1)), "was changed or cut short"],
  ["something behind it", change((old) => new Uint8Array([...old, 0])), "was changed or cut short"],
  ["twice", change((old) => new Uint8Array([...old, ...old])), "was changed or cut short"],
  ["no archive at all", change(() => encoder.encode("hello")), "was changed or cut short"],
  ["compressed anew", linesChanged((lines) => lines), "was changed or cut short"],
  ["a line removed", linesChanged((lines) => lines.toSpliced(3, 1)), "was changed or cut short"],
  [
    "a line changed by somebody who knows the format",
    async (store) =>
      void store.files.set(
        archiveKey(FIRST),
        await resealed(store, (entries) => {
          const forged = bytesOf({ ...entryOf(entries[2]!.bytes), by: "somebody" });
          return entries.with(2, { seq: 3, bytes: forged });
        }),
      ),
    "The entry 00000004.json in .backout/audit/archive",
    "another digest for the entry before it",
  ],
  [
    "the last line changed, so that the next entry tells",
    async (store) =>
      void store.files.set(
        archiveKey(FIRST),
        await resealed(store, (entries) => {
          const forged = bytesOf({ ...entryOf(entries[5]!.bytes), by: "somebody" });
          return entries.with(5, { seq: 6, bytes: forged });
        }),
      ),
    "00000007.json has another digest for the entry before it",
  ],
  [
    "two lines exchanged",
    async (store) =>
      void store.files.set(
        archiveKey(FIRST),
        await resealed(
          store,
          (entries) =>
            entries.with(1, { seq: 2, bytes: entries[2]!.bytes }).with(2, {
              seq: 3,
              bytes: entries[1]!.bytes,
            }),
        ),
      ),
    "holds the entry number 3: it was moved or copied",
  ],
  [
    "renamed to hold more",
    (store) => {
      store.files.set(archiveKey({ first: 1, last: 7 }), store.files.get(archiveKey(FIRST))!);
      store.files.delete(archiveKey(FIRST));
    },
    "holds other entries than its name says",
  ],
  [
    "a copy under another name",
    (store) => void store.files.set(archiveKey({ first: 2, last: 7 }), store.files.get(archiveKey(FIRST))!),
    "archive-00000002-00000007.jsonl.gz holds other entries than its name says",
  ],
  [
    "an entry beside it that differs",
    (store) => void store.files.set(entryKey(3), store.files.get(entryKey(9))!),
    "00000003.json differs from the entry 00000003.json in .backout/audit/archive",
  ],
  [
    "a name that is nearly one of an archive",
    (store) => void store.files.set(".backout/audit/archive-1-6.jsonl.gz", new Uint8Array()),
    "archive-1-6.jsonl.gz is not an audit entry",
  ],
];

for (const [name, damage, ...words] of DAMAGES) {
  Deno.test(`archive: found: ${name}`, async () => {
    const { store } = await archivedLog();
    await damage(store);
    // By itself, without what index and history know.
    assertFound(await problemsOf({ store, index: undefined, history: [], unfinished: [] }), ...words);
  });
}

Deno.test("archive: one that cannot be read is one problem, not one for each of its entries", async () => {
  const { store, results } = await archivedLog();
  const bytes = Uint8Array.from(store.files.get(archiveKey(FIRST))!);
  bytes[100]! ^= 1;
  store.files.set(archiveKey(FIRST), bytes);
  const problems = await problemsOf(claims(store, results));
  assert.equal(problems.length, 1, problems.join("\n"));
});

Deno.test("archive: while its entries are still files, a damaged one loses nothing, and both are said", async () => {
  const { whole, store, results } = await archivedLog();
  store.files.set(archiveKey(FIRST), new Uint8Array(200));
  for (let seq = 1; seq <= 6; seq++) store.files.set(entryKey(seq), whole.files.get(entryKey(seq))!);
  const { problems, entries } = await verifyAuditLog(claims(store, results));
  assert.equal(entries, 10);
  assert.equal(problems.length, 1);
  await assert.rejects(planArchive(store, { keep: 4 }), /Refused to archive.*archive-00000001/);
});

Deno.test("archive: entries that are missing, or not what the archive has, are not archived", async () => {
  const { whole, store } = await archivedLog();
  for (
    const [damage, words] of [
      [(copy: MemoryStore) => copy.files.delete(entryKey(3)), /00000003\.json is missing/],
      [(copy: MemoryStore) => copy.files.set(entryKey(3), new Uint8Array([0xff])), /entry 3 is not text/],
    ] as const
  ) {
    const copy = copyOf(whole);
    damage(copy);
    const before = files(copy);
    await assert.rejects(archive(copy, { keep: 4 }), words);
    assert.deepEqual(files(copy), before);
  }
  store.files.set(entryKey(2), whole.files.get(entryKey(9))!);
  await assert.rejects(planArchive(store, { keep: 1 }), /00000002\.json differs from the entry in/);
});

Deno.test("archive: entries are only removed while their archive is there with the right bytes", async () => {
  const { whole } = await archivedLog();
  for (
    const [damage, words] of [
      [
        (copy: MemoryStore) => copy.files.delete(archiveKey(FIRST)),
        /archive-00000001-00000006\.jsonl\.gz is gone/,
      ],
      [(copy: MemoryStore) => copy.files.set(archiveKey(FIRST), new Uint8Array(5)), /has other bytes/],
    ] as const
  ) {
    const copy = copyOf(whole);
    copy.removeFiles = () => assert.fail("nothing may be removed");
    const create = copy.create.bind(copy);
    copy.create = async (key, bytes) => {
      await create(key, bytes);
      damage(copy);
    };
    await assert.rejects(archive(copy, { keep: 4 }), words);
  }
});

Deno.test("archive: a journal that somebody made up cannot remove entries that are in no archive", () => {
  const step = (changes: Record<string, unknown>) =>
    ({
      kind: "remove_audit_entries",
      archive: { first: 1, last: 6, sha256: "a".repeat(64) },
      first: 2,
      last: 6,
      ...changes,
    }) as unknown as Parameters<typeof areArchived>[0];
  assert.ok(areArchived(step({})));
  for (
    const changes of [
      { last: 7 },
      { first: 0 },
      { first: 5, last: 4 },
      { first: "1" },
      { last: 1.5 },
      { last: undefined },
      { archive: null },
      { archive: "x" },
      { archive: { first: 1, last: 6, sha256: "../x" } },
      { archive: { first: 1, last: 1e9, sha256: "a".repeat(64) }, last: 1e9 },
    ]
  ) assert.ok(!areArchived(step(changes)), JSON.stringify(changes));
  assert.ok(isArchiveKey(archiveKey(FIRST)));
  for (
    const key of [
      entryKey(1),
      ".backout/audit/archive-00000006-00000001.jsonl.gz",
      ".backout/audit/archive-00000000-00000001.jsonl.gz",
      ".backout/audit/../audit/archive-00000001-00000006.jsonl.gz",
      "archive-00000001-00000006.jsonl.gz",
      ".backout/audit/keys/archive-00000001-00000006.jsonl.gz",
    ]
  ) assert.ok(!isArchiveKey(key), key);
});
