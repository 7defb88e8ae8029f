/**
 * Random operations, dry runs, crashes and recoveries on a real repository, against a simple model.
 * `BACKOUT_PROPERTY_RUNS` says how many sequences are tried.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalJson } from "#/core/json.ts";
import { setFaultHook } from "#/core/posix.ts";
import * as backout from "#/mod.ts";
import type { OperationReport } from "#/report/model.ts";
import { writeTarsRepository } from "../support/tars.ts";
import { withTempDir } from "../support/temp.ts";
import {
  type Answer,
  contentOf,
  filesOf,
  firstModel,
  type Model,
  rollback,
  SHARED,
  VERSIONS,
} from "./release_model.ts";
import {
  changeBackup,
  mark,
  publish,
  restore,
  restoreAt,
  rollbackChannel,
  setChannel,
} from "./release_model_more.ts";
import { backupFolder, checkInvariants, comparable, observe, readIndex, timeOf } from "./release_world.ts";

const RUNS = Number(Deno.env.get("BACKOUT_PROPERTY_RUNS") ?? "60");

const version = fc.constantFrom(...VERSIONS);
const channel = fc.constantFrom("stable", "beta");
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 3 });
const mode = fc.constantFrom("strict", "strict", "lenient", "force");
/** Picks one of the backups there are, or of those that are gone. */
const pick = fc.nat(5);

const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("publish"),
      version,
      otherBytes: fc.boolean(),
      channel: optional(channel),
      dependsOn: optional(version),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      op: fc.constant("rollback"),
      version,
      to: fc.nat(4).map((n) => n === 0),
      type: fc.constantFrom("full", "full", "artifacts_only", "index_only"),
      artifact: fc.option(fc.constantFrom("app.txt", "docs/*", "**", "nothing*"), {
        nil: undefined,
        freq: 4,
      }),
      noBackup: fc.nat(5).map((n) => n === 0),
      size: fc.boolean(),
      mode,
      channelTo: fc.option(version, { nil: undefined, freq: 5 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("restore"),
      version,
      backup: fc.option(pick, { nil: undefined, freq: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("restore_at"), step: fc.nat(20), exact: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("mark"),
      version,
      what: fc.constantFrom("yank", "unyank", "good", "bad"),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("channel_set"), channel, version, mode }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("channel_rollback"), channel }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("backup"),
      backup: pick,
      what: fc.constantFrom("delete", "delete", "pin", "unpin"),
    }),
  },
) as fc.Arbitrary<Op>;

type Op =
  | { op: "publish"; version: string; otherBytes: boolean; channel?: string; dependsOn?: string }
  | {
    op: "rollback";
    version: string;
    to: boolean;
    type: "full" | "artifacts_only" | "index_only";
    artifact?: string;
    noBackup: boolean;
    size: boolean;
    mode: Mode;
    channelTo?: string;
  }
  | { op: "restore"; version: string; backup?: number }
  | { op: "restore_at"; step: number; exact: boolean }
  | { op: "mark"; version: string; what: "yank" | "unyank" | "good" | "bad" }
  | { op: "channel_set"; channel: string; version: string; mode: Mode }
  | { op: "channel_rollback"; channel: string }
  | { op: "backup"; backup: number; what: "delete" | "pin" | "unpin" };
type Mode = "strict" | "lenient" | "force";

const step = fc.record({
  operation,
  /** A dry run alone, a dry run and then the run, or the run. */
  dry: fc.constantFrom("only", "first", "no", "no"),
  /** The process "dies" before its n-th changing call, and so does the recovery after it. */
  crash: fc.option(fc.tuple(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 30 })), {
    nil: undefined,
    freq: 2,
  }),
  /** The dead holder is noticed, or a person removes the lock. */
  noticed: fc.boolean(),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface World {
  readonly folder: string;
  readonly root: string;
  readonly states: Model[];
  readonly deleted: Set<string>;
  tick: number;
  serial: number;
}

Deno.test("any sequence of operations, crashes and recoveries ends as the model says", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
      await withTempDir(async (folder) => {
        const world = makeWorld(folder);
        for (const step of steps) await runStep(world, step);
        await checkInvariants(world.root, true);
      });
    }),
    { numRuns: RUNS, endOnFailure: Deno.env.get("BACKOUT_PROPERTY_SHRINK") !== "1" },
  );
});

function makeWorld(folder: string): World {
  const root = `${folder}/releases`;
  const files = (version: string) =>
    Object.fromEntries(filesOf(version).map((path) => [path.slice(version.length + 1), contentOf(path)]));
  writeTarsRepository(root, {
    releases: ["t1", "t2", "t3"].map((version, i) => ({
      version,
      timestamp: `2026-01-0${i + 1}T10:00:00.123456+00:00`,
      files: files(version),
      elsewhere: version === "t1" ? {} : { [SHARED]: contentOf(SHARED) },
    })),
  });
  for (const name of VERSIONS) {
    for (const [path, content] of Object.entries(files(name))) {
      for (const kind of ["same", "other"]) {
        const file = `${folder}/${kind}/${name}/${path}`;
        Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
        Deno.writeTextFileSync(file, kind === "same" ? content : `other ${content}`);
      }
    }
  }
  return { folder, root, states: [firstModel()], deleted: new Set(), tick: 0, serial: 0 };
}

