/** The lock of a store: many writers or one collection; in real processes, killed and stopped ones too. */
import assert from "node:assert/strict";
import { LockedError, StorageError } from "#/core/errors.ts";
import type { StoreBackend } from "#/store/backend.ts";
import { openBackend } from "#/store/open_backend.ts";
import { lockStore } from "#/store/store_lock.ts";
import { testRequiring } from "../support/require.ts";
import { startGcsProcess } from "../support/servers/gcs_process.ts";
import { withTempDir } from "../support/temp.ts";
import { type FreshPlace, namesIn, WORLDS } from "./backend_worlds.ts";
import { startLockChild } from "./lock_support.ts";

const work = { operation: "work", by: "me" };

interface Case {
  readonly name: string;
  readonly run: (first: StoreBackend, second: StoreBackend, place: FreshPlace) => Promise<void>;
}

const CASES: readonly Case[] = [
  {
    name: "writers do not wait for each other",
    run: async (first, second) => {
      await using a = await lockStore(first, "shared", { ...work, timeoutMs: 0 });
      await using b = await lockStore(second, "shared", { ...work, timeoutMs: 0 });
      await using c = await lockStore(first, "shared", { ...work, timeoutMs: 0 });
      for (const lock of [a, b, c]) await lock.assertHeld();
    },
  },
  {
    name: "a collection is refused while somebody writes, and is told who",
    run: async (first, second) => {
      await using _writer = await lockStore(first, "shared", { operation: "create a snapshot", by: "alice" });
      await assert.rejects(lockStore(second, "exclusive", { operation: "collect", by: "bob" }), (error) => {
        assert.ok(error instanceof LockedError);
        assert.match(
          error.message,
          /^Cannot collect in .*create a snapshot by alice@\S+ \(pid \d+\) since 20/,
        );
        assert.match(error.hint ?? "", /--lock-timeout/);
        return true;
      });
    },
  },
  {
    name: "nobody else has the store during a collection; afterwards anybody",
    run: async (first, second) => {
      {
        await using _alone = await lockStore(first, "exclusive", work);
        for (const mode of ["shared", "exclusive"] as const) {
          await assert.rejects(lockStore(second, mode, { ...work, timeoutMs: 0 }), LockedError);
          await assert.rejects(lockStore(first, mode, { ...work, timeoutMs: 0 }), LockedError);
        }
      }
      await using _next = await lockStore(second, "exclusive", work);
    },
  },
  {
    name: "who waits is told for whom, and goes on afterwards",
    run: async (first, second) => {
      const writer = await lockStore(first, "shared", { operation: "create a snapshot", by: "alice" });
      const told = Promise.withResolvers<readonly string[]>();
      const waiting = lockStore(second, "exclusive", {
        ...work,
        timeoutMs: 60_000,
        onWait: (holders) => told.resolve(holders),
      });
      const [holder, ...more] = await told.promise;
      assert.match(holder!, /^create a snapshot by alice@/);
      assert.equal(more.length, 0);
      await writer[Symbol.asyncDispose]();
      await using _alone = await waiting;
    },
  },
  {
    name: "a wait ends with its signal",
    run: async (first, second) => {
      await using _writer = await lockStore(first, "shared", work);
      const stop = new AbortController();
      const waiting = lockStore(second, "exclusive", {
        ...work,
        timeoutMs: 60_000,
        signal: stop.signal,
        onWait: () => stop.abort("SIGTERM"),
      });
      await assert.rejects(waiting, /SIGTERM/);
    },
  },
  {
    name: "many at a time: never a collection beside anybody else",
    run: async (_first, _second, place) => {
      let shared = 0;
      let alone = 0;
      await Promise.all(Array.from({ length: 8 }, async (_, n) => {
        await using backend = await place.open();
        const mode = n % 4 === 0 ? "exclusive" : "shared";
        for (let round = 0; round < 2; round++) {
          await using _lock = await lockStore(backend, mode, { ...work, timeoutMs: 60_000 });
          if (mode === "exclusive") alone++;
          else shared++;
          assert.ok(alone === 0 || alone === 1 && shared === 0, `${alone} alone, ${shared} shared`);
          await new Promise((resolve) => setTimeout(resolve, 20));
          assert.ok(alone === 0 || alone === 1 && shared === 0, `${alone} alone, ${shared} shared`);
          if (mode === "exclusive") alone--;
          else shared--;
        }
      }));
    },
  },
  {
    name: "nothing is left of locks that were given back",
    run: async (first) => {
      for (const mode of ["shared", "exclusive"] as const) {
        await using lock = await lockStore(first, mode, work);
        await lock[Symbol.asyncDispose](); // twice is once
      }
      const left = await namesIn(first, "locks");
      assert.deepEqual(left.filter((name) => name.endsWith(".json")), []);
    },
  },
];

for (const kind of WORLDS) {
  testRequiring(kind.needs, `the lock of a store in ${kind.name}`, async (t) => {
    await using world = await kind.start();
    for (const { name, run } of CASES) {
      await t.step(name, async () => {
        await using place = await world.fresh();
        await using first = await place.open();
        await using second = await place.open();
        await run(first, second, place);
      });
    }
  });
}

