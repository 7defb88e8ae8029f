/**
 * Works on entries and kills itself before its Nth changing call: `entries_child.ts N add STORE SOURCE`,
 * `… N get STORE HASH TARGET`, `… N gc STORE`. Says what came of it, and last how many calls it made.
 */
import { setFaultHook } from "#/core/posix.ts";
import { addToStore } from "#/component/store/add.ts";
import { collectEntries } from "#/component/store/gc.ts";
import { getFromStore } from "#/component/store/get.ts";

const [at, mode, location, name = "", target = ""] = Deno.args as [string, string, string, ...string[]];
let calls = 0;
setFaultHook(() => {
  if (calls++ === Number(at)) Deno.kill(Deno.pid, "SIGKILL");
});
const options = { folder: "/", store: { location }, env: () => undefined, onWarning: () => {} };

switch (mode) {
  case "add": {
    const { entry } = await addToStore({ ...options, component: "api", source: name });
    console.log(entry.hash, calls);
    break;
  }
  case "get": {
    const { put } = await getFromStore({ ...options, hash: name, target, replace: true });
    console.log(put.replaceAll(" ", "-"), calls);
    break;
  }
  case "gc": {
    await collectEntries({ ...options, minAgeMs: 0 });
    console.log(calls);
    break;
  }
  default:
    throw new Error(`unknown mode ${mode}`);
}
