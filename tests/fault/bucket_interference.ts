/**
 * What others do to a running operation on object storage, at each of its requests: a signal to stop, the lock taken over
 * while it is cut off or asleep, a foreign writer that replaces the index without a lock.
 */
import assert from "node:assert/strict";
import { formatJson, type JsonObject, parseJson } from "#/core/json.ts";
import { treeDifferences } from "../support/tree.ts";
import { type FaultAction, PASS } from "../support/servers/fault_proxy.ts";
import type { Work } from "./bucket_lanes.ts";
import { readObjects } from "./bucket_operations.ts";
import {
  assertInstant,
  assertSound,
  assertWhole,
  type BucketSlot,
  commandOn,
  type Ended,
  freshPlace,
  isCounted,
  type Place,
  recoverElsewhere,
  said,
} from "./bucket_slot.ts";
import { type BucketState, stateOf } from "./bucket_state.ts";
import type { SweepWorld } from "./bucket_world.ts";

export interface Interference {
  /** At which request, from 1. */
  readonly point: number;
}

const flags = ({ point }: Interference) => `--point ${point}`;

/** How long a process gets to notice a signal before its request is answered, in milliseconds. */
const NOTICE_MS = 100;
const TERMINATED = 143;

/** SIGTERM: before the commit it is taken back, after it it is finished. */
export const STOPS: Work<Interference> = {
  flags: (point) => `${flags(point)} --stop`,
  attempt: async (slot, { point }, lane) => {
    const { world, operation, requests } = slot;
    const place = await freshPlace(slot, lane);
    const child = world.spawn(commandOn(slot, place));
    let isCommitted = false;
    let wasCommitted = false;
    decideAt(world, place, point, ({ kind, path }) => {
      if (kind === "put" && isIndex(path, place)) {
        return {
          kind: "pass",
          afterReply: () => void (isCommitted = true),
        };
      }
    }, () => {
      wasCommitted = isCommitted;
      child.kill("SIGTERM");
      return { kind: "pass", delayMs: NOTICE_MS };
    });
    const run = await endOf(child);
    world.decide(place.bucket, undefined);
    const where = `${operation.name}, SIGTERM at request ${point} (${requests[point - 1]}), exit ${run.code}`;
    assert.ok([0, TERMINATED].includes(run.code), `${where}: ${said(run)}`);
    if (wasCommitted) assert.equal(run.code, 0, `${where}: not finished although it was committed`);
    const ended = await assertWhole(slot, place, where, { deep: point % 4 === 0 });
    assert.equal(ended, run.code === 0 ? "after" : "before", `${where}: the state is the other one`);
    return ended;
  },
};

/** Another operation, on another release where one is left: what a second person does meanwhile. */
function otherCommand({ operation }: BucketSlot, place: Place): readonly string[] {
  const argv = operation.name === "rollback-to"
    ? ["channel", "set", "meanwhile", "v1.0.0"]
    : ["release", "rollback", "v1.0.1", "--reason", "meanwhile"];
  return [...argv, "-r", place.location, "--lock-timeout", "20s", "--json"];
}

/** The requests of an operation from which on it certainly holds the lock. */
export function pointsUnderLock({ requests }: BucketSlot): readonly Interference[] {
  const probes = requests.findIndex((kind) => kind === "remove"); // the end of the probe, which comes after the lock
  return requests.map((_, i) => ({ point: i + 1 })).slice(probes);
}

/** How the holder of the lock falls silent. */
const SILENCES = ["cut off", "asleep"] as const;

/**
 * The holder falls silent; somebody else takes the lock over, recovers, and does something else; then the holder goes on:
 * it changes nothing any more.
 */
export const TAKEOVERS: Work<Interference> = {
  flags: (point) => `${flags(point)} --takeover`,
  attempt: async (slot, { point }, lane) => {
    const { world, operation, requests } = slot;
    const silence = SILENCES[point % 2]!;
    const where = `${operation.name} ${silence} at request ${point} (${requests[point - 1]})`;
    const place = await freshPlace(slot, lane);
    const child = world.spawn(commandOn(slot, place));
    const ending = endOf(child);
    const back = Promise.withResolvers<void>();
    const silent = Promise.withResolvers<void>();
    let isSilent = false;
    decideAt(world, place, point, async () => {
      if (!isSilent || silence === "asleep") return undefined;
      await back.promise;
      return { kind: "reset_before" }; // long given up
    }, async () => {
      isSilent = true;
      if (silence === "asleep") child.kill("SIGSTOP");
      silent.resolve();
      if (silence === "asleep") return PASS;
      await back.promise;
      return { kind: "reset_before" };
    });
    await Promise.race([silent.promise, ending]);
    const other = await world.direct.run(otherCommand(slot, place), { cwd: world.otherFolder });
    const left = await world.objects.list(place.bucket, place.prefix);
    isSilent = false;
    if (silence === "asleep") child.kill("SIGCONT");
    back.resolve();
    const run = await ending;
    world.decide(place.bucket, undefined);
    assert.equal(other.code, 0, `${where}: the other operation says ${said(other)}`);
    const now = await world.objects.list(place.bucket, place.prefix);
    assert.deepEqual(withoutNewRecords(now, left), left, `${where}: it changed something (${said(run)})`);
    await assertInstant(slot, place, where);
    await assertSound(slot, place, where);
    const ended = await endedBesides(slot, place, where);
    if (run.code === 0) assert.equal(ended, "after", `${where}: it claims to be done`);
    return ended;
  },
};

