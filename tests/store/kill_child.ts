/**
 * Works on stores and kills itself before its Nth changing call: `kill_child.ts N collect STORE`, `… N sync FROM TO`,
 * `… N write STORE ID NUMBER…`. Says how many calls it made when it comes to its end.
 */
import { setFaultHook } from "#/core/posix.ts";
import { collect } from "#/store/collect.ts";
import { syncStores } from "#/store/sync.ts";
import { addSnapshot, numberedFiles, openTestStore } from "./store_support.ts";

const [at, mode, ...rest] = Deno.args as [string, string, ...string[]];
let calls = 0;
setFaultHook(() => {
  if (calls++ === Number(at)) Deno.kill(Deno.pid, "SIGKILL");
});

switch (mode) {
  case "collect": {
    await using test = await openTestStore(rest[0]!);
    await collect(await test.parts(), { minAgeMs: 0 });
    break;
  }
  case "sync": {
    await using from = await openTestStore(rest[0]!);
    await using to = await openTestStore(rest[1]!);
    await syncStores(from.store, to.store);
    break;
  }
  case "write": {
    const [store, id, ...numbers] = rest as [string, string, ...string[]];
    await using test = await openTestStore(store);
    await addSnapshot(test.store, id, numberedFiles(numbers.map(Number)));
    break;
  }
  default:
    throw new Error(`unknown mode ${mode}`);
}
console.log(calls);
