/**
 * The store alone, without targets: `store_child.ts save|restore STORE FOLDER LIST`. Saves every file below a folder and
 * writes to LIST what it stored; or restores a LIST into a folder. Every file is read, so an unchanged tree costs here
 * what a target spares by looking at times.
 */
import { dirname } from "node:path";
import type { ContentRef } from "#/store/model.ts";
import { openSnapshotStore } from "#/store/open.ts";
import type { FileToStore } from "#/store/store.ts";
import { contentOf, manifestOf } from "../store/core_support.ts";

const [verb, location, folder, list] = Deno.args as [string, string, string, string];
await using store = await openSnapshotStore({ location });
if (verb === "save") await save();
else await restore();

async function save(): Promise<void> {
  const files = [...walk(folder)];
  await using writer = await store.write();
  const contents = (await writer.addFiles(files)).map(contentOf);
  const lines = files.map(({ path }, i) => [path.slice(folder.length), contents[i]]);
  const tree = await writer.addBytes(new TextEncoder().encode(JSON.stringify(lines)));
  await writer.commit(manifestOf(`rb-${crypto.randomUUID()}`, [tree]));
  Deno.writeTextFileSync(list, JSON.stringify(tree));
}

async function restore(): Promise<void> {
  const tree = JSON.parse(Deno.readTextFileSync(list)) as ContentRef;
  const bytes = await store.readBytes(tree, { maxBytes: 2 ** 30 });
  const files = JSON.parse(new TextDecoder().decode(bytes)) as [string, ContentRef][];
  const folders = new Set(files.map(([path]) => dirname(folder + path)));
  for (const path of folders) Deno.mkdirSync(path, { recursive: true });
  await store.writeFiles(files.map(([path, content]) => ({ path: folder + path, content })));
}

function* walk(path: string): Generator<FileToStore> {
  for (const entry of Deno.readDirSync(path)) {
    const child = `${path}/${entry.name}`;
    if (entry.isDirectory) yield* walk(child);
    else if (entry.isFile) yield { path: child, size: Deno.lstatSync(child).size };
  }
}
