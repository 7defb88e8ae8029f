/** `file_system` and `configuration` keep the contract of every target, killed at points of a restore too. */
import assert from "node:assert/strict";
import * as changes from "#/core/posix_native.ts";
import { describeTree } from "./tree_support.ts";
import { targetContract } from "./target_contract.ts";

function write(path: string, text: string): void {
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  Deno.writeTextFileSync(path, text);
}

targetContract({
  name: "file_system: a tree",
  type: "file_system",
  needs: ["posix"],
  setUp: (world) => {
    for (let i = 0; i < 20; i++) write(`${world}/data/f${i % 4}/file ${i}`, `content ${i}`);
    write(`${world}/data/f0/large`, "0123456789abcdef".repeat(100_000));
    Deno.symlinkSync("f0/large", `${world}/data/link`);
    Deno.linkSync(`${world}/data/f0/file 0`, `${world}/data/f1/same`);
    changes.setTime(`${world}/data/f2`, "1600000000.000000001");
    return { paths: [`${world}/data`], exclude: ["*.tmp"] };
  },
  changes: {
    "another content of the same size and time": (world) => {
      const path = `${world}/data/f1/file 1`;
      const { mtime, atime } = Deno.lstatSync(path);
      Deno.writeTextFileSync(path, "CONTENT 1");
      Deno.utimeSync(path, atime!, mtime!);
    },
    "a byte of a large file": (world) => {
      using file = Deno.openSync(`${world}/data/f0/large`, { write: true });
      file.seekSync(1_400_000, Deno.SeekMode.Start);
      file.writeSync(new Uint8Array([1]));
    },
    "a hard link is cut": (world) => {
      Deno.removeSync(`${world}/data/f1/same`);
      write(`${world}/data/f1/same`, "content 0");
    },
    "everything is gone": (world) => Deno.removeSync(`${world}/data`, { recursive: true }),
    "something of everything": (world) => {
      write(`${world}/data/f0/file 0`, "other");
      write(`${world}/data/f0/file 4`, "other too");
      Deno.removeSync(`${world}/data/f3`, { recursive: true });
      write(`${world}/data/f3`, "a file");
      Deno.removeSync(`${world}/data/link`);
      write(`${world}/data/link/deep/file`, "later");
      write(`${world}/data/later/and/later`, "later");
      Deno.chmodSync(`${world}/data/f2/file 2`, 0o600);
      Deno.chmodSync(`${world}/data/f2`, 0o700);
    },
  },
  look: (world) => {
    try {
      return describeTree(`${world}/data`);
    } catch {
      return "nothing";
    }
  },
  exported: (world, folder) => {
    assert.deepEqual(describeTree(`${folder}${world}/data`), describeTree(`${world}/data`));
  },
  killPoints: 9,
});

targetContract({
  name: "configuration: files and a glob",
  type: "configuration",
  needs: ["posix"],
  setUp: (world) => {
    write(`${world}/etc/app.yml`, "port: 1\n");
    write(`${world}/etc/conf.d/a.conf`, "a\n");
    write(`${world}/etc/conf.d/b.conf`, "b\n");
    write(`${world}/etc/conf.d/readme`, "not covered\n");
    Deno.symlinkSync("app.yml", `${world}/etc/current`);
    return {
      config_files: [`${world}/etc/app.yml`, `${world}/etc/conf.d/*.conf`, `${world}/etc/current`],
    };
  },
  changes: {
    "another port": (world) => write(`${world}/etc/app.yml`, "port: 2\n"),
    "a file is gone": (world) => Deno.removeSync(`${world}/etc/app.yml`),
    "one more that the glob matches": (world) => write(`${world}/etc/conf.d/c.conf`, "c\n"),
    "all of it": (world) => {
      write(`${world}/etc/app.yml`, "port: 3\n");
      Deno.removeSync(`${world}/etc/conf.d/a.conf`);
      write(`${world}/etc/conf.d/d.conf`, "d\n");
      Deno.removeSync(`${world}/etc/current`);
      Deno.symlinkSync("conf.d", `${world}/etc/current`);
    },
  },
  // Folders are not covered, so their times are not either.
  look: (world) =>
    Object.fromEntries(Object.entries(describeTree(`${world}/etc`)).filter(([, it]) => !it.startsWith("d"))),
  exported: (world, folder) => {
    assert.equal(Deno.readTextFileSync(`${folder}${world}/etc/app.yml`), "port: 1\n");
    assert.throws(() => Deno.lstatSync(`${folder}${world}/etc/conf.d/readme`), Deno.errors.NotFound);
  },
  killPoints: 6,
});
