/** A server program as a child of the test: it dies with the test's thread, and is awaited when it is disposed. */
import { setTimeout as sleep } from "node:timers/promises";

export interface StartedServer extends AsyncDisposable {
  readonly pid: number;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  /** Waits until it answers HTTP at `url`, with whatever status. @throws {Error} with its log when it ends or takes too long */
  answers(url: string, timeoutMs: number): Promise<void>;
}

export interface StartOptions {
  /** The file that gets what it prints. */
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Starts a program that serves until it is disposed (killed and awaited). */
export function startServer(command: readonly string[], options: StartOptions): StartedServer {
  // The shell sends the output to a file, so that nobody has to read it; `exec` keeps it one process.
  const child = new Deno.Command("setpriv", {
    args: [
      "--pdeathsig",
      "KILL",
      "sh",
      "-c",
      'log=$1; shift; exec "$@" >"$log" 2>&1',
      "sh",
      options.log,
      ...command,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
    env: { ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  }).spawn();
  let ended = false;
  const status = child.status.then((it) => {
    ended = true;
    return it;
  });
  return {
    pid: child.pid,
    ended: status.then(() => undefined),
    answers: async (url, timeoutMs) => {
      const deadline = performance.now() + timeoutMs;
      while (!await answersNow(url)) {
        if (ended || performance.now() > deadline) {
          const why = ended ? "ended" : "did not answer in time";
          throw new Error(`${command.join(" ")} ${why}: ${tail(options.log)}`);
        }
        await sleep(20);
      }
    },
    [Symbol.asyncDispose]: async () => {
      if (!ended) child.kill("SIGKILL");
      await status;
    },
  };
}

/** Ports of loopback that were free just now. */
export function askFreePorts(count: number): readonly number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const ports = listeners.map((it) => it.addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}

async function answersNow(url: string): Promise<boolean> {
  try {
    const reply = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await reply.body?.cancel();
    return true;
  } catch {
    return false;
  }
}

function tail(log: string): string {
  try {
    return Deno.readTextFileSync(log).slice(-2_000);
  } catch {
    return "it printed nothing";
  }
}
