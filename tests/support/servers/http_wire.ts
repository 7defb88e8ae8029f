/** HTTP/1.1 messages as they are on the wire: taken apart only as far as one has to know where they end. */

export interface WireHead {
  /** With the empty line at the end. */
  readonly raw: Uint8Array;
  readonly firstLine: string;
  /** Names in lower case. */
  readonly headers: Headers;
}

/** Where a body ends. */
type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "close" };

const END_OF_HEAD = new TextEncoder().encode("\r\n\r\n");
const END_OF_LINE = END_OF_HEAD.subarray(0, 2);

/** Reads messages from one connection, one after the other. */
export class WireReader {
  readonly #conn: Deno.Conn;
  #buffer: Uint8Array = new Uint8Array(0);

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Undefined when the other side closed between two messages. @throws {Error} when it closed in the middle of one */
  async head(): Promise<WireHead | undefined> {
    const end = await this.#until(END_OF_HEAD);
    if (end === undefined) return undefined;
    const raw = this.#take(end);
    const [firstLine, ...lines] = new TextDecoder().decode(raw).split("\r\n").filter((line) => line !== "");
    const headers = new Headers();
    for (const line of lines) {
      const colon = line.indexOf(":");
      headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    return { raw, firstLine: firstLine!, headers };
  }

  /** A whole body, with its chunk sizes where it is chunked. */
  async body(framing: Framing): Promise<Uint8Array> {
    switch (framing.kind) {
      case "none":
        return new Uint8Array(0);
      case "length":
        return await this.exactly(framing.length);
      case "chunked":
        return await this.#chunks();
      case "close":
        while (await this.#fill());
        return this.#take(this.#buffer.length);
      default:
        return framing satisfies never;
    }
  }

  async exactly(length: number): Promise<Uint8Array> {
    if (this.#buffer.length >= length) return this.#take(length);
    const bytes = new Uint8Array(length);
    bytes.set(this.#buffer);
    let got = this.#buffer.length;
    this.#buffer = new Uint8Array(0);
    while (got < length) {
      const read = await this.#conn.read(bytes.subarray(got));
      if (read === null) throw new Error("the connection ended in the middle of a body");
      got += read;
    }
    return bytes;
  }

  async #chunks(): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (;;) {
      const line = await this.#line();
      const size = parseInt(new TextDecoder().decode(line), 16);
      parts.push(line);
      if (size === 0) break;
      parts.push(await this.exactly(size + END_OF_LINE.length));
    }
    for (let isEnd = false; !isEnd;) { // trailers, and the empty line
      const line = await this.#line();
      parts.push(line);
      isEnd = line.length === END_OF_LINE.length;
    }
    return concat(parts);
  }

  async #line(): Promise<Uint8Array> {
    const end = await this.#until(END_OF_LINE);
    if (end === undefined) throw new Error("the connection ended in the middle of a body");
    return this.#take(end);
  }

  /** Where `mark` ends in the buffer; undefined when the connection ended before anything came. */
  async #until(mark: Uint8Array): Promise<number | undefined> {
    for (let from = 0;;) {
      const at = indexOf(this.#buffer, mark, from);
      if (at >= 0) return at + mark.length;
      from = Math.max(0, this.#buffer.length - mark.length);
      if (await this.#fill()) continue;
      if (this.#buffer.length === 0) return undefined;
      throw new Error("the connection ended in the middle of a message");
    }
  }

  async #fill(): Promise<boolean> {
    const chunk = new Uint8Array(64 * 1024);
    const got = await this.#conn.read(chunk);
    if (got === null) return false;
    this.#buffer = concat([this.#buffer, chunk.subarray(0, got)]);
    return true;
  }

  #take(length: number): Uint8Array {
    const taken = this.#buffer.slice(0, length);
    this.#buffer = this.#buffer.slice(length);
    return taken;
  }
}

export function requestFraming(head: WireHead): Framing {
  if (isChunked(head)) return { kind: "chunked" };
  const length = head.headers.get("content-length");
  return length === null ? { kind: "none" } : { kind: "length", length: Number(length) };
}

/** @param method of the request that it answers */
export function replyFraming(head: WireHead, method: string): Framing {
  const status = statusOf(head);
  if (method === "HEAD" || status === 204 || status === 304) return { kind: "none" };
  if (isChunked(head)) return { kind: "chunked" };
  const length = head.headers.get("content-length");
  return length === null ? { kind: "close" } : { kind: "length", length: Number(length) };
}

export function statusOf(head: WireHead): number {
  return Number(head.firstLine.split(" ")[1]);
}

/** The same head without one header. */
export function withoutHeader(head: WireHead, name: string): Uint8Array {
  const lines = new TextDecoder().decode(head.raw).split("\r\n");
  const kept = lines.filter((line) => !line.toLowerCase().startsWith(`${name}:`));
  return new TextEncoder().encode(kept.join("\r\n"));
}

export async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function isChunked(head: WireHead): boolean {
  return head.headers.get("transfer-encoding")?.toLowerCase().includes("chunked") === true;
}

function indexOf(bytes: Uint8Array, mark: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(mark[0]!, from); at >= 0; at = bytes.indexOf(mark[0]!, at + 1)) {
    if (at + mark.length > bytes.length) return -1;
    if (mark.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}
