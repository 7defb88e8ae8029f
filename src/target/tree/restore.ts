/**
 * Makes what is there what was saved. It may be killed at any point and run again: it looks, and goes on from what it
 * finds. Files are written under temporary names, made durable many at a time, and renamed into place one by one.
 */
import { RollbackBackupError, RollbackError } from "#/core/errors.ts";
import { Pacer } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import * as changes from "#/core/posix_native.ts";
import { systemError } from "#/core/system_error.ts";
import type { Comparison, TreeAction, TreeTask } from "./compare.ts";
import { Guard } from "./guard.ts";
import { temporaryIn } from "./leftover.ts";
import { lookAt } from "./look.ts";
import { isWithin, parentOf } from "./path.ts";
import { discard, dress, placeFolder, placeLink, placeSpecial, type Placing, remove } from "./place.ts";
import { filesToWrite, planSpace } from "./space.ts";
import { syncWritten } from "./sync_written.ts";
import { writeFiles } from "./write_files.ts";

export interface RestoreOutcome {
  readonly changed: number;
  readonly removed: number;
  /** Bytes written. */
  readonly bytes: number;
}

export interface RestoreHooks {
  readonly warn: (message: string) => void;
  readonly onProgress: (done: number, total: number, unit: "bytes" | "files") => void;
}

/** @throws {RollbackBackupError} 45: no space, or the store lacks something */
export async function restoreTree(
  task: TreeTask,
  comparison: Comparison,
  hooks: RestoreHooks,
): Promise<RestoreOutcome> {
  const run = new RestoreRun(task, comparison, hooks);
  try {
    return await run.go();
  } catch (error) {
    throw explain(error, comparison.actions, task);
  }
}

class RestoreRun implements Placing {
  readonly guard: Guard;
  readonly warn: (message: string) => void;
  readonly #task: TreeTask;
  readonly #comparison: Comparison;
  readonly #hooks: RestoreHooks;
  readonly #touched = new Set<string>();
  readonly #pacer: Pacer;
  readonly #user = Deno.uid();
  #removed = 0;

  constructor(task: TreeTask, comparison: Comparison, hooks: RestoreHooks) {
    this.#task = task;
    this.#comparison = comparison;
    this.#hooks = hooks;
    this.guard = new Guard(task.guarded);
    this.warn = hooks.warn;
    this.#pacer = new Pacer(task.signal);
  }

  touched(folder: string): void {
    this.#touched.add(folder);
  }

  temporaryFor(path: string): string {
    return this.#task.roots.includes(path) ? this.#task.temporaryForRoot(path) : temporaryIn(parentOf(path));
  }

