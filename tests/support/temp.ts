/** Temporary folders that go away with the test, also when it fails. */
import { openAllNative } from "#/core/native.ts";

// The C library stays open from its first use on: before a test begins, so that none seems to leak it.
openAllNative();

/**
 * Runs `body` in a new temporary folder (its real path) and removes it afterwards.
 * `BACKOUT_KEEP_TEMP=1` keeps it and prints where it is.
 */
export async function withTempDir<T>(body: (folder: string) => T | Promise<T>): Promise<T> {
  await using temp = tempDir();
  return await body(temp.path);
}

export interface TempDir extends AsyncDisposable {
  readonly path: string;
}

/** For `await using`: a new temporary folder. */
export function tempDir(prefix = "backout-test-"): TempDir {
  const path = Deno.realPathSync(Deno.makeTempDirSync({ prefix }));
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      if (Deno.env.get("BACKOUT_KEEP_TEMP") === "1") {
        console.error(`kept ${path}`);
        return;
      }
      await removeTree(path);
    },
  };
}

/** Removes a folder also where a test took the write permission from a folder in it. */
async function removeTree(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    makeFoldersWritable(path);
    await Deno.remove(path, { recursive: true });
  }
}

function makeFoldersWritable(path: string): void {
  Deno.chmodSync(path, 0o700);
  for (const entry of Deno.readDirSync(path)) {
    if (entry.isDirectory) makeFoldersWritable(`${path}/${entry.name}`);
  }
}
