/**
 * A reverse proxy on loopback that breaks requests on order. It passes HTTP/1.1 messages on as they are, also the Host
 * header, so that signatures stay valid; connections of clients are kept, every request goes on in a new one.
 *
 *     await using proxy = startFaultProxy(new URL(ceph.endpoint));
 *     proxy.onRequest = ({ method }) => method === "PUT" ? { kind: "lose_reply" } : PASS;
 */
import {
  concat,
  replyFraming,
  requestFraming,
  statusOf,
  type WireHead,
  WireReader,
  withoutHeader,
  writeAll,
} from "./http_wire.ts";
import { kindOf, refusalBody, type RequestKind } from "./request_kind.ts";

/** What happens to a request. */
export type FaultAction =
  & (
    | { readonly kind: "pass" }
    /** The proxy answers itself, with an error of the service by default; with `forward` when it was done all the same. */
    | {
      readonly kind: "refuse";
      readonly status: number;
      readonly code?: string;
      readonly body?: string;
      readonly forward?: boolean;
    }
    /** The connection is closed, the server sees nothing. */
    | { readonly kind: "reset_before" }
    /** The server gets half of the body, then both connections are closed (without a body: before it gets anything). */
    | { readonly kind: "reset_in_request" }
    /** The server answers, the connection is closed instead of passing that on. */
    | { readonly kind: "lose_reply" }
    /** Half of the reply is passed on. */
    | { readonly kind: "reset_in_reply" }
    /** Nothing is ever answered. */
    | { readonly kind: "hang"; readonly forward?: boolean }
    /** Half of the reply is passed on, and nothing more, with the connection open. */
    | { readonly kind: "hang_in_reply" }
    /** It is sent twice, one after the other; the second reply is passed on. */
    | { readonly kind: "duplicate" }
  )
  & {
    /** How long the request waits before anything happens, in milliseconds. */
    readonly delayMs?: number;
    /** Called just before the server gets it. */
    readonly beforeForward?: () => void | Promise<void>;
    /** Called when the server has answered, before the client learns of it. */
    readonly afterReply?: () => void | Promise<void>;
  };

export const PASS: FaultAction = { kind: "pass" };

export interface ProxiedRequest {
  /** From 1; from 1 again after `clearLog`. */
  readonly number: number;
  readonly method: string;
  /** With the query, as sent. */
  readonly path: string;
  readonly headers: Headers;
  /** What it asks of the service. */
  readonly kind: RequestKind;
}

export interface LoggedRequest {
  readonly request: ProxiedRequest;
  /** What was done with it; `pass` until that is decided. */
  action: FaultAction["kind"];
  /** What the server answered, undefined when it was not asked (or nobody waited). */
  status: number | undefined;
}

export type OnRequest = (request: ProxiedRequest) => FaultAction | Promise<FaultAction>;

/** Starts a proxy before `target`. Close what uses it first: replies that it still owes are never given. */
export function startFaultProxy(target: URL, options: { readonly onRequest?: OnRequest } = {}): FaultProxy {
  return new FaultProxy(target, options.onRequest ?? (() => PASS));
}

export class FaultProxy implements AsyncDisposable {
  /** Decides on each request as it comes; may be changed at any time. */
  onRequest: OnRequest;
  readonly #target: URL;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.Conn>();
  readonly #serving = new Set<Promise<void>>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #log: LoggedRequest[] = [];

  constructor(target: URL, onRequest: OnRequest) {
    this.onRequest = onRequest;
    this.#target = target;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#keep(this.#accept());
  }

