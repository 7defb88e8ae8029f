/** The places that a store can be in; each test gets a fresh one. */
import type { StoreBackend } from "#/store/backend.ts";
import { openBucketBackend } from "#/store/backend_bucket.ts";
import { openFolderBackend } from "#/store/backend_folder.ts";
import { BUCKET_SERVERS } from "../contract/bucket_servers.ts";
import type { Capability } from "../support/require.ts";
import { tempDir } from "../support/temp.ts";

export interface FreshPlace extends AsyncDisposable {
  /** Opens it once more, as another process would. The caller disposes of it. */
  open(options?: { readonly leaseMs?: number }): Promise<StoreBackend>;
}

export interface World extends AsyncDisposable {
  fresh(): Promise<FreshPlace>;
}

export interface WorldKind {
  readonly name: string;
  readonly needs: readonly Capability[];
  start(): Promise<World>;
}

const FOLDER_WORLD: WorldKind = {
  name: "a folder",
  needs: [],
  start: () =>
    Promise.resolve({
      fresh: () => {
        const temp = tempDir("backout-store-test-");
        return Promise.resolve({
          open: () => Promise.resolve(openFolderBackend(`${temp.path}/store`)),
          [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
        });
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
};

export const WORLDS: readonly WorldKind[] = [
  FOLDER_WORLD,
  ...BUCKET_SERVERS.map((kind): WorldKind => ({
    name: kind.name,
    needs: kind.needs,
    start: async () => {
      const server = await kind.start();
      return {
        fresh: () => {
          const prefix = `store/${crypto.randomUUID()}`;
          return Promise.resolve({
            open: async (options = {}) =>
              openBucketBackend(await server.open("plain", prefix), { ...options }),
            [Symbol.asyncDispose]: () => Promise.resolve(),
          });
        },
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      };
    },
  })),
];

/** `length` bytes that do not repeat. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}

/** The names below a folder. */
export async function namesIn(backend: StoreBackend, folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name } of backend.list(folder)) names.push(name);
  return names;
}
