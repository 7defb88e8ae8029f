/**
 * The snapshot store beside restic and borgbackup: the same data, in turn. The store alone is measured, without the
 * targets that spare unchanged files: here every file is read.
 *
 *     deno run -A tests/bench/store_bench.ts [--quick]
 */
import { join } from "node:path";
import { markdownTable, megabytes, milliseconds, type Row, type Timed, timed } from "./measure.ts";
import { root } from "./subject.ts";
import {
  changePages,
  insertInMiddle,
  noise,
  writeMixedFiles,
  writePages,
  writeSmallFiles,
} from "./store_worlds.ts";

export interface StoreBench {
  /** An empty folder for data, stores and copies. */
  readonly folder: string;
  /** A tenth of the data. */
  readonly quick: boolean;
}

const MEMORY_GOAL = 200e6;
const MIB = 1024 * 1024;
const TOOLS = ["backout", "restic", "borg"] as const;
type Tool = typeof TOOLS[number];

interface Measured extends Timed {
  /** All files of the store, in bytes. */
  readonly storeBytes: number;
}

type Result = Readonly<Partial<Record<Tool, Measured>>>;

/** Rows for the table of benchmarks. Tools that are not installed are left out of the comparison. */
export async function benchStore({ folder, quick }: StoreBench): Promise<readonly Row[]> {
  const scale = quick ? 10 : 1;
  const rows: Row[] = [];
  const small = new Contest(folder, "small");
  const paths = writeSmallFiles(small.data, 20_000 / scale);
  rows.push(...small.rows("20,000 small files: first", small.save(), 2));
  rows.push(...small.rows("20,000 small files: read again", small.save(), 1).slice(0, 1));
  for (let i = 0; i < paths.length; i += 100) Deno.writeFileSync(paths[i]!, noise(3000));
  rows.push(...small.rows("20,000 small files: 1% changed", small.save(), 1));
  rows.push(...small.rows("20,000 small files: restore", small.restore(), 1).slice(0, 1));
  small.remove();

  const mixed = new Contest(folder, "mixed");
  writeMixedFiles(mixed.data, 1000 / scale);
  rows.push(...mixed.rows("1 GiB in 1,000 files: first", mixed.save(), 1));
  rows.push(...mixed.rows("1 GiB in 1,000 files: restore", mixed.restore(), 1).slice(0, 1));
  mixed.remove();

  const large = new Contest(folder, "large");
  const path = join(large.data, "file");
  writePages(path, 2048 * MIB / scale);
  rows.push(...large.rows("2 GiB file: first", large.save(), 1, 1.1));
  changePages(path, 0.01);
  rows.push(...large.rows("2 GiB file: 1% of its pages changed", large.save(), 1, 1.1));
  rows.push(...large.rows("2 GiB file: restore", large.restore(), 1).slice(0, 1));
  await insertInMiddle(path, 1000);
  rows.push(large.insertion(Deno.statSync(path).size));
  large.remove();
  return rows;
}

/** One set of data and a store of each tool. */
class Contest {
  readonly data: string;
  readonly #folder: string;
  readonly #tools: readonly Tool[];
  readonly #env: Readonly<Record<string, string>>;

