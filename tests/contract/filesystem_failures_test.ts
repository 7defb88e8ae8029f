/** Each changing call of each method fails once; the method must say so, leave no rubbish, and work when called again. */
import assert from "node:assert/strict";
import { StorageError } from "#/core/errors.ts";
import { FilesystemStore } from "#/storage/filesystem/store.ts";
import { ConflictError } from "#/storage/object_store.ts";
import { readTree, type Tree } from "../support/tree.ts";
import { withTempDir } from "../support/temp.ts";
import { failCall, testOnTwoDevices } from "./filesystem_support.ts";
import { bytesOf, movesInto, OPERATION, recordOf, sha256, textOf } from "./object_store_support.ts";

interface Method {
  readonly name: string;
  readonly prepare: (store: FilesystemStore) => Promise<(again: FilesystemStore) => Promise<unknown>>;
}

const METHODS: readonly Method[] = [
  {
    name: "create",
    prepare: () =>
      Promise.resolve((store) =>
        store.create(".backout/history/1.json", bytesOf("{}")).catch(async (error: unknown) => {
          // A create that failed after it was seen is found there by the next one.
          if (!(error instanceof ConflictError)) throw error;
          assert.equal(await textOf(store, ".backout/history/1.json"), "{}");
        })
      ),
  },
  {
    name: "replace",
    prepare: async (store) => {
      await store.replace("index.md", bytesOf("old"));
      return (again) => again.replace("index.md", bytesOf("new"));
    },
  },
  {
    name: "stage",
    prepare: () => Promise.resolve((store) => store.stage(OPERATION, "i", "index.json", bytesOf("{}"))),
  },
  {
    name: "commitStaged",
    prepare: async (store) => {
      await store.stage(OPERATION, "i", "index.json", bytesOf("{}"));
      return async (again) => {
        if (await again.hasStaged(OPERATION, "i")) {
          await again.commitStaged(OPERATION, "i", "index.json", null);
        }
      };
    },
  },
  {
    name: "stageFiles",
    prepare: async (store) => {
      await store.create("src/a", bytesOf("A"));
      await store.create("src/b", bytesOf("B"));
      return (again) =>
        again.stageFiles(OPERATION, [
          { record: recordOf("v1/a", "A"), source: { key: "src/a" }, mtime: "2024-01-02T03:04:05.000Z" },
          { record: recordOf("v1/bin/b", "B", 0o755), source: { key: "src/b" } },
        ]);
    },
  },
  {
    name: "placeStaged",
    prepare: async (store) => {
      await store.create("v2/a", bytesOf("A"));
      const records = ["v1/a", "v1/bin/a", "v2/a", "v2/b", "top"].map((path) => recordOf(path, "A"));
      await store.stageFiles(OPERATION, records.map((record) => ({ record, source: { key: "v2/a" } })));
      return async (again) => {
        await again.placeStaged(OPERATION, records);
        await again.flush();
      };
    },
  },
  {
    name: "addFiles",
    prepare: async (store) => {
      await store.create("src/a", bytesOf("A"));
      return async (again) => {
        await again.addFiles(OPERATION, [{ record: recordOf("v1/bin/a", "A"), source: { key: "src/a" } }]);
        await again.flush();
        await again.removeScratch(OPERATION);
      };
    },
  },
  {
    name: "copyFiles",
    prepare: async (store) => {
      await store.create("v1/a", bytesOf("A"));
      await store.create("v1/b", bytesOf("B"));
      return (again) =>
        again.copyFiles([
          { from: "v1/a", to: ".rollback-backups/b/v1/a", sha256: sha256("A") },
          { from: "v1/b", to: ".rollback-backups/b/v1/b", sha256: null },
        ]);
    },
  },
  {
    name: "moveFiles",
    prepare: async (store) => {
      const keys = ["v1/a", "v1/bin/b", "v2/a", "v3/linked"];
      for (const key of [...keys, "v2/stays"]) await store.create(key, bytesOf(key));
      await Deno.link(`${store.location}/v3/linked`, `${store.location}/link`);
      const moves = await movesInto(store, "b", keys);
      return async (again) => {
        assert.deepEqual(await again.moveFiles(moves), []);
        await again.flush();
      };
    },
  },
  {
    name: "removeFiles",
    prepare: async (store) => {
      for (const key of ["v1/a", "v1/bin/b", "v2/x"]) await store.create(key, bytesOf(key));
      return async (again) => {
        await again.removeFiles(["v1/a", "v1/bin/b"]);
        await again.flush();
      };
    },
  },
  {
    name: "removeTree",
    prepare: async (store) => {
      for (const key of ["v1/a", "v1/bin/b"]) await store.create(key, bytesOf(key));
      return (again) => again.removeTree("v1");
    },
  },
  {
    name: "removeScratch",
    prepare: async (store) => {
      await store.stage(OPERATION, "i", "index.json", bytesOf("{}"));
      return (again) => again.removeScratch(OPERATION);
    },
  },
  {
    name: "releaseReserve",
    prepare: async (store) => {
      await store.keepReserve(1);
      return (again) => again.releaseReserve();
    },
  },
];

