/**
 * Messages that could not be delivered wait in a folder, one file each, until a later command delivers them.
 *
 *     <event id>.<webhook id>.json                       waits
 *     <event id>.<webhook id>.json.<ms>-<8 hex>.claim    somebody delivers it, since that time
 *     <event id>.<webhook id>.json.<8 hex>.tmp           being written
 *
 * A claim is taken by rename, so one deliverer gets it. It goes back by rename, or away when the message has arrived. A
 * claim that is older than any delivery takes is that of a process that died: the next one takes it over. So a message
 * is delivered at least once, always with the same event id.
 */
import { sha256Hex } from "#/core/sha256.ts";
import { join } from "node:path";
import { StorageError } from "#/core/errors.ts";
import { currentUser } from "#/core/permission.ts";
import * as posix from "#/core/posix.ts";
import { attempt } from "#/core/system_error.ts";
import type { NotifyEvent } from "./event.ts";
import { makeSpool, type SpoolPlace } from "./spool_place.ts";
import { LONGEST_TIMEOUT_MS } from "./target.ts";

export const SPOOL_LIMITS = {
  messages: 200,
  bytes: 8 * 1024 * 1024,
  /** What nobody took for so long is no news any more, in milliseconds (14 days). */
  ageMs: 14 * 86_400_000,
  /** A claim's holder is dead after this, in milliseconds. */
  claimMs: 2 * LONGEST_TIMEOUT_MS,
  /** What is being written is finished within this, in milliseconds. */
  writeMs: 3_600_000,
} as const;

/** What a file of the spool holds: the message, and whom it is for, but neither address nor key. */
export interface SpooledMessage {
  readonly format: 1;
  readonly event_id: string;
  readonly webhook_id: string;
  /** RFC 3339. */
  readonly spooled_at: string;
  /** The CloudEvent, exactly as it is to be sent. */
  readonly body: string;
}

/** A file of the spool, as its name and its inode tell. */
export interface SpoolEntry {
  readonly path: string;
  /** `<event id>.<webhook id>.json`, also while it is claimed. */
  readonly name: string;
  readonly webhookId: string;
  readonly state: "waiting" | "claimed" | "writing";
  /** When it was claimed, for "claimed". */
  readonly claimedAtMs: number | undefined;
  readonly bytes: number;
  readonly writtenAtMs: number;
}

const NAME = /^([A-Za-z0-9_-]{1,80}\.([0-9a-f]{16})\.json)(?:\.(?:(\d{1,15})-)?[0-9a-f]{8}\.(claim|tmp))?$/;

