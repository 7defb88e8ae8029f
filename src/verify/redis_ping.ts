import { UsageError } from "#/core/errors.ts";
import { type Connection, parseConnection } from "#/target/database/connection.ts";
import * as z from "zod";
import type { CheckContext, CheckDriver, CheckSight } from "./check.ts";
import { connect, type Place, whyNot } from "./connect.ts";
import { plainUrl, sight } from "./sight.ts";

const schema = z.strictObject({
  url: z.string().min(1).describe("redis://[user:password@]host:port, rediss://…, or redis:///socket."),
});

const LONGEST_REPLY = 4_096;
const DEFAULT_PORT = 6_379;

/** A Redis server answers. */
export const driver: CheckDriver<z.output<typeof schema>> = {
  type: "redis_ping",
  summary: "A Redis server answers PING.",
  schema,
  needsNetwork: true,
  subject: ({ url }) => plainUrl(url),
  run: async ({ url }, context) => {
    const connection = parseConnection({ connection_string: url }, context.folder, context.env);
    if (connection.engine !== "redis") {
      throw new UsageError("redis_ping needs a URL that begins with redis:// or rediss://");
    }
    return await ping(connection, url, context);
  },
};

async function ping(connection: Connection, url: string, { signal }: CheckContext): Promise<CheckSight> {
  const what = `PING to ${connection.label}`;
  const answer = await connect(placeOf(connection, url), signal);
  if (answer.connection === undefined) return sight(false, what, "PONG", answer.problem);
  let stream: Deno.Conn = answer.connection;
  const close = () => {
    try {
      stream.close();
    } catch { /* closed already */ }
  };
  signal.addEventListener("abort", close);
  try {
    if (connection.scheme === "rediss") stream = await secured(answer.connection, connection);
    const { user, password } = connection;
    if (password !== undefined) {
      const reply = await ask(stream, ["AUTH", ...user === undefined ? [] : [user], password]);
      if (reply !== "+OK") return sight(false, what, "PONG", `AUTH was refused: ${errorWord(reply)}`);
    }
    const reply = await ask(stream, ["PING"]);
    return sight(reply === "+PONG", what, "PONG", reply.replace(/^[+-]/, ""));
  } catch (error) {
    signal.throwIfAborted();
    return sight(false, what, "PONG", whyNot(error));
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

async function secured(connection: Deno.Conn, { host }: Connection): Promise<Deno.Conn> {
  return await Deno.startTls(connection as Deno.TcpConn, host === undefined ? {} : { hostname: host });
}

/** `redis:///run/redis.sock` has the socket as its path. */
function placeOf({ socket, host, port }: Connection, url: string): Place {
  const path = socket ?? (host === undefined ? URL.parse(url)?.pathname : undefined);
  if (path !== undefined && path.length > 1 && !/^\/\d+$/.test(path)) return { transport: "unix", path };
  return { transport: "tcp", hostname: host ?? "localhost", port: port ?? DEFAULT_PORT };
}

/** One command, and the first line of the reply. */
async function ask(connection: Deno.Conn, words: readonly string[]): Promise<string> {
  const encoder = new TextEncoder();
  const parts = words.map((word) => `$${encoder.encode(word).length}\r\n${word}\r\n`);
  const request = encoder.encode(`*${words.length}\r\n${parts.join("")}`);
  let sent = 0;
  while (sent < request.length) sent += await connection.write(request.subarray(sent));
  const buffer = new Uint8Array(LONGEST_REPLY);
  let size = 0;
  for (;;) {
    const text = new TextDecoder().decode(buffer.subarray(0, size));
    const end = text.indexOf("\r\n");
    if (end >= 0) return text.slice(0, end);
    const read = size < buffer.length ? await connection.read(buffer.subarray(size)) : null;
    if (read === null) return text === "" ? "the connection was closed" : "a reply that is not of Redis";
    size += read;
  }
}

/** `-WRONGPASS invalid …` without what the server quotes. */
function errorWord(reply: string): string {
  return /^-([A-Z]+)/.exec(reply)?.[1] ?? "an unknown reply";
}
