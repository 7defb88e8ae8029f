/** Processes that hold the lock of a store. */
import { fileURLToPath } from "node:url";
import type { StoreLockMode } from "#/store/store_lock.ts";

const CHILD = fileURLToPath(new URL("./lock_child.ts", import.meta.url));

export interface LockChild extends AsyncDisposable {
  readonly pid: number;
  /** The next line that it says. */
  line(): Promise<string>;
  /** Ends its input, so that it gives the lock back; what it says then can still be read. */
  letGo(): Promise<void>;
  /** The same, and waits for its end. */
  release(): Promise<void>;
  kill(signal: Deno.Signal): void;
  ended(): Promise<void>;
}

export interface ChildOptions {
  readonly leaseMs?: number;
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export function startLockChild(location: string, mode: StoreLockMode, options: ChildOptions = {}): LockChild {
  const { leaseMs = 2000, timeoutMs = 0, env = {} } = options;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--no-prompt", CHILD],
      ...[location, mode, String(leaseMs), String(timeoutMs)],
    ],
    env: { ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines = linesOf(child.stdout);
  let isOver = false;
  const end = async () => {
    if (isOver) return;
    isOver = true;
    await child.stdin.close().catch(() => {}); // it may be dead
    await child.status;
    await lines.return();
  };
  return {
    pid: child.pid,
    line: async () => {
      const { value, done } = await lines.next();
      if (done === true) throw new Error("The child ended without saying anything more");
      return value;
    },
    letGo: () => child.stdin.close(),
    release: end,
    kill: (signal) => child.kill(signal),
    ended: end,
    [Symbol.asyncDispose]: end,
  };
}

async function* linesOf(output: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of output) {
    text += decoder.decode(part, { stream: true });
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n")) {
      yield text.slice(0, at);
      text = text.slice(at + 1);
    }
  }
}
