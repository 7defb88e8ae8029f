/** A server that answers every request with the bytes that a test wants, also with bytes that are no reply. */

export interface RawRequest {
  readonly method: string;
  readonly path: string;
}

export interface RawReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Instead of status, headers and body: exactly this is sent. */
  readonly raw?: string;
  /** Ends the connection at once; nothing but `raw` is sent. */
  readonly end?: boolean;
  /** Keeps the connection open; nothing but `raw` is sent. */
  readonly hang?: boolean;
}

export interface RawServer extends AsyncDisposable {
  readonly endpoint: string;
  readonly requests: readonly RawRequest[];
}

/** Listens on a free port of loopback. Each connection gets one reply. */
export function startRawServer(answer: (request: RawRequest) => RawReply): RawServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const requests: RawRequest[] = [];
  const open = new Set<Deno.TcpConn>();
  const serveOne = async (connection: Deno.TcpConn) => {
    open.add(connection);
    try {
      const request = await readRequest(connection);
      if (request === undefined) return;
      requests.push(request);
      const reply = answer(request);
      await send(connection, replyBytes(reply));
      if (reply.hang === true) await connection.read(new Uint8Array(1)).catch(() => null);
    } catch {
      // The client went away.
    } finally {
      open.delete(connection);
      closeQuietly(connection);
    }
  };
  const serving = (async () => {
    const all: Promise<void>[] = [];
    for await (const connection of listener) all.push(serveOne(connection));
    await Promise.all(all);
  })();
  return {
    endpoint: `http://127.0.0.1:${listener.addr.port}`,
    requests,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      for (const connection of open) closeQuietly(connection);
      await serving;
    },
  };
}

async function readRequest(connection: Deno.TcpConn): Promise<RawRequest | undefined> {
  const buffer = new Uint8Array(65_536);
  let text = "";
  while (!text.includes("\r\n\r\n")) {
    const count = await connection.read(buffer);
    if (count === null) return undefined;
    text += new TextDecoder("latin1").decode(buffer.subarray(0, count));
  }
  const [head = "", body = ""] = text.split("\r\n\r\n", 2);
  let missing = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0) - body.length;
  while (missing > 0) {
    const count = await connection.read(buffer);
    if (count === null) return undefined;
    missing -= count;
  }
  const [method = "", path = ""] = head.split(" ");
  return { method, path };
}

function replyBytes({ status = 200, headers = {}, body = "", raw, end, hang }: RawReply): Uint8Array {
  if (raw !== undefined) return new TextEncoder().encode(raw);
  if (end === true || hang === true) return new Uint8Array();
  const bytes = new TextEncoder().encode(body);
  const all = {
    ...headers,
    "Content-Type": "application/xml",
    "Content-Length": String(bytes.length),
    Connection: "close",
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = new TextEncoder().encode(`HTTP/1.1 ${status} Said\r\n${lines.join("")}\r\n`);
  return new Uint8Array([...head, ...bytes]);
}

async function send(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

function closeQuietly(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
