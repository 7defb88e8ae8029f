/**
 * Rollback points of files beside restic and borgbackup: the same data, the whole commands, in turn. A part of
 * `deno task bench`.
 */
import { join } from "node:path";
import { median, megabytes, milliseconds, type Row, timed } from "./measure.ts";
import { type Tool, toolsFor } from "./store_tools.ts";
import {
  changePages,
  insertInMiddle,
  noise,
  writeMixedFiles,
  writePages,
  writeSmallFiles,
} from "./store_worlds.ts";
import { root, type Subject } from "./subject.ts";

export interface StoreBench {
  readonly subject: Subject;
  /** An empty folder for data, stores and copies. */
  readonly folder: string;
  readonly rounds: number;
  /** A tenth of the data. */
  readonly quick: boolean;
}

const MEMORY_GOAL = 200e6;
const MIB = 1024 * 1024;

/** Of a step, by the name of the tool: medians. */
interface Measured {
  readonly seconds: number;
  readonly peakBytes: number;
  readonly storeBytes: number;
}
type Result = ReadonlyMap<string, Measured>;

export function benchSmallFiles({ subject, folder, rounds, quick }: StoreBench): readonly Row[] {
  const contest = new Contest(subject, folder, "small", rounds);
  const count = quick ? 2000 : 20_000;
  const paths = writeSmallFiles(contest.data, count);
  const change = () => {
    for (let i = 0; i < paths.length; i += 100) Deno.writeFileSync(paths[i]!, noise(3000));
  };
  const walk = () => timed([Deno.execPath(), "run", "-A", join(root, "tests/bench/walk.ts"), contest.data]);
  return contest.rows(`${count.toLocaleString("en-US")} small files`, change, {
    fast: 2,
    larger: 1.05,
    walk,
  });
}

export function benchMixedFiles({ subject, folder, rounds, quick }: StoreBench): readonly Row[] {
  const contest = new Contest(subject, folder, "mixed", Math.min(rounds, 2));
  const paths = writeMixedFiles(contest.data, quick ? 100 : 1000);
  const change = () => {
    for (let i = 0; i < paths.length; i += 100) {
      Deno.writeFileSync(paths[i]!, noise(Deno.statSync(paths[i]!).size));
    }
  };
  return contest.rows(`${quick ? "0.1" : "1"} GiB in ${paths.length} files`, change, {
    fast: 1,
    larger: 1.05,
  });
}

export async function benchLargeFile({ subject, folder, quick }: StoreBench): Promise<readonly Row[]> {
  const contest = new Contest(subject, folder, "large", quick ? 1 : 3);
  Deno.mkdirSync(contest.data, { recursive: true });
  const path = join(contest.data, "file");
  const bytes = 2048 * MIB / (quick ? 10 : 1);
  writePages(path, bytes);
  const what = `a file of ${quick ? "0.2" : "2"} GiB`;
  const rows = contest.rows(what, () => changePages(path, 0.01), {
    ...{ fast: 1, larger: 1.1, few: true, keep: true },
  });
  await insertInMiddle(path, 1000);
  const added = contest.added();
  contest.remove();
  return [...rows, {
    what: `${what}, 1,000 bytes put into its middle: what that adds to the store`,
    measured: megabytes(added),
    against: megabytes(bytes),
    result: `${(100 * added / bytes).toFixed(2)}%`,
    goal: "1% at most",
    met: added <= bytes / 100,
  }];
}

interface Goals {
  /** How many times as fast as the better of the others a first save is to be. */
  readonly fast: number;
  /** How large the store may be beside the smaller of theirs. */
  readonly larger: number;
  readonly walk?: () => { readonly seconds: number };
  /** The data are few files, and large. */
  readonly few?: boolean;
  /** Leaves the data and the stores. */
  readonly keep?: boolean;
}

/** One set of data and a store of each tool. */
class Contest {
  readonly data: string;
  readonly #folder: string;
  readonly #rounds: number;
  readonly #tools: readonly Tool[];

