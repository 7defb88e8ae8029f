/** The parts of the store's format, one by one. */
import assert from "node:assert/strict";
import * as crypto from "node:crypto";
import fc from "fast-check";
import { IntegrityError } from "#/core/errors.ts";
import { findCut, sizesAt } from "#/store/chunker.ts";
import { Codec, compress, decompress } from "#/store/codec.ts";
import { Cutter } from "#/store/cutter.ts";
import { type EarlierChunks, EarlierCuts, EarlierVersion } from "#/store/earlier_chunks.ts";
import { ID_BYTES, IdTable } from "#/store/id_table.ts";
import { decodeFrames, decodePacks, encodeFrames, encodePacks, type Frame } from "#/store/index_format.ts";
import { isSnapshotId } from "#/store/layout.ts";
import { segmentContents, treeSegments } from "#/store/tree_refs.ts";
import { withTempDir } from "../support/temp.ts";
import "../support/property_seed.ts";
import { bytesOf, manifestOf, openStore, readAll } from "./core_support.ts";

const GIB = 1024 ** 3;

function idOf(number: number): Uint8Array {
  return crypto.createHash("sha256").update(String(number)).digest();
}

Deno.test("cuts depend on the bytes near them, and lie between the shortest and the longest", () => {
  const bytes = bytesOf(1, 6_000_000);
  const { min, max, average } = sizesAt(0);
  const cuts = (from: number) => {
    const found: number[] = [];
    for (let at = from; at < bytes.length;) found.push(at = findCut(bytes, at, bytes.length, sizesAt(0)));
    return found;
  };
  const all = cuts(0);
  all.slice(0, -1).forEach((cut, i) => {
    const length = cut - (all[i - 1] ?? 0);
    assert.ok(length >= min && length <= max, `a chunk of ${length}`);
  });
  assert.ok(all.length > bytes.length / average / 3 && all.length < bytes.length / average * 3);
  const later = cuts(12_345);
  const shared = later.filter((cut) => all.includes(cut));
  assert.ok(shared.length > all.length * 0.8, `${shared.length} of ${all.length} cuts met`);
  assert.ok(sizesAt(5 * GIB).average > average && sizesAt(100 * GIB).average > sizesAt(5 * GIB).average);
});

Deno.test("content is cut alike however it comes in", () => {
  const bytes = bytesOf(2, 3_000_000);
  const lengths = (pieces: number) => {
    const found: number[] = [];
    const hash = crypto.createHash("sha256");
    const cutter = new Cutter((chunk, offset) => {
      assert.equal(offset, found.reduce((a, b) => a + b, 0));
      hash.update(chunk);
      found.push(chunk.length);
    });
    for (let at = 0; at < bytes.length; at += pieces) cutter.push(bytes.subarray(at, at + pieces));
    cutter.end();
    assert.equal(hash.digest("hex"), crypto.createHash("sha256").update(bytes).digest("hex"));
    return found;
  };
  const expected = lengths(bytes.length);
  for (const pieces of [1000, 65_536, 1_048_577]) assert.deepEqual(lengths(pieces), expected);
});

/** The chunks of content, with those of an earlier version known. */
function chunksOf(
  bytes: Uint8Array,
  earlier?: EarlierChunks,
): { ids: string[]; sizes: number[]; asBefore: number } {
  const found = { ids: [] as string[], sizes: [] as number[], asBefore: 0 };
  const known = earlier === undefined ? undefined : new EarlierCuts(earlier, (sha256) => sha256);
  const cutter = new Cutter(
    (chunk, offset) => {
      const digest = crypto.createHash("sha256").update(chunk).digest();
      const told = known?.digestAt(offset);
      if (told !== undefined) {
        assert.deepEqual(told, digest);
        found.asBefore++;
      }
      found.ids.push(digest.toString("hex"));
      found.sizes.push(chunk.length);
    },
    0,
    known,
  );
  cutter.push(bytes);
  cutter.end();
  return found;
}