  /** `http://127.0.0.1:PORT` */
  get endpoint(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Every request since the start (or `clearLog`), in the order in which they came. */
  get log(): readonly LoggedRequest[] {
    return this.#log;
  }

  /** How many of the requests in the log were of each kind. */
  get counts(): Partial<Record<RequestKind, number>> {
    const counts: Partial<Record<RequestKind, number>> = {};
    for (const { request } of this.#log) counts[request.kind] = (counts[request.kind] ?? 0) + 1;
    return counts;
  }

  clearLog(): void {
    this.#log.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.#closed.resolve();
    for (const conn of this.#open) closeQuietly(conn);
    while (this.#serving.size > 0) await Promise.allSettled(this.#serving);
  }

  #keep(work: Promise<void>): void {
    const kept = work.catch(() => {}).finally(() => this.#serving.delete(kept));
    this.#serving.add(kept);
  }

  async #accept(): Promise<void> {
    for await (const conn of this.#listener) this.#keep(this.#serve(conn));
  }

  async #serve(conn: Deno.TcpConn): Promise<void> {
    this.#open.add(conn);
    try {
      conn.setNoDelay(true);
      const reader = new WireReader(conn);
      for (let stays = true; stays;) {
        const head = await reader.head();
        stays = head !== undefined && await this.#handle(conn, reader, head);
      }
    } finally {
      this.#open.delete(conn);
      closeQuietly(conn);
    }
  }

  /** True while the client's connection stays. */
  async #handle(client: Deno.Conn, reader: WireReader, head: WireHead): Promise<boolean> {
    const [method, path] = head.firstLine.split(" ") as [string, string];
    const kind = kindOf(method, path, head.headers);
    const request = { number: this.#log.length + 1, method, path, headers: head.headers, kind };
    const logged: LoggedRequest = { request, action: "pass", status: undefined };
    this.#log.push(logged);
    const action = await this.onRequest(request);
    logged.action = action.kind;
    if (action.delayMs !== undefined) await this.#pause(action.delayMs);
    if (action.kind === "reset_before") return false;
    if (head.headers.get("expect")?.toLowerCase() === "100-continue") {
      await writeAll(client, new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    if (action.kind === "reset_in_request") return await this.#forwardHalf(reader, head, action);
    const body = await reader.body(requestFraming(head));
    const message = concat([withoutHeader(head, "expect"), body]);
    return await this.#act(client, message, action, logged);
  }

  async #act(client: Deno.Conn, message: Uint8Array, action: FaultAction, logged: LoggedRequest) {
    if (action.kind === "refuse") {
      if (action.forward === true) await this.#forward(message, logged.request.method, action, logged);
      await writeAll(client, refusal(logged.request, action));
      return true;
    }
    if (action.kind === "hang" && action.forward !== true) return await this.#hang();
    const { method } = logged.request;
    if (action.kind === "duplicate") await this.#forward(message, method, action, logged);
    const reply = await this.#forward(message, method, action, logged);
    if (action.kind === "hang") return await this.#hang();
    if (action.kind === "lose_reply") return false;
    if (action.kind === "reset_in_reply" || action.kind === "hang_in_reply") {
      // Of a body the first half, so that its end is missing; of a head the first half where there is no body.
      const body = reply.message.length - reply.headLength;
      const cut = body === 0 ? reply.headLength / 2 : reply.headLength + body / 2;
      await writeAll(client, reply.message.subarray(0, Math.floor(cut)));
      return action.kind === "hang_in_reply" && await this.#hang();
    }
    await writeAll(client, reply.message);
    return reply.stays;
  }

  async #forward(message: Uint8Array, method: string, action: FaultAction, logged: LoggedRequest) {
    await action.beforeForward?.();
    const server = await this.#connect();
    try {
      await writeAll(server, message);
      const reader = new WireReader(server);
      const head = await finalHead(reader);
      const framing = replyFraming(head, method);
      const body = await reader.body(framing);
      logged.status = statusOf(head);
      await action.afterReply?.();
      const stays = framing.kind !== "close" && head.headers.get("connection")?.toLowerCase() !== "close";
      return { message: concat([head.raw, body]), headLength: head.raw.length, stays };
    } finally {
      this.#open.delete(server);
      closeQuietly(server);
    }
  }

  /** What is left of the body stays unread, so that the system resets the client's connection. */
  async #forwardHalf(reader: WireReader, head: WireHead, action: FaultAction): Promise<boolean> {
    const framing = requestFraming(head);
    const length = framing.kind === "length" ? framing.length : framing.kind === "chunked" ? 64 : 0;
    if (length < 2) return false;
    const half = await reader.exactly(Math.floor(length / 2));
    await action.beforeForward?.();
    const server = await this.#connect();
    try {
      await writeAll(server, concat([withoutHeader(head, "expect"), half]));
    } finally {
      this.#open.delete(server);
      closeQuietly(server);
    }
    return false;
  }

  async #connect(): Promise<Deno.TcpConn> {
    const port = Number(this.#target.port === "" ? 80 : this.#target.port);
    const server = await Deno.connect({ hostname: this.#target.hostname, port });
    this.#open.add(server);
    server.setNoDelay(true);
    return server;
  }

  async #hang(): Promise<false> {
    await this.#closed.promise;
    return false;
  }

  async #pause(ms: number): Promise<void> {
    const passed = Promise.withResolvers<void>();
    const timer = setTimeout(passed.resolve, ms);
    await Promise.race([passed.promise, this.#closed.promise]);
    clearTimeout(timer);
  }
}

async function finalHead(reader: WireReader): Promise<WireHead> {
  for (;;) {
    const head = await reader.head();
    if (head === undefined) throw new Error("the server closed without an answer");
    if (statusOf(head) >= 200) return head;
  }
}

function refusal(request: ProxiedRequest, action: FaultAction & { kind: "refuse" }): Uint8Array {
  const { type, body } = refusalBody(request.path, action.status, action.code);
  const content = new TextEncoder().encode(action.body ?? body);
  const head =
    `HTTP/1.1 ${action.status} Refused\r\nContent-Type: ${type}\r\nDate: ${new Date().toUTCString()}\r\n` +
    `Content-Length: ${content.length}\r\n\r\n`;
  return concat([new TextEncoder().encode(head), request.method === "HEAD" ? new Uint8Array(0) : content]);
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // closed already
  }
}
