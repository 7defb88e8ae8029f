/** Whatever is done to an archive of the audit log, `verifyAuditLog` sees it by the log alone. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { gunzipSync, gzipSync } from "node:zlib";
import "../support/property_seed.ts";
import { decodeArchive, encodeArchive } from "#/audit/archive.ts";
import { entryKey } from "#/audit/entry.ts";
import { verifyAuditLog } from "#/audit/verify.ts";
import { archiveKey } from "#/core/audit_key.ts";
import { archive, copyOf, fill, MemoryStore } from "./audit_support.ts";

const RANGE = { first: 1, last: 5 };
const KEY = archiveKey(RANGE);
const log = new MemoryStore();
await fill(log, 8);
const whole = copyOf(log);
await archive(log, { keep: 3 });
const sound = log.files.get(KEY)!;
const alone = { index: undefined, history: [], unfinished: [] };

async function isFound(bytes: Uint8Array): Promise<boolean> {
  const store = copyOf(log);
  store.files.set(KEY, bytes);
  return (await verifyAuditLog({ store, ...alone })).problems.length > 0;
}

Deno.test("archive property: every single flipped bit is found", async () => {
  assert.deepEqual((await verifyAuditLog({ store: log, ...alone })).problems, []);
  for (let bit = 0; bit < sound.length * 8; bit++) {
    const bytes = Uint8Array.from(sound);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert.ok("problem" in await decodeArchive(bytes, RANGE), `bit ${bit} of ${sound.length * 8}`);
  }
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: sound.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      async (at, mask) => {
        const bytes = Uint8Array.from(sound);
        bytes[at]! ^= mask;
        assert.ok(await isFound(bytes));
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("archive property: every cut is found, and anything behind the end", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: sound.length - 1 }), async (length) => {
      assert.ok(await isFound(sound.slice(0, length)));
    }),
    { numRuns: 100 },
  );
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 20 }), async (more) => {
      assert.ok(await isFound(new Uint8Array([...sound, ...more])));
    }),
    { numRuns: 30 },
  );
});

const anyEntry = fc.integer({ min: 0, max: RANGE.last - 1 });

/** Bytes that are sealed anew are found by what is in them: the chain. */
Deno.test("archive property: entries removed, doubled, exchanged or reordered are found, also when sealed anew", async () => {
  const entries = Array.from({ length: RANGE.last }, (_, i) => whole.files.get(entryKey(i + 1))!);
  const order = fc.oneof(
    fc.shuffledSubarray(entries.map((_, i) => i), { minLength: 0, maxLength: RANGE.last }),
    fc.tuple(anyEntry, anyEntry).map(([from, to]) => entries.map((_, i) => i === to ? from : i)),
  ).filter((indexes) => indexes.join() !== entries.map((_, i) => i).join() && indexes.length > 0);
  await fc.assert(
    fc.asyncProperty(order, async (indexes) => {
      const moved = indexes.map((from, i) => ({ seq: i + 1, bytes: entries[from]! }));
      assert.ok(await isFound(await encodeArchive(moved)));
      // Under the name that fits the number of entries, so that only the chain is left to tell.
      const store = copyOf(log);
      store.files.delete(KEY);
      store.files.set(archiveKey({ first: 1, last: moved.length }), await encodeArchive(moved));
      assert.ok((await verifyAuditLog({ store, ...alone })).problems.length > 0);
    }),
    { numRuns: 150 },
  );
});

Deno.test("archive property: lines of the text removed, doubled or reordered are found", async () => {
  const lines = new TextDecoder().decode(gunzipSync(sound)).trimEnd().split("\n");
  const order = fc.shuffledSubarray(lines, { minLength: 0, maxLength: lines.length });
  await fc.assert(
    fc.asyncProperty(order, async (kept) => {
      assert.ok(await isFound(gzipSync(kept.map((line) => line + "\n").join(""))));
    }),
    { numRuns: 50 },
  );
});