Deno.test("what is known of an earlier version saves looking for cuts, and moves none", () => {
  const before = bytesOf(4, 3_000_000);
  const { ids, sizes } = chunksOf(before);
  const earlier = { from: 0, ids: ids.slice(0, -1), sizes: sizes.slice(0, -1) };
  const patched = before.slice();
  for (const at of [0, 700_000, 1_500_000, 2_999_999]) patched[at]! ^= 1;
  const noise = bytesOf(5, 1000);
  const versions = {
    before,
    patched,
    longer: new Uint8Array([...before, ...noise]),
    shorter: before.slice(0, 2_000_001),
    moved: new Uint8Array([...before.subarray(0, 1_000_000), ...noise, ...before.subarray(1_000_000)]),
    other: bytesOf(6, 3_000_000),
    empty: new Uint8Array(0),
  };
  for (const [name, bytes] of Object.entries(versions)) {
    const { ids: expected } = chunksOf(bytes);
    const found = chunksOf(bytes, earlier);
    assert.deepEqual(found.ids, expected, name);
    if (name === "before") assert.equal(found.asBefore, earlier.ids.length);
    if (name === "patched") assert.ok(found.asBefore >= earlier.ids.length - 8, `${found.asBefore}`);
    if (name === "other") assert.equal(found.asBefore, 0);
  }
  // Ids that are wrong, as in a store that was tampered with, only cost the time.
  const lying = { ...earlier, ids: earlier.ids.toReversed() };
  assert.deepEqual(chunksOf(before, lying).ids, ids);
  const version = new EarlierVersion(earlier.ids, earlier.sizes);
  assert.deepEqual(version.within(0, Infinity), earlier);
  assert.deepEqual(version.within(-100, 1), { from: 0, ids: ids.slice(0, 1), sizes: sizes.slice(0, 1) });
  assert.deepEqual(version.within(2_999_999, Infinity).ids, []);
  const part = version.within(1_000_000, 2_000_000);
  assert.ok(part.from >= 1_000_000 && part.from < 1_000_000 + Math.max(...sizes));
  assert.equal(part.ids[0], ids[sizes.findIndex((_, i) => sum(sizes.slice(0, i)) === part.from)]);
});

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

Deno.test("compressing: what shrinks, what does not, and what lies about its size", () => {
  const text = new TextEncoder().encode("the same words again and again; ".repeat(10_000));
  const packed = compress(text, 1);
  assert.ok(packed.codec !== Codec.raw && packed.bytes.length < text.length / 5);
  assert.deepEqual(decompress(packed.codec, packed.bytes, text.length), text);
  const noise = crypto.randomBytes(300_000);
  assert.equal(compress(noise, 1).codec, Codec.raw);
  for (const size of [text.length - 1, text.length + 1, 10]) {
    assert.throws(() => decompress(packed.codec, packed.bytes, size));
  }
  assert.throws(() => decompress(9, text, text.length), /unknown codec 9/);
});

Deno.test("a table of ids finds what was added, and says when it is full", () => {
  const table = IdTable.withCapacity(500);
  const other = new IdTable(table.shared);
  for (let i = 0; i < 500; i++) assert.ok(table.add(idOf(i)));
  for (let i = 0; i < 500; i++) {
    assert.equal(other.find(idOf(i)), i);
    assert.equal(other.add(idOf(i)), false);
    assert.deepEqual(Uint8Array.from(table.idAt(i)), Uint8Array.from(idOf(i)));
  }
  assert.equal(table.find(idOf(500)), undefined);
  assert.equal(table.add(idOf(500)), true);
  assert.equal(table.find(idOf(500)), undefined);
});

const anyFrame: fc.Arbitrary<Frame> = fc.record({
  offset: fc.nat(1_000_000),
  stored: fc.nat(1_000_000),
  codec: fc.nat(2),
  sizes: fc.array(fc.nat(500_000), { minLength: 1, maxLength: 5 }),
}).map((frame) => ({
  ...frame,
  raw: frame.sizes.reduce((a, b) => a + b, 0),
  ids: crypto.randomBytes(frame.sizes.length * ID_BYTES),
}));

