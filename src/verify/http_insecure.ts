/** HTTPS with whatever certificate the server shows: the runtime's own client cannot be told to take it. */
import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import { connect } from "node:tls";
import type { Answer, HttpRequest } from "./http.ts";

/** More of a body is not read. */
export const MOST_BYTES = 1 << 20;
/** Of the head and, where it comes in chunks, what is around them. */
const MOST_AROUND = 1 << 18;

export async function insecureRequest({ url, method, headers, signal }: HttpRequest): Promise<Answer> {
  const { hostname, port, host, pathname, search } = new URL(url);
  const lines = { host, "user-agent": "backout", connection: "close", ...headers };
  const head = [
    `${method} ${pathname}${search} HTTP/1.1`,
    ...Object.entries(lines).map(([name, value]) => `${name}: ${value.replaceAll(/[\r\n]/g, " ")}`),
  ];
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const chunks: Uint8Array[] = [];
  let size = 0;
  const address = hostname.replace(/^\[|\]$/g, "");
  const socket = connect({
    host: address,
    port: port === "" ? 443 : Number(port),
    ...(isIP(address) === 0 ? { servername: address } : {}),
    rejectUnauthorized: false,
  }, () => socket.write(`${head.join("\r\n")}\r\n\r\n`));
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= MOST_BYTES + MOST_AROUND) resolve(Buffer.concat(chunks));
  });
  socket.on("end", () => resolve(Buffer.concat(chunks)));
  socket.on("close", () => resolve(Buffer.concat(chunks)));
  socket.on("error", reject);
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop);
  try {
    return answerOf(await promise);
  } finally {
    signal.removeEventListener("abort", stop);
    socket.destroy();
  }
}

function answerOf(bytes: Uint8Array): Answer {
  // One character for each byte, so that places in the text are places in the bytes.
  const text = new TextDecoder("latin1").decode(bytes);
  const end = text.indexOf("\r\n\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1];
  if (end < 0 || status === undefined) throw new Error("closed before an answer");
  const head = text.slice(0, end);
  const header = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "im").exec(head)?.[1]?.trim();
  const body = bytes.subarray(end + 4);
  const chunked = /\bchunked\b/i.test(header("transfer-encoding") ?? "");
  return {
    status: Number(status),
    body: chunked ? bodyText(chunksOf(body)) : bodyText([body]),
    location: header("location"),
  };
}

/** The parts of a body, each behind its length in hex; as many as are there. */
function chunksOf(body: Uint8Array): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < body.length;) {
    const line = new TextDecoder("latin1").decode(body.subarray(at, at + 32));
    const [whole, hex] = /^([0-9a-f]{1,8})[^\r\n]*\r\n/i.exec(line) ?? [];
    const size = Number.parseInt(hex ?? "0", 16);
    if (whole === undefined || size === 0) break;
    at += whole.length;
    parts.push(body.subarray(at, at + size));
    at += size + 2;
  }
  return parts;
}

/** The first 1 MiB as text. */
export function bodyText(chunks: readonly Uint8Array[]): string {
  return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, MOST_BYTES));
}
