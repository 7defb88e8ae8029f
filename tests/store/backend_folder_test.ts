/** A store's folder: whose it is, who may look into it, and what a failure leaves. */
import assert from "node:assert/strict";
import { StorageError } from "#/core/errors.ts";
import { setFaultHook } from "#/core/posix.ts";
import { openFolderBackend } from "#/store/backend_folder.ts";
import { testRequiring } from "../support/require.ts";
import { tempDir, withTempDir } from "../support/temp.ts";
import { namesIn } from "./backend_worlds.ts";

const text = (value: string) => new TextEncoder().encode(value);
const mode = (path: string) => Deno.lstatSync(path).mode! & 0o777;

testRequiring(["posix"], "nobody else can look into a store's folder", () =>
  withTempDir(async (folder) => {
    await using backend = openFolderBackend(`${folder}/.backout/store`);
    await backend.create("packs/ab/abcd.pack", text("x"));
    await backend.replace("config.json", text("x"));
    Deno.writeFileSync(`${await backend.scratch()}/a`, text("x"), { mode: 0o666 });
    await backend.adopt("packs/ab/abce.pack", `${await backend.scratch()}/a`);
    for (const name of ["", "/packs", "/packs/ab", "/tmp"]) {
      assert.equal(mode(`${folder}/.backout/store${name}`), 0o700, name);
    }
    for (const name of ["packs/ab/abcd.pack", "packs/ab/abce.pack", "config.json"]) {
      assert.equal(mode(`${folder}/.backout/store/${name}`), 0o600, name);
    }
  }));

testRequiring(
  ["root"],
  "a store that belongs to somebody else is refused, and what to do is said",
  () =>
    withTempDir(async (folder) => {
      Deno.mkdirSync(`${folder}/store`, { mode: 0o700 });
      Deno.chownSync(`${folder}/store`, 12345, 12345);
      assert.throws(() => openFolderBackend(`${folder}/store`), (error: unknown) => {
        assert.ok(error instanceof StorageError);
        assert.match(error.message, /belongs to user 12345, and this is user 0/);
        assert.match(error.hint ?? "", /chown -R 0/);
        return true;
      });
      // Also when it appears after the opening.
      await using backend = openFolderBackend(`${folder}/later`);
      Deno.mkdirSync(`${folder}/later`, { mode: 0o700 });
      Deno.chownSync(`${folder}/later`, 12345, 12345);
      await assert.rejects(backend.create("config.json", text("x")), StorageError);
      await assert.rejects(backend.read("config.json"), StorageError);
    }),
);

testRequiring(["posix"], "a store that others may write to is refused", () =>
  withTempDir((folder) => {
    Deno.mkdirSync(`${folder}/store`);
    Deno.chmodSync(`${folder}/store`, 0o770);
    assert.throws(() => openFolderBackend(`${folder}/store`), /other users may write to it/);
  }));

testRequiring(
  ["posix"],
  "a symlink to the store is followed when it is one's own",
  () =>
    withTempDir(async (folder) => {
      Deno.mkdirSync(`${folder}/disk`, { mode: 0o700 });
      Deno.symlinkSync(`${folder}/disk`, `${folder}/store`);
      await using backend = openFolderBackend(`${folder}/store`);
      await backend.create("config.json", text("x"));
      assert.equal(Deno.readTextFileSync(`${folder}/disk/config.json`), "x");
    }),
);

testRequiring(["root"], "a symlink that somebody else made is refused", () =>
  withTempDir((folder) => {
    Deno.mkdirSync(`${folder}/disk`, { mode: 0o700 });
    Deno.symlinkSync(`${folder}/disk`, `${folder}/store`);
    const { success } = new Deno.Command("chown", { args: ["-h", "12345", `${folder}/store`] }).outputSync();
    assert.ok(success);
    assert.throws(() => openFolderBackend(`${folder}/store`), /it is a symlink that user 12345 made/);
  }));

testRequiring(["posix"], "no symlink inside a store is followed", () =>
  withTempDir(async (folder) => {
    Deno.mkdirSync(`${folder}/elsewhere`);
    Deno.writeTextFileSync(`${folder}/elsewhere/secret`, "secret");
    await using backend = openFolderBackend(`${folder}/store`);
    await backend.create("config.json", text("x"));
    Deno.symlinkSync(`${folder}/elsewhere`, `${folder}/store/packs`);
    Deno.mkdirSync(`${folder}/store/index`);
    Deno.symlinkSync(`${folder}/elsewhere/secret`, `${folder}/store/index/a`);
    assert.equal(await backend.read("packs/secret"), undefined);
    assert.equal(await backend.size("packs/secret"), undefined);
    assert.deepEqual(await namesIn(backend, "packs"), []);
    assert.deepEqual(await namesIn(backend, "index"), []);
    await assert.rejects(backend.read("index/a"), StorageError);
    await assert.rejects(backend.create("packs/new", text("x")), /it is not a folder/);
    await backend.remove(["packs/secret"]);
    assert.equal(Deno.readTextFileSync(`${folder}/elsewhere/secret`), "secret");
  }));

Deno.test("a store that is a file is refused", () =>
  withTempDir((folder) => {
    Deno.writeTextFileSync(`${folder}/store`, "");
    assert.throws(() => openFolderBackend(`${folder}/store`), /it is not a folder/);
  }));

Deno.test("at whichever call a write fails, the file is whole or as before, and nothing lies about", async (t) => {
  const changes = {
    create: (backend: ReturnType<typeof openFolderBackend>) => backend.create("a/new", text("new")),
    replace: (backend: ReturnType<typeof openFolderBackend>) => backend.replace("a/old", text("new")),
  };
  for (const [name, change] of Object.entries(changes)) {
    await t.step(name, async () => {
      let failures = 0;
      for (let at = 0;; at++) {
        await using temp = tempDir();
        await using backend = openFolderBackend(`${temp.path}/store`);
        await backend.create("a/old", text("old"));
        let calls = 0;
        setFaultHook((call, path) => {
          if (calls++ !== at || call === "unlink") return;
          throw Object.assign(new Error(`injected at ${call} ${path}`), { code: "ENOSPC" });
        });
        const failure = await change(backend).then(() => undefined, (error: unknown) => error);
        setFaultHook(undefined);
        const found = await backend.read(name === "create" ? "a/new" : "a/old");
        const before = name === "create" ? undefined : "old";
        const seen = found === undefined ? undefined : new TextDecoder().decode(found);
        assert.deepEqual(await namesIn(backend, "tmp"), []);
        if (failure === undefined) {
          assert.equal(seen, "new");
          if (calls <= at) break;
          continue;
        }
        failures++;
        assert.ok(failure instanceof StorageError, String(failure));
        assert.ok(seen === before || seen === "new");
      }
      assert.ok(failures >= 4, `${failures} failures`);
    });
  }
});
