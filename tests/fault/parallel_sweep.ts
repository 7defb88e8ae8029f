/** Shares the points of a sweep out to several processes, since each waits for its own children. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tempDir } from "../support/temp.ts";
import type { CrashSweepOptions, SweepCounts } from "./crash_sweep.ts";
import type { SweepOperation } from "./operations.ts";
import { buildProgram, type Program } from "./program.ts";

export interface ParallelOptions {
  readonly jobs: number;
  /** Leave the work folder behind and print where it is. */
  readonly keep?: boolean;
  /** A bundle that was made before. */
  readonly program?: Program;
  /** What happens at the points. @default "crashes" */
  readonly kind?: SweepKind;
}

/** SIGKILL, failing calls, or a power cut. */
export type SweepKind = "crashes" | "failures" | "power-loss";

/** Runs the sweep of one operation in `jobs` processes and adds up what they found. */
export async function sweepInParallel(
  operation: SweepOperation,
  options: CrashSweepOptions,
  { jobs, keep = false, program, kind = "crashes" }: ParallelOptions,
): Promise<SweepCounts> {
  const temp = tempDir("backout-sweep-");
  try {
    const bundle = program ?? buildProgram(join(temp.path, "program"));
    const shards = Array.from({ length: jobs }, (_, index) => {
      const folder = join(temp.path, `shard-${index}`);
      Deno.mkdirSync(folder);
      return runShard(operation, options, bundle, folder, { shard: `${index}/${jobs}`, kind });
    });
    return add(await Promise.all(shards));
  } finally {
    if (keep) console.error(`kept ${temp.path}`);
    else await temp[Symbol.asyncDispose]();
  }
}

/**
 * A filesystem whose power is cut is mounted where nobody else sees it: a container or namespace that is made meanwhile
 * would hold on to it, and the next mount would find it as dead as it was.
 */
const OWN_MOUNTS = ["unshare", "--mount", "--propagation", "private"];

async function runShard(
  operation: SweepOperation,
  options: CrashSweepOptions,
  program: Program,
  folder: string,
  { shard, kind }: { readonly shard: string; readonly kind: SweepKind },
): Promise<SweepCounts> {
  const numbers = Object.entries(options).flatMap(([name, value]) =>
    typeof value === "number" ? [`--${name}`, String(value)] : []
  );
  const [executable, ...before] = kind === "power-loss"
    ? [...OWN_MOUNTS, Deno.execPath()]
    : [Deno.execPath()];
  const child = new Deno.Command(executable!, {
    args: [
      ...before,
      ...["run", "-A", "--no-check", "--quiet"],
      fileURLToPath(new URL("./sweep_main.ts", import.meta.url)),
      operation.name,
      ...numbers,
      ...["--kind", kind, "--shard", shard, "--program", program.folder, "--folder", folder],
    ],
    stdin: "null",
  });
  const result = await child.output();
  const text = new TextDecoder().decode(result.stdout).trimEnd();
  const last = text.slice(text.lastIndexOf("\n") + 1);
  if (!result.success || !last.startsWith("{")) {
    const said = new TextDecoder().decode(result.stderr);
    const failure = `the sweep of ${operation.name} itself failed: ${said.trim()}`;
    return { points: 0, pairs: 0, triples: 0, before: 0, after: 0, failures: [failure] };
  }
  return JSON.parse(last);
}

function add(all: readonly SweepCounts[]): SweepCounts {
  const sum: SweepCounts = { points: 0, pairs: 0, triples: 0, before: 0, after: 0, failures: [] };
  for (const counts of all) {
    for (const name of ["points", "pairs", "triples", "before", "after"] as const) sum[name] += counts[name];
    sum.failures.push(...counts.failures);
  }
  return sum;
}

export function describeCounts(counts: SweepCounts): string {
  return `points: ${counts.points}, pairs: ${counts.pairs}, triples: ${counts.triples}; ` +
    `ended before: ${counts.before}, after: ${counts.after}; failures: ${counts.failures.length}`;
}
