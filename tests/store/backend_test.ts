/** What every place of a store guarantees, on each of them. */
import assert from "node:assert/strict";
import { ConflictError } from "#/storage/object_store.ts";
import { IntegrityError } from "#/core/errors.ts";
import type { FilePart, StoreBackend } from "#/store/backend.ts";
import { openBucketBackend } from "#/store/backend_bucket.ts";
import { CountingBucket, MemoryBucket } from "../support/memory_bucket.ts";
import { testRequiring } from "../support/require.ts";
import { namesIn, randomBytes, type World, WORLDS } from "./backend_worlds.ts";

const text = (value: string) => new TextEncoder().encode(value);

interface Case {
  readonly name: string;
  readonly run: (backend: StoreBackend, again: () => Promise<StoreBackend>) => Promise<void>;
}

const CASES: readonly Case[] = [
  {
    name: "an empty place has nothing in it",
    run: async (backend) => {
      assert.equal(await backend.read("config.json"), undefined);
      assert.equal(await backend.read("packs/ab/abc.pack", { offset: 0, length: 4 }), undefined);
      assert.equal(await backend.size("config.json"), undefined);
      assert.deepEqual(await namesIn(backend, "packs"), []);
      await backend.remove(["packs/ab/abc.pack"]);
    },
  },
  {
    name: "what was created is read whole, in part, and by others",
    run: async (backend, again) => {
      const bytes = randomBytes(3000);
      await backend.create("snapshots/one.json", bytes);
      assert.deepEqual(await backend.read("snapshots/one.json"), bytes);
      assert.equal(await backend.size("snapshots/one.json"), 3000);
      assert.deepEqual(
        await backend.read("snapshots/one.json", { offset: 10, length: 20 }),
        bytes.slice(10, 30),
      );
      await using other = await again();
      assert.deepEqual(await other.read("snapshots/one.json"), bytes);
      // What lies past the end is left out.
      assert.deepEqual(
        await other.read("snapshots/one.json", { offset: 2990, length: 20 }),
        bytes.slice(2990),
      );
      assert.deepEqual(
        await other.read("snapshots/one.json", { offset: 5000, length: 20 }),
        new Uint8Array(0),
      );
    },
  },
  {
    name: "nothing is created twice, not even the same bytes",
    run: async (backend, again) => {
      await backend.create("snapshots/one.json", text("first"));
      await using other = await again();
      await assert.rejects(other.create("snapshots/one.json", text("other")), ConflictError);
      await assert.rejects(other.create("snapshots/one.json", text("first")), ConflictError);
      assert.deepEqual(await backend.read("snapshots/one.json"), text("first"));
    },
  },
  {
    name: "of many who create the same file, one succeeds",
    run: async (backend) => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, (_, n) => backend.create("snapshots/race.json", text(`writer ${n}`))),
      );
      const winners = outcomes.flatMap((outcome, n) => outcome.status === "fulfilled" ? [n] : []);
      assert.equal(winners.length, 1);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") assert.ok(outcome.reason instanceof ConflictError, outcome.reason);
      }
      assert.deepEqual(await backend.read("snapshots/race.json"), text(`writer ${winners[0]}`));
    },
  },
  {
    name: "a file is replaced whole",
    run: async (backend) => {
      await backend.replace("config.json", text("first"));
      await backend.replace("config.json", text("2"));
      assert.deepEqual(await backend.read("config.json"), text("2"));
    },
  },
  {
    name: "a finished file of the scratch folder is taken over, and is gone there",
    run: async (backend) => {
      const scratch = await backend.scratch();
      assert.equal(Deno.lstatSync(scratch).mode! & 0o777, 0o700);
      const bytes = randomBytes(9 * 1024 * 1024 + 17); // in parts on object storage
      Deno.writeFileSync(`${scratch}/a.tmp`, bytes);
      await backend.adopt("packs/ab/abcd.pack", `${scratch}/a.tmp`);
      assert.throws(() => Deno.lstatSync(`${scratch}/a.tmp`), Deno.errors.NotFound);
      assert.equal(await backend.size("packs/ab/abcd.pack"), bytes.length);
      // The first of them alone, then all of it, which the others are read from.
      for (const offset of [0, 5_000_000, bytes.length - 30, 17, 4_194_304, 8_000_000]) {
        assert.deepEqual(
          await backend.read("packs/ab/abcd.pack", { offset, length: 30 }),
          bytes.slice(offset, offset + 30),
        );
      }
      assert.deepEqual(await backend.read("packs/ab/abcd.pack"), bytes);
      assert.deepEqual(
        await backend.read("packs/ab/abcd.pack", { offset: 9, length: 5_000_000, inAll: 8_000_000 }),
        bytes.slice(9, 5_000_009),
      );
      assert.deepEqual(await backend.read("packs/ab/abcd.pack", { offset: 9, length: 0 }), new Uint8Array(0));
      assert.equal(await backend.read("packs/ab/none.pack", { offset: 9, length: 0 }), undefined);
    },
  },
  {
    name: "taking over never replaces",
    run: async (backend) => {
      await backend.create("packs/ab/abcd.pack", text("first"));
      const path = `${await backend.scratch()}/b.tmp`;
      Deno.writeFileSync(path, text("other"));
      await assert.rejects(backend.adopt("packs/ab/abcd.pack", path), ConflictError);
      assert.deepEqual(await backend.read("packs/ab/abcd.pack"), text("first"));
    },
  },
  {
    name: "a large file is created and replaced like a small one",
    run: async (backend) => {
      const bytes = randomBytes(9 * 1024 * 1024);
      await backend.create("index/big.idx", bytes);
      assert.deepEqual(await backend.read("index/big.idx"), bytes);
      await assert.rejects(backend.create("index/big.idx", bytes), ConflictError);
      const other = randomBytes(8 * 1024 * 1024 + 1);
      await backend.replace("index/big.idx", other);
      assert.deepEqual(await backend.read("index/big.idx"), other);
    },
  },
  {
    name: "a listing has everything below a folder, sorted, and nothing else",
    run: async (backend) => {
      for (const name of ["packs/b/2.pack", "packs/a/1.pack", "packs/a/10.pack", "packs2/x", "index/1.idx"]) {
        await backend.create(name, text(name));
      }
      const listed = [];
      for await (const entry of backend.list("packs")) listed.push(entry);
      assert.deepEqual(listed.map((it) => it.name), ["packs/a/1.pack", "packs/a/10.pack", "packs/b/2.pack"]);
      assert.deepEqual(listed.map((it) => it.size), [14, 15, 14]);
      for (const { modified } of listed) assert.ok(Math.abs(Date.now() - modified) < 3_600_000);
    },
  },
  {
    name: "removing takes only what is named, and may be done again",
    run: async (backend) => {
      for (const n of [1, 2, 3]) await backend.create(`packs/a/${n}.pack`, text("x"));
      await backend.remove(["packs/a/1.pack", "packs/a/3.pack"]);
      await backend.remove(["packs/a/1.pack", "packs/none/3.pack"]);
      assert.deepEqual(await namesIn(backend, "packs"), ["packs/a/2.pack"]);
      await backend.create("packs/a/1.pack", text("anew"));
      assert.deepEqual(await backend.read("packs/a/1.pack"), text("anew"));
    },
  },
  {
    name: "no name leads out of the store",
    run: async (backend) => {
      for (
        const name of ["../x", "packs/../../x", "/etc/passwd", "", "a//b", "a/./b", ".hidden", "a\0b", "a\\b"]
      ) {
        await assert.rejects(backend.read(name), IntegrityError, JSON.stringify(name));
        await assert.rejects(backend.create(name, text("x")), IntegrityError, JSON.stringify(name));
        await assert.rejects(backend.replace(name, text("x")), IntegrityError, JSON.stringify(name));
        await assert.rejects(backend.remove([name]), IntegrityError, JSON.stringify(name));
        await assert.rejects(namesIn(backend, name), IntegrityError, JSON.stringify(name));
      }
    },
  },
  {
    name: "packs that were read in part are fetched again when they are needed again",
    run: async (backend, again) => {
      const packs = Array.from({ length: 9 }, () => randomBytes(1_200_000));
      for (const [n, bytes] of packs.entries()) await backend.create(`packs/a/${n}.pack`, bytes);
      await using reader = await again();
      for (const round of [0, 1]) {
        await Promise.all(packs.map(async (bytes, n) => {
          const part = await reader.read(`packs/a/${n}.pack`, { offset: 1000 * n + round, length: 50 });
          assert.deepEqual(part, bytes.slice(1000 * n + round, 1000 * n + round + 50));
        }));
      }
      if (reader.remote) assert.ok([...Deno.readDirSync(await reader.scratch())].length <= 8);
    },
  },
];

