/** The filesystem driver keeps the port's promises, wherever its state folder is. */
import { FilesystemStore } from "#/storage/filesystem/store.ts";
import { tempDir } from "../support/temp.ts";
import { secondDevice } from "./filesystem_support.ts";
import { objectStoreSuite } from "./object_store_suite.ts";
import type { FreshStore } from "./object_store_support.ts";

objectStoreSuite("filesystem", () => fresh(false));
objectStoreSuite("filesystem with a state folder", () => fresh(true));
if (secondDevice() !== undefined) {
  objectStoreSuite("filesystem with a state folder on another device", () => fresh(true, secondDevice()));
}

async function fresh(withState: boolean, stateOn?: string): Promise<FreshStore> {
  const root = tempDir("backout-store-");
  const state = withState
    ? await Deno.makeTempDir({ prefix: "backout-state-", ...(stateOn === undefined ? {} : { dir: stateOn }) })
    : undefined;
  return {
    store: new FilesystemStore(root.path, state),
    again: () => new FilesystemStore(root.path, state),
    [Symbol.asyncDispose]: async () => {
      await root[Symbol.asyncDispose]();
      if (state !== undefined) await Deno.remove(state, { recursive: true });
    },
  };
}
