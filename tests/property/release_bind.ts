/** One operation as the model and as the library see it. */
import assert from "node:assert/strict";
import * as backout from "#/mod.ts";
import type { OperationReport } from "#/report/model.ts";
import { type Answer, type Model, rollback, VERSIONS } from "./release_model.ts";
import {
  changeBackup,
  mark,
  publish,
  restore,
  restoreAt,
  rollbackChannel,
  setChannel,
} from "./release_model_more.ts";
import type { Mode, Op } from "./release_ops.ts";
import { backupFolder, timeOf } from "./release_world.ts";

export interface BoundTo {
  /** `same/<version>` and `other/<version>` hold what can be published. */
  readonly folder: string;
  readonly root: string;
  /** The state after each tick. */
  readonly states: readonly Model[];
  readonly tick: number;
}

export interface Bound {
  readonly answer: Answer;
  readonly run: (dryRun: boolean) => Promise<OperationReport>;
}

export function bind(world: BoundTo, model: Model, op: Op): Bound {
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
      const { dependsOn: wanted, ...rest } = op;
      // A release that depends on itself is wrong usage, which is not an outcome of the model.
      const needs = wanted === undefined || wanted === op.version ? {} : { dependsOn: wanted };
      const more = {
        ...(op.channel === undefined ? {} : { channels: [op.channel] }),
        ...(needs.dependsOn === undefined ? {} : { dependsOn: [needs.dependsOn] }),
      };
      return {
        answer: publish(model, { ...rest, ...needs, otherBytes }, tick),
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
      const at = op.step;
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
