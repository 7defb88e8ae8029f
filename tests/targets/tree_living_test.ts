/** Trees that others work in meanwhile: files that change or go while they are read, sockets of running programs. */
import assert from "node:assert/strict";
import { type Native, native } from "#/core/native.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { TreeWorld } from "./tree_support.ts";

Deno.test("a file that changes, and one that goes, while they are read", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    Deno.mkdirSync(root);
    for (const name of ["busy", "brief", "once", "still"]) Deno.writeTextFileSync(`${root}/${name}`, name);
    Deno.linkSync(`${root}/brief`, `${root}/brief too`);
    const world = new TreeWorld(folder, { paths: [root] });
    let changed = false;
    world.store.onRead = (path) => {
      if (path.endsWith("/busy")) Deno.writeTextFileSync(path, "more", { append: true });
      if (path.endsWith("/brief")) Deno.removeSync(path);
      if (path.endsWith("/once") && !changed) Deno.writeTextFileSync(path, "twice");
      if (path.endsWith("/once")) changed = true;
    };
    const saved = await world.capture();
    assert.match(saved.warnings.join("\n"), /Changed while it was read.*busy/);
    assert.match(saved.warnings.join("\n"), /Went while it was read.*brief"/);
    assert.doesNotMatch(saved.warnings.join("\n"), /once|still/);
    Deno.removeSync(root, { recursive: true });
    await world.restore(saved);
    assert.deepEqual([...Deno.readDirSync(root)].map((it) => it.name).sort(), [
      "brief too",
      "busy",
      "once",
      "still",
    ]);
    assert.equal(Deno.readTextFileSync(`${root}/once`), "twice");
    assert.equal(Deno.readTextFileSync(`${root}/brief too`), "brief");
  });
});

Deno.test("a folder that goes after it was looked at leaves a snapshot that can be restored", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    for (const name of ["a", "b", "c"]) {
      Deno.mkdirSync(`${root}/${name}`, { recursive: true });
      for (let i = 0; i < 50; i++) Deno.writeTextFileSync(`${root}/${name}/f${i}`, `${name} ${i}`);
    }
    const world = new TreeWorld(folder, { paths: [root] });
    await new Promise((resolve) => setTimeout(resolve, 3100)); // younger files are read again in any case
    const first = await world.capture();
    Deno.removeSync(`${root}/b/f0`); // somebody removes the folder: its first file is gone already
    world.store.reads = 0;
    world.store.onReadBack = (reads) => {
      if (reads === 2) Deno.removeSync(`${root}/b`, { recursive: true });
    };
    const second = await world.capture(first);
    assert.match(second.warnings.join("\n"), /Went while .*data\/b"/);
    world.store.onReadBack = () => {};
    await world.restore(second);
    assert.equal(Deno.readTextFileSync(`${root}/b/f1`), "b 1");
    assert.throws(() => Deno.lstatSync(`${root}/b/f0`), Deno.errors.NotFound);
  });
});

Deno.test("sockets are left to the programs that serve them", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    Deno.mkdirSync(`${root}/run`, { recursive: true });
    Deno.writeTextFileSync(`${root}/file`, "one");
    const world = new TreeWorld(folder, { paths: [root] });
    const bare = await world.capture();
    const listening = [Deno.listen({ transport: "unix", path: `${root}/run/app.sock` })];
    const live = await world.capture();
    assert.equal(live.fingerprint, bare.fingerprint);
    assert.deepEqual((await world.plan(bare)).changes, []);
    Deno.mkdirSync(`${root}/later`);
    listening.push(Deno.listen({ transport: "unix", path: `${root}/later/app.sock` }));
    await world.restore(bare);
    assert.ok(Deno.lstatSync(`${root}/run/app.sock`).isSocket);
    assert.throws(() => Deno.lstatSync(`${root}/later`), Deno.errors.NotFound);
    for (const it of listening) it.close();
    await Deno.remove(`${root}/run/app.sock`).catch(() => {}); // closing may have removed it
    await world.restore(live);
    assert.equal(await world.fingerprint(), live.fingerprint);
    assert.deepEqual((await world.plan(live)).changes, []);
  });
});

Deno.test("a hard link far away keeps the content of a file that goes while it is read", async () => {
  await withTempDir(async (folder) => {
    const root = `${folder}/data`;
    // More files than the walk hands over to be read at once.
    makeLinks(root, 5000);
    const world = new TreeWorld(folder, { paths: [root] });
    world.store.onRead = (path) => {
      if (path.endsWith("/first")) Deno.removeSync(path);
    };
    const saved = await world.capture();
    assert.match(saved.warnings.join("\n"), /Went while it was read.*first"/);
    Deno.removeSync(root, { recursive: true });
    await world.restore(saved);
    assert.equal(Deno.readTextFileSync(`${root}/z/second`), "content");
    assert.equal(Deno.readTextFileSync(`${root}/z/third`), "content");
    assert.throws(() => Deno.lstatSync(`${root}/a/first`), Deno.errors.NotFound);
  });
});

for (const others of [0, 5000]) {
  Deno.test(`a hard link stays the old file where its first name becomes another, ${others} files further`, async () => {
    await withTempDir(async (folder) => {
      const root = `${folder}/data`;
      makeLinks(root, others);
      const world = new TreeWorld(folder, { paths: [root] });
      let isSwapped = false;
      world.store.onRead = (path) => {
        if (!path.endsWith("/first") || isSwapped) return;
        isSwapped = true;
        Deno.writeTextFileSync(`${root}/a/.tmp`, "the new one");
        Deno.renameSync(`${root}/a/.tmp`, path);
      };
      const saved = await world.capture();
      assert.deepEqual(saved.warnings, []);
      Deno.removeSync(root, { recursive: true });
      await world.restore(saved);
      const texts = ["a/first", "z/second", "z/third"].map((it) => Deno.readTextFileSync(`${root}/${it}`));
      assert.deepEqual(texts, ["the new one", "content", "content"]);
    });
  });

  testRequiring(
    ["linux"],
    `a hard link stays where its first name goes before it is read, ${others} files further`,
    async () => {
      await withTempDir(async (folder) => {
        const root = `${folder}/data`;
        makeLinks(root, others);
        const world = new TreeWorld(folder, { paths: [root] });
        const system = native()! as { -readonly [Name in keyof Native]: Native[Name] };
        const { readAttributes } = system;
        system.readAttributes = (path) => {
          if (path === `${root}/a/first`) Deno.removeSync(path);
          return readAttributes(path);
        };
        try {
          const saved = await world.capture();
          assert.match(saved.warnings.join("\n"), /first/);
          Deno.removeSync(root, { recursive: true });
          await world.restore(saved);
        } finally {
          system.readAttributes = readAttributes;
        }
        assert.equal(Deno.readTextFileSync(`${root}/z/second`), "content");
        assert.equal(Deno.readTextFileSync(`${root}/z/third`), "content");
      });
    },
  );
}

/** Three names of one file, the first of them some files before the others. */
function makeLinks(root: string, others: number): void {
  for (const name of ["a", "m", "z"]) Deno.mkdirSync(`${root}/${name}`, { recursive: true });
  Deno.writeTextFileSync(`${root}/a/first`, "content");
  for (const name of ["second", "third"]) Deno.linkSync(`${root}/a/first`, `${root}/z/${name}`);
  for (let i = 0; i < others; i++) Deno.writeTextFileSync(`${root}/m/${i}`, "");
}
