/** Files that change, vanish or become something else while a snapshot is taken. */
import assert from "node:assert/strict";
import { WHOLE_FILE_BYTES } from "#/store/add_file.ts";
import { withTempDir } from "../support/temp.ts";
import { testRequiring } from "../support/require.ts";
import { bytesOf, contentOf, manifestOf, openStore, readAll, writeFile } from "./core_support.ts";

const MIB = 1024 * 1024;

testRequiring(
  ["posix"],
  "what is gone, no file, or not to be read is said, and the rest is stored",
  async () => {
    await withTempDir(async (folder) => {
      await using store = await openStore(`${folder}/store`);
      await using writer = await store.write();
      const good = writeFile(`${folder}/good`, bytesOf(1, 1000));
      Deno.symlinkSync(good.path, `${folder}/link`);
      new Deno.Command("mkfifo", { args: [`${folder}/fifo`] }).outputSync();
      Deno.mkdirSync(`${folder}/dir`);
      const paths = ["gone", "good/below", "link", "fifo", "dir", "good"].map((name) => `${folder}/${name}`);
      const results = await writer.addFiles(paths.map((path) => ({ path, size: 1000 })));
      assert.deepEqual(results.map(({ kind }) => kind), [
        ...["vanished", "vanished", "unreadable", "unreadable", "unreadable", "stored"],
      ]);
      const large = await writer.addFiles(paths.map((path) => ({ path, size: WHOLE_FILE_BYTES + 1 })));
      assert.deepEqual(large.map(({ kind }) => kind), results.map(({ kind }) => kind));
      assert.deepEqual(contentOf(large[5]).size, 1000);
    });
  },
);

Deno.test("a file is stored as it is, whatever size it had when it was listed", async () => {
  await withTempDir(async (folder) => {
    await using store = await openStore(`${folder}/store`);
    await using writer = await store.write();
    const sizes = [0, 10, 5000, WHOLE_FILE_BYTES, WHOLE_FILE_BYTES + 1, 20 * MIB];
    const files = sizes.map((size, i) => writeFile(`${folder}/f${i}`, bytesOf(i, size)));
    for (const listed of [0, 4000, WHOLE_FILE_BYTES + 1, 90 * MIB]) {
      const results = await writer.addFiles(files.map(({ path }) => ({ path, size: listed })));
      assert.deepEqual(results.map((result) => contentOf(result).size), sizes, `listed as ${listed}`);
    }
    const last = contentOf((await writer.addFiles([{ path: files[5]!.path, size: 1 }]))[0]);
    await writer.commit(manifestOf("rb-1", [last]));
    const bytes = await readAll(store, last);
    assert.ok(bytes.length === 20 * MIB && bytesOf(5, 20 * MIB).every((byte, i) => bytes[i] === byte));
  });
});

testRequiring(
  ["posix"],
  "a file that goes on changing is kept as it was read last, and said to be changing",
  async () => {
    await withTempDir(async (folder) => {
      const file = writeFile(`${folder}/log`, bytesOf(1, 64 * MIB));
      await using store = await openStore(`${folder}/store`);
      await using writer = await store.write();
      const script = `while :; do echo line >> ${folder}/log; done`;
      const child = new Deno.Command("sh", { args: ["-c", script], stdin: "null" }).spawn();
      try {
        const [result] = await writer.addFiles([file]);
        assert.equal(result?.kind, "changing");
        const content = result!.kind === "changing" ? result.content : undefined;
        assert.ok(content!.size >= file.size);
        await writer.commit(manifestOf("rb-1", [content!]));
        const bytes = await readAll(store, content!);
        assert.equal(bytes.length, content!.size);
      } finally {
        child.kill("SIGKILL");
        await child.status;
      }
    });
  },
);

Deno.test("a snapshot that is stopped leaves nothing, and ends soon", async () => {
  await withTempDir(async (folder) => {
    const files = Array.from({ length: 600 }, (_, i) => writeFile(`${folder}/f${i}`, bytesOf(i, 2000)));
    await using store = await openStore(`${folder}/store`);
    const stop = new AbortController();
    {
      await using writer = await store.write();
      const progress = () => stop.abort("SIGTERM");
      await assert.rejects(
        writer.addFiles(files, { signal: stop.signal, onProgress: progress }),
        /Stopped by SIGTERM/,
      );
    }
    assert.deepEqual((await store.listSnapshots()).snapshots, []);
    assert.deepEqual([...Deno.readDirSync(`${folder}/store/tmp`)], []);
  });
});
