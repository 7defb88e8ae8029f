/** Takes a Redis server back, online and in one step: it becomes a replica of a server that holds the dump, and then a master again. */
import { setTimeout as sleep } from "node:timers/promises";
import { RollbackError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import type { RestoreContext } from "#/target/target.ts";
import type { Connection } from "./connection.ts";
import { type Database, type DatabaseState, differingParts, type EngineRestored, someOf } from "./engine.ts";
import { withDump } from "./redis_dump.ts";
import { redisCommand, redisInfo, redisSecretCommand } from "./redis_client.ts";
import { readRedisParts, scratchFolder, ScratchRedis } from "./redis_scratch.ts";

/** How long the live server may take to begin the transfer, in milliseconds. */
const BEGIN_MS = 30_000;

export async function restoreRedis(
  database: Database,
  state: DatabaseState,
  context: RestoreContext,
): Promise<EngineRestored> {
  const { connection } = database;
  await comeBack(connection, context);
  const now = await withDump(database, context, ({ parts }) => Promise.resolve(parts));
  if (differingParts(now, state.parts).length === 0) {
    return { changed: false, details: {}, warnings: [] };
  }
  const access = await replicaAccess(connection, context);
  const { folder, dump } = scratchFolder(context);
  await context.store.writeFiles([{ content: state.dumps[0]!.content, path: dump }], {
    signal: context.signal,
  });
  await using server = await ScratchRedis.start(folder, context, {
    ...access,
    host: await hostFor(connection, context),
  });
  const warnings = await compareLoaded(database, state, server, context);
  try {
    if (access.ours) {
      await redisSecretCommand(connection, ["CONFIG", "SET", "masteruser", access.user], context);
    }
    if (access.ours) {
      await redisSecretCommand(connection, ["CONFIG", "SET", "masterauth", access.password], context);
    }
    await replicate(connection, await hostFor(connection, context), server, context);
  } finally {
    await comeBack(connection, { ...context, signal: new AbortController().signal });
  }
  await compareLive(connection, server, context);
  // As durable as the server is set up to be.
  const saves = (await redisCommand(connection, ["CONFIG", "GET", "save"], context)).split("\n")[1] ?? "";
  if (saves.trim() !== "") await redisCommand(connection, ["BGSAVE", "SCHEDULE"], context);
  return { changed: true, details: { location: connection.label }, warnings };
}

/** Whether the server is on this machine, as its address says. */
export function isLocal(connection: Pick<Connection, "host" | "socket">): boolean {
  const { host, socket } = connection;
  return socket !== undefined || host === undefined || /^(localhost|127\..*|::1)$/.test(host);
}

/** The address under which the live server reaches this machine: as it sees us now. */
async function hostFor(connection: Connection, context: RestoreContext): Promise<string> {
  if (isLocal(connection)) return "127.0.0.1";
  const info = await redisCommand(connection, ["CLIENT", "INFO"], context);
  const address = /\baddr=(\S+):\d+ /.exec(info)?.[1]?.replace(/^\[|\]$/g, "");
  if (address === undefined) {
    throw new RollbackError(`Cannot find out how ${connection.label} reaches this machine`);
  }
  return address;
}

interface Access {
  readonly user: string;
  readonly password: string;
  /** Made for this restore, and taken away after it; otherwise what the server is set up with. */
  readonly ours: boolean;
}

/** Our own words for a server that has none for a master of its own. */
const OUR_USER = "backout-restore";

async function replicaAccess(connection: Connection, context: RestoreContext): Promise<Access> {
  const value = async (name: string) =>
    (await redisCommand(connection, ["CONFIG", "GET", name], context)).split("\n")[1] ?? "";
  const password = await value("masterauth");
  if (password === "") return { user: OUR_USER, password: crypto.randomUUID(), ours: true };
  const user = await value("masteruser") || "default";
  return { user, password, ours: false };
}

/** Ends a replication that a restore began, also one that was killed, and takes our words for it away. */
async function comeBack(connection: Connection, context: RestoreContext): Promise<void> {
  const replication = await redisInfo(connection, "replication", context);
  if (replication.get("role") !== "master") {
    await redisCommand(connection, ["REPLICAOF", "NO", "ONE"], context);
  }
  const user = (await redisCommand(connection, ["CONFIG", "GET", "masteruser"], context)).split("\n")[1] ??
    "";
  if (user !== OUR_USER) return;
  await redisCommand(connection, ["CONFIG", "SET", "masterauth", ""], context);
  await redisCommand(connection, ["CONFIG", "SET", "masteruser", ""], context);
}

async function compareLoaded(
  { connection }: Database,
  state: DatabaseState,
  server: ScratchRedis,
  context: RestoreContext,
): Promise<readonly string[]> {
  const { parts } = await readRedisParts(server, context);
  const differing = differingParts(state.parts, parts);
  if (differing.length === 0) return [];
  const limited = (state.details as { limited?: number }).limited ?? 0;
  if (limited > 0) return [`${connection.label}: keys whose time was over are not restored`];
  throw new RollbackError(
    `What was saved of ${connection.label} reads differently now: ${someOf(differing)}`,
    {
      hint: "The live server was left as it was. Verify the store (backout snapshot verify).",
    },
  );
}

/** Returns when the live server has everything. Until it has received all of it, it keeps what it has. */
async function replicate(
  connection: Connection,
  host: string,
  server: ScratchRedis,
  context: RestoreContext,
): Promise<void> {
  await redisCommand(connection, ["REPLICAOF", host, String(server.port)], context);
  const deadline = performance.now() + BEGIN_MS;
  for (;;) {
    throwIfStopped(context.signal);
    const state = await redisInfo(connection, "replication", context);
    if (state.get("master_link_status") === "up" && state.get("master_sync_in_progress") === "0") return;
    const begun = (await redisInfo(server.address, "replication", context)).get("connected_slaves") !== "0";
    if (!begun && performance.now() > deadline) {
      throw new RollbackError(
        `${connection.label} does not reach the server that holds the dump (${host}:${server.port})`,
        {
          hint: "A firewall between it and this machine? Run backout on the machine of the server.",
        },
      );
    }
    await sleep(50);
  }
}

/** The number of keys, which is cheap; the operation compares the whole afterwards. */
async function compareLive(
  connection: Connection,
  server: ScratchRedis,
  context: RestoreContext,
): Promise<void> {
  const count = async (address: Parameters<typeof redisInfo>[0]) =>
    [...await redisInfo(address, "keyspace", context)]
      .filter(([, value]) => /expires=0\b/.test(value))
      .map(([name, value]) => `${name} ${/keys=\d+/.exec(value)?.[0]}`).join();
  const [is, wanted] = [await count(connection), await count(server.address)];
  if (is === wanted) return;
  throw new RollbackError(
    `${connection.label} holds other keys after the restore: ${is} instead of ${wanted}`,
  );
}
