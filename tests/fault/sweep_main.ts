/**
 * The sweeps by hand: `deno task sweep [OPERATION…] [--every N] [--pairs N] [--triples N] [--jobs N]` kills,
 * `--failures` makes calls fail, `--power-loss` cuts the power (needs root),
 * and one failure again: `deno task sweep OPERATION --point K [--second J] [--third I] --keep`.
 * With `--bucket s3` or `--bucket gs` those over object storage.
 */
import { parseArgs } from "node:util";
import { BUCKET_FLAGS, BUCKET_HELP, bucketMain } from "./bucket_sweep_main.ts";
import { crashSweep, type CrashSweepOptions, type SweepCounts } from "./crash_sweep.ts";
import { OPERATIONS, type SweepOperation } from "./operations.ts";
import { failureSweep } from "./failure_sweep.ts";
import { describeCounts, sweepInParallel, type SweepKind } from "./parallel_sweep.ts";
import { powerLossSweep } from "./power_loss_sweep.ts";

const { values: flags, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    "every": { type: "string" },
    "pairs": { type: "string" },
    "triples": { type: "string" },
    "point": { type: "string" },
    "second": { type: "string" },
    "third": { type: "string" },
    "failures": { type: "boolean", default: false },
    "power-loss": { type: "boolean", default: false },
    ...BUCKET_FLAGS,
    "jobs": { type: "string", default: String(navigator.hardwareConcurrency) },
    "keep": { type: "boolean", default: false },
    "help": { type: "boolean", default: false },
    /** Only for the sweep's own children: `INDEX/COUNT`, the bundle, and the folder to work in. */
    "kind": { type: "string" },
    "shard": { type: "string" },
    "program": { type: "string" },
    "folder": { type: "string" },
  },
});

const numbers = Object.fromEntries(
  (["every", "pairs", "triples", "point", "second", "third"] as const)
    .flatMap((name) => flags[name] === undefined ? [] : [[name, Number(flags[name])]]),
) as CrashSweepOptions;

const kind =
  (flags.kind ?? (flags.failures ? "failures" : flags["power-loss"] ? "power-loss" : "crashes")) as SweepKind;
const SWEEPS = { "crashes": crashSweep, "failures": failureSweep, "power-loss": powerLossSweep } as const;

Deno.exit(await main());

async function main(): Promise<number> {
  if (flags.help) {
    console.log("deno task sweep [OPERATION…] [--every N] [--pairs N] [--triples N] [--jobs N]");
    console.log("deno task sweep [OPERATION…] --failures | --power-loss [--every N]");
    console.log("deno task sweep OPERATION --point K [--second J] [--third I] [--keep]");
    console.log(`Operations: ${OPERATIONS.map((it) => it.name).join(", ")}`);
    console.log(BUCKET_HELP);
    return 0;
  }
  if (flags.bucket !== undefined) return await bucketMain(flags, positionals);
  const unknown = positionals.find((name) => !OPERATIONS.some((it) => it.name === name));
  if (unknown !== undefined) {
    console.error(`Unknown operation ${unknown}; see --help.`);
    return 2;
  }
  if (flags.shard !== undefined) return await runShard(find(positionals[0]!));
  let failed = 0;
  for (
    const operation of OPERATIONS.filter((it) => positionals.length === 0 || positionals.includes(it.name))
  ) {
    const jobs = numbers.point === undefined && kind !== "power-loss" ? Number(flags.jobs) : 1;
    const started = performance.now();
    const counts = await sweepInParallel(operation, numbers, { jobs, keep: flags.keep, kind });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${operation.name}: ${describeCounts(counts)} (${seconds} s)`);
    for (const failure of counts.failures) console.log(`  FAILED ${failure}`);
    failed += counts.failures.length;
  }
  return failed === 0 ? 0 : 1;
}

/** One share of one operation's points; the counts go to standard output as the last line. */
async function runShard(operation: SweepOperation): Promise<number> {
  const [index, count] = flags.shard!.split("/").map(Number);
  const options = { ...numbers, shard: { index: index!, count: count! } };
  const counts: SweepCounts = await SWEEPS[kind](
    { folder: flags.program! },
    operation,
    flags.folder!,
    options,
  );
  console.log(JSON.stringify(counts));
  return 0;
}

function find(name: string): SweepOperation {
  return OPERATIONS.find((it) => it.name === name)!;
}
