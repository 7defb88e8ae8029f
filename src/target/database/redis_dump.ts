/** A dump of the live Redis server in the scratch folder, as long as it is looked at. */
import { RollbackBackupError } from "#/core/errors.ts";
import { ProgramError, runProgram } from "#/target/run_program.ts";
import type { TargetContext } from "#/target/target.ts";
import type { Database, Parts } from "./engine.ts";
import { REDIS_CLIENT_PACKAGE, redisCommand, redisRequest } from "./redis_client.ts";
import { readRedisParts, scratchFolder, ScratchRedis } from "./redis_scratch.ts";

export interface Dump {
  readonly path: string;
  readonly parts: Parts;
  readonly keys: Readonly<Record<string, number>>;
  readonly limited: number;
}

/** Takes a dump of the live server into the scratch folder, checks and reads it, and removes it again. */
export async function withDump<T>(
  { connection }: Database,
  context: TargetContext,
  body: (dump: Dump) => Promise<T>,
): Promise<T> {
  const { folder, dump } = scratchFolder(context);
  try {
    await redisCommand(connection, ["PING"], context);
    await runProgram({
      ...redisRequest(connection, ["--rdb", dump], context),
      doing: `dump ${connection.label}`,
    });
    await runProgram({
      program: "redis-check-rdb",
      args: [dump],
      package: REDIS_CLIENT_PACKAGE,
      context,
      doing: `check the dump of ${connection.label}`,
    });
  } catch (error) {
    if (!(error instanceof ProgramError) || error.end === "missing") throw error;
    throw new RollbackBackupError(`Cannot dump ${connection.label}: ${error.message}`, {
      hint: hintFor(`${error.message} ${error.stderr}`),
      cause: error,
    });
  }
  await using server = await ScratchRedis.start(folder, context);
  return await body({ path: dump, ...await readRedisParts(server, context) });
}

function hintFor(said: string): string {
  if (/NOAUTH|WRONGPASS|AUTH failed/i.test(said)) {
    return "Check user and password (connection string, REDISCLI_AUTH or password_file).";
  }
  if (/NOPERM/.test(said)) return "The user needs the commands PSYNC, REPLCONF, INFO, CONFIG and REPLICAOF.";
  return "Is the server running, and are host, port or socket right?";
}
