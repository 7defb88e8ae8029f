/** Hashing: right digests from both threads, nothing but regular files, and changes noticed. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { digestFiles, FileChangedError, NotAFileError } from "#/core/digest.ts";
import { hashOne, newJob, stampOf } from "#/core/digest_shared.ts";
import { InterruptedError } from "#/core/errors.ts";
import { SystemError } from "#/core/system_error.ts";
import { withTempDir } from "../support/temp.ts";

const MIB = 1 << 20;

/** Files of these sizes; their paths and digests. */
async function files(
  folder: string,
  sizes: readonly number[],
): Promise<{ paths: string[]; wanted: string[] }> {
  const paths: string[] = [];
  const wanted: string[] = [];
  for (const [i, size] of sizes.entries()) {
    const bytes = randomBytes(size);
    paths.push(`${folder}/${i}`);
    wanted.push(createHash("sha256").update(bytes).digest("hex"));
    await Deno.writeFile(`${folder}/${i}`, bytes);
  }
  return { paths, wanted };
}

/** Holes, so that they take long to hash but no space. */
async function longWork(folder: string): Promise<string[]> {
  const paths = Array.from({ length: 4 }, (_, i) => `${folder}/long${i}`);
  for (const path of paths) {
    await Deno.writeFile(path, new Uint8Array());
    await Deno.truncate(path, 64 * MIB);
  }
  return paths;
}

Deno.test("digests come in the order asked, from one thread and from two", async () => {
  await withTempDir(async (folder) => {
    const sizes = [0, 1, MIB - 1, MIB, MIB + 1, 5 * MIB, ...Array(40).fill(300_000)];
    const { paths, wanted } = await files(folder, sizes);
    for (const worker of [true, false]) {
      const digests = await digestFiles(paths, { worker });
      assert.deepEqual(digests.map((it) => it.sha256), wanted);
      assert.deepEqual(digests.map((it) => it.size), sizes);
      assert.equal(digests[5]?.stat.ino, Deno.lstatSync(paths[5]!).ino);
    }
  });
});

Deno.test("nothing to hash is no work", async () => {
  assert.deepEqual(await digestFiles([]), []);
});

Deno.test("progress ends at all bytes and never goes back", async () => {
  await withTempDir(async (folder) => {
    const { paths } = await files(folder, Array(30).fill(MIB));
    const seen: number[] = [];
    await digestFiles(paths, { onProgress: (done, total) => seen.push(done, total) });
    const done = seen.filter((_, i) => i % 2 === 0);
    assert.deepEqual(done, [...done].sort((a, b) => a - b));
    assert.deepEqual(seen.slice(-2), [30 * MIB, 30 * MIB]);
  });
});

Deno.test("a symlink, a FIFO, a folder and a device are refused, and nothing blocks", async () => {
  await withTempDir(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    await Deno.symlink("file", `${folder}/link`);
    assert.ok((await new Deno.Command("mkfifo", { args: [`${folder}/fifo`] }).output()).success);
    for (const [path, what] of [["link", "a symlink"], ["fifo", "a FIFO"], ["", "a folder"]]) {
      await assert.rejects(digestFiles([`${folder}/file`, `${folder}/${path}`]), (error: unknown) => {
        assert.ok(error instanceof NotAFileError);
        assert.match(error.message, new RegExp(`it is ${what}`));
        return true;
      });
    }
    await assert.rejects(digestFiles(["/dev/null"]), NotAFileError);
    await assert.rejects(digestFiles([`${folder}/none`]), (error: unknown) => {
      assert.ok(error instanceof SystemError);
      assert.equal(error.errno, "ENOENT");
      return true;
    });
  });
});

Deno.test("a FIFO or a symlink that takes a file's place after the look is noticed too", async () => {
  await withTempDir(async (folder) => {
    const path = `${folder}/file`;
    const swap: readonly (() => Promise<unknown>)[] = [
      () => new Deno.Command("mkfifo", { args: [path] }).output(),
      () => Deno.symlink("/etc/passwd", path),
      () => Deno.writeTextFile(path, "1234"),
    ];
    for (const replace of swap) {
      await Deno.writeTextFile(path, "1234");
      const job = newJob([path], [stampOf(Deno.lstatSync(path))]);
      await Deno.rename(path, `${path}.old`);
      await replace();
      const steps = hashOne(job, 0, new Uint8Array(MIB));
      let step = steps.next();
      while (!step.done) step = steps.next();
      assert.ok(
        step.value?.problem === "changed" || step.value?.errno === "ELOOP",
        JSON.stringify(step.value),
      );
      await Deno.remove(path);
    }
  });
});

Deno.test("a file that changes while it is read is named", async () => {
  for (const change of ["grow", "shrink", "touch"] as const) {
    await withTempDir(async (folder) => {
      const { paths } = await files(folder, [4 * MIB, 4 * MIB]);
      const job = newJob([paths[0]!], [stampOf(Deno.lstatSync(paths[0]!))]);
      const steps = hashOne(job, 0, new Uint8Array(MIB));
      steps.next(); // in the middle of the file
      if (change === "grow") await Deno.writeFile(paths[0]!, new Uint8Array(9), { append: true });
      if (change === "shrink") await Deno.truncate(paths[0]!, MIB);
      if (change === "touch") await Deno.utime(paths[0]!, 1, 1);
      let step = steps.next();
      while (!step.done) step = steps.next();
      assert.equal(step.value?.problem, "changed", change);
    });
  }
});

Deno.test("the error of a changed file says which and what to do", async () => {
  await withTempDir(async (folder) => {
    const paths = await longWork(folder);
    // Smallest last: still to be read when the first progress comes.
    await Deno.writeTextFile(`${folder}/last`, "small");
    let touched = false;
    const run = digestFiles([...paths, `${folder}/last`], {
      worker: false,
      onProgress: () => {
        if (!touched) Deno.writeTextFileSync(`${folder}/last`, "other");
        touched = true;
      },
    });
    await assert.rejects(run, (error: unknown) => {
      assert.ok(error instanceof FileChangedError, String(error));
      assert.match(error.message, /last: it changed while it was read$/);
      assert.equal(typeof error.hint, "string");
      return true;
    });
  });
});

Deno.test("an abort stops both threads, with the signal's reason", async () => {
  await withTempDir(async (folder) => {
    const paths = await longWork(folder);
    const controller = new AbortController();
    const run = digestFiles(paths, {
      signal: controller.signal,
      onProgress: (done, total) => done < total && controller.abort("SIGINT"),
    });
    await assert.rejects(run, (error: unknown) => {
      assert.ok(error instanceof InterruptedError);
      assert.equal(error.signal, "SIGINT");
      return true;
    });
    const reason = new Error("mine");
    await assert.rejects(digestFiles(paths, { signal: AbortSignal.abort(reason) }), reason);
  });
});

Deno.test("without a worker file one thread does it all", async () => {
  await withTempDir(async (folder) => {
    const { paths, wanted } = await files(folder, Array(10).fill(MIB));
    const original = globalThis.Worker;
    const broken: readonly (typeof Worker)[] = [
      class {
        constructor() {
          throw new Error("no workers here");
        }
      } as unknown as typeof Worker,
      class extends original {
        constructor() {
          super("data:text/javascript,throw new Error('broken worker')", { type: "module" });
        }
      },
    ];
    try {
      for (const fake of broken) {
        globalThis.Worker = fake;
        assert.deepEqual((await digestFiles(paths)).map((it) => it.sha256), wanted);
      }
    } finally {
      globalThis.Worker = original;
    }
  });
});