async function runStep(world: World, { operation, dry, crash, noticed }: Step): Promise<void> {
  const before = world.states.at(-1)!;
  world.tick++;
  const { answer, run } = bind(world, before, operation);
  if (dry !== "no") {
    const report = await run(true);
    assert.equal(report.exit_code, answer.dryCode ?? answer.code, `dry run: ${report.summary}`);
    assertSame(world, before, "a dry run changed something");
    if (dry === "only") return void world.states.push(before);
    world.tick++;
    return await runReal(world, operation, crash, noticed, report);
  }
  await runReal(world, operation, crash, noticed, undefined);
}

async function runReal(
  world: World,
  operation: Op,
  crash: Step["crash"],
  noticed: boolean,
  planned: OperationReport | undefined,
): Promise<void> {
  const before = world.states.at(-1)!;
  if (planned !== undefined) world.states.push(before); // a tick each
  const { answer, run } = bind(world, before, operation);
  const died = crash === undefined ? undefined : await dying(crash[0], () => run(false));
  const report = crash === undefined ? await run(false) : died!.report;
  if (died?.crashed === true) await recover(world, crash![1], noticed);
  else {
    assert.equal(report?.exit_code, answer.code, `${report?.summary} ${report?.error?.hint ?? ""}`);
    assertReport(report!, before, answer);
    if (planned !== undefined) assertAsPlanned(planned, report!);
  }
  const after = comparable(observe(world.root));
  const happened = canonicalJson(after) === canonicalJson(comparable(answer.next));
  if (died?.crashed === true && !happened) {
    assert.deepEqual(after, comparable(before), "neither before nor after");
  } else assert.deepEqual(after, comparable(answer.next));
  world.states.push(happened ? answer.next : before);
  const { serial = 0 } = readIndex(world.root);
  assert.ok(serial >= world.serial, `the serial fell from ${world.serial} to ${serial}`);
  world.serial = serial;
  await checkInvariants(world.root, false);
}

function assertReport(report: OperationReport, before: Model, { code, next }: Answer): void {
  const gone = before.tree.filter((path) => !next.tree.includes(path));
  const come = next.tree.filter((path) => !before.tree.includes(path));
  assert.equal(report.status, code === 0 ? "success" : "failed");
  assert.deepEqual([...report.artifacts_removed].sort(), gone);
  assert.deepEqual([...report.artifacts_restored, ...report.artifacts_published].sort(), come);
  assert.deepEqual(report.verification.filter((check) => !check.passed), []);
  assert.equal(report.audit_log_created, true);
}

/** A plan is what happens. */
function assertAsPlanned(planned: OperationReport, report: OperationReport): void {
  if (planned.exit_code !== 0) return;
  const symbolic = (text: string) => text.replaceAll(/-\d{8}_\d{6}-[0-9a-f]{8}/g, "");
  assert.deepEqual(
    report.steps.map((step) => symbolic(step.description)),
    planned.steps.map((step) => symbolic(step.description)),
  );
}

function assertSame(world: World, model: Model, message: string): void {
  assert.deepEqual(comparable(observe(world.root)), comparable(model), message);
}

/** Runs it as if the process died before its n-th changing call: everything after that fails too. */
async function dying<T>(
  n: number,
  run: () => Promise<T>,
): Promise<{ crashed: boolean; report: T | undefined }> {
  let calls = 0;
  setFaultHook((call, path) => {
    if (++calls >= n) throw Object.assign(new Error(`EIO: dead before ${call} ${path}`), { code: "EIO" });
  });
  try {
    return { report: await run(), crashed: calls >= n };
  } catch (error) {
    if (calls < n) throw error;
    return { report: undefined, crashed: true };
  } finally {
    setFaultHook(undefined);
  }
}

async function recover(world: World, n: number, noticed: boolean): Promise<void> {
  const { root } = world;
  const go = async () => {
    await freeLock(root, noticed);
    return await backout.recoverRepository({ repository: root, now: () => timeOf(world.tick) });
  };
  await dying(n, go);
  await go();
}

