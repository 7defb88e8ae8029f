/** The sweeps over object storage by name: which points of an operation each of them tries. */
import { CRASHES, killPoints, withSeconds } from "./bucket_crash_sweep.ts";
import { faultPoints, FAULTS_AND_OUTAGES, outagePoints } from "./bucket_fault_sweep.ts";
import { FOREIGN_WRITES, pointsUnderLock, STOPS, TAKEOVERS } from "./bucket_interference.ts";
import { type Job, jobsOf, type Work } from "./bucket_lanes.ts";
import { BUCKET_OPERATIONS, type BucketOperation } from "./bucket_operations.ts";
import { type BucketSlot, makeBucketSlot, makeLanes } from "./bucket_slot.ts";
import { type Service, startSweepWorld, type SweepWorld } from "./bucket_world.ts";

export type SweepName =
  | "crashes"
  | "crashes-twice"
  | "faults"
  | "outages"
  | "stops"
  | "takeovers"
  | "foreign-writes";

/** Every `every`-th point of these operations. */
type Sweep = (slots: readonly BucketSlot[], every: number) => readonly Job[];

/** Those that take longest come first. */
export const BUCKET_SWEEPS: Readonly<Record<SweepName, Sweep>> = {
  "outages": sweepOf("outages", FAULTS_AND_OUTAGES, outagePoints),
  "crashes-twice": (slots, every) => {
    return sweepOf("crashes twice", CRASHES, (slot) => withSeconds(killPoints(slot), every))(slots, 1);
  },
  "takeovers": sweepOf("takeovers", TAKEOVERS, pointsUnderLock),
  "crashes": sweepOf("crashes", CRASHES, killPoints),
  "stops": sweepOf("stops", STOPS, pointsOf),
  "foreign-writes": sweepOf("foreign writes", FOREIGN_WRITES, pointsOf),
  "faults": sweepOf("faults", FAULTS_AND_OUTAGES, faultPoints),
};

export const SWEEP_NAMES = Object.keys(BUCKET_SWEEPS) as readonly SweepName[];

function sweepOf<P>(name: string, work: Work<P>, points: (slot: BucketSlot) => readonly P[]): Sweep {
  return (slots, every) => {
    let count = 0; // goes on from one operation to the next, so that each begins at another point
    return slots.flatMap((slot) => {
      const chosen = points(slot).filter(() => count++ % every === 0);
      return jobsOf(name, slot, chosen, work);
    });
  };
}

function pointsOf({ requests }: BucketSlot): readonly { readonly point: number }[] {
  return requests.map((_, i) => ({ point: i + 1 }));
}

export interface SweepSetup extends AsyncDisposable {
  readonly world: SweepWorld;
  readonly slots: readonly BucketSlot[];
}

/** Starts the server and makes the repository of each operation. */
export async function setUpSweeps(
  service: Service,
  operations: readonly BucketOperation[] = BUCKET_OPERATIONS,
): Promise<SweepSetup> {
  await using stack = new AsyncDisposableStack();
  const world = stack.use(await startSweepWorld(service));
  await makeLanes(world);
  const slots: BucketSlot[] = [];
  for (const operation of operations) slots.push(await makeBucketSlot(world, operation));
  const owned = stack.move();
  return { world, slots, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
