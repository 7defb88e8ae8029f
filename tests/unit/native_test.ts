/** The C library's calls say what Deno's say, and more. */
import assert from "node:assert/strict";
import { native, withoutNative } from "#/core/native.ts";
import { makeAttempt } from "#/core/native_symbols.ts";
import * as changes from "#/core/posix_native.ts";
import { setFaultHook } from "#/core/posix.ts";
import { withTempDir } from "../support/temp.ts";

const linux = Deno.build.os === "linux";

Deno.test({
  name: "stat says what lstat says, to the nanosecond",
  ignore: !linux,
  fn: async () => {
    await withTempDir((folder) => {
      const { stat } = native()!;
      Deno.writeTextFileSync(`${folder}/file`, "12345");
      Deno.symlinkSync("file", `${folder}/link`);
      for (const path of [folder, `${folder}/file`, `${folder}/link`, "/dev/null", "/"]) {
        const [ours, theirs] = [stat(path)!, Deno.lstatSync(path)];
        const { mode, uid, gid, size, nlink, ino } = theirs;
        assert.deepEqual([ours.mode, ours.uid, ours.gid, ours.size, ours.nlink, ours.ino], [
          mode,
          uid,
          gid,
          size,
          nlink,
          ino,
        ]);
        assert.equal(Math.floor(Number(ours.mtime)), Math.floor(theirs.mtime!.getTime() / 1000));
      }
      assert.equal(stat(`${folder}/absent`), undefined);
      assert.equal(stat(`${folder}/file/x`), undefined);
      assert.throws(() => stat(`${folder}/${"x".repeat(300)}`), { code: "ENAMETOOLONG" });
      changes.setTime(`${folder}/link`, "-1.000000001");
      assert.equal(stat(`${folder}/link`)!.mtime, "-1.000000001");
    });
  },
});

Deno.test({
  name: "a folder's names, and what is refused",
  ignore: !linux,
  fn: async () => {
    await withTempDir((folder) => {
      const { readFolder } = native()!;
      const names = Array.from({ length: 3000 }, (_, i) => `name ${i} é`);
      for (const name of names) Deno.writeTextFileSync(`${folder}/${name}`, "");
      assert.deepEqual(readFolder(folder)!.map((it) => it.name).sort(), names.sort());
      assert.equal(readFolder(`${folder}/absent`), undefined);
      assert.equal(readFolder(`${folder}/${names[0]}`), undefined);
      Deno.symlinkSync(folder, `${folder}/link`);
      assert.equal(readFolder(`${folder}/link`), undefined);
      assert.throws(() => changes.setAttribute(`${folder}/absent`, "user.a", new Uint8Array()), {
        code: "ENOENT",
      });
    });
  },
});

Deno.test("changing calls can be stopped before they happen", async () => {
  await withTempDir((folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "x");
    const seen: string[] = [];
    setFaultHook((call) => {
      seen.push(call);
      throw new Error("stopped");
    });
    try {
      for (const without of [false, true]) {
        withoutNative(without);
        const before = Deno.lstatSync(`${folder}/file`);
        assert.throws(() => changes.changeMode(`${folder}/file`, 0o600), /stopped/);
        assert.throws(() => changes.setTime(`${folder}/file`, "1.0"), /stopped/);
        assert.throws(() => changes.changeOwner(`${folder}/file`, 0, 0), /stopped/);
        assert.deepEqual(Deno.lstatSync(`${folder}/file`), before);
      }
      assert.equal(changes.syncFilesystem(folder), false);
      assert.throws(() => changes.mknod(`${folder}/pipe`, 0o010600, [0, 0]), /stopped/);
    } finally {
      setFaultHook(undefined);
      withoutNative(false);
    }
    assert.deepEqual(seen, ["chmod", "utimes", "chown", "chmod", "utimes", "chown", "mknod"]);
  });
});

Deno.test("why a call failed counts when it comes twice: the runtime may have left a reason of its own", () => {
  /** Fails with each of these in turn, then succeeds. */
  const results = (...codes: number[]) => {
    let code = 0;
    const attempt = makeAttempt(() => code);
    return [attempt(() => (code = codes.shift() ?? 0) === 0 ? 7n : -1), codes.length];
  };
  const [EPERM, ENOENT, EINTR, EAGAIN, ENOSPC] = [1, 2, 4, 11, 28];
  assert.deepEqual(results(), [7, 0]);
  assert.deepEqual(results(ENOENT, EPERM), [-ENOENT, 1]);
  assert.deepEqual(results(EAGAIN, ENOENT, EPERM), [-ENOENT, 1]);
  assert.deepEqual(results(EAGAIN, ENOSPC, EPERM), [-ENOSPC, 1]);
  assert.deepEqual(results(EAGAIN, EAGAIN, EPERM), [-EAGAIN, 1]);
  assert.deepEqual(results(EAGAIN), [7, 0]);
  assert.deepEqual(results(EINTR, EINTR, EINTR), [7, 0]);
});
