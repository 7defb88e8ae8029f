/** One operation of the sweeps over object storage: where it starts, where it may end, and whether it did. */
import assert from "node:assert/strict";
import { type Tree, treeDifferences } from "../support/tree.ts";
import type { CliServer } from "../support/cli_server.ts";
import type { RequestKind } from "../support/servers/request_kind.ts";
import type { ProxiedRequest } from "../support/servers/fault_proxy.ts";
import { PASS } from "../support/servers/fault_proxy.ts";
import {
  type BucketOperation,
  locationOf,
  makeTemplate,
  newRelease,
  readObjects,
  type Template,
} from "./bucket_operations.ts";
import {
  auditedIds,
  historyOf,
  instantProblems,
  type KnownArtifacts,
  knownArtifacts,
  stateOf,
} from "./bucket_state.ts";
import type { SweepWorld } from "./bucket_world.ts";
import { PROBE_CHANNEL } from "./state.ts";

/** Points that are tried at the same time: each mostly waits for a lease to end. */
export const LANES = 16;

export interface BucketSlot {
  readonly world: SweepWorld;
  readonly operation: BucketOperation;
  readonly template: Template;
  readonly known: KnownArtifacts;
  readonly before: Tree;
  readonly after: Tree;
  /** What the operation asked of the service when nothing went wrong, in order. */
  readonly requests: readonly RequestKind[];
  /** What it warns of when nothing goes wrong. */
  readonly warnings: readonly string[];
  readonly newRelease: string;
}

/** A copy of the repository. */
export interface Place {
  readonly bucket: string;
  /** Ends in a slash. */
  readonly prefix: string;
  readonly location: string;
}

/** How a command ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command ended, short enough for a list of failures. */
export function said({ code, stdout, stderr }: Ended): string {
  try {
    const { errors, error } = JSON.parse(stdout) as {
      errors?: readonly string[];
      error?: { message: string };
    };
    return `exit ${code}: ${(errors ?? []).join("; ") || error?.message}`;
  } catch {
    return `exit ${code}: ${stdout.slice(0, 1_000)}${stderr.slice(0, 1_000)}`;
  }
}

export function warningsOf({ stdout }: Ended): readonly string[] {
  return (JSON.parse(stdout) as { readonly warnings?: readonly string[] }).warnings ?? [];
}

/** Makes the buckets that the lanes work in. */
export async function makeLanes(world: SweepWorld): Promise<void> {
  await Promise.all(Array.from({ length: LANES }, (_, lane) => world.createBucket(laneBucket(lane))));
}

function laneBucket(lane: number): string {
  return `sweep-lane-${lane}`;
}

/** Makes the repository and runs the operation once without a fault. */
export async function makeBucketSlot(world: SweepWorld, operation: BucketOperation): Promise<BucketSlot> {
  const template = await makeTemplate(world, operation, laneBucket(0));
  const known = knownArtifacts(template, operation.gives_up);
  const half = { world, operation, template, known, newRelease: newRelease(world) };
  const place = await freshPlace(half, 0);
  const requests: RequestKind[] = [];
  world.decide(place.bucket, (request) => {
    if (isCounted(request)) requests.push(request.kind);
    return PASS;
  });
  const run = await world.proxied.run(commandOn(half, place), { cwd: world.holderFolder });
  world.decide(place.bucket, undefined);
  assert.equal(run.code, 0, `${operation.name} without a fault: ${said(run)}`);
  const before = stateOf(template);
  const after = stateOf(await readObjects(world, place.bucket, place.prefix));
  assert.notDeepEqual(after, before, `${operation.name} changed nothing`);
  const slot = { ...half, before, after, requests, warnings: warningsOf(run) };
  await assertWhole(slot, place, `${operation.name} without a fault`, { deep: true });
  return slot;
}

/** Asking for the lock again and again says nothing of how far an operation is. */
export function isCounted({ kind, path }: ProxiedRequest): boolean {
  return !(["get", "head"].includes(kind) && decodeURIComponent(path).includes(".backout/lock"));
}

const CHANGING: readonly RequestKind[] = ["put", "copy", "remove", "upload", "part"];

export function isChanging(kind: RequestKind): boolean {
  return CHANGING.includes(kind);
}

let places = 0;

/** A new copy of the repository as it was before the operation, in the bucket of this lane. */
export async function freshPlace(
  { world, operation, template }: Pick<BucketSlot, "world" | "operation" | "template">,
  lane: number,
): Promise<Place> {
  const bucket = laneBucket(lane);
  const prefix = `${operation.name}-${++places}/`;
  await Promise.all([...template].map(([key, object]) => world.objects.write(bucket, prefix + key, object)));
  return { bucket, prefix, location: `${locationOf(world, bucket)}/${prefix.slice(0, -1)}` };
}

