/** A capture, and a restore after changes, by the user that starts it. */
import { TreeWorld } from "./tree_support.ts";

const [what, folder] = Deno.args as [string, string];
const root = `${folder}/data`;
const world = new TreeWorld(folder, { paths: [root] });
try {
  const saved = await world.capture();
  if (what === "restore") {
    Deno.chmodSync(`${root}/locked`, 0o755);
    Deno.removeSync(`${root}/locked/file`);
    Deno.writeTextFileSync(`${root}/locked/later`, "x");
    Deno.chmodSync(`${root}/locked`, 0o555);
    const { changed, removed } = await world.restore(saved);
    console.log(`restored ${changed + 1} ${removed}`);
  }
} catch (error) {
  console.log(String(error));
}
