/** The program: argv, signals, streams. The only place that exits. Loads as little as it can before it knows the command. */
import type { StopSignal } from "#/core/errors.ts";
import type { OutputStream, ProcessIo } from "#/command/io.ts";

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const satisfies readonly StopSignal[];
const DEFAULT_WIDTH = 100;

type Stream = typeof Deno.stdout | typeof Deno.stderr;

async function main(argv: readonly string[]): Promise<number> {
  if (argv[0] === "--version") {
    const { VERSION } = await import("#/core/version.ts");
    createStream(Deno.stdout).write(`${VERSION}\n`);
    return 0;
  }
  // Together they load faster than one after the other, and none does anything before it is called.
  const [{ needsNetwork, needsPrograms }, { needsForeignFunctions }, { run }] = await Promise.all([
    import("#/command/network.ts"),
    import("#/command/ffi.ts"),
    import("#/command/run.ts"),
  ]);
  const env = readEnv;
  const cwd = Deno.cwd();
  if (!needsNetwork({ argv, env, cwd })) Deno.permissions.revokeSync({ name: "net" });
  if (!needsPrograms({ argv, env, cwd })) Deno.permissions.revokeSync({ name: "run" });
  if (!needsForeignFunctions({ argv })) Deno.permissions.revokeSync({ name: "ffi" });

  const stderr = createStream(Deno.stderr);
  const signal = listenForSignals(stderr);
  const io: ProcessIo = {
    stdout: createStream(Deno.stdout),
    stderr,
    stdinIsTerminal: Deno.stdin.isTerminal(),
    readLine,
    stdinLines,
    env,
    cwd,
    signal,
  };
  return await run(argv, io);
}

/** One abort for all stop signals. Another signal does not kill: what was begun is being taken back. */
function listenForSignals(stderr: OutputStream): AbortSignal {
  const controller = new AbortController();
  for (const name of STOP_SIGNALS) {
    const onSignal = () => {
      const first = !controller.signal.aborted;
      controller.abort(name);
      // The bar and the terminal's ^C would stand before it on the same line.
      if (stderr.isTerminal) stderr.write("\r\u001b[K");
      stderr.write(
        first ? `stopping (${name})…\n` : "still stopping: what was begun is taken back or finished first\n",
      );
    };
    try {
      Deno.addSignalListener(name, onSignal);
    } catch {
      // Windows knows only SIGINT and SIGBREAK.
    }
  }
  return controller.signal;
}

/** Writes everything, and falls silent once nobody reads any more (`backout … | head`). */
function createStream(stream: Stream): OutputStream {
  const isTerminal = stream.isTerminal();
  let open = true;
  const write = (text: string): void => {
    const bytes = new TextEncoder().encode(text);
    let offset = 0;
    while (open && offset < bytes.length) {
      try {
        offset += stream.writeSync(bytes.subarray(offset));
      } catch (error) {
        if (error instanceof Deno.errors.WouldBlock) {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
        } else {
          open = false; // a closed pipe or terminal
        }
      }
    }
  };
  return { write, isTerminal, width: isTerminal ? terminalWidth() : DEFAULT_WIDTH };
}

function terminalWidth(): number {
  try {
    return Math.max(40, Deno.consoleSize().columns);
  } catch {
    return Number(readEnv("COLUMNS")) || DEFAULT_WIDTH;
  }
}

async function readLine(signal: AbortSignal): Promise<string | undefined> {
  const stopped = new Promise<null>((resolve) => signal.addEventListener("abort", () => resolve(null)));
  const buffer = new Uint8Array(1024);
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes("\n")) {
    const count = await Promise.race([Deno.stdin.read(buffer), stopped]);
    if (count === null) return undefined;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return text.slice(0, text.indexOf("\n"));
}

/** Lines as they come, so that a program that asks one thing after the other is answered one by one. */
async function* stdinLines(signal: AbortSignal): AsyncGenerator<string> {
  const stopped = new Promise<null>((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener("abort", () => resolve(null), { once: true });
  });
  const buffer = new Uint8Array(64 * 1024);
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const count = await Promise.race([Deno.stdin.read(buffer), stopped]);
    if (count === null) break;
    const lines = (rest + decoder.decode(buffer.subarray(0, count), { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== "" && !signal.aborted) yield rest;
}

function readEnv(name: string): string | undefined {
  try {
    return Deno.env.get(name);
  } catch {
    return undefined; // not among the names this program may read
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
