/**
 * `deno task bench [--quick] [--only NAME] [--rounds N]`: what a rollback costs beside the least it could cost, beside
 * work by hand, and beside other tools. Writes what was measured into docs/benchmarks.md (not with --quick). A goal that
 * is missed is printed as missed.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { tempDir } from "../support/temp.ts";
import { benchBucket } from "./bucket_bench.ts";
import { benchCache } from "./cache_bench.ts";
import { benchComponents } from "./component_bench.ts";
import { writeSection } from "./document.ts";
import { compare, markdownTable, median, megabytes, milliseconds, type Row, timed } from "./measure.ts";
import { benchLargeFile, benchMixedFiles, benchSmallFiles } from "./store_bench.ts";
import { findSubject, type Subject } from "./subject.ts";
import { BROKEN, type LargeWorld, publishLarge, writeLarge, writeMany } from "./worlds.ts";

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    "quick": { type: "boolean", default: false },
    "only": { type: "string" },
    "rounds": { type: "string" },
  },
});
const GIB = 1024 ** 3;
const quick = flags.quick;
const size = quick ? GIB / 16 : GIB;
const rounds = Number(flags.rounds ?? (quick ? 3 : 5));
const START_ALLOWANCE = 0.3;
const MEMORY_GOAL = 130e6;

interface Bench {
  readonly subject: Subject;
  readonly folder: string;
  readonly startup: number;
}

type Part = (bench: Bench) => readonly Row[] | Promise<readonly Row[]>;

/** By the names for `--only`. */
const sections: Readonly<Record<string, { readonly title: string; readonly part: Part }>> = {
  release: {
    title: "Releases in a folder",
    part: (bench) => [benchStartup, benchRollback, benchMemory, benchMany].flatMap((part) => part(bench)),
  },
  bucket: { title: "Releases in a bucket", part: (bench) => benchBucket({ ...bench, rounds, quick }) },
  small: {
    title: "Rollback points of small files",
    part: (bench) => benchSmallFiles({ ...bench, rounds, quick }),
  },
  mixed: {
    title: "Rollback points of archives, programs and texts",
    part: (bench) => benchMixedFiles({ ...bench, rounds, quick }),
  },
  large: {
    title: "Rollback points of a large file",
    part: (bench) => benchLargeFile({ ...bench, rounds, quick }),
  },
  components: {
    title: "Components of many repositories",
    part: (bench) => benchComponents({ ...bench, rounds, quick }),
  },
  cache: {
    title: "Builds that are shared",
    part: ({ folder }) => benchCache({ folder: Deno.makeTempDirSync({ dir: folder }), quick }),
  },
};

await main();

async function main(): Promise<void> {
  await using temp = tempDir("backout-bench-");
  const subject = findSubject(temp.path);
  console.log(`Measuring ${subject.description}, ${rounds} rounds, medians.`);
  const startup = median(Array.from({ length: 15 }, () => timed([...subject.command, "--version"]).seconds));
  const bench: Bench = { subject, folder: temp.path, startup };
  const missed: string[] = [];
  for (const [name, { title, part }] of Object.entries(sections)) {
    if (flags.only !== undefined && flags.only !== name) continue;
    const load = Deno.loadavg()[0] ?? 0;
    const rows = await part(bench);
    if (rows.length === 0) continue;
    console.log(markdownTable(rows));
    missed.push(...rows.filter((row) => !row.met).map((row) => row.what));
    if (!quick) writeSection({ name, title, subject: subject.description, load, rows });
  }
  console.log(missed.length === 0 ? "All goals met." : `Missed: ${missed.join("; ")}.`);
}

function benchStartup({ subject }: Bench): readonly Row[] {
  const times = compare([
    { name: "empty", run: () => timed(subject.empty) },
    { name: "version", run: () => timed([...subject.command, "--version"]) },
  ], quick ? 11 : 31);
  const [empty, version] = [times.get("empty")!, times.get("version")!];
  return [ratioRow("`--version`", version, "an empty Deno program", empty, 1.5)];
}

function benchRollback({ subject, folder, startup }: Bench): readonly Row[] {
  const world = publishLarge(subject.command, join(folder, "large"), 1000, size);
  const rollback = [...subject.command, "release", "rollback", BROKEN, "-r", world.repository];
  const once = (...more: readonly string[]) => timed([...rollback, "--reason", "measured", ...more]);
  world.reset();
  const times = compare([
    { name: "floor", run: () => floor(world), prepare: settle },
    { name: "full", run: () => once(), prepare: () => (undoFloor(world), settle()) },
    { name: "size", run: () => once("--verify-backup", "size"), prepare: () => (world.reset(), settle()) },
    { name: "dry", run: () => once("--dry-run"), prepare: () => (world.reset(), settle()) },
    { name: "hand", run: () => byHand(world), prepare: settle },
    { name: "after", run: () => undoFloor(world) },
  ], rounds);
  const all = `${world.files.length.toLocaleString("en-US")} artifacts, ${(size / GIB).toFixed(2)} GiB`;
  const [full, bySize, dry] = [times.get("full")!, times.get("size")!, times.get("dry")!];
  const hand = times.get("hand")!;
  Deno.removeSync(join(folder, "large"), { recursive: true });
  return [
    ratioRow(
      `full rollback, checksum-verified: ${all}`,
      full,
      "hash on two cores, `cp -al`, `rm -r`, `sync -f`",
      times.get("floor")!,
      1.6,
    ),
    overStartRow(`full rollback, \`--verify-backup size\`: ${all}`, bySize, startup),
    timesFasterRow("full rollback, checksum-verified", full, hand),
    timesFasterRow("full rollback, `--verify-backup size`", bySize, hand),
    overStartRow("dry run and plan of it", dry, startup),
  ];
}

