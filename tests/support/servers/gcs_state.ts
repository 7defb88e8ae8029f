/** What the GCS server of the tests holds: buckets, live and noncurrent objects. Every change is one synchronous step. */
import { createHash } from "node:crypto";
import { crc32cBase64 } from "./gcs_crc32c.ts";
import { badRequest, conditionNotMet, GcsFault, noSuchBucket, noSuchObject } from "./gcs_errors.ts";

/** What a client may set of an object; also what a patch changes. */
export interface ObjectSettings {
  readonly contentType?: string;
  readonly cacheControl?: string;
  readonly contentEncoding?: string;
  readonly contentDisposition?: string;
  readonly contentLanguage?: string;
  readonly storageClass?: string;
  readonly customTime?: string;
  readonly temporaryHold?: boolean;
  readonly eventBasedHold?: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface StoredObject {
  readonly name: string;
  readonly generation: bigint;
  readonly metageneration: number;
  readonly bytes: Uint8Array;
  readonly crc32c: string;
  readonly md5Hash: string;
  readonly timeCreated: string;
  readonly updated: string;
  readonly timeDeleted?: string;
  readonly settings: ObjectSettings;
}

export interface Conditions {
  readonly generationMatch?: bigint;
  readonly generationNotMatch?: bigint;
  readonly metagenerationMatch?: bigint;
  readonly metagenerationNotMatch?: bigint;
}

export interface BucketSettings {
  readonly versioned?: boolean;
  readonly retentionSeconds?: number;
}

/** Generations look like microseconds since 1970 and only grow, over all buckets. */
let lastGeneration = 0n;
function nextGeneration(): bigint {
  const now = BigInt(Date.now()) * 1000n;
  lastGeneration = now > lastGeneration ? now : lastGeneration + 1n;
  return lastGeneration;
}

export class BucketState {
  readonly created = new Date().toISOString();
  readonly #live = new Map<string, StoredObject>();
  readonly #noncurrent = new Map<string, readonly StoredObject[]>();
  #sorted: readonly string[] | undefined;

  constructor(readonly name: string, readonly settings: BucketSettings) {}

  /** The live object, or the named generation of it. */
  find(name: string, generation?: bigint): StoredObject | undefined {
    const live = this.#live.get(name);
    if (generation === undefined || live?.generation === generation) return live;
    return this.#noncurrent.get(name)?.find((it) => it.generation === generation);
  }

  get(name: string, generation?: bigint): StoredObject {
    const found = this.find(name, generation);
    if (found === undefined) throw noSuchObject(this.name, name);
    return found;
  }

  /** Makes `bytes` the live object, in one step with the check of the conditions. */
  insert(name: string, bytes: Uint8Array, settings: ObjectSettings, conditions: Conditions): StoredObject {
    checkName(name);
    const old = this.#live.get(name);
    checkWrite(old, conditions);
    if (old !== undefined) this.#retire(old, "overwritten");
    const now = new Date().toISOString();
    const stored: StoredObject = {
      name,
      generation: nextGeneration(),
      metageneration: 1,
      bytes,
      crc32c: crc32cBase64(bytes),
      md5Hash: createHash("md5").update(bytes).digest("base64"),
      timeCreated: now,
      updated: now,
      settings,
    };
    this.#live.set(name, stored);
    if (old === undefined) this.#sorted = undefined;
    return stored;
  }

