/**
 * Whether a container answers HTTP: asked from inside it, which needs no network of this process and reaches the right
 * server whatever engine runs it; where its image has no client, through a port that it publishes, or its address.
 */
import { messageOf } from "#/core/errors.ts";
import type { Container, ServiceAccess, ServiceVerdict } from "../model.ts";
import { isMissing, lastLine, shell } from "./in_container.ts";
import { healthy, unhealthy } from "./kind.ts";

const ASK_MS = 5_000;

export interface HttpQuestion {
  /** In the container; undefined: the one that it publishes. */
  readonly port: number | undefined;
  /** Begins with a slash; of characters that can stand in shell text as they are. */
  readonly path: string;
}

/** One look. Any status from 200 to 399 is fine. */
export async function answersHttp(
  container: Container,
  { port, path }: HttpQuestion,
  access: ServiceAccess,
): Promise<ServiceVerdict> {
  const inside = port ?? publishedPort(container);
  if (inside === undefined) {
    return unhealthy(`${container.service}: which port it listens on is not known; name it: know_how.port`);
  }
  const what = `${container.service} at :${inside}${path}`;
  const result = await shell(container, client(`http://127.0.0.1:${inside}${path}`), {}, access);
  if (!isMissing(result)) {
    if (result.exitCode === 0) return healthy(`${what} answers`);
    return unhealthy(
      `${what} does not answer as it should: ${lastLine(result) || `exit ${result.exitCode}`}`,
    );
  }
  return await fromOutside(container, inside, path, what, access);
}

/** The only port, or the first one, that is published and speaks TCP. */
function publishedPort(container: Container): number | undefined {
  return container.ports.find((it) => it.protocol === "tcp")?.port;
}

function client(url: string): string {
  const seconds = ASK_MS / 1_000;
  // Some builds of busybox die of wget's own time limit.
  return `limit=; if command -v timeout >/dev/null 2>&1; then limit='timeout ${seconds}'; fi
if command -v wget >/dev/null 2>&1; then exec $limit wget -q -O /dev/null '${url}'; fi
if command -v curl >/dev/null 2>&1; then exec curl -fsS -o /dev/null -m ${seconds} '${url}'; fi
if command -v python3 >/dev/null 2>&1; then
  exec python3 -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=${seconds})' '${url}'
fi
if command -v node >/dev/null 2>&1; then
  exec node -e 'fetch(process.argv[1]).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))' '${url}'
fi
exit 127`;
}

async function fromOutside(
  container: Container,
  port: number,
  path: string,
  what: string,
  access: ServiceAccess,
): Promise<ServiceVerdict> {
  const published = container.ports.filter((it) => it.port === port && it.protocol === "tcp");
  const places = [
    ...published.map((it) => `${onThisHost(it.hostAddress)}:${it.hostPort}`),
    ...container.addresses.map((it) => `${bracketed(it)}:${port}`),
  ];
  let problem =
    "its image has no program to ask it with (wget, curl, python3, node), and it publishes no port";
  for (const place of new Set(places)) {
    const answer = await ask(`http://${place}${path}`, access.signal);
    if (answer === undefined) return healthy(`${what} answers`);
    problem = answer;
    if (answer.startsWith("status")) break;
  }
  return unhealthy(`${what} does not answer as it should: ${problem}`);
}

function onThisHost(address: string): string {
  if (address === "" || address === "0.0.0.0") return "127.0.0.1";
  return address === "::" ? "[::1]" : bracketed(address);
}

function bracketed(address: string): string {
  return address.includes(":") && !address.startsWith("[") ? `[${address}]` : address;
}

/** Why it is no answer; undefined: it is one. */
async function ask(url: string, signal: AbortSignal): Promise<string | undefined> {
  signal.throwIfAborted();
  try {
    // A client of its own: no connection stays open.
    using client = Deno.createHttpClient({});
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]);
    const response = await fetch(url, { redirect: "manual", signal: limit, client });
    await response.body?.cancel();
    return response.status >= 200 && response.status < 400 ? undefined : `status ${response.status}`;
  } catch (error) {
    signal.throwIfAborted();
    // The executable gives up the network unless the configuration speaks of `know_how`.
    if (error instanceof Deno.errors.NotCapable) {
      return "its image has no program to ask it with, and backout may not use the network: " +
        "name the service below `know_how:` in backout.yaml, without --offline";
    }
    return /refused/i.test(messageOf(error)) ? "connection refused" : "no answer";
  }
}
