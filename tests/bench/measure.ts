/** Running and timing commands side by side. */

export interface Timed {
  readonly seconds: number;
  /** Peak resident memory in bytes, null where GNU time is missing. */
  readonly peakBytes: number | null;
  readonly stdout: string;
}

const GNU_TIME = "/usr/bin/time";

/** Runs a command to its end. @throws {Error} when it fails and `code` is not what it exits with */
export function timed(
  command: readonly string[],
  options: {
    readonly cwd?: string;
    readonly peak?: boolean;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Timed {
  const wrapped = options.peak === true ? [GNU_TIME, "-v", ...command] : command;
  const [program, ...args] = wrapped;
  const started = performance.now();
  const result = new Deno.Command(program!, {
    args,
    stdin: "null",
    env: { NO_COLOR: "1", ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  }).outputSync();
  const seconds = (performance.now() - started) / 1000;
  const stderr = new TextDecoder().decode(result.stderr);
  const stdout = new TextDecoder().decode(result.stdout);
  if (!result.success) {
    throw new Error(
      `${command.slice(0, 6).join(" ")} …: exit ${result.code}\n${stdout.slice(0, 2000)}\n${stderr}`,
    );
  }
  const peak = /Maximum resident set size \(kbytes\): (\d+)/.exec(stderr)?.[1];
  return { seconds, stdout, peakBytes: peak === undefined ? null : Number(peak) * 1024 };
}

/** One thing to measure: what puts the world in place (not timed) and what is timed. */
export interface Contestant {
  readonly name: string;
  readonly prepare?: () => void;
  readonly run: () => void;
}

/**
 * Runs the contestants in turn, `rounds` times, so that a noisy minute hits all of them alike.
 * @returns the median seconds of each, by name
 */
export function compare(contestants: readonly Contestant[], rounds: number): ReadonlyMap<string, number> {
  const times = new Map<string, number[]>(contestants.map((it) => [it.name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contestant of contestants) {
      contestant.prepare?.();
      const started = performance.now();
      contestant.run();
      times.get(contestant.name)!.push((performance.now() - started) / 1000);
    }
  }
  return new Map([...times].map(([name, all]) => [name, median(all)]));
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** One line of the table. */
export interface Row {
  readonly what: string;
  readonly measured: string;
  readonly against: string;
  readonly result: string;
  readonly goal: string;
  readonly met: boolean;
}

export function milliseconds(seconds: number): string {
  return seconds >= 10 ? `${seconds.toFixed(1)} s` : `${(seconds * 1000).toFixed(0)} ms`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

/** The table as Markdown. */
export function markdownTable(rows: readonly Row[]): string {
  const lines = [
    "| what | backout | compared with | result | goal | |",
    "|---|---|---|---|---|---|",
    ...rows.map((row) =>
      `| ${row.what} | ${row.measured} | ${row.against} | ${row.result} | ${row.goal} | ${
        row.met ? "met" : "**missed**"
      } |`
    ),
  ];
  return lines.join("\n");
}