/** The files of the spool that are this user's, oldest event first. Others' are left for others. @throws {SystemError} */
export function listSpool(folder: string): readonly SpoolEntry[] {
  const found = attempt("read the folder", folder, () => posix.readFolder(folder)) ?? [];
  const entries = found.map((it) => entryOf(folder, it.name)).filter((it) => it !== undefined);
  return entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function entryOf(folder: string, fileName: string): SpoolEntry | undefined {
  const match = NAME.exec(fileName);
  if (match === null) return undefined;
  const [, name, webhookId, claimedAt, ending] = match;
  if ((ending === "claim") !== (claimedAt !== undefined)) return undefined;
  const path = join(folder, fileName);
  const info = posix.lstat(path);
  // What another user wrote is not sent, and signed, in this user's name.
  if (info === undefined || !info.isFile || !isOwn(info)) return undefined;
  return {
    path,
    name: name!,
    webhookId: webhookId!,
    state: ending === undefined ? "waiting" : ending === "claim" ? "claimed" : "writing",
    claimedAtMs: claimedAt === undefined ? undefined : Number(claimedAt),
    bytes: info.size,
    writtenAtMs: info.mtime?.getTime() ?? 0,
  };
}

function isOwn(info: Deno.FileInfo): boolean {
  const me = currentUser();
  return me === undefined || info.uid === null || info.uid === me;
}

/**
 * Puts a message into the spool, durably. Where it is full the oldest go.
 * @returns how many had to go
 * @throws {StorageError} when it could not be written
 */
export function putInSpool(place: SpoolPlace, event: NotifyEvent, webhookId: string, now: Date): number {
  makeSpool(place);
  const message: SpooledMessage = {
    format: 1,
    event_id: event.id,
    webhook_id: webhookId,
    spooled_at: now.toISOString(),
    body: event.body,
  };
  const bytes = new TextEncoder().encode(JSON.stringify(message) + "\n");
  const dropped = makeRoom(place.folder, bytes.length, now);
  const path = join(place.folder, `${fileNameOf(event.id)}.${webhookId}.json`);
  const temporary = `${path}.${randomHex()}.tmp`;
  attempt("write", path, () => {
    try {
      posix.writeNewFile(temporary, bytes, 0o600);
      posix.rename(temporary, path);
      posix.syncFolder(place.folder);
    } catch (error) {
      removeQuietly(temporary);
      throw error;
    }
  });
  return dropped;
}

/** Ids of operations are UUIDs; anything else becomes a name of that kind. */
function fileNameOf(id: string): string {
  return /^[A-Za-z0-9_-]{1,80}$/.test(id) ? id : sha256Hex(id);
}

function makeRoom(folder: string, bytes: number, now: Date): number {
  const entries = listSpool(folder);
  let count = entries.length;
  let total = entries.reduce((sum, it) => sum + it.bytes, 0);
  let dropped = 0;
  const isFull = () => count + 1 > SPOOL_LIMITS.messages || total + bytes > SPOOL_LIMITS.bytes;
  for (const entry of entries) {
    if (!isFull()) break;
    if (isBusy(entry, now) || !removeQuietly(entry.path)) continue;
    count--;
    total -= entry.bytes;
    if (entry.state !== "writing") dropped++;
  }
  if (!isFull()) return dropped;
  throw new StorageError(`Cannot keep a message in ${folder}: it is full`, { context: { path: folder } });
}

/** True while somebody is writing or delivering it; a clock that was set back does not make that last for ever. */
export function isBusy(entry: SpoolEntry, now: Date): boolean {
  if (entry.state === "waiting") return false;
  const since = now.getTime() - (entry.claimedAtMs ?? entry.writtenAtMs);
  const limit = entry.state === "claimed" ? SPOOL_LIMITS.claimMs : SPOOL_LIMITS.writeMs;
  return Math.abs(since) < limit;
}

/** A message that is this process's to deliver. */
export interface Claim {
  readonly path: string;
  /** Where it goes back to. */
  readonly home: string;
}

/** Takes a message; undefined when somebody else did. @throws {SystemError} */
export function claim(folder: string, entry: SpoolEntry, now: Date): Claim | undefined {
  const home = join(folder, entry.name);
  const path = `${home}.${now.getTime()}-${randomHex()}.claim`;
  return moved(entry.path, path) ? { path, home } : undefined;
}

/** Lets others deliver it. */
export function giveBack({ path, home }: Claim): void {
  moved(path, home);
}

/** False when it is not there any more. */
function moved(from: string, to: string): boolean {
  return attempt("rename", from, () => {
    try {
      posix.rename(from, to);
      return true;
    } catch (error) {
      if (posix.errorCode(error) === "ENOENT") return false;
      throw error;
    }
  });
}

/** Its message has arrived, or nobody wants it. @throws {SystemError} when it stays, so that it will be sent again */
export function forget({ path }: Claim): void {
  attempt("remove", path, () => {
    try {
      posix.unlink(path);
    } catch (error) {
      if (posix.errorCode(error) !== "ENOENT") throw error;
    }
  });
}

/** The message of a claim; undefined when it is damaged. @throws {SystemError} */
export function readClaimed({ path }: Claim): SpooledMessage | undefined {
  const text = attempt("read", path, () => Deno.readTextFileSync(path));
  try {
    const message: unknown = JSON.parse(text);
    return isMessage(message) ? message : undefined;
  } catch {
    return undefined;
  }
}

function isMessage(value: unknown): value is SpooledMessage {
  const message = value as Partial<SpooledMessage> | null;
  return typeof message === "object" && message !== null && message.format === 1 &&
    typeof message.event_id === "string" && typeof message.body === "string";
}

/** False when it could not be removed, or was gone already. */
export function removeQuietly(path: string): boolean {
  try {
    posix.unlink(path);
    return true;
  } catch {
    return false;
  }
}

function randomHex(): string {
  return crypto.randomUUID().slice(0, 8);
}
