/**
 * Writes snapshots until its input ends, and deletes most of them again: `writers_child.ts STORE NAME`. The files of the
 * snapshot `NAME.N.a.b.c` are those with the numbers a, b and c. Says `begun` after the first one.
 */
import { addSnapshot, numberedFiles, openTestStore } from "./store_support.ts";

const [place, name] = Deno.args as [string, string];
let isOver = false;
const input = new Response(Deno.stdin.readable).bytes().then(() => isOver = true);
for (let round = 0; !isOver; round++) {
  await using test = await openTestStore(place);
  const numbers = new Set(Array.from({ length: 4 }, () => Math.floor(Math.random() * 12)));
  const id = [name, round, ...numbers].join(".");
  await addSnapshot(test.store, id, numberedFiles([...numbers]));
  if (round % 3 !== 2) await test.store.deleteSnapshot(id);
  if (round === 0) console.log("begun");
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 200));
}
await input;
