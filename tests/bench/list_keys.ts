/** Lists everything below a prefix and prints how many keys there were, and the most live heap seen (bytes). */
import { openStorage } from "#/storage/registry.ts";

const [location = "", prefix = ""] = Deno.args;
const { store } = await openStorage(location);
let listed = 0;
let most = 0;
for await (const _stat of store.list(prefix)) {
  listed++;
  if (listed % 1000 !== 0) continue;
  (globalThis as { gc?: () => void }).gc?.();
  most = Math.max(most, Deno.memoryUsage().heapUsed);
}
console.log(listed, most);
