/** A Redis server of our own in the scratch folder, which reads a dump: to look into it, and to replicate from it. */
import { sha256Hex } from "#/core/sha256.ts";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cleanEnvironment, within } from "#/core/child_process.ts";
import { RollbackBackupError } from "#/core/errors.ts";
import { lstat, mkdir } from "#/core/posix.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { ProgramError } from "#/target/run_program.ts";
import type { TargetContext } from "#/target/target.ts";
import { removeFolder } from "#/core/output_file.ts";
import type { Parts } from "./engine.ts";
import { type RedisAddress, redisCommand, redisInfo } from "./redis_client.ts";
import { isInstalled, missingProgram } from "./session.ts";

export const REDIS_SERVER_PACKAGE = "redis-server";
const TRIES = 5;

/** Where others may reach it, besides its socket. */
export interface ReachableAs {
  readonly host: string;
  readonly user: string;
  readonly password: string;
}

/** A folder for one server; its dump has a fixed name. */
export function scratchFolder(context: TargetContext): { readonly folder: string; readonly dump: string } {
  const folder = join(context.scratch, `redis-${crypto.randomUUID().slice(0, 8)}`);
  mkdir(folder, 0o700);
  return { folder, dump: join(folder, "dump.rdb") };
}

export class ScratchRedis implements AsyncDisposable {
  private constructor(
    readonly address: RedisAddress,
    /** Undefined where only the socket is open. */
    readonly port: number | undefined,
    readonly folder: string,
    readonly child: Deno.ChildProcess,
  ) {}

  /**
   * Starts it on the dump in `folder`, and waits until all of it is read.
   * @throws {RollbackBackupError} it cannot read the dump
   */
  static async start(folder: string, context: TargetContext, reachable?: ReachableAs): Promise<ScratchRedis> {
    if (!isInstalled("redis-server", context.env)) throw missingProgram("redis-server", REDIS_SERVER_PACKAGE);
    for (let round = 1;; round++) {
      const port = reachable === undefined ? undefined : 20_000 + Math.floor(Math.random() * 12_000);
      const server = await begin(folder, context, port, reachable);
      try {
        await server.#ready(context);
        return server;
      } catch (error) {
        await server.#stop();
        if (round < TRIES && /Address already in use/.test(server.#log())) continue;
        throw error;
      }
    }
  }

  /** @internal */
  static of(
    address: RedisAddress,
    port: number | undefined,
    folder: string,
    child: Deno.ChildProcess,
  ): ScratchRedis {
    return new ScratchRedis(address, port, folder, child);
  }

  async #ready(context: TargetContext): Promise<void> {
    let ended = false;
    this.child.status.then(() => ended = true, () => ended = true);
    for (;;) {
      throwIfStopped(context.signal);
      if (ended) throw this.#unreadable();
      try {
        if (await redisCommand(this.address, ["PING"], context) === "PONG") return;
      } catch (error) {
        if (!(error instanceof ProgramError) || error.end === "missing") throw error;
      }
      await sleep(20);
    }
  }

  #unreadable(): RollbackBackupError {
    const why = this.#log().split("\n").filter((it) => /# |Fatal|Can't|error/i.test(it)).slice(0, 2).join(
      " | ",
    );
    return new RollbackBackupError(`Redis here cannot read the dump: ${why}`, {
      hint: "A dump of a newer Redis needs a newer redis-server here.",
    });
  }

  #log(): string {
    const path = join(this.folder, "log");
    return lstat(path) === undefined ? "" : Deno.readTextFileSync(path).slice(-4_000);
  }

  async #stop(): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // it has ended
    }
    await within(this.child.status, undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    removeFolder(this.folder);
  }
}

async function begin(
  folder: string,
  context: TargetContext,
  port: number | undefined,
  reachable: ReachableAs | undefined,
): Promise<ScratchRedis> {
  const admin = { user: "backout", password: crypto.randomUUID() };
  const settings = [
    `port ${port ?? 0}`,
    ...(reachable === undefined ? [] : [`bind ${reachable.host}`]),
    // In its folder, by a relative name: the path of a socket may have 107 bytes at most.
    "unixsocket s",
    "unixsocketperm 700",
    `dir ${quoted(folder)}`,
    `logfile ${quoted(join(folder, "log"))}`,
    "dbfilename dump.rdb",
    'save ""',
    "appendonly no",
    "enable-debug-command yes",
    "repl-diskless-sync yes",
    "repl-diskless-sync-delay 0",
    "databases 10000",
    ...(reachable?.user === "default" ? [] : ["user default off"]),
    `user ${admin.user} on >${admin.password} ~* &* +@all`,
    ...(reachable === undefined
      ? []
      : [`user ${reachable.user} on ${quoted(`>${reachable.password}`)} ~* &* +@all`]),
  ];
  // It dies with this process where Linux can do that.
  const command = isInstalled("setpriv", context.env)
    ? ["setpriv", "--pdeathsig", "KILL", "redis-server", "-"]
    : ["redis-server", "-"];
  const child = new Deno.Command(command[0]!, {
    args: command.slice(1),
    env: cleanEnvironment(context.env),
    clearEnv: true,
    cwd: folder,
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(settings.join("\n") + "\n"));
  await writer.close();
  return ScratchRedis.of(
    { scheme: "redis", socket: "s", cwd: folder, ...admin, options: {} },
    port,
    folder,
    child,
  );
}

function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** What a server that holds the dump alone holds. */
export async function readRedisParts(
  server: ScratchRedis,
  context: TargetContext,
): Promise<
  { readonly parts: Parts; readonly keys: Readonly<Record<string, number>>; readonly limited: number }
> {
  const parts: Record<string, string> = {};
  const keys: Record<string, number> = {};
  let limited = 0;
  parts["data of all keys"] = await redisCommand(server.address, ["DEBUG", "DIGEST"], context);
  for (const [name, value] of await redisInfo(server.address, "keyspace", context)) {
    const [, count = "0", expires = "0"] = /^keys=(\d+),expires=(\d+)/.exec(value) ?? [];
    parts[`database ${name.slice(2)}`] = `${count} keys, ${expires} with a time limit`;
    keys[name] = Number(count);
    limited += Number(expires);
  }
  const { address } = server;
  const functions = await redisCommand(address, ["FUNCTION", "LIST", "WITHCODE"], context).catch((error) => {
    if (error instanceof ProgramError && /unknown/i.test(error.message + error.stderr)) return ""; // before Redis 7
    throw error;
  });
  if (functions !== "") parts.functions = sha256Hex(functions);
  return { parts, keys, limited };
}
