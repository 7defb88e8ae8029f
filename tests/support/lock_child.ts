/**
 * A process that works with a lock: `hold` prints its holder and waits to be killed; `race` takes the lock five times;
 * `count` adds a byte to a counter under the lock and kills itself while it holds it.
 */
import { FilesystemLock } from "#/storage/filesystem/lock.ts";

const [root, mode] = Deno.args as [string, string];
const lock = new FilesystemLock(root);
const take = () =>
  lock.acquire({
    id: crypto.randomUUID(),
    operation: mode,
    by: "child",
    reason: "",
    now: () => new Date(),
    timeoutMs: 60_000,
  });

switch (mode) {
  case "hold": {
    const held = await take();
    console.log(JSON.stringify(held.holder));
    setInterval(() => {}, 1000);
    break;
  }
  case "race":
    for (let n = 0; n < 5; n++) {
      await using _held = await take();
      Deno.writeTextFileSync(`${root}/witness`, String(Deno.pid), { createNew: true });
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
      Deno.removeSync(`${root}/witness`);
    }
    console.log("alone 5 times");
    break;
  case "count": {
    await take();
    Deno.writeTextFileSync(`${root}/witness`, String(Deno.pid), { createNew: true });
    Deno.writeTextFileSync(`${root}/counter`, "x", { append: true });
    Deno.removeSync(`${root}/witness`);
    Deno.kill(Deno.pid, "SIGKILL");
  }
}
