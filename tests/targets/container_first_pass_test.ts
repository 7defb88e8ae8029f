import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { openSnapshotStore } from "#/store/open.ts";
import { captureData } from "#/target/container/data.ts";
import { FirstPass } from "#/target/container/first_pass.ts";
import { openAllNative } from "#/core/native.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

// Loaded for the whole process: within a test it would count as a leak of that test.
openAllNative();

testRequiring(["posix"], "container: the second copy reads nothing that the first one has read", async () => {
  await withTempDir(async (root) => {
    // Files that were made long ago: what is new might change within the same tick of the clock, and is read again.
    const docs = fileURLToPath(new URL("../../docs", import.meta.url));
    await using store = await openSnapshotStore({ location: `${root}/store` });
    await using writer = await store.write();
    const warnings: string[] = [];
    const context = {
      ...{
        folder: root,
        scratch: root,
        offline: true,
        env: () => undefined,
        store,
        writer,
        previous: undefined,
      },
      signal: new AbortController().signal,
      now: () => new Date(),
      onProgress: () => {},
      warn: (message: string) => void warnings.push(message),
    };
    const pass = new FirstPass();
    const first = await captureData([docs], [], undefined, pass.recording(context));
    assert.ok(first.read > 0 && pass.has(first.root));
    const second = await captureData([docs], [], first.root, pass.reading(context));
    assert.deepEqual([second.read, second.fingerprint, warnings], [0, first.fingerprint, []]);
    assert.equal(pass.has({ size: 1, chunks: [] }), false);
  });
});
