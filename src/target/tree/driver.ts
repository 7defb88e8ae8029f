/** What `configuration` and `file_system` have in common: a driver for a tree of files. */
import { resolve } from "node:path";
import type * as z from "zod";
import { RollbackBackupError, RollbackError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { Captured, PlanContext, Restored, TargetContext, TargetDriver, TargetSpec } from "../target.ts";
import { type CapturedTree, captureTree, type TreeOptions } from "./capture.ts";
import { compareTree, type TreeTask } from "./compare.ts";
import { diffToNow, diffTrees } from "./diff.ts";
import { copyPlain } from "./export_copy.ts";
import { fingerprintTree, rememberTree } from "./fingerprint.ts";
import { planOf, problemsOf } from "./plan.ts";
import { restoreTree } from "./restore.ts";
import { type Coverage, rootsOf } from "./roots.ts";
import { ownPaths, type RestoreTask, taskElsewhere, taskInPlace, treeOf } from "./task.ts";
import { readRoot } from "./tree.ts";
import { existing } from "./space.ts";
import { lookAt } from "./look.ts";
import { isWithin } from "./path.ts";

/** Warnings that are told one by one; of more only how many. */
const MAX_WARNINGS = 20;

/** What a kind of tree says of itself. */
export interface TreeKind<Config> {
  readonly type: string;
  readonly summary: string;
  readonly schema: z.ZodType<Config>;
  /** The words for a capture and for a restore. */
  readonly method: string;
  readonly restoreMethod: string;
  readonly coverage: (config: Config, folder: string) => Coverage;
  readonly exclude: (config: Config) => readonly string[];
  readonly oneFileSystem: (config: Config) => boolean;
  readonly backupLocation: (config: Config) => string | undefined;
  /** Of how many files the digests go into the metadata. @default 0 */
  readonly digests?: number;
}

export function treeDriver<Config>(kind: TreeKind<Config>): TargetDriver<Config> {
  /** The plain copy is no part of the target either. */
  const own = (target: TargetSpec<Config>, context: TargetContext & Partial<PlanContext>) => {
    const copyTo = kind.backupLocation(target.config);
    const paths = [...ownPaths(context.folder, context.store), ...context.own ?? []];
    return copyTo === undefined ? paths : [...paths, resolve(context.folder, copyTo)];
  };
  const options = (
    target: TargetSpec<Config>,
    context: TargetContext & Partial<PlanContext>,
  ): TreeOptions => {
    const coverage = kind.coverage(target.config, context.folder);
    return {
      roots: rootsOf(coverage),
      globs: coverage.globs,
      exclude: kind.exclude(target.config),
      oneFileSystem: kind.oneFileSystem(target.config),
      own: own(target, context),
      ...(kind.digests === undefined ? {} : { digests: kind.digests }),
    };
  };
  const inPlace = (target: TargetSpec<Config>, saved: SavedTarget, context: PlanContext) =>
    taskInPlace(
      saved,
      kind.coverage(target.config, context.folder),
      {
        exclude: kind.exclude(target.config),
        oneFileSystem: kind.oneFileSystem(target.config),
        own: own(target, context),
      },
      context,
    );
  return {
    type: kind.type,
    summary: kind.summary,
    schema: kind.schema,
    undo: () => "exact",
    programs: () => [],
    capture: async (target, context) => {
      const given = options(target, context);
      const previous = context.previous?.type === kind.type ? treeOf(context.previous) : undefined;
      const tree = await captureTree(given, previous, context);
      if (tree.files + tree.folders === 0 && previous === undefined) throw notThere(target.name, given);
      const copyTo = kind.backupLocation(target.config);
      if (copyTo !== undefined) await copyPlain(given, resolve(context.folder, copyTo), context);
      rememberTree(given.roots, context.store, tree.root);
      return capturedOf(kind, given, tree, copyTo);
    },
    plan: async (target, saved, context) => {
      const { task, skipped } = await inPlace(target, saved, context);
      refuseOutside(target.name, task);
      return planOf(task, await compareTree(task), skipped);
    },
    restore: async (target, saved, context) => {
      const given = await inPlace(target, saved, context);
      rememberTree(given.task.roots, context.store, treeOf(saved));
      return await restoreTask(kind.restoreMethod, given, context);
    },
    fingerprint: (target, context) => fingerprintTree(options(target, context), context),
    diff: async (target, from, to, context) => {
      if (to === undefined) return diffToNow(await compareTree((await inPlace(target, from, context)).task));
      const [left, right] = [
        await readRoot(context.store, treeOf(from)),
        await readRoot(context.store, treeOf(to)),
      ];
      return await diffTrees(
        left,
        right,
        context.store,
        context.options.paths.map((it) => resolve(context.folder, it)),
      );
    },
    exportTo: async (saved, folder, context) => {
      const place = resolve(context.folder, folder);
      const at = lookAt(place);
      if (at !== undefined && at.type !== "folder") {
        throw new RollbackError(`Cannot export to ${place}: it is a ${at.type}, not a folder`, {
          hint: "Name a folder; it is made when it is not there.",
        });
      }
      return await restoreTask("export", await taskElsewhere(saved, place, context), context);
    },
  };
}

async function restoreTask(method: string, given: RestoreTask, context: PlanContext): Promise<Restored> {
  const { task, skipped } = given;
  const comparison = await compareTree(task);
  const { warnings: planned } = planOf(task, comparison, skipped);
  const problems = problemsOf(task, comparison);
  if (problems.length > 0) throw refused(problems, task.roots);
  const warnings = new Warnings();
  const outcome = await restoreTree(task, comparison, {
    warn: (message) => warnings.add(message),
    onProgress: context.onProgress,
  });
  return {
    method,
    changed: outcome.changed,
    removed: outcome.removed,
    bytes: outcome.bytes,
    details: { paths: task.roots, files_written: outcome.changed, bytes_written: outcome.bytes },
    warnings: [...planned, ...warnings.list()],
  };
}

/** The first of them, and how many more. */
class Warnings {
  readonly #list: string[] = [];
  #more = 0;

  add(message: string): void {
    if (this.#list.length < MAX_WARNINGS) this.#list.push(message);
    else this.#more++;
  }

  list(): readonly string[] {
    return this.#more === 0 ? this.#list : [...this.#list, `and ${this.#more} warnings like these`];
  }
}

function capturedOf<Config>(
  kind: TreeKind<Config>,
  given: TreeOptions,
  tree: CapturedTree,
  copyTo: string | undefined,
): Captured {
  return {
    method: kind.method,
    metadata: {
      paths: given.roots,
      ...(kind.digests === undefined ? {} : { files: tree.digests }),
      file_count: tree.files,
      folder_count: tree.folders,
      files_read: tree.read,
      ...(tree.missing.length === 0 ? {} : { missing: tree.missing }),
      ...(copyTo === undefined ? {} : { backup_location: copyTo }),
    },
    state: { format: 1, tree: { ...tree.root } },
    roots: [{ kind: "tree", content: tree.root }],
    fingerprint: tree.fingerprint,
    files: tree.files,
    bytes: tree.bytes,
    warnings: tree.warnings,
  };
}

function notThere(name: string, given: TreeOptions): RollbackVersionNotFoundError {
  const paths = [...given.roots, ...given.globs].slice(0, 5).join(", ");
  const near = given.roots[0] === undefined ? undefined : existing(given.roots[0]);
  return new RollbackVersionNotFoundError(
    `Cannot capture ${JSON.stringify(name)}: nothing is there (${paths})`,
    {
      hint: near === undefined
        ? "Check the globs of the target."
        : `Check the paths of the target; what exists of them is ${near}.`,
      context: { paths: given.roots },
    },
  );
}

/** A mistyped path is not a restore in which there was nothing to do. */
function refuseOutside(name: string, { only, roots }: TreeTask): void {
  const holds = (path: string) => roots.some((it) => isWithin(path, it) || isWithin(it, path));
  if (only.length === 0 || only.some(holds)) return;
  throw new RollbackVersionNotFoundError(
    `${JSON.stringify(name)} does not hold ${only.map((it) => JSON.stringify(it)).join(", ")}`,
    { hint: `It holds what is below ${roots.slice(0, 5).join(", ")}.`, context: { paths: only } },
  );
}

function refused(problems: readonly string[], roots: readonly string[]): RollbackError {
  const place = roots[0] ?? "the target";
  const text = `Cannot restore below ${place}: ${problems.join("; ")}`;
  const noSpace = problems.some((it) => it.startsWith("not enough space"));
  if (!noSpace) {
    return new RollbackError(text, { hint: "Nothing was changed. Clear what is named, then restore again." });
  }
  return new RollbackBackupError(text, {
    hint: "Nothing was changed. Free some space there, then restore again.",
    context: { problems: [...problems] },
  });
}
