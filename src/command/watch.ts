/** What a person or a script sees while an operation runs: progress and `--events`. */
import { dirname, resolve } from "node:path";
import type { OperationEvent } from "#/report/model.ts";
import { createEventWriter, createProgress } from "#/report/mod.ts";
import type { CommandContext } from "./command.ts";
import type { OutputPath } from "./report_files.ts";

export interface Watch extends Disposable {
  readonly onEvent: (event: OperationEvent) => void;
}

/** The file of `--events`, for the check of output paths. */
export function eventsPath(context: CommandContext): readonly OutputPath[] {
  const { events } = context.globals;
  if (events === undefined || events === "-") return [];
  return [{ flag: "--events", path: resolve(context.cwd, events), kind: "file" }];
}

/** Starts progress and the event stream; disposing ends both. */
export function startWatch(context: CommandContext): Watch {
  const { progress } = context.globals;
  const bar = createProgress(context.printer, progress !== false && !context.printer.quiet);
  const stream = openEvents(context);
  const writeEvent = stream === undefined ? undefined : createEventWriter(stream.write);
  return {
    onEvent: (event) => {
      writeEvent?.(event);
      bar.handle(event);
    },
    [Symbol.dispose]: () => {
      bar.stop();
      stream?.close();
    },
  };
}

interface LineStream {
  readonly write: (line: string) => void;
  readonly close: () => void;
}

function openEvents(context: CommandContext): LineStream | undefined {
  const { events } = context.globals;
  if (events === undefined) return undefined;
  if (events === "-") return { write: (line) => context.printer.out(line), close: () => {} };
  const path = resolve(context.cwd, events);
  Deno.mkdirSync(dirname(path), { recursive: true });
  const file = Deno.openSync(path, { write: true, create: true, truncate: true });
  const encoder = new TextEncoder();
  return {
    write: (line) => {
      let rest = encoder.encode(line);
      while (rest.length > 0) rest = rest.subarray(file.writeSync(rest));
    },
    close: () => file.close(),
  };
}