Deno.test("indexes say what was written into them; cut short, or claiming more, they are refused", () => {
  fc.assert(fc.property(fc.array(anyFrame, { maxLength: 8 }), (frames) => {
    const bytes = encodeFrames(frames);
    const plain = frames.map((frame) => ({ ...frame, ids: Uint8Array.from(frame.ids) }));
    const decoded = decodeFrames(bytes, 2_000_000).map((frame) => ({
      ...frame,
      ids: Uint8Array.from(frame.ids),
    }));
    assert.deepEqual(decoded, plain);
    const packs = [{ id: "0123456789abcdef".repeat(2), size: 2 ** 40, frames: bytes }];
    const again = decodePacks(encodePacks([...packs, ...packs]));
    assert.deepEqual(again.map(({ id, size }) => [id, size]), [[packs[0]!.id, 2 ** 40], [
      packs[0]!.id,
      2 ** 40,
    ]]);
    assert.deepEqual(Uint8Array.from(again[1]!.frames), bytes);
    assert.throws(() => decodePacks(encodePacks(packs).slice(0, -1)));
    assert.throws(() => decodeFrames(bytes.slice(0, -1), 2_000_000));
    if (frames.length > 0) {
      assert.throws(() => decodeFrames(bytes, Math.max(...frames.map((it) => it.offset + it.stored)) - 1));
    }
  }));
});

Deno.test("ids of snapshots cannot climb out", () => {
  for (const id of ["rb-0123456789ab", "a", "A.b_c+d~e-f"]) assert.ok(isSnapshotId(id), id);
  for (const id of ["", ".", "..", "../x", "a/b", "/a", ".a", "a\0", "a\n", "a b", "x".repeat(129)]) {
    assert.ok(!isSnapshotId(id), JSON.stringify(id));
  }
});

Deno.test("a tree names its segments, a segment its contents, and nothing else is taken for them", () => {
  const content = { size: 3, chunks: ["a".repeat(64)], sha256: "b".repeat(64) };
  const lines = (...values: unknown[]) =>
    new TextEncoder().encode(values.map((it) => JSON.stringify(it) + "\n").join(""));
  assert.deepEqual(treeSegments(lines({ format: 1, paths: 2 }, { segment: content }, { segment: content })), [
    content,
    content,
  ]);
  assert.deepEqual(treeSegments(lines({ format: 1 })), []);
  assert.deepEqual(segmentContents(lines({ path: "/a" }, { path: "/b", content })), [content]);
  assert.deepEqual(segmentContents(lines()), []);
  for (
    const root of [
      lines(),
      lines({ format: 2 }),
      lines([]),
      lines({ format: 1 }, { segment: {} }),
      lines({ format: 1 }, 5),
    ]
  ) {
    assert.throws(() => treeSegments(root), IntegrityError);
  }
  const odd = { size: 1, chunks: ["../x"] };
  for (
    const segment of [
      lines({ content: odd }),
      lines({ content: null }),
      lines(7),
      new TextEncoder().encode("{"),
    ]
  ) {
    assert.throws(() => segmentContents(segment), IntegrityError);
  }
});

Deno.test("two writers of one process, of which one gives up", async () => {
  await withTempDir(async (folder) => {
    await using store = await openStore(`${folder}/store`);
    const shared = bytesOf(1, 500_000);
    {
      await using first = await store.write();
      await using second = await store.write();
      await using third = await store.write();
      const [a, b] = await Promise.all([first.addBytes(shared), second.addBytes(shared)]);
      await third.addBytes(bytesOf(2, 1000));
      assert.deepEqual(a, b);
      await Promise.all([first.commit(manifestOf("rb-1", [a])), second.commit(manifestOf("rb-2", [b]))]);
      await assert.rejects(first.addBytes(shared), /has ended/);
    }
    await using again = await openStore(`${folder}/store`);
    const { snapshots } = await again.listSnapshots();
    assert.deepEqual(snapshots.map(({ id }) => id), ["rb-1", "rb-2"]);
    for (const { targets } of snapshots) {
      assert.deepEqual(await readAll(again, targets[0]!.roots[0]!.content), shared);
    }
    assert.deepEqual([...Deno.readDirSync(`${folder}/store/tmp`)], []);
  });
});
