/** Who this process is, as far as it may find out, so that another process can judge whether it still lives. */
import type { LockHolder } from "./lock.ts";

/**
 * The part of a holder that tells its process from all others. Every text is empty where the system (or the runtime's
 * permissions: `/proc` needs all of them) does not say.
 */
export type LockIdentity = Pick<
  LockHolder,
  "host" | "machine_id" | "boot_id" | "pid_namespace" | "pid" | "process_start"
>;

/** What can be said of a lock that names nobody. @param since RFC 3339, empty where unknown */
export function unknownHolder(since: string): LockHolder {
  return {
    id: "",
    operation: "an operation that left no readable lock",
    by: "unknown",
    host: "unknown",
    machine_id: "",
    boot_id: "",
    pid_namespace: "",
    pid: 0,
    process_start: "",
    advisory: false,
    since,
    reason: "",
  };
}

const HOLDER_TEXTS: readonly (keyof LockHolder)[] = [
  ...["id", "operation", "by", "host", "machine_id", "boot_id"] as const,
  ...["pid_namespace", "process_start", "since", "reason"] as const,
];

/** True for a document that names a holder whole. */
export function isHolder(value: Readonly<Record<string, unknown>>): boolean {
  return HOLDER_TEXTS.every((name) => typeof value[name] === "string") && typeof value.pid === "number" &&
    typeof value.advisory === "boolean";
}

/** This process. */
export function readIdentity(): LockIdentity {
  return {
    host: orEmpty(() => Deno.hostname()),
    machine_id: orEmpty(() => Deno.readTextFileSync("/etc/machine-id").trim()),
    boot_id: orEmpty(() => Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim()),
    pid_namespace: orEmpty(() => Deno.readLinkSync("/proc/self/ns/pid")),
    pid: Deno.pid,
    process_start: processStart(Deno.pid) ?? "",
  };
}

/**
 * When a process started, in clock ticks since boot; undefined when there is none with that id (a zombie is none),
 * empty when the system does not say.
 */
export function processStart(pid: number): string | undefined {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // The name in parentheses may contain anything, also parentheses; field 3 (the state) comes after the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const state = fields[0];
    return state === "Z" || state === "X" ? undefined : fields[22 - 3] ?? "";
  } catch (error) {
    return error instanceof Deno.errors.NotFound && canReadProc() ? undefined : "";
  }
}

function canReadProc(): boolean {
  return orEmpty(() => Deno.readTextFileSync("/proc/self/stat")) !== "";
}

function orEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