/** The least that a checked rollback must do. */
function floor(world: LargeWorld): void {
  const half = Math.ceil(world.files.length / 2);
  const hash = (files: readonly string[]) => `openssl dgst -sha256 ${files.join(" ")} >/dev/null`;
  const script = `${hash(world.files.slice(0, half))} & ${hash(world.files.slice(half))}; wait; ` +
    `mkdir -p .floor && cp -al ${BROKEN} .floor/ && rm -r ${BROKEN} && sync -f .`;
  timed(["sh", "-ec", script], { cwd: world.repository });
}

/** What people do without a tool: no check, nothing durable. */
function byHand(world: LargeWorld): void {
  const script = `mkdir -p .floor && cp -a ${BROKEN} .floor/ && rm -r ${BROKEN} && ` +
    `jq 'del(.releases[] | select(.version == "${BROKEN}"))' index.json > index.new && mv index.new index.json`;
  timed(["sh", "-ec", script], { cwd: world.repository });
}

/** Brings the artifacts back from where the two above put them. */
function undoFloor(world: LargeWorld): void {
  timed(["sh", "-ec", `mv .floor/${BROKEN} . && rmdir .floor`], { cwd: world.repository });
  world.reset();
}

function settle(): void {
  timed(["sync"]);
}

function benchMemory({ subject, folder }: Bench): readonly Row[] {
  return [size, size * 4].map((bytes) => {
    const place = join(folder, "memory");
    const world = writeLarge(place, 1000, bytes);
    const command = [...subject.command, "release", "rollback", BROKEN, "-r", world.repository];
    const peak = timed([...command, "--reason", "measured"], { peak: true }).peakBytes;
    Deno.removeSync(place, { recursive: true });
    return {
      what: `peak memory of a full rollback of ${(bytes / GIB).toFixed(2)} GiB`,
      measured: peak === null ? "not measured" : megabytes(peak),
      against: "",
      result: "",
      goal: `under ${megabytes(MEMORY_GOAL)}`,
      met: peak !== null && peak < MEMORY_GOAL,
    };
  });
}

function benchMany({ subject, folder, startup }: Bench): readonly Row[] {
  const count = quick ? 1000 : 10_000;
  const { repository, reset } = writeMany(subject.command, folder, count);
  const many = `${count.toLocaleString("en-US")} releases and as many backups`;
  const times = compare([
    {
      name: "rollback",
      prepare: settle,
      run: () => timed([...subject.command, "release", "rollback", `v1.0.${count}`, "-r", repository]),
    },
    { name: "reset", run: reset },
    { name: "list", run: () => timed([...subject.command, "backup", "list", "-r", repository]) },
  ], rounds);
  const list = times.get("list")!;
  return [
    overStartRow(`rollback among ${many}`, times.get("rollback")!, startup),
    {
      what: `\`backup list\` among ${many}`,
      measured: milliseconds(list),
      against: "",
      result: "",
      goal: "under 1 s",
      met: list < 1,
    },
  ];
}

function ratioRow(what: string, ours: number, against: string, theirs: number, goal: number): Row {
  const ratio = ours / theirs;
  return {
    what,
    measured: milliseconds(ours),
    against: `${against}: ${milliseconds(theirs)}`,
    result: `${ratio.toFixed(2)} times`,
    goal: `at most ${goal} times`,
    met: ratio <= goal,
  };
}

function timesFasterRow(what: string, ours: number, hand: number): Row {
  return {
    what,
    measured: milliseconds(ours),
    against: `by hand (\`cp -a\`, \`rm -r\`, \`jq\`): ${milliseconds(hand)}`,
    result: `${(hand / ours).toFixed(2)} times as fast`,
    goal: "at least 2 times",
    met: hand / ours >= 2,
  };
}

function overStartRow(what: string, ours: number, startup: number): Row {
  const over = ours - startup;
  return {
    what,
    measured: milliseconds(ours),
    against: `start-up: ${milliseconds(startup)}`,
    result: `${milliseconds(over)} over start-up`,
    goal: `at most ${milliseconds(START_ALLOWANCE)}`,
    met: over <= START_ALLOWANCE,
  };
}