/** That it failed may be told in the audit log and the history, whose entries are objects of their own. */
function withoutNewRecords(
  now: ReadonlyMap<string, string>,
  left: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  return new Map([...now].filter(([key]) => left.has(key) || !/^\.backout\/(audit|history)\//.test(key)));
}

/** A writer that knows no lock replaces the index: its change is never lost. */
export const FOREIGN_WRITES: Work<Interference> = {
  flags: (point) => `${flags(point)} --foreign-write`,
  attempt: async (slot, { point }, lane) => {
    const { world, operation, requests } = slot;
    const place = await freshPlace(slot, lane);
    decideAt(world, place, point, () => undefined, async () => {
      await writeForeign(world, place, point);
      return PASS;
    });
    const run = await world.proxied.run(commandOn(slot, place), { cwd: world.holderFolder });
    world.decide(place.bucket, undefined);
    const where = `${operation.name}, foreign write at request ${point} (${
      requests[point - 1]
    }), exit ${run.code}`;
    if (run.code !== 0) await recoverElsewhere(slot, place, `${where}: ${said(run)}`);
    const index = await indexOf(world, place);
    assert.equal(index[FOREIGN_FIELD], point, `${where}: the foreign change is lost`);
    const { [FOREIGN_FIELD]: _foreign, ...ours } = index;
    await writeIndex(world, place, ours);
    const ended = await assertWhole(slot, place, `${where}: ${said(run)}`, { deep: false });
    assert.equal(ended, run.code === 0 ? "after" : "before", `${where}: the state is the other one`);
    return ended;
  },
};

type Answer = FaultAction | undefined;

/**
 * At a request something is done.
 * @param always decides first, about every request, counted or not
 * @param at decides about the request that was chosen
 */
function decideAt(
  world: SweepWorld,
  place: Place,
  point: number,
  always: (request: { readonly kind: string; readonly path: string }) => Answer | Promise<Answer>,
  at: () => FaultAction | Promise<FaultAction>,
): void {
  let count = 0;
  world.decide(place.bucket, async (request) => {
    const isChosen = isCounted(request) && ++count === point;
    if (isChosen) return await at();
    return await always(request) ?? PASS;
  });
}

async function endOf(child: Deno.ChildProcess): Promise<Ended> {
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

function isIndex(path: string, { prefix }: Place): boolean {
  return decodeURIComponent(path).includes(`${prefix}index.json`);
}

/** Where the operation ended, with the other one after it. */
async function endedBesides(slot: BucketSlot, place: Place, where: string): Promise<"before" | "after"> {
  const { before, after } = await besides(slot);
  const state = stateOf(await readObjects(slot.world, place.bucket, place.prefix));
  const [toBefore, toAfter] = [treeDifferences(before, state), treeDifferences(after, state)];
  if (toBefore.length === 0) return "before";
  assert.deepEqual(toAfter, [], `${where}: neither before nor after, with the other operation done`);
  return "after";
}

const references = new WeakMap<BucketSlot, Promise<Readonly<Record<"before" | "after", BucketState>>>>();

/** The two states that may be left when the other operation was done as well. */
function besides(slot: BucketSlot): Promise<Readonly<Record<"before" | "after", BucketState>>> {
  let reference = references.get(slot);
  if (reference === undefined) references.set(slot, reference = makeReference(slot));
  return reference;
}

async function makeReference(slot: BucketSlot): Promise<Readonly<Record<"before" | "after", BucketState>>> {
  const stateAfter = async (commands: (place: Place) => readonly (readonly string[])[]) => {
    const place = await freshPlace(slot, 0);
    for (const argv of commands(place)) {
      const run = await slot.world.direct.run(argv, { cwd: slot.world.otherFolder });
      assert.equal(run.code, 0, `making the reference: ${said(run)}`);
    }
    return stateOf(await readObjects(slot.world, place.bucket, place.prefix));
  };
  return {
    before: await stateAfter((place) => [otherCommand(slot, place)]),
    after: await stateAfter((place) => [commandOn(slot, place), otherCommand(slot, place)]),
  };
}

const FOREIGN_FIELD = "foreign";

async function indexOf(world: SweepWorld, place: Place): Promise<JsonObject> {
  const stored = await world.objects.read(place.bucket, `${place.prefix}index.json`);
  return decode(stored!.bytes);
}

/** Changes the index the way a careful tool without our lock does: read, change, write unless it changed meanwhile. */
async function writeForeign(world: SweepWorld, place: Place, value: number): Promise<void> {
  const name = `${place.prefix}index.json`;
  for (;;) {
    const stored = await world.objects.read(place.bucket, name);
    const bytes = encode({ ...decode(stored!.bytes), [FOREIGN_FIELD]: value });
    if (await world.objects.write(place.bucket, name, { ...stored!, bytes }, stored!.tag)) return;
  }
}

async function writeIndex(world: SweepWorld, place: Place, index: JsonObject): Promise<void> {
  const name = `${place.prefix}index.json`;
  const stored = await world.objects.read(place.bucket, name);
  await world.objects.write(place.bucket, name, { ...stored!, bytes: encode(index) });
}

function decode(bytes: Uint8Array): JsonObject {
  return parseJson(new TextDecoder().decode(bytes)) as JsonObject;
}

function encode(index: JsonObject): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(formatJson(index));
}
