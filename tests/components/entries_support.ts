/** Trees of files for tests of the store and the cache, and a world's commands with the remote store out of reach. */
import { join } from "node:path";
import { runProgram } from "../support/cli.ts";
import type { CliOptions, CliResult } from "../support/cli.ts";
import type { BucketWorld } from "../support/bucket_world.ts";
import { askFreePorts } from "../support/servers/started_server.ts";

/** A folder as `makeTree` takes it: text of files; a symlink is what it says after `->`; `null` is an empty folder. */
export type Tree = Readonly<Record<string, string | Uint8Array | null>>;

export function makeTree(folder: string, tree: Tree): void {
  Deno.mkdirSync(folder, { recursive: true });
  for (const [path, content] of Object.entries(tree)) {
    const full = join(folder, path);
    Deno.mkdirSync(content === null ? full : join(full, ".."), { recursive: true });
    if (content === null) continue;
    if (typeof content !== "string") Deno.writeFileSync(full, content);
    else if (content.startsWith("->")) Deno.symlinkSync(content.slice(2), full);
    else Deno.writeTextFileSync(full, content);
  }
}

/** The names in a folder, sorted: what a command left behind would be among them. */
export function namesIn(folder: string): readonly string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

/** Runs a command of a world while nobody listens where its server was. */
export function runAway(
  world: BucketWorld,
  args: readonly string[],
  options: CliOptions,
): Promise<CliResult> {
  const [port] = askFreePorts(1) as [number];
  const gone = `http://127.0.0.1:${port}`;
  const env = {
    ...world.env,
    ...(world.scheme === "s3" ? { AWS_ENDPOINT_URL: gone } : { STORAGE_EMULATOR_HOST: gone }),
  };
  return runProgram(args, { ...options, env: { ...env, ...options.env } });
}
