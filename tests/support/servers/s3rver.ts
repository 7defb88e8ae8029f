/**
 * s3rver (npm), a small S3 server that ignores the conditions of writes: what backout must notice and refuse. Needs the
 * capability `s3rver`.
 */
import { S3RVER } from "../require.ts";
import { tempDir } from "../temp.ts";
import { clientEnvironment, createBucketAt, type S3Server } from "./s3_server.ts";
import { askFreePorts, startServer } from "./started_server.ts";

const START_TIMEOUT_MS = 30_000;

/** Starts it with an empty folder; its only keys are the ones that it was born with. */
export async function startS3rver(): Promise<S3Server> {
  const stack = new AsyncDisposableStack();
  try {
    const folder = stack.use(tempDir("backout-s3rver-")).path;
    const [port] = askFreePorts(1) as [number];
    const where = ["--directory", folder, "--address", "127.0.0.1", "--port", String(port), "--silent"];
    const program = [Deno.execPath(), "run", "-A", "--no-config", "--no-lock", S3RVER];
    const server = stack.use(
      startServer([...program, ...where], { log: `${folder}/server.out`, cwd: folder }),
    );
    const keys = { endpoint: `http://127.0.0.1:${port}`, accessKey: "S3RVER", secretKey: "S3RVER" };
    await server.answers(keys.endpoint, START_TIMEOUT_MS);
    return {
      ...keys,
      environment: () => clientEnvironment(keys),
      createBucket: (name, options) => createBucketAt(keys, name, options),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
