/** Receivers on loopback, a clock that only tests move, and messages to send. */
import { join } from "node:path";
import { eventsOf } from "#/notify/event.ts";
import type { NotifyEvent } from "#/notify/event.ts";
import type { SpoolPlace } from "#/notify/spool_place.ts";
import type { WebhookTarget } from "#/notify/target.ts";
import { type NotifyTools, realTools } from "#/notify/tools.ts";
import type { OperationReport } from "#/report/model.ts";
import { reports } from "./report_fixtures.ts";

export interface Received {
  readonly body: string;
  readonly headers: Headers;
  readonly path: string;
  readonly method: string;
}

export interface Receiver extends AsyncDisposable {
  /** With something secret in its path. */
  readonly url: string;
  readonly received: readonly Received[];
}

export const URL_SECRET = "T0p-s3cret-path";
export const KEY = "the-key-of-the-signature";
export const KEY_NAME = "BACKOUT_TEST_WEBHOOK_SECRET";

/** A server whose answers are given one after the other, the last one for ever. */
export function receiver(
  ...answers: readonly ((request: Request) => Response | Promise<Response>)[]
): Receiver {
  const received: Received[] = [];
  const stop = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, signal: stop.signal, onListen: () => {} },
    async (request) => {
      const { pathname: path } = new URL(request.url);
      received.push({ body: await request.text(), headers: request.headers, path, method: request.method });
      return await answers[Math.min(received.length, answers.length) - 1]!(request);
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/${URL_SECRET}`,
    received,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await server.finished;
    },
  };
}

export function answer(status: number, headers: Record<string, string> = {}): () => Response {
  return () => new Response(null, { status, headers });
}

/** Tools whose sleeps take no time but move the clock, and are noted. */
export interface TestTools extends NotifyTools {
  readonly sleeps: number[];
  /** Moves the clock of `now`. */
  advance(ms: number): void;
}

export function testTools(env: Readonly<Record<string, string>> = {}): TestTools {
  const sleeps: number[] = [];
  let passed = 0;
  const real = realTools((name) => env[name] ?? (name === "PATH" ? Deno.env.get(name) : undefined));
  return {
    ...real,
    sleeps,
    // Files are written by the real clock.
    now: () => new Date(Date.now() + passed),
    elapsed: () => passed,
    sleep: (ms) => {
      sleeps.push(ms);
      passed += ms;
      return Promise.resolve();
    },
    random: () => 0.5,
    advance: (ms) => passed += ms,
  };
}

export function webhook(url: string, more: Partial<WebhookTarget> = {}): WebhookTarget {
  return { webhook: url, timeout_ms: 20_000, ...more };
}

/** The event of an operation with its own id. */
export function eventOf(
  report: OperationReport = reports.success,
  id: string = crypto.randomUUID(),
): NotifyEvent {
  const [event] = eventsOf({ ...report, rollback_id: id }, new Date());
  return event!;
}

export function placeIn(folder: string): SpoolPlace {
  return { base: folder, folder: join(folder, "notify-spool") };
}

export function spoolFiles(place: SpoolPlace): readonly string[] {
  try {
    return [...Deno.readDirSync(place.folder)].map((it) => it.name).sort();
  } catch {
    return [];
  }
}

/** A port of loopback that nobody listens on. */
export function deadPort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}