for (const kind of WORLDS) {
  testRequiring(kind.needs, `a store in ${kind.name}`, async (t) => {
    await using world: World = await kind.start();
    for (const { name, run } of CASES) {
      await t.step(name, async () => {
        await using place = await world.fresh();
        await using backend = await place.open();
        await run(backend, () => place.open());
      });
    }
  });
}

Deno.test("of a pack in a bucket little is fetched where little is read, and all of it once where more is", async () => {
  const bucket = new CountingBucket(new MemoryBucket());
  await using backend = openBucketBackend(bucket);
  const bytes = randomBytes(6 * 1024 * 1024);
  Deno.writeFileSync(`${await backend.scratch()}/a.tmp`, bytes);
  await backend.adopt("packs/ab/ab.pack", `${await backend.scratch()}/a.tmp`);
  const fetched = async (part: FilePart) => {
    const before = bucket.bytesRead;
    const { offset, length } = part;
    assert.deepEqual(await backend.read("packs/ab/ab.pack", part), bytes.slice(offset, offset + length));
    return bucket.bytesRead - before;
  };
  const offsets = [5_000_000, 100, 3_000_000];
  for (const offset of offsets) assert.equal(await fetched({ offset, length: 1000 }), 1000);
  assert.equal(await fetched({ offset: 7, length: 1000 }), bytes.length);
  assert.equal(await fetched({ offset: 70_000, length: 1000 }), 0);
  await using other = openBucketBackend(bucket);
  const before = bucket.bytesRead;
  await other.read("packs/ab/ab.pack", { offset: 0, length: 1000, inAll: 5_000_000 });
  assert.equal(bucket.bytesRead - before, bytes.length);
});