  constructor(folder: string, name: string) {
    this.#folder = join(folder, name);
    this.data = join(this.#folder, "data");
    Deno.mkdirSync(this.data, { recursive: true });
    this.#env = {
      RESTIC_PASSWORD: "measured",
      BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: "yes",
      BORG_BASE_DIR: join(this.#folder, "borg_base"),
    };
    this.#tools = TOOLS.filter((tool) => tool === "backout" || isThere(tool));
    if (this.#tools.includes("restic")) this.#run("restic", "init");
    if (this.#tools.includes("borg")) this.#run("borg", "init", "-e", "none", this.#store("borg"));
  }

  save(): Result {
    const commands: Readonly<Record<Tool, () => Timed>> = {
      backout: () => this.#run("backout", "save", this.#store("backout"), this.data, this.#list()),
      restic: () => this.#run("restic", "backup", this.data),
      borg: () => this.#run("borg", "create", `${this.#store("borg")}::${crypto.randomUUID()}`, this.data),
    };
    return this.#each((tool) => commands[tool]());
  }

  restore(): Result {
    const last = () => this.#run("borg", "list", "--last", "1", "--short", this.#store("borg")).stdout.trim();
    return this.#each((tool) => {
      const out = join(this.#folder, "out");
      Deno.mkdirSync(out);
      const archive = tool === "borg" ? `${this.#store("borg")}::${last()}` : "";
      const commands: Readonly<Record<Tool, () => Timed>> = {
        backout: () => this.#run("backout", "restore", this.#store("backout"), out, this.#list()),
        restic: () => this.#run("restic", "restore", "latest", "--target", out),
        borg: () => timed(["borg", "extract", archive], { cwd: out, env: this.#env, peak: true }),
      };
      const result = commands[tool]();
      Deno.removeSync(out, { recursive: true });
      return result;
    });
  }

  /** @param bytes of the file */
  insertion(bytes: number): Row {
    const before = sizeOf(this.#store("backout"));
    this.#run("backout", "save", this.#store("backout"), this.data, this.#list());
    const added = sizeOf(this.#store("backout")) - before;
    return {
      what: "2 GiB file: an insertion in the middle stores",
      measured: megabytes(added),
      against: megabytes(bytes),
      result: `${(100 * added / bytes).toFixed(2)}%`,
      goal: "1% at most",
      met: added <= bytes / 100,
    };
  }

  /** Time, size of the store and memory. @param faster how many times as fast as the better of the others */
  rows(what: string, result: Result, faster: number, larger = 1.05): readonly Row[] {
    const mine = result.backout!;
    const others = [result.restic, result.borg].filter((it) => it !== undefined);
    const seconds = Math.min(...others.map((it) => it.seconds));
    const bytes = Math.min(...others.map((it) => it.storeBytes));
    return [
      {
        what,
        measured: milliseconds(mine.seconds),
        against: others.length === 0 ? "nothing is installed" : milliseconds(seconds),
        result: `${(seconds / mine.seconds).toFixed(1)} times as fast`,
        goal: `${faster} times`,
        met: mine.seconds * faster <= seconds,
      },
      {
        what: `${what}, the store`,
        measured: megabytes(mine.storeBytes),
        against: others.length === 0 ? "nothing is installed" : megabytes(bytes),
        result: `${(100 * mine.storeBytes / bytes).toFixed(0)}%`,
        goal: `${Math.round(larger * 100)}% at most`,
        met: mine.storeBytes <= bytes * larger,
      },
      {
        what: `${what}, memory`,
        measured: megabytes(mine.peakBytes ?? NaN),
        against: "",
        result: "",
        goal: megabytes(MEMORY_GOAL),
        met: (mine.peakBytes ?? Infinity) <= MEMORY_GOAL,
      },
    ];
  }

  remove(): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }

  #each(run: (tool: Tool) => Timed): Result {
    return Object.fromEntries(this.#tools.map((tool) => {
      const result = run(tool);
      return [tool, { ...result, storeBytes: sizeOf(this.#store(tool)) }];
    }));
  }

  #run(tool: Tool, ...args: readonly string[]): Timed {
    const programs: Readonly<Record<Tool, readonly string[]>> = {
      backout: [
        Deno.execPath(),
        "run",
        "-A",
        "--no-check",
        V8_FLAGS,
        join(root, "tests/bench/store_child.ts"),
      ],
      restic: [
        "restic",
        "-q",
        "-r",
        this.#store("restic"),
        "--cache-dir",
        join(this.#folder, "restic_cache"),
      ],
      borg: ["borg"],
    };
    return timed([...programs[tool], ...args], { env: this.#env, peak: true, cwd: root });
  }

  #store(tool: Tool): string {
    return join(this.#folder, `${tool}_store`);
  }

  #list(): string {
    return join(this.#folder, "list.json");
  }
}

/** As the executable has them. */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=4";

function isThere(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .code <= 2;
  } catch {
    return false;
  }
}

function sizeOf(folder: string): number {
  let bytes = 0;
  for (const entry of Deno.readDirSync(folder)) {
    const path = join(folder, entry.name);
    bytes += entry.isDirectory ? sizeOf(path) : Deno.lstatSync(path).size;
  }
  return bytes;
}

if (import.meta.main) {
  const folder = Deno.makeTempDirSync({ prefix: "backout-store-bench-" });
  try {
    console.log(markdownTable(await benchStore({ folder, quick: Deno.args.includes("--quick") })));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
