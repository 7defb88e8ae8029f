/** `changeset rollback`: takes back a change that went through several repositories; in all of them, or in none. */
import {
  RollbackAlreadyRolledBackError,
  RollbackDryRunError,
  RollbackError,
  UsageError,
} from "#/core/errors.ts";
import { type Changeset, readChangeset, ROLLED_BACK, rolledBack } from "#/component/changeset.ts";
import type { OperationReport } from "#/report/model.ts";
import { count } from "#/report/units.ts";
import { type Change, runChange } from "#/snapshot/change.ts";
import { mapLimited } from "#/storage/limit.ts";
import type { CheckoutState } from "#/target/components/model.ts";
import { branchesOfChangeset } from "./changeset_branches.ts";
import { type NewTip, newTip } from "./changeset_tips.ts";
import { gitContext } from "./look.ts";
import type { EndOptions, MetaOptions } from "./options.ts";
import { carryOutWorkedOut, TARGET_NAME } from "./worked_out.ts";

const AT_ONCE = 2;

export interface ChangesetRollbackOptions extends MetaOptions, EndOptions {
  /** An id, or a unique beginning of one. */
  readonly changeset: string;
  /** The branches go back to before it, instead of getting commits that revert it. */
  readonly hard?: boolean;
  /** Pushes the branches afterwards. */
  readonly push?: boolean;
}

/** @throws {UsageError} */
export function rollbackChangeset(options: ChangesetRollbackOptions): Promise<OperationReport> {
  if (options.push === true && options.offline === true) {
    throw new UsageError("--push needs the network, and --offline forbids it", {
      hint: "Leave one of them out.",
    });
  }
  const version = options.changeset;
  const definition = {
    operation: "changeset_rollback",
    title: `roll back the changeset ${version}`,
    version,
  } as const;
  return runChange(options, definition, (change) => rollback(change, options));
}

async function rollback(change: Change, options: ChangesetRollbackOptions): Promise<void> {
  const changeset = readChangeset(options.folder, options.changeset);
  const { id } = changeset;
  change.report = { ...change.report, version: id, version_exists: true };
  if (changeset.status === ROLLED_BACK) {
    throw new RollbackAlreadyRolledBackError(`The changeset ${id} is rolled back already`, {
      hint: "To take that back, see `backout history` for its undo command.",
      context: { changeset: id },
    });
  }
  const context = gitContext(options);
  const branches = await branchesOfChangeset(changeset, options.folder, context);
  change.report = { ...change.report, versions: branches.map(({ name, branch }) => `${name}@${branch}`) };
  const work = {
    hard: options.hard ?? false,
    dryRun: change.dryRun,
    scratch: () => change.scratch.folder(TARGET_NAME),
    context,
    by: { name: change.report.by, email: `${change.report.by}@${change.report.host}` },
    note: `It was a part of the changeset ${id}.`,
  };
  const tips = await mapLimited(branches, AT_ONCE, (one) => newTip(one, work), context.signal);
  refuseConflicts(change, changeset, tips);
  for (const { branch, nothing } of tips) {
    for (const commit of nothing) {
      change.warn(`${branch.name}: ${branch.branch} has nothing of ${commit.slice(0, 12)} any more`);
    }
  }
  const repositories = count(new Set(branches.map(({ name }) => name)).size, "repository", "repositories");
  const how = options.hard === true ? "by resetting" : "by reverting";
  const text = rolledBack(changeset);
  await carryOutWorkedOut(change, options, {
    checkouts: statesOf(tips),
    documents: [{ path: changeset.path, text }],
    ...(options.push === true ? { pushes: pushesOf(tips) } : {}),
    wording: {
      title: `roll back the changeset ${id}`,
      noun: `rollback of the changeset ${id}`,
      done: `Rolled back the changeset ${id} in ${repositories}, ${how}`,
      intended: `Would roll back the changeset ${id} in ${repositories}, ${how}`,
    },
  });
}

function refuseConflicts(change: Change, { id }: Changeset, tips: readonly NewTip[]): void {
  const found = tips.flatMap(({ branch, conflict }) =>
    conflict === undefined ? [] : [
      `${branch.name}: reverting ${conflict.commit.slice(0, 12)} conflicts in ${
        conflict.paths.slice(0, 5).join(", ")
      }`,
    ]
  );
  if (found.length === 0) return;
  const said = {
    hint: "Later commits changed the same lines. Revert these by hand, or roll back what came later first.",
    context: { changeset: id, conflicts: found },
  };
  const message = `Cannot roll back the changeset ${id}: ${found.join("; ")}`;
  throw change.dryRun ? new RollbackDryRunError(message, said) : new RollbackError(message, said);
}

/** One state for each checkout, all its branches together. */
function statesOf(tips: readonly NewTip[]): readonly CheckoutState[] {
  const states = new Map<string, CheckoutState>();
  for (const { branch, commit } of tips) {
    const { name, ref, head } = branch;
    const state = states.get(name) ??
      { name, branch: head.branch, commit: head.commit, refs: {}, known: true };
    const moves = head.branch === ref;
    states.set(name, { ...state, ...(moves ? { commit } : {}), refs: { ...state.refs, [ref]: commit } });
  }
  return [...states.values()];
}

function pushesOf(tips: readonly NewTip[]) {
  return tips.filter(({ branch, commit }) => commit !== branch.tip)
    .map(({ branch, commit }) => ({ component: branch.name, ref: branch.ref, commit, expect: branch.tip }));
}
