/**
 * The same git commands for many checkouts, in a few shells that are given one checkout after the other: a process of ours
 * is dear to start, one of a small shell is not. A shell gets the next ones when it has ended the last, so that a killed
 * backout leaves nothing running but what was given; it holds a lock as long.
 */
import { Buffer } from "node:buffer";
import { throwIfStopped } from "#/core/pace.ts";
import { streamProgram } from "../run_program.ts";
import type { TargetContext } from "../target.ts";
import { gitChild, gitEnvironment } from "./git_child.ts";

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
  /** What each shell holds shared until it and the last process of it have ended; `whenUnlocked` waits for that. */
  readonly lock?: string;
  /** At most so many are given at once, so that no shell waits for us. @default 1 */
  readonly ahead?: number;
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

const LOOP = `[ -z "$1" ] || { exec 9<"$1" && { ! command -v flock >/dev/null || flock -s 9; }; } || exit
job() {
SCRIPT
}
tab="$(printf '\\t')"
printf '\\0\\036%s\\0' 0
while IFS="$tab" read -r a b c d; do
  job "$a" "$b" "$c" "$d" </dev/null 2>&1
  printf '\\0\\036%s\\0' "$?"
done
`;

async function runShell(
  { script, jobs, cwd, doing, context, lock = "", ahead = 1 }: BatchRequest,
  take: () => number | undefined,
  note: (index: number, result: BatchResult) => void,
): Promise<void> {
  const given: number[] = [];
  let feed: ReadableStreamDefaultController<Uint8Array> | undefined;
  const give = (): void => {
    while (given.length < ahead) {
      const at = take();
      if (at === undefined) break;
      given.push(at);
      feed!.enqueue(new TextEncoder().encode(`${jobs[at]!.join("\t")}\n`));
    }
    if (given.length === 0) feed!.close();
  };
  const stdin = new ReadableStream<Uint8Array>({
    start: (controller) => {
      feed = controller;
    },
  }, { highWaterMark: 0 });
  const out = streamProgram({
    program: "sh",
    args: ["-c", LOOP.replace("SCRIPT", () => script), "sh", lock],
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
      if (end === undefined) break;
      // The first says that it holds the lock: before that it is given nothing that it could still do after our end.
      const job = given.shift();
      if (job !== undefined) note(job, { code: end.code, output: pending.subarray(0, end.from) });
      pending = pending.subarray(end.to);
      give();
    }
  }
}

/** Waits until shells that a killed backout left running with this lock have ended. */
export async function whenUnlocked(lock: string, context: BatchRequest["context"]): Promise<void> {
  await gitChild({
    script: ":",
    words: [],
    cwd: lock,
    gitDir: lock,
    doing: `wait for git in ${lock}`,
    context,
  });
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