/** This process holds the dead one's lock: it is made to look like another one's, or removed. */
async function freeLock(root: string, noticed: boolean): Promise<void> {
  const file = `${root}/.backout/lock`;
  try {
    disownTemporaries(`${root}/.backout/tmp`);
    if (noticed) {
      const holder = JSON.parse(Deno.readTextFileSync(file));
      Deno.writeTextFileSync(file, JSON.stringify({ ...holder, process_start: "1" }));
    } else await backout.unlockRepository({ repository: root, force: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Those of a living process are not swept away. */
function disownTemporaries(folder: string): void {
  for (const { name } of Deno.readDirSync(folder)) {
    Deno.renameSync(`${folder}/${name}`, `${folder}/${name.replace(/^[0-9a-f]{8}/, "00000000")}`);
  }
}

interface Bound {
  readonly answer: Answer;
  readonly run: (dryRun: boolean) => Promise<OperationReport>;
}

/** One operation as the model and as the library see it. */
function bind(world: World, model: Model, op: Op): Bound {
  const { tick, root, folder } = world;
  const base = { repository: root, now: () => timeOf(tick), reason: "a test" };
  const keys = Object.keys(model.backups).sort();
  const keyAt = (n: number) => keys[n % (keys.length + 1)] ?? `${VERSIONS[n % 5]}@9999`;
  const forced = (mode: Mode) =>
    mode === "force" ? { force: true } : mode === "lenient" ? { policyMode: "lenient" as const } : {};
  switch (op.op) {
    case "publish": {
      const otherBytes = op.otherBytes &&
        (model.stones[op.version] ?? model.releases.find((it) => it.version === op.version)) !== undefined;
      const directory = `${folder}/${otherBytes ? "other" : "same"}/${op.version}`;
      const more = {
        ...(op.channel === undefined ? {} : { channels: [op.channel] }),
        ...(op.dependsOn === undefined ? {} : { dependsOn: [op.dependsOn] }),
      };
      return {
        answer: publish(model, { ...op, otherBytes }, tick),
        run: (dryRun) => backout.publishRelease({ ...base, ...more, dryRun, version: op.version, directory }),
      };
    }
    case "rollback":
      return bindRollback(model, op, tick, { ...base, ...forced(op.mode) });
    case "restore": {
      const key = op.backup === undefined ? undefined : keyAt(op.backup);
      const target = key === undefined ? op.version : backupFolder(root, key);
      return {
        answer: restore(model, key ?? op.version),
        run: (dryRun) => backout.restoreRelease({ ...base, dryRun, target }),
      };
    }
    case "restore_at": {
      const at = op.step % world.states.length;
      return {
        answer: restoreAt(model, world.states[at]!, op.exact, tick),
        run: (dryRun) =>
          backout.restoreRelease({ ...base, dryRun, at: timeOf(at + 0.5).toISOString(), exact: op.exact }),
      };
    }
    case "mark":
      return {
        answer: mark(model, op.version, op.what, tick),
        run: (dryRun) => runMark(op, { ...base, dryRun }),
      };
    case "channel_set":
      return {
        answer: setChannel(model, op.channel, op.version, op.mode !== "strict", tick),
        run: (dryRun) =>
          backout.setChannel({
            ...base,
            ...forced(op.mode),
            dryRun,
            channel: op.channel,
            version: op.version,
          }),
      };
    case "channel_rollback":
      return {
        answer: rollbackChannel(model, op.channel, tick),
        run: (dryRun) => backout.rollbackChannel({ ...base, dryRun, channel: op.channel }),
      };
    case "backup": {
      const key = keyAt(op.backup);
      const change =
        { delete: backout.deleteBackup, pin: backout.pinBackup, unpin: backout.unpinBackup }[op.what];
      return {
        answer: changeBackup(model, key, op.what),
        run: (dryRun) => change({ ...base, dryRun, backup: backupFolder(root, key) }),
      };
    }
  }
}

type Base = Parameters<typeof backout.yankRelease>[0] extends infer T
  ? Omit<T, "version"> & { repository: string }
  : never;

function bindRollback(model: Model, op: Extract<Op, { op: "rollback" }>, tick: number, base: Base): Bound {
  const artifact = op.type === "index_only" ? undefined : op.artifact;
  const which = op.to ? { to: op.version } : { version: op.version };
  const more = {
    ...which,
    type: op.type,
    noBackup: op.noBackup,
    ...(op.channelTo === undefined ? {} : { channelTo: op.channelTo }),
  };
  return {
    answer: rollback(model, {
      ...more,
      tolerant: op.mode !== "strict",
      ...(artifact === undefined ? {} : { artifact }),
    }, tick),
    run: async (dryRun) => {
      const options = {
        ...base,
        ...more,
        verifyBackup: op.size ? "size" as const : "full" as const,
        ...(artifact === undefined ? {} : { artifacts: [artifact] }),
      };
      if (!dryRun) return await backout.rollbackRelease(options);
      const first = await backout.planRollback(options);
      const again = await backout.planRollback({
        ...options,
        now: () => timeOf(tick + 0.25),
        by: "somebody else",
      });
      assert.deepEqual(again.plan?.steps, first.plan?.steps, "the same view gave another plan");
      return first.report;
    },
  };
}

async function runMark(op: Extract<Op, { op: "mark" }>, base: Base): Promise<OperationReport> {
  const { version, what } = op;
  if (what === "yank") return await backout.yankRelease({ ...base, version });
  if (what === "unyank") return await backout.unyankRelease({ ...base, version });
  return await backout.markRelease({ ...base, version, verdict: what });
}
