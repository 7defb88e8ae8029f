/** A plain relay of TCP connections that cuts them when a test says so. */

export interface CuttingProxy extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string;
  /** Cuts the next connection that brings so many bytes from the client, counted from now on each. */
  cutAfterSent(bytes: number): void;
  /** Cuts the next connection that brings so many bytes from the server. */
  cutAfterReceived(bytes: number): void;
  /** Connections that were cut. */
  readonly cuts: number;
}

/** Starts it in front of `target`, e.g. `http://127.0.0.1:1234`. */
export function startCuttingProxy(target: string): CuttingProxy {
  const { hostname, port } = new URL(target);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const limits = { sent: Infinity, received: Infinity };
  const open = new Set<Deno.TcpConn>();
  const relays: Promise<void>[] = [];
  let cuts = 0;

  async function relay(from: Deno.TcpConn, to: Deno.TcpConn, way: keyof typeof limits): Promise<void> {
    const buffer = new Uint8Array(16 * 1024);
    let passed = 0;
    try {
      for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
        passed += count;
        if (passed >= limits[way]) {
          limits[way] = Infinity;
          cuts++;
          return;
        }
        for (let written = 0; written < count;) written += await to.write(buffer.subarray(written, count));
      }
    } catch {
      // The other side has closed it.
    } finally {
      for (const side of [from, to]) close(side);
    }
  }

  function close(connection: Deno.TcpConn): void {
    if (open.delete(connection)) connection.close();
  }

  const accepting = (async () => {
    for await (const client of listener) {
      const server = await Deno.connect({ hostname, port: Number(port) });
      for (const side of [client, server]) open.add(side);
      relays.push(relay(client, server, "sent"), relay(server, client, "received"));
    }
  })();

  return {
    endpoint: `http://127.0.0.1:${listener.addr.port}`,
    cutAfterSent: (bytes) => void (limits.sent = bytes),
    cutAfterReceived: (bytes) => void (limits.received = bytes),
    get cuts() {
      return cuts;
    },
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await accepting;
      for (const side of open) close(side);
      await Promise.all(relays);
    },
  };
}
