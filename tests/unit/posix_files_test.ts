/** Files that are written by the thousand: the same through the C library and without it. */
import assert from "node:assert/strict";
import { native, withoutNative } from "#/core/native.ts";
import { errorCode, setFaultHook, timeText } from "#/core/posix.ts";
import { createOutput, mkdir, openOutput, rename } from "#/core/posix_files.ts";
import { lookAtSource, openSource } from "#/store/source_file.ts";
import { withTempDir } from "../support/temp.ts";

const linux = Deno.build.os === "linux";
const bytes = (text: string) => new TextEncoder().encode(text);

for (const without of linux ? [false, true] : [true]) {
  const how = without ? "without foreign functions" : "through the C library";

  Deno.test(`a file is made, filled at any place, and moved, ${how}`, async () => {
    await withTempDir((folder) => {
      withoutNative(without);
      try {
        mkdir(`${folder}/ö`, 0o700);
        const path = `${folder}/ö/new file`;
        {
          using file = createOutput(path, 0o600);
          file.resize(10);
          file.writeAt(bytes("end"), 7);
          file.writeAt(bytes("begin").subarray(1, 3), 0);
        }
        assert.equal(Deno.readTextFileSync(path), "eg\0\0\0\0\0end");
        assert.equal(Deno.statSync(path).mode! & 0o7777, 0o600);
        assert.throws(() => createOutput(path, 0o600), (error) => /EEXIST/.test(errorCode(error) ?? ""));
        {
          using file = openOutput(path);
          file.writeAt(bytes("B"), 0);
        }
        rename(path, `${folder}/moved`);
        assert.equal(Deno.readTextFileSync(`${folder}/moved`), "Bg\0\0\0\0\0end");
        assert.throws(() => rename(path, `${folder}/other`), (error) => errorCode(error) === "ENOENT");
        Deno.symlinkSync("moved", `${folder}/link`);
        assert.throws(() => openOutput(`${folder}/link`));
        assert.equal(Deno.readTextFileSync(`${folder}/moved`), "Bg\0\0\0\0\0end");
      } finally {
        withoutNative(false);
      }
    });
  });

  Deno.test(`a file is looked at and read, ${how}`, async () => {
    await withTempDir((folder) => {
      withoutNative(without);
      try {
        Deno.writeTextFileSync(`${folder}/file`, "0123456789");
        Deno.symlinkSync("file", `${folder}/link`);
        const info = Deno.lstatSync(`${folder}/file`);
        const seen = lookAtSource(`${folder}/file`);
        assert.ok(seen.kind === "file");
        const { size, mtime, ctime, ino } = seen.stamp;
        const milliseconds = timeText(info.mtime);
        assert.deepEqual([size, mtime.slice(0, milliseconds.length), ino], [10, milliseconds, info.ino]);
        // Deno tells it to the second.
        assert.equal(Number.parseInt(ctime), Math.floor(info.ctime!.getTime() / 1000));
        assert.equal(lookAtSource(`${folder}/none`).kind, "vanished");
        assert.equal(lookAtSource(`${folder}/file/none`).kind, "vanished");
        assert.equal(lookAtSource(`${folder}/link`).kind, "unreadable");
        assert.throws(() => openSource(`${folder}/link`), (error) => errorCode(error) === "ELOOP");
        using file = openSource(`${folder}/file`);
        assert.deepEqual(file.stamp(), seen.stamp);
        using opened = openSource(folder);
        assert.equal(opened.stamp(), "other");
        const into = new Uint8Array(8);
        assert.equal(file.readAt(into, 4), 6);
        assert.equal(new TextDecoder().decode(into.subarray(0, 6)), "456789");
        assert.equal(file.readAt(into, 10), 0);
      } finally {
        withoutNative(false);
      }
    });
  });

  Deno.test(`every changing call can be stopped before it happens, ${how}`, async () => {
    await withTempDir((folder) => {
      withoutNative(without);
      const path = `${folder}/file`;
      try {
        const stopped = (call: string, work: () => void) => {
          setFaultHook((it) => {
            if (it === call) throw Object.assign(new Error("stopped"), { code: "ENOSPC" });
          });
          assert.throws(work, /stopped/, call);
          setFaultHook(undefined);
        };
        stopped("open", () => createOutput(path, 0o600));
        stopped("mkdir", () => mkdir(path, 0o700));
        assert.throws(() => Deno.lstatSync(path), Deno.errors.NotFound);
        using file = createOutput(path, 0o600);
        stopped("write", () => file.writeAt(bytes("x"), 0));
        stopped("write", () => file.resize(5));
        stopped("rename", () => rename(path, `${folder}/other`));
        assert.equal(Deno.lstatSync(path).size, 0);
      } finally {
        setFaultHook(undefined);
        withoutNative(false);
      }
    });
  });
}

Deno.test({
  name: "an open file gets its look; a folder behind a symlink is no plain folder",
  ignore: !linux,
  fn: async () => {
    await withTempDir((folder) => {
      const place = Deno.realPathSync(folder);
      const { uid, gid } = Deno.statSync(place);
      {
        using file = createOutput(`${place}/file`, 0o600);
        file.writeAt(bytes("x"), 0);
        assert.ok(file.dress({ uid: uid!, gid: gid!, mode: 0o4751, mtime: "1000000000.123456789" }));
      }
      const found = native()!.stat(`${place}/file`)!;
      assert.deepEqual([found.mode & 0o7777, found.mtime], [0o4751, "1000000000.123456789"]);
      Deno.mkdirSync(`${place}/real/below`, { recursive: true });
      Deno.symlinkSync("real", `${place}/link`);
      const { isPlainFolder } = native()!.files;
      if (!isPlainFolder("/")) return; // an old kernel: folder by folder then
      assert.ok(isPlainFolder(`${place}/real/below`));
      for (const other of ["link", "link/below", "file", "none"]) {
        assert.equal(isPlainFolder(`${place}/${other}`), false, other);
      }
    });
  },
});