export function commandOn(
  { operation, newRelease }: Pick<BucketSlot, "operation" | "newRelease">,
  place: Place,
): readonly string[] {
  return [...operation.argv.map((it) => it.replace("{new}", newRelease)), "-r", place.location, "--json"];
}

/** What must hold at every instant, also right after a crash. */
export async function assertInstant(
  { world, known }: BucketSlot,
  place: Place,
  where: string,
): Promise<void> {
  const index = await world.objects.read(place.bucket, `${place.prefix}index.json`);
  assert.ok(index !== undefined, `${where}: there is no index`);
  const listed = await world.objects.list(place.bucket, place.prefix);
  assert.deepEqual(instantProblems(index.bytes, listed, known), [], `${where}: at the moment of the crash`);
}

/** Recovers from another working folder, in another process; or the next command that writes does it by itself. */
export async function recoverElsewhere(
  { world }: BucketSlot,
  place: Place,
  where: string,
  how: "recover" | "next command" = "recover",
  server: CliServer = world.direct,
): Promise<void> {
  const command = how === "recover" ? ["recover"] : ["channel", "set", PROBE_CHANNEL, "v1.0.0"];
  const argv = [...command, "-r", place.location, "--lock-timeout", "20s", "--json"];
  const run = await server.run(argv, { cwd: world.otherFolder });
  assert.equal(run.code, 0, `${where}: ${how} says ${said(run)}`);
}

/** What must hold once somebody recovered: the state before or after, recorded once, and nothing left over. */
export async function assertWhole(
  slot: BucketSlot,
  place: Place,
  where: string,
  options: {
    /** Ask `release verify` and `doctor` too. */
    readonly deep: boolean;
  },
): Promise<"before" | "after"> {
  const { world } = slot;
  const objects = await readObjects(world, place.bucket, place.prefix);
  const state = stateOf(objects);
  const toBefore = treeDifferences(slot.before, state);
  const toAfter = treeDifferences(slot.after, state);
  if (toBefore.length > 0 && toAfter.length > 0) {
    const [name, differences] = toBefore.length < toAfter.length ? ["before", toBefore] : ["after", toAfter];
    assert.fail(`${where}: neither before nor after; from ${name}:\n  ${differences.join("\n  ")}`);
  }
  const ended = toAfter.length === 0 ? "after" : "before";
  await assertInstant(slot, place, where);
  assertRecordedOnce(slot, objects, ended, where);
  assertMovedForward(slot, objects, ended, where);
  if (options.deep) await assertSound(slot, place, where);
  return ended;
}

/** History and audit tell of the operation once, and of nothing twice. */
function assertRecordedOnce(slot: BucketSlot, objects: Template, ended: string, where: string): void {
  const [name] = titleOf(slot);
  const old = historyOf(slot.template);
  const added = [...historyOf(objects)].filter(([id]) => !old.has(id));
  const own = added.filter(([, what]) => what.startsWith(`${name} `));
  const done = own.filter(([, what]) => /success|partial/.test(what));
  const seen = JSON.stringify(added);
  assert.equal(done.length, ended === "after" ? 1 : 0, `${where}: ended ${ended}, the history has ${seen}`);
  const audited = auditedIds(objects).slice(auditedIds(slot.template).length);
  assert.deepEqual(
    audited.toSorted(),
    added.map(([id]) => id).toSorted(),
    `${where}: audit and history differ`,
  );
}

/** The operation's name in the history. */
function titleOf({ operation: { argv } }: BucketSlot): readonly string[] {
  return argv[0] === "backup" ? ["backup_delete"] : [argv[1]!];
}

/** The serial never goes back. */
function assertMovedForward(slot: BucketSlot, objects: Template, ended: string, where: string): void {
  const [serial, old] = [serialOf(objects), serialOf(slot.template)];
  const moved = serial > old || (serial === old && ended === "before");
  assert.ok(moved, `${where}: ended ${ended}, the serial went from ${old} to ${serial}`);
}

function serialOf(objects: Template): number {
  const index = JSON.parse(new TextDecoder().decode(objects.get("index.json")!.bytes)) as { serial?: number };
  return index.serial ?? 0;
}

interface Checked {
  readonly checks: readonly { readonly id: string; readonly outcome: string; readonly detail: string }[];
}

/** `release verify`, and `doctor` (audit log, lock, unfinished operations) find nothing. */
export async function assertSound({ world }: BucketSlot, place: Place, where: string): Promise<void> {
  const commands = [["release", "verify"], ["doctor"]];
  const [verified, doctor] = await Promise.all(
    commands.map((argv) =>
      world.direct.run([...argv, "-r", place.location, "--json"], { cwd: world.otherFolder })
    ),
  );
  assert.equal(verified!.code, 0, `${where}: release verify says ${said(verified!)}`);
  const { checks } = JSON.parse(doctor!.stdout) as Checked;
  const bad = checks.filter((check) => check.outcome !== "ok");
  assert.deepEqual(bad, [], `${where}: doctor finds something`);
}