testRequiring(
  ["posix"],
  "in a folder, the lock of a process that was killed is free at once",
  () =>
    withTempDir(async (folder) => {
      const location = `${folder}/store`;
      await using writer = startLockChild(location, "shared", { timeoutMs: 60_000 });
      await using collector = startLockChild(location, "exclusive", { timeoutMs: 60_000 });
      // Whichever came first holds it; the other one waits.
      const [one, two] = await Promise.all([writer.line(), collector.line()]);
      const [holder, waiter, words] = one === "held" ? [writer, collector, two] : [collector, writer, one];
      assert.equal(one === "held" ? one : two, "held");
      assert.match(words, new RegExp(`^waits: work \\w+ by child@.*pid ${holder.pid}\\)`));
      holder.kill("SIGKILL");
      assert.equal(await waiter.line(), "held");
      await waiter.release();
      await using backend = await openBackend(location);
      await using _alone = await lockStore(backend, "exclusive", work);
      assert.equal((await namesIn(backend, "locks")).length, 2); // the file, and the note of this process
    }),
);

testRequiring(
  ["posix"],
  "in a folder, a process that was only stopped keeps its lock",
  () =>
    withTempDir(async (folder) => {
      await using writer = startLockChild(`${folder}/store`, "shared");
      assert.equal(await writer.line(), "held");
      writer.kill("SIGSTOP");
      try {
        await using backend = await openBackend(`${folder}/store`);
        await assert.rejects(lockStore(backend, "exclusive", work), LockedError);
      } finally {
        writer.kill("SIGCONT");
      }
      await writer.release();
    }),
);

async function onGcs(
  body: (
    location: string,
    env: Readonly<Record<string, string>>,
    open: () => Promise<StoreBackend>,
  ) => Promise<void>,
): Promise<void> {
  await using server = await startGcsProcess();
  await server.createBucket("store");
  const env = server.environment();
  const { openGcsBucket } = await import("#/storage/gcs/open.ts");
  const { openBucketBackend } = await import("#/store/backend_bucket.ts");
  await body("gs://store/team", env, async () => {
    const bucket = await openGcsBucket({ bucket: "store", prefix: "team" }, { jobs: 4, environment: env });
    return openBucketBackend(bucket, { leaseMs: 2000 });
  });
}

testRequiring(
  ["posix"],
  "in a bucket, a killed process of this machine is cleared away",
  () =>
    onGcs(async (location, env, open) => {
      await using writer = startLockChild(location, "shared", { env });
      assert.equal(await writer.line(), "held");
      await using backend = await open();
      await assert.rejects(lockStore(backend, "exclusive", work), LockedError);
      writer.kill("SIGKILL");
      await writer.ended();
      {
        await using _other = await lockStore(backend, "shared", { ...work, timeoutMs: 0 });
      }
      await using _alone = await lockStore(backend, "exclusive", { ...work, timeoutMs: 0 });
      assert.equal((await namesIn(backend, "locks")).length, 1);
    }),
);

testRequiring(
  ["posix"],
  "in a bucket, who sleeps for longer than the lease has lost the lock, and changes nothing more",
  () =>
    onGcs(async (location, env, open) => {
      await using writer = startLockChild(location, "shared", { env });
      assert.equal(await writer.line(), "held");
      writer.kill("SIGSTOP");
      await using backend = await open();
      await using _alone = await lockStore(backend, "exclusive", { ...work, timeoutMs: 60_000 });
      writer.kill("SIGCONT");
      await writer.letGo();
      assert.match(await writer.line(), /^refused: The lock on the snapshot store was lost/);
    }),
);

testRequiring(
  ["posix"],
  "in a bucket, changes of a backend that lost its lock are refused",
  () =>
    onGcs(async (_location, _env, open) => {
      await using backend = await open();
      await using lock = await lockStore(backend, "shared", work);
      await backend.create("packs/a", new Uint8Array(1));
      const [name] = await namesIn(backend, "locks");
      await using other = await open();
      await other.remove([name!]); // as another one does that takes it for dead
      await assert.rejects(
        async () => {
          for (let n = 0; n < 200; n++) {
            await backend.create(`packs/b${n}`, new Uint8Array(1));
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
        },
        (error) => error instanceof StorageError && /was lost while this process slept/.test(error.message),
      );
      await assert.rejects(lock.assertHeld(), StorageError);
    }),
);

testRequiring(
  ["posix"],
  "in a folder, the lock works where the runtime can only block for one",
  () =>
    withTempDir(async (folder) => {
      const prototype = Deno.FsFile.prototype;
      const real = Object.getOwnPropertyDescriptor(prototype, "tryLockSync");
      Object.defineProperty(prototype, "tryLockSync", {
        value: undefined,
        configurable: true,
        writable: true,
      });
      try {
        await using first = await openBackend(`${folder}/store`);
        await using second = await openBackend(`${folder}/store`);
        const a = await lockStore(first, "shared", work);
        const b = await lockStore(second, "shared", { ...work, timeoutMs: 0 });
        await assert.rejects(lockStore(second, "exclusive", { ...work, timeoutMs: 0 }), LockedError);
        const told = Promise.withResolvers<void>();
        const waiting = lockStore(second, "exclusive", {
          ...work,
          timeoutMs: 60_000,
          onWait: () => told.resolve(),
        });
        await told.promise;
        await a[Symbol.asyncDispose]();
        await b[Symbol.asyncDispose]();
        const alone = await waiting;
        await assert.rejects(lockStore(first, "shared", { ...work, timeoutMs: 0 }), LockedError);
        await alone[Symbol.asyncDispose]();
        await using _last = await lockStore(first, "exclusive", { ...work, timeoutMs: 60_000 });
      } finally {
        if (real === undefined) Reflect.deleteProperty(prototype, "tryLockSync");
        else Object.defineProperty(prototype, "tryLockSync", real);
      }
    }),
);