for (const method of METHODS) {
  Deno.test(`every changing call of ${method.name} may fail`, () => sweep(method, undefined));
}

testOnTwoDevices("every changing call of a move between devices may fail", async (elsewhere) => {
  await sweep(METHODS.find((it) => it.name === "moveFiles")!, elsewhere);
});

Deno.test("keepReserve swallows a full disk and leaves no half reserve", async () => {
  for (let n = 1; n < 12; n++) {
    await withTempDir(async (root) => {
      const store = new FilesystemStore(root);
      {
        using fault = failCall(n, "ENOSPC");
        await store.keepReserve(1);
        assert.ok(fault.calls >= n);
      }
      await store.keepReserve(1);
      const reserve = await Array.fromAsync(store.list(".backout/reserve"));
      assert.equal(reserve.length, 16);
      assert.ok(reserve.reduce((sum, it) => sum + it.size, 0) >= 1 << 20);
    });
  }
});

Deno.test("removeLeftovers sweeps what killed processes left, and spares what is in use here", async () => {
  await withTempDir(async (root) => {
    const store = new FilesystemStore(root);
    await store.create("v1/a", bytesOf("A"));
    await Deno.writeTextFile(`${root}/.backout/tmp/00000000-dead.tmp`, "half");
    await Deno.mkdir(`${root}/.backout-scratch/tmp`, { recursive: true });
    await Deno.writeTextFile(`${root}/.backout-scratch/tmp/00000000-dead.tmp`, "half");
    await store.removeLeftovers();
    assert.deepEqual([...Deno.readDirSync(`${root}/.backout/tmp`)], []);
    assert.deepEqual([...Deno.readDirSync(root)].map((it) => it.name).sort(), [".backout", "v1"]);
  });
});

async function sweep(method: Method, stateOn: string | undefined): Promise<void> {
  const expected = await once(method, 0, stateOn);
  assert.ok(expected.calls > 0);
  for (let n = 1; n <= expected.calls; n++) {
    const { tree } = await once(method, n, stateOn);
    assert.deepEqual(tree, expected.tree, `after call ${n} of ${expected.calls} failed`);
  }
}

/** Runs the method with its n-th changing call failing (0: none), then again; what is there in the end. */
async function once(
  method: Method,
  n: number,
  stateOn: string | undefined,
): Promise<{ calls: number; tree: Tree }> {
  return await withTempDir(async (root) => {
    const state = stateOn === undefined ? undefined : await Deno.makeTempDir({ dir: stateOn });
    const open = () => new FilesystemStore(root, state);
    const run = await method.prepare(open());
    let calls = 0;
    {
      using fault = failCall(n, "ENOSPC");
      if (n === 0) await run(open());
      else await run(open()).catch((error) => assertFull(error));
      calls = fault.calls;
    }
    if (n > 0) await run(open());
    await open().removeLeftovers();
    const ignore = (path: string) => path === ".backout/tmp";
    const tree = {
      ...readTree(root, { ignore }),
      ...(state === undefined ? {} : prefixed(readTree(state, { ignore }))),
    };
    assert.deepEqual(Object.keys(tree).filter((path) => path.endsWith(".tmp")), []);
    return { calls, tree };
  });
}

function prefixed(tree: Tree): Tree {
  return Object.fromEntries(Object.entries(tree).map(([path, what]) => [`state:${path}`, what]));
}

function assertFull(error: unknown): void {
  assert.ok(error instanceof StorageError, `not a storage error: ${error}`);
  assert.equal(error.context.errno, "ENOSPC");
  assert.match(error.message, /^Cannot .*: the disk is full$/);
}
