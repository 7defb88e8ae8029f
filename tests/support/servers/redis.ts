/** A Redis server on a unix socket in a folder of the test's own, or on a free port of loopback. */
import { setTimeout as sleep } from "node:timers/promises";
import { tempDir } from "../temp.ts";
import { makeServerFolder, startUnprivileged } from "./unprivileged.ts";

const START_TIMEOUT_MS = 15_000;

export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  /** Runs commands, one a line; their answers are lines. */
  run(...commands: readonly string[]): string;
}

/** Starts it; with a password for everybody where one is given. */
export async function startRedis(password?: string): Promise<RedisServer> {
  const stack = new AsyncDisposableStack();
  try {
    const root = stack.use(tempDir("backout-redis-")).path;
    Deno.chmodSync(root, 0o755);
    const folder = makeServerFolder(`${root}/s`);
    const socket = `${folder}/r.sock`;
    const settings = [
      "--port",
      "0",
      "--unixsocket",
      socket,
      "--unixsocketperm",
      "777",
      "--dir",
      folder,
      "--save",
      "",
    ];
    const more = [
      "--enable-debug-command",
      "yes",
      "--repl-diskless-sync-delay",
      "0",
      ...(password === undefined ? [] : ["--requirepass", password]),
    ];
    stack.use(startUnprivileged(["redis-server", ...settings, ...more], folder));
    const server: RedisServer = {
      url: `redis:///0?socket=${socket}`,
      run: (...commands) => client(socket, password, commands),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!answers(server)) {
      if (performance.now() > deadline) throw new Error("redis-server did not answer in time");
      await sleep(20);
    }
    return server;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

function answers(server: RedisServer): boolean {
  try {
    return server.run("PING").trim() === "PONG";
  } catch {
    return false;
  }
}

function client(socket: string, password: string | undefined, commands: readonly string[]): string {
  let said = "";
  for (const command of commands) {
    const { success, stdout, stderr } = new Deno.Command("redis-cli", {
      args: ["-s", socket, "--no-auth-warning", "-e", ...command.split(" ")],
      env: password === undefined ? {} : { REDISCLI_AUTH: password },
      stdin: "null",
    }).outputSync();
    if (!success) throw new Error(new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout));
    said += new TextDecoder().decode(stdout);
  }
  return said;
}