  /** Without a generation the live object goes (and stays as a noncurrent one in a versioned bucket). */
  delete(name: string, generation: bigint | undefined, conditions: Conditions): void {
    const found = this.get(name, generation);
    checkWrite(found, conditions);
    if (generation === undefined) {
      this.#retire(found, "deleted");
      this.#live.delete(name);
    } else {
      this.#refuseRetained(found, "deleted");
      if (this.#live.get(name) === found) this.#live.delete(name);
      this.#noncurrent.set(name, (this.#noncurrent.get(name) ?? []).filter((it) => it !== found));
    }
    this.#sorted = undefined;
  }

  patch(
    name: string,
    generation: bigint | undefined,
    settings: ObjectSettings,
    conditions: Conditions,
  ): StoredObject {
    const found = this.get(name, generation);
    checkWrite(found, conditions);
    const changed: StoredObject = {
      ...found,
      metageneration: found.metageneration + 1,
      updated: new Date().toISOString(),
      settings,
    };
    if (this.#live.get(name) === found) this.#live.set(name, changed);
    else this.#noncurrent.set(name, this.#noncurrent.get(name)!.map((it) => it === found ? changed : it));
    return changed;
  }

  /** Names in the order of their UTF-8 bytes, of live objects, or of all that ever had a version that is still kept. */
  names(withNoncurrent: boolean): readonly string[] {
    if (withNoncurrent) return [...new Set([...this.#live.keys(), ...this.#noncurrent.keys()])].sort(byBytes);
    this.#sorted ??= [...this.#live.keys()].sort(byBytes);
    return this.#sorted;
  }

  /** Oldest first; the live one last. */
  versionsOf(name: string): readonly StoredObject[] {
    const live = this.#live.get(name);
    return [...(this.#noncurrent.get(name) ?? []), ...(live === undefined ? [] : [live])];
  }

  /** When the bucket's policy lets an object go. */
  retainedUntil(object: StoredObject): Date | undefined {
    const seconds = this.settings.retentionSeconds;
    return seconds === undefined ? undefined : new Date(Date.parse(object.timeCreated) + seconds * 1000);
  }

  #retire(object: StoredObject, verb: string): void {
    if (!this.settings.versioned) {
      this.#refuseRetained(object, verb);
      return;
    }
    const gone = { ...object, timeDeleted: new Date().toISOString() };
    this.#noncurrent.set(object.name, [...(this.#noncurrent.get(object.name) ?? []), gone]);
  }

  #refuseRetained(object: StoredObject, verb: string): void {
    const what = `Object '${this.name}/${object.name}'`;
    const hold = object.settings.temporaryHold
      ? "Temporary"
      : object.settings.eventBasedHold
      ? "Event-Based"
      : "";
    if (hold !== "") {
      throw new GcsFault(
        403,
        "objectUnderActiveHold",
        `${what} is under active ${hold} hold and cannot be ${verb} until hold is removed.`,
      );
    }
    const until = this.retainedUntil(object);
    if (until === undefined || until.getTime() <= Date.now()) return;
    throw new GcsFault(
      403,
      "retentionPolicyNotMet",
      `${what} is subject to bucket's retention policy or object retention and cannot be ${verb} until ${until.toISOString()}`,
    );
  }
}

export class GcsState {
  readonly #buckets = new Map<string, BucketState>();

  create(name: string, settings: BucketSettings = {}): BucketState {
    if (!/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/.test(name)) throw badRequest(`Invalid bucket name: '${name}'`);
    if (this.#buckets.has(name)) {
      throw new GcsFault(
        409,
        "conflict",
        "Your previous request to create the named bucket succeeded and you already own it.",
      );
    }
    const bucket = new BucketState(name, settings);
    this.#buckets.set(name, bucket);
    return bucket;
  }

  bucket(name: string): BucketState {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw noSuchBucket();
    return bucket;
  }
}

/** For writes, deletes and sources: anything that does not hold is 412. */
export function checkWrite(object: StoredObject | undefined, conditions: Conditions): void {
  if (!holds(object, conditions) || matchesNot(object, conditions)) throw conditionNotMet();
}

/** For reads: "not match" conditions that fail mean "not modified". */
export function checkRead(object: StoredObject, conditions: Conditions): void {
  if (!holds(object, conditions)) throw conditionNotMet();
  if (matchesNot(object, conditions)) throw new GcsFault(304, "notModified", "Not Modified");
}

function holds(object: StoredObject | undefined, conditions: Conditions): boolean {
  const { generationMatch, metagenerationMatch } = conditions;
  if (generationMatch !== undefined && generationMatch !== (object?.generation ?? 0n)) return false;
  return metagenerationMatch === undefined || metagenerationMatch === BigInt(object?.metageneration ?? -1);
}

function matchesNot(object: StoredObject | undefined, conditions: Conditions): boolean {
  const { generationNotMatch, metagenerationNotMatch } = conditions;
  if (generationNotMatch !== undefined && generationNotMatch === (object?.generation ?? 0n)) return true;
  return metagenerationNotMatch !== undefined &&
    metagenerationNotMatch === BigInt(object?.metageneration ?? -1);
}

function checkName(name: string): void {
  const size = new TextEncoder().encode(name).length;
  if (size === 0) throw badRequest("Required object name", "required");
  if (size > 1024) {
    throw badRequest("The maximum object length is 1024 characters, but got a name longer than that.");
  }
  if (/[\r\n]/.test(name) || name === "." || name === "..") {
    throw badRequest(`Disallowed object name: '${name}'`);
  }
  if (name.startsWith(".well-known/acme-challenge/")) {
    throw badRequest("Disallowed prefix of the object name");
  }
}

const utf8 = new TextEncoder();
function byBytes(a: string, b: string): number {
  // Without surrogates the order of UTF-16 is that of UTF-8.
  if (!/[\ud800-\udfff]/.test(a + b)) return a < b ? -1 : a > b ? 1 : 0;
  const [left, right] = [utf8.encode(a), utf8.encode(b)];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    if (left[at] !== right[at]) return left[at]! - right[at]!;
  }
  return left.length - right.length;
}
