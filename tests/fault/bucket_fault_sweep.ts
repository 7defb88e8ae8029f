/**
 * Breaks a request of an operation on object storage, once, in every way that networks and services have; or takes the
 * service away from that request on. The first must not be noticed, the second must be said and recovered from.
 */
import assert from "node:assert/strict";
import { type FaultAction, PASS } from "../support/servers/fault_proxy.ts";
import type { Work } from "./bucket_lanes.ts";
import {
  assertInstant,
  assertWhole,
  type BucketSlot,
  commandOn,
  type Ended,
  freshPlace,
  isChanging,
  isCounted,
  type Place,
  recoverElsewhere,
  said,
  warningsOf,
} from "./bucket_slot.ts";

/** What happens to one request. */
export const FAULTS = {
  "internal-error": { kind: "refuse", status: 500 },
  "slow-down": { kind: "refuse", status: 503 },
  "internal-error-but-done": { kind: "refuse", status: 500, forward: true },
  "reset-before": { kind: "reset_before" },
  "reset-in-request": { kind: "reset_in_request" },
  "lost-reply": { kind: "lose_reply" },
  "reset-in-reply": { kind: "reset_in_reply" },
  "duplicate": { kind: "duplicate" },
  "no-reply": { kind: "hang" },
  "no-reply-but-done": { kind: "hang", forward: true },
  "half-a-reply": { kind: "hang_in_reply" },
} as const satisfies Readonly<Record<string, FaultAction>>;

/** What happens to all requests from one on. */
export const OUTAGES = {
  "gone": { kind: "reset_before" },
  "broken": { kind: "refuse", status: 503 },
  "silent": { kind: "hang" },
} as const satisfies Readonly<Record<string, FaultAction>>;

export type FaultName = keyof typeof FAULTS | keyof typeof OUTAGES;

export interface FaultPoint {
  /** Which request, from 1. */
  readonly point: number;
  readonly fault: FaultName;
}

export const FAULT_NAMES = Object.keys(FAULTS) as readonly (keyof typeof FAULTS)[];
export const OUTAGE_NAMES = Object.keys(OUTAGES) as readonly (keyof typeof OUTAGES)[];

/** Every fault at every request that changes something; at the others they take turns. */
export function faultPoints({ requests, operation }: BucketSlot): readonly FaultPoint[] {
  const atChanges = operation.everywhere ? FAULT_NAMES.length : 3;
  return requests.flatMap((kind, i) => {
    const faults = Array.from({ length: isChanging(kind) ? atChanges : 2 }, (_, k) => {
      return FAULT_NAMES[(i * 3 + k * 4) % FAULT_NAMES.length]!;
    });
    return faults.map((fault) => ({ point: i + 1, fault }));
  });
}

/** An outage from every request on, one kind after the other. */
export function outagePoints({ requests, operation }: BucketSlot): readonly FaultPoint[] {
  return requests.flatMap((kind, i) => {
    if (!isChanging(kind) && !operation.everywhere) return [];
    return { point: i + 1, fault: OUTAGE_NAMES[i % OUTAGE_NAMES.length]! };
  });
}

export const FAULTS_AND_OUTAGES: Work<FaultPoint> = {
  attempt: async (slot, fault, lane) => {
    const place = await freshPlace(slot, lane);
    return await (isOutage(fault) ? endure(slot, place, fault) : breakOnce(slot, place, fault));
  },
  flags: ({ point, fault }) => `--point ${point} --fault ${fault}`,
};

function isOutage({ fault }: FaultPoint): boolean {
  return fault in OUTAGES;
}

/** A fault that does not last is not noticed. */
async function breakOnce(slot: BucketSlot, place: Place, { point, fault }: FaultPoint): Promise<"after"> {
  const { operation, requests } = slot;
  let happened = false;
  const run = await runThrough(slot, place, (count) => {
    if (count !== point) return PASS;
    happened = true;
    return FAULTS[fault as keyof typeof FAULTS];
  });
  const where = `${operation.name}, ${fault} at request ${point} (${
    requests[point - 1]
  }, of ${requests.length})`;
  assert.equal(run.code, 0, `${where}: ${said(run)}`);
  assert.ok(happened || point > requests.length - 3, `${where}: there was no such request`);
  assert.deepEqual(warningsOf(run), slot.warnings, `${where}: warnings`);
  const ended = await assertWhole(slot, place, where, { deep: point % 4 === 0 });
  assert.equal(ended, "after", `${where}: it succeeded, but the state is as before`);
  return ended;
}

/** What the contract has for a storage that is gone. */
const OUTAGE_CODES = [0, 43, 52, 53];

async function endure(slot: BucketSlot, place: Place, { point, fault }: FaultPoint) {
  const { operation, requests } = slot;
  const run = await runThrough(slot, place, (count, from) => {
    return (count ?? from) < point ? PASS : OUTAGES[fault as keyof typeof OUTAGES];
  });
  const where = `${operation.name}, ${fault} from request ${point} on (${
    requests[point - 1]
  }), exit ${run.code}`;
  assert.ok(OUTAGE_CODES.includes(run.code), `${where} is not in the contract: ${said(run)}`);
  const document = JSON.parse(run.stdout) as { exit_code?: number; error?: { code: number } };
  assert.equal(document.exit_code ?? document.error?.code, run.code, `${where}: the document says otherwise`);
  await assertInstant(slot, place, where);
  await recoverElsewhere(slot, place, where);
  const ended = await assertWhole(slot, place, `${where}, recovered`, { deep: point % 4 === 0 });
  if (run.code === 0) assert.equal(ended, "after", `${where}: reported success, but the state is as before`);
  if (run.code === 43) assert.equal(ended, "before", `${where}: reported as taken back, but it happened`);
  return ended;
}

/**
 * Runs the operation through the proxy.
 * @param decide is given the number of the request, undefined for one that is not counted, and how many were so far
 */
async function runThrough(
  slot: BucketSlot,
  place: Place,
  decide: (count: number | undefined, soFar: number) => FaultAction,
): Promise<Ended> {
  const { world } = slot;
  let count = 0;
  world.decide(place.bucket, (request) => {
    return isCounted(request) ? decide(++count, count) : decide(undefined, count);
  });
  try {
    return await world.proxied.run(commandOn(slot, place), { cwd: world.holderFolder });
  } finally {
    world.decide(place.bucket, undefined);
  }
}
