/**
 * What every kind of target promises, as tests: one small fixture per kind (or per interesting state of one).
 *
 *     targetContract({ name: "file_system: a tree", type: "file_system", needs: ["posix"],
 *       setUp: (world) => { …; return { paths: [`${world}/data`] }; },
 *       changes: { "a file is gone": (world) => Deno.removeSync(`${world}/data/a`) },
 *       look: (world) => tree(`${world}/data`) });
 *
 * The sweep kills a child of its own (contract_child.ts) before and after changing calls and programs that it starts;
 * a sample of them, all with BACKOUT_SWEEP=full.
 */
import assert from "node:assert/strict";
import type { JsonObject } from "#/core/json.ts";
import { native } from "#/core/native.ts";
import type { SavedTarget } from "#/store/model.ts";
import { openSnapshotStore } from "#/store/open.ts";
import type { PlanContext, TargetChange, TargetDriver, TargetSpec } from "#/target/target.ts";
import { type TargetType, targetTypes } from "#/target/registry.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { type Capability, requires } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { killPoints, type Sweep, sweepKills } from "./contract_sweep.ts";

export interface TargetFixture {
  /** `git_commit: a dirty checkout` */
  readonly name: string;
  readonly type: TargetType;
  readonly needs: readonly Capability[];
  /** Makes the thing below `world` (an empty folder); returns the target's own keys as backout.yaml has them, paths absolute. */
  setUp(world: string): Promise<JsonObject> | JsonObject;
  /** Ends what `setUp` started; called before `world` is removed. */
  tearDown?(world: string): Promise<void> | void;
  /** What goes wrong with it: each changes what `look` and the fingerprint see. */
  readonly changes: Readonly<Record<string, (world: string) => Promise<void> | void>>;
  /** Everything that must be equal to before, seen without the driver. */
  look(world: string): Promise<unknown> | unknown;
  /** Looks at what an export made; without it only that something is there. */
  exported?(world: string, folder: string): Promise<void> | void;
  /** Environment that the driver may read, besides PATH and HOME. May need `world`, so it is asked after `setUp`. */
  env?(world: string): Readonly<Record<string, string>>;
  /** Must not appear in a manifest, plan, diff or result. */
  readonly secrets?: readonly string[];
  /** Only looking and the changes: for one more state of a kind. @default false */
  readonly brief?: boolean;
  /** @default true */
  readonly sweep?: boolean;
  /** Points of the sample. @default 8 */
  readonly killPoints?: number;
}

/** A target that is set up, and the driver's calls on it. */
export interface ContractWorld {
  readonly folder: string;
  readonly driver: TargetDriver;
  readonly target: TargetSpec;
  readonly store: MemoryStore;
  readonly warnings: readonly string[];
  context(
    paths?: readonly string[],
  ): PlanContext & { readonly store: MemoryStore; readonly writer: MemoryStore };
  capture(previous?: SavedTarget): Promise<SavedTarget>;
  look(): Promise<unknown>;
}

// Loaded for the whole process: within a test it would count as a leak of that test.
native();

/** Registers the contract's tests for one fixture. */
export function targetContract(fixture: TargetFixture): void {
  const contract = (what: string, body: (world: ContractWorld) => Promise<void>) => {
    const requirement = requires(...fixture.needs);
    Deno.test({
      name: `${fixture.name}: ${what}${requirement.ignore ? requirement.suffix : ""}`,
      ignore: requirement.ignore,
      fn: async () => {
        requirement.assertPresent();
        await inWorld(fixture, body);
      },
    });
  };
  contract("looking changes nothing, and nothing is to be done", (world) => unchanged(world));
  for (const [what, change] of Object.entries(fixture.changes)) {
    contract(`${what}, and back`, (world) => thereAndBack(world, change, fixture.secrets ?? []));
  }
  if (fixture.brief === true) return;
  contract("the same through a store on disk", (world) => throughTheStore(world, fixture));
  contract("an export leaves the target alone", (world) => exporting(world, fixture));
  if (fixture.sweep === false) return;
  contract("killed anywhere in a restore, the next restore ends it", (world) => sweep(world, fixture));
}

