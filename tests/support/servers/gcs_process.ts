/** Starts the GCS server as a child, for tests with several processes. */
import { fileURLToPath } from "node:url";
import type { BucketSettings } from "./gcs_state.ts";

export interface GcsProcess extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string;
  readonly port: number;
  environment(): { readonly STORAGE_EMULATOR_HOST: string };
  createBucket(name: string, settings?: BucketSettings): Promise<void>;
}

/** The server in a process of its own, which ends with the test, also when that is killed. */
export async function startGcsProcess(
  options: { readonly rewriteChunkBytes?: number } = {},
): Promise<GcsProcess> {
  const main = fileURLToPath(new URL("./gcs_main.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-check", "--no-prompt", "--allow-net=127.0.0.1", main],
      ...(options.rewriteChunkBytes === undefined ? [] : [String(options.rewriteChunkBytes)]),
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const port = await firstNumber(child.stdout);
  const endpoint = `http://127.0.0.1:${port}`;
  return {
    endpoint,
    port,
    environment: () => ({ STORAGE_EMULATOR_HOST: endpoint }),
    createBucket: (name, settings) => createBucket(endpoint, name, settings ?? {}),
    [Symbol.asyncDispose]: async () => {
      await child.stdin.close();
      await child.status;
    },
  };
}

async function firstNumber(output: ReadableStream<Uint8Array>): Promise<number> {
  let text = "";
  // Leaving the loop cancels the stream; the server prints nothing more.
  for await (const part of output.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes("\n")) return Number.parseInt(text, 10);
  }
  throw new Error(`The GCS server of the tests did not start: ${text}`);
}

async function createBucket(endpoint: string, name: string, settings: BucketSettings): Promise<void> {
  const { versioned, retentionSeconds } = settings;
  const reply = await fetch(`${endpoint}/storage/v1/b?project=tests`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      name,
      ...(versioned === undefined ? {} : { versioning: { enabled: versioned } }),
      ...(retentionSeconds === undefined
        ? {}
        : { retentionPolicy: { retentionPeriod: String(retentionSeconds) } }),
    }),
  });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`Cannot create the bucket ${name}: ${text}`);
}
