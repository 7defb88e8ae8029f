/** A store that was damaged says which file it is, and never gives wrong bytes. */
import assert from "node:assert/strict";
import { IntegrityError, StorageError } from "#/core/errors.ts";
import type { ContentRef } from "#/store/model.ts";
import { PLAIN_CIPHER } from "#/store/cipher.ts";
import { openFolderBackend } from "#/store/backend_folder.ts";
import { packIdOf } from "#/store/layout.ts";
import { readPackFooter } from "#/store/pack_format.ts";
import { withTempDir } from "../support/temp.ts";
import { bytesOf, openStore, readAll, saveFiles, storeFiles, writeFile } from "./core_support.ts";

const BYTES = bytesOf(1, 300_000);

interface World {
  readonly folder: string;
  readonly location: string;
  readonly content: ContentRef;
  /** The only one of its folder. */
  readonly file: (folder: string) => string;
}

async function withStore(body: (world: World) => Promise<void>): Promise<void> {
  await withTempDir(async (folder) => {
    const location = `${folder}/store`;
    await using store = await openStore(location);
    const [content] = await saveFiles(store, "rb-1", [writeFile(`${folder}/f`, BYTES)]);
    await body({ folder, location, content: content!, file: (name) => storeFiles(location, name)[0]! });
  });
}

/** Reading ends with an error that names the file. */
async function assertNamed({ location, content, folder }: World, name: string): Promise<void> {
  const isNamed = (error: unknown) => {
    assert.ok(error instanceof IntegrityError, String(error));
    assert.equal(error.code, 54);
    assert.ok(error.message.includes(name), error.message);
    return true;
  };
  await assert.rejects(async () => {
    await using store = await openStore(location);
    await readAll(store, content);
  }, isNamed);
  await assert.rejects(async () => {
    await using store = await openStore(location);
    await store.writeFiles([{ content, path: `${folder}/out` }]);
  }, isNamed);
}

function flip(path: string, at: number): void {
  const bytes = Deno.readFileSync(path);
  bytes[at < 0 ? bytes.length + at : at]! ^= 0x10;
  Deno.writeFileSync(path, bytes);
}

Deno.test("a missing pack", async () => {
  await withStore(async (world) => {
    const pack = world.file("packs");
    Deno.removeSync(`${world.location}/${pack}`);
    await assertNamed(world, pack);
  });
});

Deno.test("a torn pack", async () => {
  await withStore(async (world) => {
    const pack = world.file("packs");
    Deno.truncateSync(`${world.location}/${pack}`, 50_000);
    await assertNamed(world, pack);
  });
});

Deno.test("a pack with a flipped bit, anywhere in its frames", async () => {
  await withStore(async (world) => {
    const pack = world.file("packs");
    const path = `${world.location}/${pack}`;
    const whole = Deno.readFileSync(path);
    for (let at = 8; at < whole.length - 400; at += 9973) {
      Deno.writeFileSync(path, whole);
      flip(path, at);
      await assertNamed(world, pack);
    }
    Deno.writeFileSync(path, whole);
    await using store = await openStore(world.location);
    assert.deepEqual(await readAll(store, world.content), BYTES);
  });
});

Deno.test("an index that is torn, changed or missing", async () => {
  await withStore(async (world) => {
    const index = world.file("index");
    const path = `${world.location}/${index}`;
    const whole = Deno.readFileSync(path);
    for (const length of [0, 5, whole.length - 1]) {
      Deno.writeFileSync(path, whole.slice(0, length));
      await assertNamed(world, index);
    }
    for (const at of [0, 20, -3]) {
      Deno.writeFileSync(path, whole);
      flip(path, at);
      await assertNamed(world, index);
    }
    Deno.removeSync(path);
    await assertNamed(world, "no index names it");
  });
});

Deno.test("a pack says itself what is in it, and says when its end is damaged", async () => {
  await withStore(async ({ location, file }) => {
    const pack = file("packs");
    const id = packIdOf(pack)!;
    await using backend = openFolderBackend(location);
    const footer = await readPackFooter(backend, id, PLAIN_CIPHER);
    assert.equal(footer.size, Deno.statSync(`${location}/${pack}`).size);
    const whole = Deno.readFileSync(`${location}/${pack}`);
    for (const at of [-1, -20, -46, -60]) {
      Deno.writeFileSync(`${location}/${pack}`, whole);
      flip(`${location}/${pack}`, at);
      await assert.rejects(readPackFooter(backend, id, PLAIN_CIPHER), IntegrityError, `byte ${at}`);
    }
  });
});

Deno.test("a manifest that was changed or renamed", async () => {
  await withStore(async ({ location }) => {
    const path = `${location}/snapshots/rb-1.json`;
    const text = Deno.readTextFileSync(path);
    Deno.copyFileSync(path, `${location}/snapshots/rb-2.json`);
    await using store = await openStore(location);
    await assert.rejects(store.readSnapshot("rb-2"), /rb-2\.json: it is the manifest of "rb-1"/);
    for (
      const changed of [text.replace('"test"', '"best"'), text.slice(0, 100), "", "[]", "null", `${text}x`]
    ) {
      Deno.writeTextFileSync(path, changed);
      await assert.rejects(store.readSnapshot("rb-1"), (error: unknown) => {
        assert.ok(
          error instanceof IntegrityError && error.message.includes("snapshots/rb-1.json"),
          String(error),
        );
        return true;
      });
    }
    const { snapshots, damaged } = await store.listSnapshots();
    assert.deepEqual([snapshots, damaged], [[], ["snapshots/rb-1.json", "snapshots/rb-2.json"]]);
  });
});

Deno.test("a configuration that is damaged or of another format", async () => {
  await withStore(async ({ location }) => {
    const path = `${location}/config.json`;
    const text = Deno.readTextFileSync(path);
    for (const changed of ["", "{", "[]", text.replace('"id": "', '"id": "x')]) {
      Deno.writeTextFileSync(path, changed);
      await assert.rejects(openStore(location), IntegrityError, changed);
    }
    Deno.writeTextFileSync(path, text.replace('"format": 1', '"format": 2'));
    await assert.rejects(openStore(location), (error: unknown) => {
      assert.ok(error instanceof StorageError && /it has format 2/.test(error.message), String(error));
      return true;
    });
  });
});

Deno.test("what is asked for in the wrong size is refused", async () => {
  await withStore(async ({ location, content, folder }) => {
    await using store = await openStore(location);
    await assert.rejects(store.readBytes(content, { maxBytes: 1000 }), IntegrityError);
    const longer = { ...content, size: content.size + 1 };
    await assert.rejects(store.readBytes(longer, { maxBytes: 1e9 }), IntegrityError);
    await assert.rejects(readAll(store, longer), IntegrityError);
    await assert.rejects(store.writeFiles([{ content: longer, path: `${folder}/o` }]), IntegrityError);
    assert.throws(() => Deno.statSync(`${folder}/o`), Deno.errors.NotFound);
    const odd = { size: 5, chunks: ["../../etc/passwd"] };
    await assert.rejects(store.readBytes(odd, { maxBytes: 1e9 }), IntegrityError);
  });
});

Deno.test("what a lost pack held is stored anew", async () => {
  await withStore(async ({ location, content, folder, file }) => {
    Deno.removeSync(`${location}/${file("packs")}`);
    await using store = await openStore(location);
    const [again] = await saveFiles(store, "rb-2", [{ path: `${folder}/f`, size: BYTES.length }]);
    assert.deepEqual(again, content);
    assert.deepEqual(await readAll(store, content), BYTES);
  });
});
