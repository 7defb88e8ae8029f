/** What only a filesystem can have on the way: symlinks, FIFOs, links, modes, owners, and users without permission. */
import assert from "node:assert/strict";
import { NotAFileError } from "#/core/digest.ts";
import { StorageError } from "#/core/errors.ts";
import { SystemError } from "#/core/system_error.ts";
import { FilesystemStore } from "#/storage/filesystem/store.ts";
import { UnsafePathError } from "#/storage/key.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { asNobody } from "./filesystem_support.ts";
import { bytesOf, keysOf, movesInto, OPERATION, recordOf, sha256, textOf } from "./object_store_support.ts";

const LIMIT = { maxBytes: 1000 };
const modeOf = (path: string) => (Deno.lstatSync(path).mode ?? 0) & 0o7777;

Deno.test("no call goes through a symlink, and the error names it", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/root`;
    await Deno.mkdir(`${folder}/outside`);
    await Deno.mkdir(root);
    await Deno.writeTextFile(`${folder}/outside/a`, "secret");
    await Deno.symlink("../outside", `${root}/v1`);
    const store = new FilesystemStore(root);
    await store.create("v2/a", bytesOf("A"));
    const expected = (await store.stat("v2/a"))!;
    const refused: (() => Promise<unknown>)[] = [
      async () => await store.stat("v1/a"),
      () => store.statMany(["v1/a"]),
      () => store.read("v1/a", LIMIT),
      () => keysOf(store, "v1"),
      () => store.listNames("v1"),
      () => store.digest(["v1/a"]),
      () => store.create("v1/b", bytesOf("")),
      () => store.replace("v1/a", bytesOf("")),
      () => store.stage(OPERATION, "n", "v1/a", bytesOf("")),
      () => store.copyFiles([{ from: "v1/a", to: "copy", sha256: null }]),
      () => store.copyFiles([{ from: "v2/a", to: "v1/copy", sha256: null }]),
      () => store.moveFiles([{ from: "v1/a", to: "moved", expected }]),
      () => store.moveFiles([{ from: "v2/a", to: "v1/moved", expected }]),
      () => store.removeFiles(["v1/a"]),
      () => store.removeTree("v1/a"),
      () => store.placeStaged(OPERATION, [recordOf("v1/a", "A")]),
      () => store.addFiles(OPERATION, [{ record: recordOf("v1/b", "A"), source: { key: "v2/a" } }]),
    ];
    for (const call of refused) {
      await assert.rejects(call, (error: unknown) => {
        assert.ok(error instanceof UnsafePathError, `${call}: ${error}`);
        assert.match(error.message, /root\/v1: it is a symlink/);
        return true;
      });
    }
    assert.deepEqual([...Deno.readDirSync(`${folder}/outside`)].map((it) => it.name), ["a"]);
    assert.equal(await Deno.readTextFile(`${folder}/outside/a`), "secret");
  });
});

Deno.test("a symlink in the place of backout's own folder is refused", async () => {
  await withTempDir(async (root) => {
    await Deno.mkdir(`${root}/elsewhere`);
    await Deno.symlink("elsewhere", `${root}/.backout`);
    const store = new FilesystemStore(root);
    await assert.rejects(store.create(".backout/history/1.json", bytesOf("")), UnsafePathError);
    await assert.rejects(store.keepReserve(1), UnsafePathError);
    assert.deepEqual([...Deno.readDirSync(`${root}/elsewhere`)], []);
  });
});

Deno.test("the root itself may be a symlink", async () => {
  await withTempDir(async (folder) => {
    await Deno.mkdir(`${folder}/real`);
    await Deno.symlink("real", `${folder}/root`);
    const store = new FilesystemStore(`${folder}/root`);
    await store.create("v1/a", bytesOf("A"));
    await store.moveFiles(await movesInto(store, "b", ["v1/a"]));
    await store.flush();
    assert.equal(await Deno.readTextFile(`${folder}/real/.rollback-backups/b/v1/a`), "A");
  });
});

Deno.test("symlinks, FIFOs and folders in the place of a file are listed, and refused by what reads or moves", async () => {
  await withTempDir(async (root) => {
    const store = new FilesystemStore(root);
    await store.create("v1/file", bytesOf("F"));
    await Deno.symlink("file", `${root}/v1/link`);
    assert.ok((await new Deno.Command("mkfifo", { args: [`${root}/v1/fifo`] }).output()).success);
    await Deno.mkdir(`${root}/v1/folder`);
    assert.deepEqual(
      (await Array.fromAsync(store.list("v1"))).map((it) => [it.key, it.kind]),
      [["v1/fifo", "other"], ["v1/file", "file"], ["v1/link", "symlink"]],
    );
    for (const name of ["link", "fifo", "folder"]) {
      const key = `v1/${name}`;
      const expected = (await store.stat(key))!;
      await assert.rejects(store.read(key, LIMIT), NotAFileError);
      await assert.rejects(store.digest([key]), NotAFileError);
      await assert.rejects(store.copyFiles([{ from: key, to: "x", sha256: null }]), NotAFileError);
      await assert.rejects(store.moveFiles([{ from: key, to: "x", expected }]), StorageError);
      await assert.rejects(
        store.stageFiles(OPERATION, [{ record: recordOf("x", ""), source: { path: `${root}/${key}` } }]),
        NotAFileError,
      );
      await assert.rejects(store.commitStaged(OPERATION, "n", key, null), StorageError);
    }
    await assert.rejects(store.removeFiles(["v1/folder"]), NotAFileError);
    await store.removeFiles(["v1/link", "v1/fifo"]);
    assert.equal(await textOf(store, "v1/file"), "F");
    await Deno.symlink("..", `${root}/v1/folder/up`);
    await store.removeTree("v1");
    assert.deepEqual(await store.listNames(""), []);
  });
});

Deno.test("a file in the place of a folder is refused", async () => {
  await withTempDir(async (root) => {
    const store = new FilesystemStore(root);
    await store.create("v1", bytesOf(""));
    await assert.rejects(store.create("v1/a", bytesOf("")), /v1: it is a file, not a folder/);
    await assert.rejects(new FilesystemStore(`${root}/v1`).create("a", bytesOf("")), StorageError);
  });
});

Deno.test("backout's folders are private, and replaced files keep their mode", async () => {
  await withTempDir(async (root) => {
    const store = new FilesystemStore(root);
    await store.create(".backout/history/1.json", bytesOf("{}"));
    await store.replace(".rollback-backups/b/manifest.json", bytesOf("{}"));
    await store.stage(OPERATION, "index.json", "index.json", bytesOf("{}"));
    await store.commitStaged(OPERATION, "index.json", "index.json", null);
    for (const key of [".backout", ".backout/history", ".rollback-backups", ".rollback-backups/b"]) {
      assert.equal(modeOf(`${root}/${key}`), 0o700, key);
    }
    assert.equal(modeOf(`${root}/.backout/history/1.json`), 0o600);
    assert.equal(modeOf(`${root}/.rollback-backups/b/manifest.json`), 0o600);
    assert.equal(modeOf(`${root}/index.json`), 0o644);
    await Deno.chmod(`${root}/index.json`, 0o664);
    await store.stage(OPERATION, "index.json", "index.json", bytesOf("[]"));
    await store.commitStaged(OPERATION, "index.json", "index.json", sha256("{}"));
    assert.equal(modeOf(`${root}/index.json`), 0o664);
  });
});

Deno.test("folder modes survive a move there and back, file by file and as a whole", async () => {
  await withTempDir(async (root) => {
    const store = new FilesystemStore(root);
    for (const key of ["v1/bin/a", "v1/bin/b", "v2/lib/c"]) await store.create(key, bytesOf(key));
    for (const key of ["v1", "v1/bin", "v2/lib"]) await Deno.chmod(`${root}/${key}`, 0o751);
    await Deno.chmod(`${root}/v1/bin/a`, 0o755);
    const before = { v1: modeOf(`${root}/v1`), a: modeOf(`${root}/v1/bin/a`) };
    for (const keys of [["v1/bin/a"], ["v1/bin/b"], ["v2/lib/c"]]) {
      const moves = await movesInto(store, "b", keys);
      await store.moveFiles(moves);
    }
    assert.deepEqual(await store.listNames(""), []);
    assert.equal(modeOf(`${root}/.rollback-backups/b`), 0o700);
    const back = (await Array.fromAsync(store.list(".rollback-backups/b"))).map((it) => ({
      from: it.key,
      to: it.key.slice(".rollback-backups/b/".length),
      expected: it,
    }));
    for (const move of back) await store.moveFiles([move]);
    for (const key of ["v1", "v1/bin", "v2/lib"]) assert.equal(modeOf(`${root}/${key}`), 0o751, key);
    assert.deepEqual({ v1: modeOf(`${root}/v1`), a: modeOf(`${root}/v1/bin/a`) }, before);
    assert.deepEqual(await store.listNames(".rollback-backups"), []);
  });
});

Deno.test("a folder that holds nothing else moves by one rename; anything else in it keeps it in place", async () => {
  await withTempDir(async (root) => {
    const store = new FilesystemStore(root);
    for (const key of ["v1/a", "v1/bin/b", "v2/a", "v2/other", "v3/a"]) await store.create(key, bytesOf(key));
    await Deno.mkdir(`${root}/v3/empty`);
    const inode = (path: string) => Deno.lstatSync(`${root}/${path}`).ino;
    const folder = inode("v1");
    const bin = inode("v1/bin");
    await store.moveFiles(await movesInto(store, "b", ["v1/a", "v1/bin/b", "v2/a", "v3/a"]));
    assert.equal(inode(".rollback-backups/b/v1"), folder);
    assert.equal(inode(".rollback-backups/b/v1/bin"), bin);
    assert.equal(await textOf(store, "v2/other"), "v2/other");
    assert.equal(Deno.lstatSync(`${root}/v3/empty`).isDirectory, true);
  });
});

Deno.test("a hard-linked file is copied out, so that its other name does not lead into the backup", async () => {
  await withTempDir(async (root) => {
    const store = new FilesystemStore(root);
    await store.create("v1/a", bytesOf("A"));
    await store.create("v1/b", bytesOf("B"));
    await Deno.link(`${root}/v1/a`, `${root}/latest`);
    const moves = await movesInto(store, "b", ["v1/a", "v1/b"]);
    await store.copyFiles([{ from: "v1/a", to: moves[0]!.to, sha256: sha256("A") }]);
    const copy = Deno.lstatSync(`${root}/${moves[0]!.to}`);
    assert.deepEqual(await store.moveFiles(moves), []);
    assert.deepEqual(await store.moveFiles(moves), []);
    assert.equal(Deno.lstatSync(`${root}/${moves[0]!.to}`).ino, copy.ino);
    assert.notEqual(Deno.lstatSync(`${root}/latest`).ino, copy.ino);
    assert.equal(await textOf(store, "latest"), "A");
    assert.deepEqual(await store.listNames(""), ["latest"]);
  });
});

Deno.test("an inode that changed between the check and the move is reported", async () => {
  await withTempDir(async (root) => {
    const store = new FilesystemStore(root);
    for (const key of ["v1/a", "v1/b"]) await store.create(key, bytesOf("1234"));
    const moves = await movesInto(store, "b", ["v1/a", "v1/b"]);
    const { mtime } = Deno.lstatSync(`${root}/v1/b`);
    await Deno.rename(`${root}/v1/b`, `${root}/old`);
    await Deno.writeTextFile(`${root}/v1/b`, "4321");
    await Deno.utime(`${root}/v1/b`, mtime!, mtime!);
    assert.deepEqual(await store.moveFiles(moves), ["v1/b"]);
  });
});

testRequiring(["root"], "what root creates belongs to the owner of the root folder", async () => {
  await withTempDir(async (root) => {
    await Deno.chown(root, 1234, 4321);
    const store = new FilesystemStore(root);
    await store.create(".backout/history/1.json", bytesOf("{}"));
    await store.stage(OPERATION, "i", "index.json", bytesOf("{}"));
    await store.commitStaged(OPERATION, "i", "index.json", null);
    await store.create("src/a", bytesOf("A"));
    await store.stageFiles(OPERATION, [{ record: recordOf("v1/bin/a", "A"), source: { key: "src/a" } }]);
    await store.placeStaged(OPERATION, [recordOf("v1/bin/a", "A")]);
    await store.keepReserve(1);
    const paths = [
      ".backout",
      ".backout/history/1.json",
      "index.json",
      "v1",
      "v1/bin/a",
      ".backout/reserve/00",
    ];
    for (const path of paths) {
      const { uid, gid } = Deno.lstatSync(`${root}/${path}`);
      assert.deepEqual([path, uid, gid], [path, 1234, 4321]);
    }
    await Deno.chown(`${root}/index.json`, 77, 78);
    await store.replace("index.json", bytesOf("[]"));
    assert.equal(Deno.lstatSync(`${root}/index.json`).uid, 77);
  });
});

testRequiring(["setpriv"], "a user without permission gets a typed error and a reason", async () => {
  await withTempDir(async (folder) => {
    await Deno.chmod(folder, 0o755);
    await new FilesystemStore(`${folder}/root`).create("v1/a", bytesOf("A"));
    const said = await asNobody(
      `
      import { FilesystemStore } from "#/storage/filesystem/store.ts";
      const store = new FilesystemStore(${JSON.stringify(`${folder}/root`)});
      const expected = store.stat("v1/a");
      const errors = [];
      for (const call of [
        () => store.create("v1/b", new Uint8Array()),
        () => store.replace("index.json", new Uint8Array()),
        () => store.moveFiles([{ from: "v1/a", to: "b", expected }]),
        () => store.removeFiles(["v1/a"]),
      ]) await call().then(() => errors.push("done"), (error) => errors.push([error.kind, error.context.errno]));
      console.log(JSON.stringify({ problem: store.writeProblem("v1/a"), errors }));
      `,
      folder,
    );
    const { problem, errors } = JSON.parse(said);
    assert.equal(problem, `no permission to write in ${folder}/root/v1`);
    assert.deepEqual(errors, Array(4).fill(["permission", "EACCES"]));
    assert.equal(await Deno.readTextFile(`${folder}/root/v1/a`), "A");
  });
});

Deno.test("a failed call names the action, the path and the error number", async () => {
  await withTempDir(async (root) => {
    const store = new FilesystemStore(root);
    await assert.rejects(store.create("x".repeat(300), bytesOf("")), (error: unknown) => {
      assert.ok(error instanceof SystemError);
      assert.equal(error.context.errno, "ENAMETOOLONG");
      assert.match(error.message, /^Cannot .* the name is too long/);
      return true;
    });
    assert.ok((store.freeBytes() ?? 0) > 0);
    assert.equal(store.writeProblem("v1/a"), undefined);
  });
});
