/**
 * Redis: the whole server's data, as an RDB file that it sends as to a replica. A restore loads that into a server of our
 * own, and has the live one replicate from it for a moment: it receives everything before it lets go of what it has.
 */
import { RollbackBackupError, RollbackError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import { ProgramError, programText } from "#/target/run_program.ts";
import type { CaptureContext, PlanContext } from "#/target/target.ts";
import type { Database, DatabaseState, Engine, EnginePlan, EngineShot } from "./engine.ts";
import { REDIS_CLIENT_PACKAGE, redisCommand, redisInfo, redisRequest } from "./redis_client.ts";
import { withDump } from "./redis_dump.ts";
import { isLocal, restoreRedis } from "./redis_restore.ts";
import { REDIS_SERVER_PACKAGE } from "./redis_scratch.ts";
import { isInstalled } from "./session.ts";

export const redis: Engine = {
  name: "Redis",
  // While it is a replica for a moment, writers are refused; keys with a time limit go on to expire.
  undo: "compensating",
  programs: [
    { program: "redis-cli", package: REDIS_CLIENT_PACKAGE },
    { program: "redis-check-rdb", package: REDIS_CLIENT_PACKAGE },
    { program: "redis-server", package: REDIS_SERVER_PACKAGE },
  ],
  capture,
  parts: (database, context) => withDump(database, context, ({ parts }) => Promise.resolve(parts)),
  plan,
  restore: restoreRedis,
};

function capture(database: Database, context: CaptureContext): Promise<EngineShot> {
  const { connection } = database;
  return withDump(database, context, async ({ path, parts, keys, limited }) => {
    const size = Deno.statSync(path).size;
    const previous = context.previous?.roots[0]?.content;
    const [stored] = await context.writer.addFiles(
      [{ path, size, ...(previous === undefined ? {} : { previous }) }],
      { signal: context.signal },
    );
    if (stored?.kind !== "stored") {
      throw new RollbackBackupError(`Cannot store the dump of ${connection.label}`);
    }
    const version = (await redisInfo(connection, "server", context)).get("redis_version") ?? "";
    return {
      state: {
        format: 1,
        engine: "redis",
        parts,
        dumps: [{ name: "dump.rdb", content: stored.content }],
        details: { version, limited } as JsonObject,
      },
      metadata: {
        server_version: version,
        client_version: (await programText(redisRequest(connection, ["--version"], context))).trim(),
        size_bytes: size,
        row_counts: keys,
      },
      warnings: [],
      bytes: size,
    };
  });
}

async function plan(database: Database, state: DatabaseState, context: PlanContext): Promise<EnginePlan> {
  const { connection } = database;
  const problems: string[] = [];
  const warnings: string[] = [];
  const saved = state.details as { version?: string; limited?: number };
  for (const { program, package: debianPackage } of redis.programs) {
    if (!isInstalled(program, context.env)) {
      problems.push(`${program} is not installed here (apt-get install ${debianPackage})`);
    }
  }
  if (problems.length > 0) return { facts: [], problems, warnings };
  let version = "";
  try {
    version = (await redisInfo(connection, "server", context)).get("redis_version") ?? "";
    const replication = await redisInfo(connection, "replication", context);
    if (replication.get("role") !== "master") problems.push("it is a replica: restore its master instead");
    if (replication.get("connected_slaves") !== "0") {
      warnings.push("its replicas will receive everything anew");
    }
    if ((await redisInfo(connection, "cluster", context)).get("cluster_enabled") === "1") {
      problems.push("it is a node of a cluster, which takes no data by replication");
    }
    await redisCommand(connection, ["CONFIG", "GET", "masterauth"], context);
    if ((await redisCommand(connection, ["COMMAND", "INFO", "REPLICAOF"], context)).trim() === "") {
      problems.push("the server has no command REPLICAOF (renamed, or a service of a provider)");
    }
  } catch (error) {
    if (!(error instanceof ProgramError || error instanceof RollbackError)) throw error;
    problems.push(error.message);
  }
  if (connection.scheme === "rediss" && !isLocal(connection)) {
    problems.push(
      "a restore over TLS from another machine is not possible: run backout on the machine of the server",
    );
  }
  if (majorOf(saved.version) > majorOf(version)) {
    problems.push(
      `the dump is of Redis ${saved.version}, the server is ${version}: an older server cannot take it`,
    );
  }
  warnings.push(
    "writers are refused for the moment of the restore, and a server here needs memory for all data",
  );
  if ((saved.limited ?? 0) > 0) {
    warnings.push(`${saved.limited} keys have a time limit: those that are over are not restored`);
  }
  return { facts: [`Redis ${version}`], problems, warnings };
}

function majorOf(version: string | undefined): number {
  return Number(/^\d+/.exec(version ?? "")?.[0] ?? 0);
}
