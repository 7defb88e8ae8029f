/** A person edits index.json while an operation runs: between any two changing calls, and in a crash and its recovery. */
import assert from "node:assert/strict";
import fc from "fast-check";
import "../support/property_seed.ts";
import { canonicalJson } from "#/core/json.ts";
import { type MutatingCall, setFaultHook } from "#/core/posix.ts";
import { recoverRepository } from "#/mod.ts";
import type { OperationReport } from "#/report/model.ts";
import { ConflictError } from "#/storage/object_store.ts";
import { withTempDir } from "../support/temp.ts";
import { bind } from "./release_bind.ts";
import { freeLock, makeWorld, recover, type World } from "./release_crash.ts";
import type { Model } from "./release_model.ts";
import { aimed, type Op, operation } from "./release_ops.ts";
import { comparable, observe, readIndex, timeOf } from "./release_world.ts";

const RUNS = Number(Deno.env.get("BACKOUT_PROPERTY_RUNS") ?? "150");

/** Operations that change something, mostly, and what is done before them. */
const scenario = fc.record({
  before: fc.array(operation, { maxLength: 4 }),
  operation,
  edit: fc.integer({ min: 1, max: 60 }),
  death: fc.option(fc.nat(40), { nil: undefined }),
  recoveryEdit: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
  noticed: fc.boolean(),
});

Deno.test("an edit by hand during an operation or its recovery is never lost", async () => {
  let committed = 0;
  await fc.assert(
    fc.asyncProperty(scenario, async (given) => {
      await withTempDir(async (folder) => {
        const world = makeWorld(folder);
        for (const op of given.before) await runPlain(world, op);
        committed += await runEdited(world, given) ? 1 : 0;
      });
    }),
    { numRuns: RUNS },
  );
  assert.ok(committed > 0, "no operation came through");
});

async function runPlain(world: World, op: Op): Promise<void> {
  world.tick++;
  const { answer, run } = bind(world, world.states.at(-1)!, aimed(op, world.states));
  assert.equal((await run(false)).exit_code, answer.code);
  world.states.push(answer.next);
}

/** @returns true when the operation happened although somebody wrote between */
async function runEdited(
  world: World,
  given: typeof scenario extends fc.Arbitrary<infer T> ? T : never,
): Promise<boolean> {
  const before = world.states.at(-1)!;
  world.tick++;
  const { answer, run } = bind(world, before, aimed(given.operation, world.states));
  const editor = new Editor(world.root);
  const dies = given.death === undefined ? undefined : given.edit + given.death;
  let dead = false;
  let calls = 0;
  setFaultHook((call, path) => {
    calls++;
    if (dead || calls === dies) {
      dead = true;
      throw Object.assign(new Error(`EIO: dead before ${call} ${path}`), { code: "EIO" });
    }
    if (calls >= given.edit) editor.edit("during", call, path);
  });
  let report: OperationReport | undefined;
  try {
    report = await run(false);
  } catch (error) {
    if (!dead) throw error;
  } finally {
    setFaultHook(undefined);
  }
  if (dead) {
    if (given.recoveryEdit !== undefined) {
      await recoverEdited(world, editor, given.recoveryEdit, given.noticed);
    }
    await recover(world, Infinity, given.noticed);
  }
  const after = assertKept(world.root, editor.made);
  const happened = isSame(after, answer.next);
  const unchanged = isSame(after, before);
  assert.ok(happened || unchanged, "neither before nor after");
  if (report !== undefined && !dead) {
    assert.equal(
      report.exit_code === 0,
      happened && answer.code === 0,
      `${report.exit_code}: ${report.summary}`,
    );
  }
  return happened && !unchanged && editor.made.includes("during");
}

/** The recovery may refuse an index that changes under its hands; then it is begun again. */
async function recoverEdited(world: World, editor: Editor, edit: number, noticed: boolean): Promise<void> {
  await freeLock(world.root, noticed);
  let calls = 0;
  setFaultHook((call, path) => {
    if (++calls >= edit) editor.edit("recovery", call, path);
  });
  try {
    await recoverRepository({ repository: world.root, now: () => timeOf(world.tick) });
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
  } finally {
    setFaultHook(undefined);
  }
}

function isSame(model: Model, other: Model): boolean {
  return canonicalJson(comparable(model)) === canonicalJson(comparable(other));
}

class Editor {
  readonly made: string[] = [];

  constructor(private readonly root: string) {}

  /**
   * Adds a release and a field, as an editor would: reads the file, changes it, writes it.
   * Not just before the rename that commits: a filesystem cannot exclude that, and the docs say so.
   */
  edit(name: string, call: MutatingCall, path: string): void {
    const commits = call === "rename" && /index\.\w+\.json$/.test(path);
    if (commits || this.made.includes(name)) return;
    const index = readIndex(this.root);
    const releases = [...index.releases, {
      version: `by-hand-${this.made.length}`,
      artifacts: [],
      note: name,
    }];
    const edited = { ...index, releases, total_releases: releases.length, [`field ${name}`]: { kept: true } };
    const text = JSON.stringify(edited, undefined, 4).replace(/"schema": 1\b/, '"schema": 1.0');
    Deno.writeTextFileSync(`${this.root}/index.json`, text);
    this.made.push(name);
  }
}

/** @returns what is there beside the edits */
function assertKept(root: string, made: readonly string[]): Model {
  const index = readIndex(root);
  const byHand = index.releases.filter((entry) => entry.version.startsWith("by-hand-"));
  assert.deepEqual(
    byHand.map((entry) => entry.note).sort(),
    [...made].sort(),
    "an entry made by hand was lost",
  );
  for (const name of made) {
    assert.deepEqual(index[`field ${name}`], { kept: true }, "a field made by hand was lost");
  }
  const model = observe(root);
  return { ...model, releases: model.releases.filter((entry) => !entry.version.startsWith("by-hand-")) };
}