/** Runs a body with a fixture that is set up. For the extras of a kind as well. */
export async function inWorld(
  fixture: TargetFixture,
  body: (world: ContractWorld) => Promise<void>,
): Promise<void> {
  await withTempDir(async (root) => {
    const folder = `${root}/world`;
    Deno.mkdirSync(folder);
    const written = await fixture.setUp(folder);
    try {
      await body(await worldOf(fixture, root, written));
    } finally {
      await fixture.tearDown?.(folder);
    }
  });
}

async function worldOf(fixture: TargetFixture, root: string, written: JsonObject): Promise<ContractWorld> {
  const folder = `${root}/world`;
  const { driver } = await targetTypes[fixture.type]() as unknown as { driver: TargetDriver };
  const config = driver.schema.parse(written);
  const target: TargetSpec = { name: "it", type: fixture.type, config, written, after: [] };
  const store = new MemoryStore();
  const warnings: string[] = [];
  const own = fixture.env?.(folder) ?? {};
  let scratches = 0;
  const context = (paths: readonly string[] = []) => {
    const scratch = `${root}/scratch${++scratches}`;
    Deno.mkdirSync(scratch, { mode: 0o700 });
    return {
      folder,
      env: (name: string) => own[name] ?? (["PATH", "HOME"].includes(name) ? Deno.env.get(name) : undefined),
      signal: new AbortController().signal,
      scratch,
      offline: true,
      now: () => new Date(),
      onProgress: () => {},
      warn: (message: string) => void warnings.push(message),
      store,
      writer: store,
      options: { paths, discardChanges: true },
    };
  };
  const capture = async (previous?: SavedTarget): Promise<SavedTarget> => {
    const captured = await driver.capture(target, { ...context(), previous });
    const facts = { name: target.name, type: target.type, undo: driver.undo(config), config: written };
    const saved = { ...facts, ...captured, stored_bytes: 0, seconds: 0 };
    return JSON.parse(JSON.stringify(saved)) as SavedTarget; // as a manifest keeps it
  };
  return {
    folder,
    driver,
    target,
    store,
    warnings,
    context,
    capture,
    look: async () => await fixture.look(folder),
  };
}

async function unchanged(world: ContractWorld): Promise<void> {
  const { driver, target } = world;
  const before = await world.look();
  const saved = await world.capture();
  assert.deepEqual(await world.look(), before, "a capture changed the target");
  assert.equal(await driver.fingerprint(target, world.context()), saved.fingerprint);
  const again = await world.capture(saved);
  assert.equal(again.fingerprint, saved.fingerprint);
  await assertNothingToDo(world, saved);
  await assertNothingToDo(world, again);
  assert.deepEqual(await driver.diff(target, saved, again, world.context()), []);
  assert.deepEqual(await driver.diff(target, saved, undefined, world.context()), []);
  const restored = await driver.restore(target, saved, world.context());
  assert.deepEqual([restored.changed, restored.removed], [0, 0], "a restore of what is there did something");
  assert.deepEqual(await world.look(), before, "a restore of what is there changed the target");
}

async function thereAndBack(
  world: ContractWorld,
  change: (folder: string) => Promise<void> | void,
  secrets: readonly string[],
): Promise<void> {
  const { driver, target } = world;
  const before = await world.look();
  const saved = await world.capture();
  await change(world.folder);
  const changed = await world.look();
  assert.notDeepEqual(changed, before, "the fixture's change is not seen by its look");
  assert.notEqual(await driver.fingerprint(target, world.context()), saved.fingerprint);
  const safety = await world.capture(saved);

  const plan = await driver.plan(target, saved, world.context());
  assert.deepEqual(plan.problems, []);
  assert.notDeepEqual(plan.changes, [], "the plan is empty");
  assert.notEqual(plan.summary, "");
  const now = await driver.diff(target, saved, undefined, world.context());
  assertSomeChange(now);
  assertSomeChange(await driver.diff(target, saved, safety, world.context()));
  assert.deepEqual(await world.look(), changed, "looking changed the target");

  const restored = await driver.restore(target, saved, world.context());
  assert.ok(restored.changed + restored.removed > 0, "it says that it did nothing");
  assert.deepEqual(await world.look(), before);
  assert.equal(await driver.fingerprint(target, world.context()), saved.fingerprint);
  await assertNothingToDo(world, saved);
  const again = await driver.restore(target, saved, world.context());
  assert.deepEqual([again.changed, again.removed], [0, 0], "a second restore did something");

  await driver.restore(target, safety, world.context());
  assert.deepEqual(await world.look(), changed, "the rollback could not be rolled back");
  assert.equal(await driver.fingerprint(target, world.context()), safety.fingerprint);
  const shown = JSON.stringify([saved, safety, plan, now, restored, world.warnings]);
  for (const secret of secrets) assert.ok(!shown.includes(secret), "a secret is shown");
}

