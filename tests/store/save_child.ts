/**
 * Saves files as a snapshot: `save_child.ts STORE ID KILL_AT FILE…`. Before the changing call with the number KILL_AT it
 * kills itself; 0: never. Says how many calls there were.
 */
import * as posix from "#/core/posix.ts";
import { openStore, saveFiles } from "./core_support.ts";

const [location, id, killAt, ...paths] = Deno.args as [string, string, string, ...string[]];
let calls = 0;
posix.setFaultHook(() => {
  calls++;
  if (calls === Number(killAt)) Deno.kill(Deno.pid, "SIGKILL");
});
await using store = await openStore(location);
await saveFiles(store, id, paths.map((path) => ({ path, size: Deno.statSync(path).size })));
console.log(calls);