  async go(): Promise<RestoreOutcome> {
    const { actions, notes } = this.#comparison;
    const { narrow } = planSpace(actions, this.#task.roots);
    for (const path of notes.leftovers) this.#change(path, () => this.#removeLeftover(path));
    const first = (it: TreeAction) => narrow || isBlocking(it, actions);
    await this.#removeAll(actions.filter(first));
    for (const { path, kind } of actions) {
      if (kind === "create" && this.#task.roots.includes(path)) this.guard.makeFolders(parentOf(path));
    }
    await this.#each(actions, isFolderToMake, (it) => placeFolder(it.saved!, this));
    const { bytes, unsynced } = await writeFiles({
      task: this.#task,
      actions,
      narrow,
      placing: this,
      open: (path) => this.#change(path, () => {}),
      onProgress: (written) => this.#hooks.onProgress(written, written, "bytes"),
    });
    await this.#each(actions, isSpecial, (it) => placeSpecial(it.saved!, this));
    await this.#each(actions, isLink, (it) => placeLink(it.saved!, this));
    await this.#removeAll(actions.filter((it) => !first(it)));
    await this.#each(actions, isDressing, (it) => dress(this.guard.check(it.path), it.saved!, this));
    await this.#dressFolders();
    await syncWritten(unsynced, [...this.#touched], this.#task.signal);
    return { changed: this.#count(actions), removed: this.#removed, bytes };
  }

  #count(actions: readonly TreeAction[]): number {
    return actions.filter((it) => it.kind !== "remove" && it.kind !== "times").length;
  }

  async #each(
    actions: readonly TreeAction[],
    which: (action: TreeAction) => boolean,
    work: (action: TreeAction) => void,
  ): Promise<void> {
    for (const action of actions) {
      if (!which(action)) continue;
      if (this.#pacer.due()) await this.#pacer.rest();
      this.#change(action.path, () => work(action));
    }
  }

  /** Runs a change below a folder that this user can write in. */
  #change(path: string, work: () => void): void {
    const folder = parentOf(path);
    if (this.#user !== 0 && this.#task.guarded.some((it) => isWithin(folder, it))) {
      const now = lookAt(folder);
      if (now?.type === "folder" && now.uid === this.#user && (now.mode & 0o300) !== 0o300) {
        changes.changeMode(this.guard.check(folder), now.mode | 0o700);
        this.touched(folder);
      }
    }
    work();
  }

  #removeLeftover(path: string): void {
    if (!this.#task.rootLeftovers.includes(path)) this.guard.check(path);
    if (lookAt(path)?.type === "folder") return; // never one of ours
    discard(path);
    this.touched(parentOf(path));
  }

  /** Deepest first. What is gone already is not counted again. */
  async #removeAll(actions: readonly TreeAction[]): Promise<void> {
    for (const { kind, path } of actions.toReversed()) {
      if (kind !== "remove") continue;
      if (this.#pacer.due()) await this.#pacer.rest();
      this.#change(path, () => {
        if (remove(path, this)) this.#removed++;
      });
    }
  }

  /** Owner, mode and times of folders come last, and deepest first: what is done in them moves their times. */
  async #dressFolders(): Promise<void> {
    const { actions, folders } = this.#comparison;
    const due = new Set([
      ...actions.filter((it) => it.saved?.type === "folder").map((it) => it.path),
      ...this.#touched,
    ]);
    for (const path of [...due].sort((a, b) => b.length - a.length)) {
      const entry = folders.get(path);
      if (entry === undefined) continue;
      if (this.#pacer.due()) await this.#pacer.rest();
      dress(this.guard.check(path), entry, this);
    }
  }
}

/** What came later in a folder that becomes a file: it must go before. */
function isBlocking(action: TreeAction, actions: readonly TreeAction[]): boolean {
  if (action.kind !== "remove") return false;
  return conflictsOf(actions).some((it) => isWithin(action.path, it));
}

const conflicts = new WeakMap<readonly TreeAction[], readonly string[]>();

/** Folders that become something else. */
export function conflictsOf(actions: readonly TreeAction[]): readonly string[] {
  let found = conflicts.get(actions);
  if (found === undefined) {
    found = actions.filter((it) => it.kind === "replace" && it.now?.type === "folder").map((it) => it.path);
    conflicts.set(actions, found);
  }
  return found;
}

function isFolderToMake({ kind, saved }: TreeAction): boolean {
  return (kind === "create" || kind === "replace") && saved?.type === "folder";
}

function isLink({ kind, saved }: TreeAction): boolean {
  return (kind === "create" || kind === "replace") && saved?.type === "file" && saved.link !== undefined;
}

function isSpecial({ kind, saved }: TreeAction): boolean {
  if (kind !== "create" && kind !== "replace") return false;
  return saved?.type === "symlink" || saved?.type === "fifo" || saved?.type === "block" ||
    saved?.type === "char";
}

function isDressing({ kind, saved }: TreeAction): boolean {
  return kind === "attributes" && saved?.type !== "folder";
}

function explain(error: unknown, actions: readonly TreeAction[], task: TreeTask): unknown {
  const code = posix.errorCode(error) ?? posix.errorCode((error as { cause?: unknown } | null)?.cause);
  const place = task.roots[0] ?? "/";
  if (code === "ENOSPC" || code === "EDQUOT") {
    const needed = filesToWrite(actions).reduce((sum, it) => sum + (it.saved?.size ?? 0), 0);
    return new RollbackBackupError(
      `Cannot restore below ${place}: the disk is full; up to ${needed} bytes are to be written`,
      {
        hint: "Free some space there, then restore again: every file is still either the old or the new one.",
        context: { needed_bytes: needed, path: place },
        cause: error,
      },
    );
  }
  if (error instanceof RollbackError) return error;
  return systemError(error, "restore files below", place);
}