/** What the memory of the other tests would hide: content that is not committed, references that are not roots. */
async function throughTheStore(world: ContractWorld, fixture: TargetFixture): Promise<void> {
  const { driver, target } = world;
  const before = await world.look();
  const location = `${world.folder}.store`;
  const saved = await captureInto(location, world);
  await Object.values(fixture.changes).at(-1)!(world.folder);
  await using store = await openSnapshotStore({ location });
  const read = await store.readSnapshot("rb-000000000001");
  assert.deepEqual(read?.targets, [saved]);
  await driver.restore(target, saved, { ...world.context(), store });
  assert.deepEqual(await world.look(), before);
}

async function captureInto(location: string, world: ContractWorld): Promise<SavedTarget> {
  const { driver, target } = world;
  await using store = await openSnapshotStore({ location });
  await using writer = await store.write();
  const captured = await driver.capture(target, { ...world.context(), store, writer, previous: undefined });
  const facts = {
    name: target.name,
    type: target.type,
    undo: driver.undo(target.config),
    config: target.written,
  };
  const saved: SavedTarget = { ...facts, ...captured, stored_bytes: writer.storedBytes, seconds: 0 };
  await writer.commit({
    format: 1,
    id: "rb-000000000001",
    description: "",
    created_at: new Date().toISOString(),
    origin: "manual",
    operation_id: crypto.randomUUID(),
    by: "ada",
    host: "here",
    machine_id: "",
    workspace: world.folder,
    pinned: false,
    mark: "",
    labels: {},
    targets: [saved],
    warnings: [],
  });
  return JSON.parse(JSON.stringify(saved));
}

async function exporting(world: ContractWorld, fixture: TargetFixture): Promise<void> {
  const before = await world.look();
  const saved = await world.capture();
  const folder = `${world.folder}.exported`;
  Deno.mkdirSync(folder);
  await world.driver.exportTo(saved, folder, world.context());
  assert.deepEqual(await world.look(), before);
  assert.notDeepEqual([...Deno.readDirSync(folder)], [], "nothing was exported");
  await fixture.exported?.(world.folder, folder);
}

/** Takes the last change back, killed at each point in turn, and there again by the safety snapshot. */
async function sweep(world: ContractWorld, fixture: TargetFixture): Promise<void> {
  const before = await world.look();
  const saved = await world.capture();
  await Object.values(fixture.changes).at(-1)!(world.folder);
  const changed = await world.look();
  const safety = await world.capture(saved);
  const run: Sweep = { world, env: fixture.env?.(world.folder) ?? {}, saved, safety };
  const all = await killPoints(run);
  assert.deepEqual(await world.look(), before, "a restore in a child does not do what it does here");
  await sweepKills(run, all, fixture.killPoints ?? 8, async (point) => {
    await world.driver.restore(world.target, saved, world.context());
    assert.deepEqual(await world.look(), before, `killed at ${point}, and restored`);
    assert.equal(await world.driver.fingerprint(world.target, world.context()), saved.fingerprint);
  }, async (point) => {
    await world.driver.restore(world.target, safety, world.context());
    assert.deepEqual(await world.look(), changed, `killed at ${point}, and taken back`);
  });
}

async function assertNothingToDo(world: ContractWorld, saved: SavedTarget): Promise<void> {
  const plan = await world.driver.plan(world.target, saved, world.context());
  assert.deepEqual([plan.changes, plan.problems, plan.uncommitted], [[], [], []]);
}

function assertSomeChange(changes: readonly TargetChange[]): void {
  assert.notDeepEqual(changes, [], "diff sees nothing");
  for (const { path } of changes) assert.equal(typeof path, "string");
}
