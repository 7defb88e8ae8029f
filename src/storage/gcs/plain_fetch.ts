/**
 * `fetch` for bodies that are stored packed (Content-Encoding). The built-in one unpacks them, whatever it is told, and
 * `node:http` ends the process when such a body breaks off (Deno 2.6). So this speaks HTTP/1.1 itself: one request
 * without a body a connection, for the few objects that need it. It knows no proxy.
 */

interface PlainRequest {
  readonly method: string;
  readonly headers: Headers;
  readonly signal?: AbortSignal;
}

/** A longer head is no answer of the service. */
const MAX_HEAD_BYTES = 64 * 1024;

/** The reply's body has the bytes that came. @throws {Error} a broken connection; aborting the signal breaks it */
export async function fetchPlainly(
  url: string,
  { method, headers, signal }: PlainRequest,
): Promise<Response> {
  const target = new URL(url);
  const wire = await Wire.open(target, signal);
  try {
    const lines = [
      `${method} ${target.pathname}${target.search} HTTP/1.1`,
      `host: ${target.host}`,
      "connection: close",
    ];
    for (const [name, value] of headers) lines.push(`${name}: ${value}`);
    await wire.send(`${lines.join("\r\n")}\r\n\r\n`);
    const [status, known] = await readHead(wire);
    return new Response(streamOf(wire, bodyParts(wire, known)), { status, headers: known });
  } catch (error) {
    wire.close();
    throw error;
  }
}

async function readHead(wire: Wire): Promise<readonly [status: number, headers: Headers]> {
  const status = /^HTTP\/1\.[01] ([2-5]\d\d)\b/.exec(await wire.line())?.[1];
  if (status === undefined) throw new TypeError("the reply is not HTTP");
  const headers = new Headers();
  for (let line = await wire.line(); line !== ""; line = await wire.line()) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return [Number(status), headers];
}

async function* bodyParts(wire: Wire, headers: Headers): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (/\bchunked\b/i.test(headers.get("transfer-encoding") ?? "")) {
    for (;;) {
      const size = Number.parseInt(await wire.line(), 16);
      if (Number.isNaN(size)) throw new TypeError("the body is not as its head says");
      if (size === 0) return;
      yield* wire.exactly(size);
      await wire.line();
    }
  }
  const length = headers.get("content-length");
  if (length !== null) return yield* wire.exactly(Number(length));
  for (let part = await wire.some(Infinity); part !== undefined; part = await wire.some(Infinity)) yield part;
}

function streamOf(
  wire: Wire,
  parts: AsyncGenerator<Uint8Array<ArrayBuffer>>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    pull: async (controller) => {
      try {
        const { done, value } = await parts.next();
        if (!done) return controller.enqueue(value);
        wire.close();
        controller.close();
      } catch (error) {
        wire.close();
        throw error;
      }
    },
    cancel: () => wire.close(),
  }, { highWaterMark: 0 });
}

/** One connection. */
class Wire {
  readonly #connection: Deno.Conn;
  readonly #signal: AbortSignal | undefined;
  readonly #close = () => this.close();
  /** Came, but was not asked for yet. */
  #rest = new Uint8Array(0);
  #isOpen = true;

  private constructor(connection: Deno.Conn, signal: AbortSignal | undefined) {
    this.#connection = connection;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#close);
  }

  static async open({ protocol, hostname: name, port }: URL, signal: AbortSignal | undefined): Promise<Wire> {
    const hostname = name.replace(/^\[|\]$/g, "");
    const connecting: Promise<Deno.Conn> = protocol === "https:"
      ? Deno.connectTls({ hostname, port: Number(port || 443), alpnProtocols: ["http/1.1"] })
      : Deno.connect({ hostname, port: Number(port || 80) });
    const stopped = Promise.withResolvers<never>();
    const stop = () => {
      stopped.reject(signal?.reason);
      connecting.then((it) => it.close(), () => {}); // it comes too late
    };
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop);
    try {
      return new Wire(await Promise.race([connecting, stopped.promise]), signal);
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#signal?.removeEventListener("abort", this.#close);
    this.#connection.close();
  }

  async send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let sent = 0; sent < bytes.length;) sent += await this.#connection.write(bytes.subarray(sent));
  }

  /** The next line, without its end. */
  async line(): Promise<string> {
    for (let line = "";;) {
      const part = await this.some(Infinity);
      if (part === undefined || line.length > MAX_HEAD_BYTES) throw new TypeError("the reply broke off");
      const end = part.indexOf(10);
      line += new TextDecoder("latin1").decode(end < 0 ? part : part.subarray(0, end));
      if (end < 0) continue;
      this.#rest = part.subarray(end + 1);
      return line.replace(/\r$/, "");
    }
  }

  async *exactly(size: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for (let left = size; left > 0;) {
      const part = await this.some(left);
      if (part === undefined) throw new TypeError("the body broke off");
      left -= part.length;
      yield part;
    }
  }

  /** What is there, at most `max` bytes of it; undefined at the end. */
  async some(max: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#rest.length === 0) {
      const buffer = new Uint8Array(64 * 1024);
      const count = await this.#connection.read(buffer);
      if (count === null) return undefined;
      this.#rest = buffer.subarray(0, count);
    }
    const part = this.#rest.subarray(0, Math.min(max, this.#rest.length));
    this.#rest = this.#rest.subarray(part.length);
    return part;
  }
}
