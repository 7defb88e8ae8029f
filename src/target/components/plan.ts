/** What bringing components to a state would do, and what stands against it. */
import { join } from "node:path";
import { RollbackError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { mapLimited } from "#/storage/limit.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { ComponentsConfig } from "../components.ts";
import { Git, paths, unrest } from "../git/git.ts";
import type { PlanContext, TargetPlan, TargetSpec } from "../target.ts";
import { differences, lookAtAll } from "./capture.ts";
import { openCheckout } from "./checkout.ts";
import { GIT_AT_ONCE, gitBatch } from "./git_batch.ts";
import { type CheckoutState, stateOf } from "./model.ts";

const MOST_NAMED = 5;

interface Obstacles {
  readonly problems: readonly string[];
  readonly uncommitted: readonly string[];
}

/** Reads only. What is uncommitted is never given up: no snapshot of this kind keeps it. */
export async function plan(
  target: TargetSpec<ComponentsConfig>,
  saved: SavedTarget,
  context: PlanContext,
): Promise<TargetPlan> {
  const wanted = stateOf(saved);
  const now = await lookAtAll(target, context);
  const changes = differences(now, wanted);
  const moved = new Set(changes.map(({ path }) => path));
  const before = new Map(now.checkouts.map((one) => [one.name, one]));
  const asked = wanted.checkouts.filter(({ name }) => moved.has(name));
  const root = target.config.path;
  const statuses = await statusOfAll(asked.map(({ name }) => name), root, context);
  const found = await mapLimited(
    asked,
    GIT_AT_ONCE,
    (one) => obstaclesOf(before.get(one.name), one, root, statuses, context),
    context.signal,
  );
  const uncommitted = found.flatMap((it) => it.uncommitted);
  const lost = context.options.discardChanges
    ? uncommitted.map((what) =>
      `${what}, and a snapshot of components keeps no uncommitted work: commit or stash it`
    )
    : [];
  const count = asked.length;
  return {
    changes,
    summary: changes.length === 0
      ? "nothing to do"
      : `check out ${count} ${count === 1 ? "component" : "components"}` +
        (changes.length > count ? `, write ${changes.length - count} of the documents` : ""),
    problems: [...found.flatMap((it) => it.problems), ...lost],
    uncommitted,
    warnings: [],
  };
}

async function obstaclesOf(
  now: CheckoutState | undefined,
  wanted: CheckoutState,
  root: string,
  statuses: ReadonlyMap<string, readonly string[]>,
  context: PlanContext,
): Promise<Obstacles> {
  const { name } = wanted;
  const checkout = openCheckout(root, name);
  if (checkout === undefined) {
    const isThere = wanted.commit === null || wanted.clone !== undefined;
    return { problems: isThere ? [] : [`${name} is not checked out any more`], uncommitted: [] };
  }
  // Where only other branches are moved, what is in the work tree is in nobody's way.
  if (now !== undefined && now.commit === wanted.commit && now.branch === wanted.branch) {
    return { problems: [], uncommitted: [] };
  }
  const rest = unrest(checkout);
  if (rest !== undefined) return { problems: [], uncommitted: [`${name}: ${rest.message} (${rest.hint})`] };
  const git = new Git(checkout.folder, context);
  const entries = statuses.get(name) ?? [];
  const changed = entries.filter((it) => !it.startsWith("?? "));
  const untracked = entries.filter((it) => it.startsWith("?? ")).map((it) => it.slice(3));
  const uncommitted = changed.map((it) => `${name}: ${it.slice(3)}`);
  if (wanted.commit === null) return { problems: [], uncommitted };
  if (wanted.known !== true && !await hasCommit(git, wanted.commit)) {
    return { problems: [`${name} does not have the commit ${wanted.commit} any more`], uncommitted };
  }
  const inTheWay = await pathsInTheWay(git, now?.commit ?? null, wanted.commit, untracked, checkout.folder);
  const more = inTheWay.length > MOST_NAMED ? ` and ${inTheWay.length - MOST_NAMED} more` : "";
  const problems = inTheWay.length === 0 ? [] : [
    `${name}: ${
      inTheWay.slice(0, MOST_NAMED).join(", ")
    }${more} would be overwritten, and git does not have it`,
  ];
  return { problems, uncommitted };
}

async function hasCommit(git: Git, commit: string): Promise<boolean> {
  return await git.maybe(["rev-parse", "-q", "--verify", `${commit}^{commit}`]) !== undefined;
}

const STATUS =
  '  git -C "$1" status --porcelain=v1 -z --no-renames --untracked-files=normal --ignore-submodules=all';

/** What git says of each: `XY path`. @throws {RollbackError} git cannot look at one of them */
async function statusOfAll(
  names: readonly string[],
  root: string,
  context: PlanContext,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const there = names.filter((name) => openCheckout(root, name) !== undefined);
  if (there.length === 0) return new Map();
  const cwd = join(root, "components");
  const jobs = there.map((name) => [name]);
  const results = await gitBatch({
    script: STATUS,
    jobs,
    cwd,
    doing: "look at the checkouts",
    context,
    ahead: 8,
  });
  return new Map(there.map((name, i) => {
    const { code, output } = results[i]!;
    if (code === 0) return [name, paths(output, cwd)];
    throw new RollbackError(`Cannot look at ${join(cwd, name)}: ${output.toString().trim().split("\n")[0]}`, {
      hint: "Look at it with `git status`.",
    });
  }));
}

/** Untracked files that the commit would put its own over; ignored ones are found by git itself, when it gets there. */
async function pathsInTheWay(
  git: Git,
  from: string | null,
  to: string,
  untracked: readonly string[],
  folder: string,
): Promise<readonly string[]> {
  if (untracked.length === 0 || from === null) return [];
  const args = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--diff-filter=A", from, to];
  const added = await git.list(args);
  return added.filter((path) =>
    untracked.some((it) => path === it || (it.endsWith("/") && path.startsWith(it))) &&
    posix.lstat(join(folder, path)) !== undefined
  );
}
