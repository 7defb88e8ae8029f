/**
 * The same git commands for many checkouts, in a few shells that are given one checkout after the other: a process of ours
 * is dear to start, one of a small shell is not. A shell gets the next one when it has ended the last, so that a killed
 * backout leaves nothing running but what was begun.
 */
import { Buffer } from "node:buffer";
import { throwIfStopped } from "#/core/pace.ts";
import { streamProgram } from "../run_program.ts";
import type { TargetContext } from "../target.ts";
import { gitEnvironment } from "./git_child.ts";

export const GIT_AT_ONCE = 4;

export interface BatchRequest {
  /** Body of a shell function; its words are `$1`, …, tab, newline and NUL never in them. It must not leave the loop. */
  readonly script: string;
  readonly jobs: readonly (readonly string[])[];
  /** Where it runs. */
  readonly cwd: string;
  readonly doing: string;
  readonly context: Pick<TargetContext, "env" | "signal">;
  /** Called after each. */
  readonly onDone?: () => void;
  /** After a job that failed no other is begun. @default false */
  readonly stopOnFailure?: boolean;
}

export interface BatchResult {
  readonly code: number;
  /** Standard output and errors, as they came. */
  readonly output: Buffer;
}

/** @returns in the order of the jobs; undefined for those that were not begun after a failure */
export async function gitBatch(request: BatchRequest): Promise<readonly (BatchResult | undefined)[]> {
  const { jobs, context, stopOnFailure, onDone } = request;
  throwIfStopped(context.signal);
  if (jobs.some((words) => words.some((word) => word === "" || /[\t\n\0]/.test(word)))) {
    throw new RangeError("a word of a job is empty, or has white space");
  }
  const results: (BatchResult | undefined)[] = jobs.map(() => undefined);
  let next = 0;
  let failed = false;
  const take = (): number | undefined => (failed || next >= jobs.length ? undefined : next++);
  const note = (index: number, result: BatchResult): void => {
    results[index] = result;
    if (result.code !== 0 && stopOnFailure === true) failed = true;
    onDone?.();
  };
  const shells = Array.from(
    { length: Math.min(GIT_AT_ONCE, jobs.length) },
    () => runShell(request, take, note),
  );
  const ends = await Promise.allSettled(shells);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return results;
}

const LOOP = `job() {
SCRIPT
}
while IFS="$(printf '\\t')" read -r a b c d; do
  job "$a" "$b" "$c" "$d" </dev/null 2>&1
  printf '\\0\\036%s\\0' "$?"
done
`;

async function runShell(
  { script, jobs, cwd, doing, context }: BatchRequest,
  take: () => number | undefined,
  note: (index: number, result: BatchResult) => void,
): Promise<void> {
  let current: number | undefined;
  let feed: ReadableStreamDefaultController<Uint8Array> | undefined;
  const give = (): void => {
    current = take();
    if (current === undefined) return feed!.close();
    feed!.enqueue(new TextEncoder().encode(`${jobs[current]!.join("\t")}\n`));
  };
  const stdin = new ReadableStream<Uint8Array>({
    start: (controller) => {
      feed = controller;
      give();
    },
  }, { highWaterMark: 0 });
  const out = streamProgram({
    program: "sh",
    args: ["-c", LOOP.replace("SCRIPT", () => script)],
    package: "dash",
    cwd,
    context,
    env: gitEnvironment(),
    stdin,
    doing,
  });
  let pending = Buffer.alloc(0);
  for await (const chunk of out) {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const end = recordEnd(pending);
      if (end === undefined || current === undefined) break;
      note(current, { code: end.code, output: pending.subarray(0, end.from) });
      pending = pending.subarray(end.to);
      give();
    }
  }
}

/** Where a job's output ends: NUL, record separator, exit code, NUL. */
function recordEnd(
  bytes: Buffer,
): { readonly from: number; readonly to: number; readonly code: number } | undefined {
  const from = bytes.indexOf("\0\x1e");
  if (from < 0) return undefined;
  const to = bytes.indexOf(0, from + 2);
  if (to < 0) return undefined;
  return { from, to: to + 1, code: Number(bytes.subarray(from + 2, to).toString("latin1")) };
}
