/** Runs command lines that come as JSON lines on standard input, in its own environment; ends when the input does. */
import type { ProcessIo } from "#/command/io.ts";
import { run } from "#/command/run.ts";
import type { CliAnswer, CliQuestion } from "./cli_server.ts";

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).pipeThrough(lineStream());
const running = new Set<Promise<void>>();
for await (const line of lines) {
  const work: Promise<void> = answer(JSON.parse(line)).finally(() => running.delete(work));
  running.add(work);
}
await Promise.all(running);

async function answer({ id, args, cwd, env }: CliQuestion): Promise<void> {
  const written = { stdout: "", stderr: "" };
  const io: ProcessIo = {
    stdout: { write: (text) => void (written.stdout += text), isTerminal: false, width: 100 },
    stderr: { write: (text) => void (written.stderr += text), isTerminal: false, width: 100 },
    stdinIsTerminal: false,
    readLine: () => Promise.resolve(undefined),
    env: (name) => env[name] ?? Deno.env.get(name),
    cwd,
    signal: new AbortController().signal,
  };
  const code = await run(args, io);
  const reply: CliAnswer = { id, code, ...written };
  writeAll(`${JSON.stringify(reply)}\n`);
}

function writeAll(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let offset = 0; offset < bytes.length;) offset += Deno.stdout.writeSync(bytes.subarray(offset));
}

function lineStream(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(part, controller) {
      const parts = (rest + part).split("\n");
      rest = parts.pop()!;
      for (const line of parts) controller.enqueue(line);
    },
  });
}
