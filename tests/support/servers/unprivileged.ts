/** Servers that refuse to run as root run as nobody: their folder is given to it. */
import { chownSync } from "node:fs";
import { type StartedServer, startServer } from "./started_server.ts";

const NOBODY = 65534;
const AS_NOBODY = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--"];

function prefix(): readonly string[] {
  return Deno.uid() === 0 ? AS_NOBODY : [];
}

/** Makes a folder that the unprivileged user owns. */
export function makeServerFolder(path: string): string {
  Deno.mkdirSync(path, { recursive: true });
  if (Deno.uid() === 0) chownSync(path, NOBODY, NOBODY);
  return path;
}

/** Runs a program to its end. @throws {Error} with what it said */
export function runUnprivileged(command: readonly string[], cwd: string): void {
  const [program, ...args] = [...prefix(), ...command];
  const { success, stderr, stdout } = new Deno.Command(program!, { args, cwd, stdin: "null" }).outputSync();
  if (success) return;
  const said = new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
  throw new Error(`${command.join(" ")} failed: ${said}`);
}

/** Starts a server as that user; it dies with the test. */
export function startUnprivileged(command: readonly string[], folder: string): StartedServer {
  return startServer([...prefix(), ...command], { log: `${folder}/server.log`, cwd: folder });
}
