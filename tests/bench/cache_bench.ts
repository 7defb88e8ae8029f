/**
 * The cache beside `tar | zstd -d`, and `component apply` with four jobs beside one.
 *
 *     deno run -A tests/bench/cache_bench.ts [--quick]      of the executable BACKOUT_BIN, or from source
 */
import { join } from "node:path";
import { programWords } from "../support/cli.ts";
import { compare, markdownTable, milliseconds, type Row, timed } from "./measure.ts";
import { noise } from "./store_worlds.ts";

export interface CacheBench {
  /** An empty folder. */
  readonly folder: string;
  /** A tenth of the data, and one round. */
  readonly quick: boolean;
}

const FILE_BYTES = 100_000;
const FILES = 2000;
const INDEPENDENT = 40;
const ROUNDS = 5;

/** Rows for the table of benchmarks. */
export function benchCache({ folder, quick }: CacheBench): readonly Row[] {
  return [getRow(folder, quick), applyRow(folder, quick)];
}

function backout(folder: string, ...args: readonly string[]): void {
  timed(programWords(args), { cwd: folder });
}

/** Half of each file repeats itself, as build outputs do. */
function getRow(folder: string, quick: boolean): Row {
  const files = quick ? FILES / 10 : FILES;
  const source = join(folder, "source");
  for (let i = 0; i < files; i++) {
    const below = join(source, `part${i % 50}`);
    Deno.mkdirSync(below, { recursive: true });
    const bytes = new Uint8Array(FILE_BYTES);
    bytes.set(noise(FILE_BYTES / 2));
    for (let at = FILE_BYTES / 2; at < FILE_BYTES; at++) bytes[at] = (at * at) >> 8;
    Deno.writeFileSync(join(below, `file${i}`), bytes);
  }
  timed([
    "sh",
    "-c",
    `tar cf - -C "$1" . | zstd -q -1 -T0 -o "$2"`,
    "sh",
    source,
    join(folder, "out.tar.zst"),
  ]);
  backout(folder, "cache", "build", "api", "--source", "source");
  const clear = (name: string) => () => {
    const isThere = [...Deno.readDirSync(folder)].some((it) => it.name === name);
    if (isThere) Deno.removeSync(join(folder, name), { recursive: true });
  };
  const times = compare([
    {
      name: "tar",
      prepare: clear("tarred"),
      run: () => {
        Deno.mkdirSync(join(folder, "tarred"));
        timed([
          "sh",
          "-c",
          'zstd -dcq "$1" | tar xf - -C "$2"',
          "sh",
          join(folder, "out.tar.zst"),
          join(folder, "tarred"),
        ]);
      },
    },
    {
      name: "backout",
      prepare: clear("got"),
      run: () => backout(folder, "cache", "get", "api", "--target", "got"),
    },
  ], quick ? 1 : ROUNDS);
  const [mine, tar] = [times.get("backout")!, times.get("tar")!];
  return {
    what: `\`cache get\` of ${Math.round(files * FILE_BYTES / 1e6)} MB in ${files} files`,
    measured: milliseconds(mine),
    against: `\`zstd -d | tar x\`: ${milliseconds(tar)}`,
    result: `${(mine / tar).toFixed(2)} times`,
    goal: "at most 1.5 times",
    met: mine <= tar * 1.5,
  };
}

function applyRow(folder: string, quick: boolean): Row {
  const components: Record<string, unknown> = {};
  for (let i = 0; i < INDEPENDENT; i++) {
    components[`c${i}`] = { test: "sleep 0.2" };
    Deno.mkdirSync(join(folder, "components", `c${i}`), { recursive: true });
  }
  Deno.mkdirSync(join(folder, "manifests"), { recursive: true });
  Deno.writeTextFileSync(join(folder, "manifests/components.yaml"), JSON.stringify({ components }));
  const apply = (jobs: string) => () => backout(folder, "component", "apply", "--all", "--jobs", jobs);
  const times = compare([{ name: "4", run: apply("4") }, { name: "1", run: apply("1") }], quick ? 1 : 3);
  const [four, one] = [times.get("4")!, times.get("1")!];
  return {
    what: "`component apply --jobs 4`, 40 independent components that sleep 0.2 s",
    measured: milliseconds(four),
    against: `\`--jobs 1\`: ${milliseconds(one)}`,
    result: `${(one / four).toFixed(2)} times as fast`,
    goal: "at least 3.5 times",
    met: one >= four * 3.5,
  };
}

if (import.meta.main) {
  const folder = Deno.makeTempDirSync({ prefix: "backout-cache-bench-" });
  try {
    console.log(markdownTable(benchCache({ folder, quick: Deno.args.includes("--quick") })));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
