/** The GCS server of the tests as a process of its own: prints its port, and ends when its input is closed. */
import { startGcs } from "./gcs.ts";

const rewriteChunkBytes = Deno.args[0] === undefined ? undefined : Number(Deno.args[0]);
await using server = await startGcs(rewriteChunkBytes === undefined ? {} : { rewriteChunkBytes });
console.log(server.port);
for await (const _ of Deno.stdin.readable);
