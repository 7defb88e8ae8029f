/**
 * Takes the lock of a store and holds it until its input ends: `lock_child.ts LOCATION MODE LEASE_MS TIMEOUT_MS`.
 * Says `held`, `waits: …` or `refused: …`, a line each.
 */
import { messageOf } from "#/core/errors.ts";
import { openBackend } from "#/store/open_backend.ts";
import { lockStore, type StoreLockMode } from "#/store/store_lock.ts";

const [location, mode, leaseMs, timeoutMs] = Deno.args as [string, StoreLockMode, string, string];
await using backend = await openBackend(location, { leaseMs: Number(leaseMs) });
try {
  await using lock = await lockStore(backend, mode, {
    operation: `work ${mode}`,
    by: "child",
    timeoutMs: Number(timeoutMs),
    onWait: (holders) => console.log(`waits: ${holders.join("; ")}`),
  });
  console.log("held");
  await new Response(Deno.stdin.readable).bytes();
  await lock.assertHeld();
  console.log("still held");
} catch (error) {
  console.log(`refused: ${messageOf(error)}`);
}
