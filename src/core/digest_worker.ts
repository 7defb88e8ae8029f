/** The second hashing thread: takes files from the shared list until none is left, then says so. */
import { type DigestJob, hashShared, type SharedFailure } from "#/core/digest_shared.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<DigestJob>) => void) | null;
  postMessage(message: SharedFailure | null): void;
}

const scope = globalThis as unknown as WorkerScope;
scope.onmessage = (event) => scope.postMessage(hashShared(event.data) ?? null);
