/** The processes that a process started, and those that they started: as the kernel's table says, where there is one. */

/** A process, known again by when it started: ids are given anew. */
export interface KnownProcess {
  readonly pid: number;
  /** In the kernel's clock ticks since the boot. */
  readonly since: string;
}

interface ProcessEntry extends KnownProcess {
  readonly parent: number;
}

/** What runs below `pid` now. Empty where no `/proc` says so. */
export function descendantsOf(pid: number): readonly KnownProcess[] {
  const entries = allProcesses();
  const found = new Map<number, ProcessEntry>();
  for (let known = -1; known < found.size;) {
    known = found.size;
    for (const entry of entries) {
      if (entry.parent === pid || found.has(entry.parent)) found.set(entry.pid, entry);
    }
  }
  return [...found.values()].map(({ pid, since }) => ({ pid, since }));
}

/** Those of `processes` that still run, and not another one with the same id. */
export function stillRunning(processes: readonly KnownProcess[]): readonly KnownProcess[] {
  if (processes.length === 0) return [];
  const now = new Map(allProcesses().map(({ pid, since }) => [pid, since]));
  return processes.filter(({ pid, since }) => now.get(pid) === since);
}

/** By a program: this one may not read `/proc`, which needs all permissions. */
function allProcesses(): readonly ProcessEntry[] {
  if (Deno.build.os !== "linux") return [];
  const { stdout } = new Deno.Command("/bin/sh", {
    args: ["-c", "cat /proc/[0-9]*/stat 2>/dev/null"],
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    stdin: "null",
    stderr: "null",
  }).outputSync();
  return new TextDecoder().decode(stdout).split("\n").flatMap(readEntry);
}

/** `1234 (name) S 1 …`: the name may hold anything, also parentheses. What has ended and is not collected yet is gone. */
function readEntry(line: string): readonly ProcessEntry[] {
  const pid = Number.parseInt(line, 10);
  const [state, parent, ...rest] = line.slice(line.lastIndexOf(")") + 2).split(" ");
  if (!(pid > 0) || state === "Z" || state === "X") return [];
  return [{ pid, parent: Number(parent), since: rest[17] ?? "" }];
}
