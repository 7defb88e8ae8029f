/** Commands to a Redis server by redis-cli: the password goes by its environment, other secrets by its standard input. */
import { RollbackError } from "#/core/errors.ts";
import { ProgramError, type ProgramRequest, programText, runProgram } from "#/target/run_program.ts";
import type { TargetContext } from "#/target/target.ts";
import type { Connection } from "./connection.ts";

export const REDIS_CLIENT_PACKAGE = "redis-tools";

/** Options of a connection string that redis-cli has too. */
const TLS_OPTIONS = new Set(["cacert", "cacertdir", "cert", "key", "sni"]);

export interface RedisAddress
  extends Pick<Connection, "scheme" | "host" | "socket" | "port" | "user" | "password" | "options"> {
  /** Where a relative socket starts. */
  readonly cwd?: string;
}

export function redisRequest(
  address: RedisAddress,
  args: readonly string[],
  context: TargetContext,
): ProgramRequest {
  const { scheme, host, socket, port, user, password, options, cwd } = address;
  const where = socket === undefined
    ? ["-h", host ?? "127.0.0.1", "-p", String(port ?? 6379), ...(scheme === "rediss" ? ["--tls"] : [])]
    : ["-s", socket];
  const tls = Object.entries(options).filter(([name]) => TLS_OPTIONS.has(name)).flatMap((
    [name, it],
  ) => [`--${name}`, it]);
  const who = user === undefined || password === undefined ? [] : ["--user", user];
  return {
    program: "redis-cli",
    package: REDIS_CLIENT_PACKAGE,
    args: [...where, ...tls, ...who, "--no-auth-warning", ...args],
    context,
    ...(cwd === undefined ? {} : { cwd }),
    env: { LC_ALL: "C.UTF-8", ...(password === undefined ? {} : { REDISCLI_AUTH: password }) },
    secrets: password === undefined ? [] : [password],
  };
}

/** One command. @throws {ProgramError} it was refused, or the server cannot be reached */
export async function redisCommand(
  address: RedisAddress,
  command: readonly string[],
  context: TargetContext,
): Promise<string> {
  const { stdout, stderr } = await runProgram(redisRequest(address, ["-e", ...command], context));
  const text = new TextDecoder().decode(stdout).replace(/\n$/, "");
  if (/^(NOAUTH|WRONGPASS|NOPERM)\b/m.test(stderr)) throw refused(command[0]!, stderr);
  return text;
}

/** One command with a secret among its words: they do not stand on a command line. */
export async function redisSecretCommand(
  address: RedisAddress,
  command: readonly string[],
  context: TargetContext,
): Promise<void> {
  const line = command.map((it) => `"${it.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`).join(" ");
  const request = redisRequest(address, [], context);
  const said = await programText({ ...request, stdin: new TextEncoder().encode(`${line}\n`) });
  if (!said.startsWith("OK")) throw refused(command.slice(0, 3).join(" "), said.slice(0, 200));
}

function refused(command: string, said: string): ProgramError {
  return new ProgramError(`The Redis server refuses ${command}: ${said.trim()}`, "redis-cli", "failed", {
    stderr: said,
  });
}

/** Fields of `INFO section`. */
export async function redisInfo(
  address: RedisAddress,
  section: string,
  context: TargetContext,
): Promise<ReadonlyMap<string, string>> {
  const text = await redisCommand(address, ["INFO", section], context);
  const fields = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const at = line.indexOf(":");
    if (at > 0 && !line.startsWith("#")) fields.set(line.slice(0, at), line.slice(at + 1));
  }
  if (fields.size === 0 && section !== "keyspace") {
    throw new RollbackError(`The Redis server says nothing of itself: ${text.slice(0, 200)}`);
  }
  return fields;
}
