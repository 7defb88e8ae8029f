/** The lock file of a directory: reading it, and judging whether its holder lives. */
import { isJsonObject } from "#/core/json.ts";
import { lookAt } from "#/core/system_error.ts";
import { type AdvisoryProbe, isLocalFilesystem } from "./advisory_lock.ts";
import { readWhole } from "./read.ts";
import type { HolderState, LockHolder } from "#/storage/lock.ts";
import { isHolder, type LockIdentity, processStart, unknownHolder } from "#/storage/lock_identity.ts";

const MAX_LOCK_BYTES = 1 << 20;
/** A lock file without content that is older than this is not just being written, in milliseconds. */
const TORN_AFTER_MS = 5000;

/** The lock file as it was seen. */
export interface Seen {
  readonly text: string;
  readonly info: Deno.FileInfo;
  /** Undefined when the file is no lock that we understand. */
  readonly holder: LockHolder | undefined;
}

export interface Judged {
  readonly state: HolderState;
  /** The dead lock file, open and with its flock taken; the caller closes it. */
  readonly file?: Deno.FsFile;
}

export function readLock(path: string): Seen | undefined {
  const info = lookAt(path);
  const bytes = info === undefined ? undefined : readWhole(path, MAX_LOCK_BYTES);
  if (info === undefined || bytes === undefined) return undefined;
  const text = new TextDecoder().decode(bytes);
  return { text, info, holder: parseHolder(text) };
}

/** Whether the holder lives. Only a "dead" with the dead file's flock may be taken over. */
export async function judgeHolder(
  path: string,
  seen: Seen,
  me: LockIdentity,
  probe: AdvisoryProbe,
): Promise<Judged> {
  const byProcess = seen.holder === undefined ? "unknown" : judgeProcess(seen.holder, me);
  if (byProcess === "alive") return { state: "alive" };
  if (byProcess === "unknown" && !flockDecides(path, seen, me)) return { state: "unknown" };
  const opened = openLockFile(path);
  if (opened === undefined) return { state: byProcess };
  const { state, file } = await probe.try(opened);
  if (state === "held") return { state: "alive" };
  return file === undefined ? { state: byProcess } : { state: "dead", file };
}

/** By process id and start time, where both sides can name them and mean the same. */
function judgeProcess(holder: LockHolder, me: LockIdentity): HolderState {
  if (holder.boot_id === "" || me.boot_id === "") return "unknown";
  if (holder.boot_id !== me.boot_id) {
    // Machines made from one image may share the id, but hardly the name too.
    return holder.machine_id !== "" && holder.machine_id === me.machine_id && holder.host === me.host
      ? "dead"
      : "unknown";
  }
  if (holder.pid_namespace === "" || holder.pid_namespace !== me.pid_namespace) return "unknown";
  const start = processStart(holder.pid);
  if (start === undefined) return "dead";
  if (start === "" || holder.process_start === "") return "unknown";
  return start === holder.process_start ? "alive" : "dead";
}

/** True when a free flock proves that the holder is gone: it had one, and all who might are on this machine. */
function flockDecides(path: string, seen: Seen, me: LockIdentity): boolean {
  const { holder } = seen;
  const sameMachine = isLocalFilesystem(path) || (holder !== undefined && isSameMachine(holder, me));
  if (holder !== undefined) return holder.advisory && sameMachine;
  return sameMachine && Date.now() - (seen.info.mtime?.getTime() ?? Date.now()) > TORN_AFTER_MS;
}

function isSameMachine(holder: LockHolder, me: LockIdentity): boolean {
  if (holder.boot_id !== "" && me.boot_id !== "") return holder.boot_id === me.boot_id;
  return holder.machine_id !== "" && holder.machine_id === me.machine_id && holder.host === me.host;
}

function openLockFile(path: string): Deno.FsFile | undefined {
  try {
    return Deno.openSync(path, { read: true, write: true });
  } catch {
    return undefined; // removed just now, or another user's
  }
}

/** The holder, or what can be said of a lock file that names none. */
export function shown(seen: Seen): LockHolder {
  return seen.holder ?? unknownHolder(seen.info.mtime?.toISOString() ?? "");
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) && isHolder(value) ? value as unknown as LockHolder : undefined;
  } catch {
    return undefined;
  }
}