  constructor(subject: Subject, folder: string, name: string, rounds: number) {
    this.#folder = join(folder, name);
    this.#rounds = rounds;
    this.data = join(this.#folder, "data");
    Deno.mkdirSync(this.data, { recursive: true });
    this.#tools = toolsFor(subject.command, this.#folder, this.data);
  }

  /** @param change changes a hundredth of the data */
  rows(
    what: string,
    change: () => void,
    { fast, larger, walk, few = false, keep = false }: Goals,
  ): readonly Row[] {
    letPass();
    const first = this.#each((tool) => tool.save(), (tool) => tool.reset());
    const unchanged = this.#each((tool) => tool.save());
    const floor = walk === undefined ? undefined : median(Array.from({ length: 5 }, () => walk().seconds));
    const changed = this.#each((tool) => tool.save(), undefined, change);
    // A new folder each: where files were just removed, ext4 looks long for inodes to give, whoever asks. But one large
    // file makes room for the next: where nothing was ever written a thin disk is slow, and who waits for it would pay.
    let copies = 0;
    const out = () => join(this.#folder, `out${copies}`);
    const restored = this.#each((tool) => tool.restore(out()), () => {
      if (few && copies > 0) Deno.removeSync(out(), { recursive: true });
      Deno.mkdirSync((copies++, out()));
    });
    // Some write every file anew in its place: each begins from a save of its own.
    const inPlace = this.#each((tool) => tool.restoreInPlace(), (tool) => {
      letPass();
      tool.save();
      change();
    });
    if (!keep) this.remove();
    return [
      this.#speed(`${what}: first save`, first, fast),
      this.#speed(`${what}: nothing changed`, unchanged, 2),
      ...(floor === undefined ? [] : [walkRow(what, unchanged.get("backout")!.seconds, floor)]),
      this.#speed(`${what}: 1% changed`, changed, 2),
      this.#speed(`${what}: restore into an empty folder`, restored, 1),
      this.#speed(`${what}: restore over 1% of changes`, inPlace, 1),
      this.#store(`${what}: the store after the first save`, first, larger),
      this.#store(`${what}: the store after 1% changed`, changed, larger),
      memoryRow(`${what}: peak memory of a save`, first.get("backout")!.peakBytes),
      memoryRow(`${what}: peak memory of a restore`, restored.get("backout")!.peakBytes),
    ];
  }

  /** Bytes that one more save of backout adds to its store. */
  added(): number {
    const tool = this.#tools[0]!;
    const before = tool.size();
    tool.save();
    return tool.size() - before;
  }

  remove(): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }

  /**
   * All tools in turn, round after round, there and back: who comes after a long run of another finds a slower machine.
   * @param before each run
   * @param beforeRound once before all of them
   */
  #each(
    run: (tool: Tool) => { readonly seconds: number; readonly peakBytes: number | null },
    before: (tool: Tool) => void = () => {},
    beforeRound: () => void = () => {},
  ): Result {
    const all = new Map<string, Measured[]>(this.#tools.map(({ name }) => [name, []]));
    for (let round = 0; round < this.#rounds; round++) {
      beforeRound();
      for (const tool of round % 2 === 0 ? this.#tools : this.#tools.toReversed()) {
        before(tool);
        settle();
        const { seconds, peakBytes } = run(tool);
        all.get(tool.name)!.push({ seconds, peakBytes: peakBytes ?? NaN, storeBytes: tool.size() });
      }
    }
    return new Map([...all].map(([name, list]) => [name, {
      seconds: median(list.map((it) => it.seconds)),
      peakBytes: median(list.map((it) => it.peakBytes)),
      storeBytes: median(list.map((it) => it.storeBytes)),
    }]));
  }

  #speed(what: string, result: Result, goal: number): Row {
    const { mine, others } = divided(result);
    const best = Math.min(...others.map(([, it]) => it.seconds));
    return {
      what,
      measured: milliseconds(mine.seconds),
      against: others.map(([name, it]) => `${name}: ${milliseconds(it.seconds)}`).join(", ") ||
        "nothing there",
      result: `${(best / mine.seconds).toFixed(2)} times as fast as the better`,
      goal: goal === 1 ? "faster" : `${goal} times as fast`,
      met: mine.seconds * goal <= best,
    };
  }

  #store(what: string, result: Result, larger: number): Row {
    const { mine, others } = divided(result);
    const best = Math.min(...others.map(([, it]) => it.storeBytes));
    return {
      what,
      measured: megabytes(mine.storeBytes),
      against: others.map(([name, it]) => `${name}: ${megabytes(it.storeBytes)}`).join(", ") ||
        "nothing there",
      result: `${(100 * mine.storeBytes / best).toFixed(0)}% of the smaller`,
      goal: `${Math.round(larger * 100)}% at most`,
      met: mine.storeBytes <= best * larger,
    };
  }
}

function divided(
  result: Result,
): { readonly mine: Measured; readonly others: readonly [string, Measured][] } {
  return { mine: result.get("backout")!, others: [...result].filter(([name]) => name !== "backout") };
}

function walkRow(what: string, seconds: number, floor: number): Row {
  return {
    what: `${what}: nothing changed, beside a bare walk`,
    measured: milliseconds(seconds),
    against: `a Deno program that walks and calls lstat: ${milliseconds(floor)}`,
    result: `${(seconds / floor).toFixed(2)} times`,
    goal: "at most 2 times",
    met: seconds <= floor * 2,
  };
}

function memoryRow(what: string, bytes: number): Row {
  return {
    what,
    measured: megabytes(bytes),
    against: "",
    result: "",
    goal: `under ${megabytes(MEMORY_GOAL)}`,
    met: bytes < MEMORY_GOAL,
  };
}

/** What others left to be written is not charged to who comes next. */
function settle(): void {
  new Deno.Command("sync").outputSync();
}

/** Files that were changed a moment before a save are read again by the next. */
function letPass(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000);
}
