/** What the checkouts of a meta repository look like: names of commits and the documents beside them, no objects. */
import { RollbackError } from "#/core/errors.ts";
import { canonicalJson, type JsonObject } from "#/core/json.ts";
import { sha256Hex } from "#/core/sha256.ts";
import type { ContentRef, SavedTarget } from "#/store/model.ts";

/** One checkout, `components/NAME`. */
export interface CheckoutState {
  readonly name: string;
  /** Full name of the branch that HEAD names; null where it is detached, or there is no checkout. */
  readonly branch: string | null;
  /** What HEAD comes to; null where there is no checkout, or nothing was committed yet. */
  readonly commit: string | null;
  /** Other refs that belong to the state, by full name; null: there is no such ref. */
  readonly refs: Readonly<Record<string, string | null>>;
  /** Only of a state to be reached: a clone that waits to be put in its place, an absolute path. */
  readonly clone?: string;
  /** Only of a state to be reached: its commit was looked up just now. */
  readonly known?: true;
  /** For people: what is wanted (`v1.0.0`). */
  readonly label?: string;
}

/** A document of the meta repository: a manifest, a lock file, a changeset. */
export interface FileState {
  /** From the root. */
  readonly path: string;
  /** Null: there is no such file. */
  readonly sha256: string | null;
  /** The content of a captured one. */
  readonly content?: ContentRef;
  /** The content of one that was worked out. */
  readonly text?: string;
  /** What must be there for it to be replaced: it was worked out from that. */
  readonly from?: string | null;
}

export interface ComponentsState {
  readonly checkouts: readonly CheckoutState[];
  readonly files: readonly FileState[];
}

/** The state that a snapshot keeps. @throws {RollbackError} it is not one of this kind */
export function stateOf(saved: SavedTarget): ComponentsState {
  const { checkouts, files } = saved.state as unknown as Partial<ComponentsState>;
  if (Array.isArray(checkouts) && Array.isArray(files)) return { checkouts, files };
  throw new RollbackError(`The snapshot of ${saved.name} is not one of components`);
}

export function stateJson(state: ComponentsState): JsonObject {
  return state as unknown as JsonObject;
}

/** Equal for equal states. */
export function fingerprintOf({ checkouts, files }: ComponentsState): string {
  const value = {
    checkouts: checkouts.map(({ name, branch, commit, refs }) => ({ name, branch, commit, refs })),
    files: files.map(({ path, sha256 }) => ({ path, sha256 })),
  };
  return sha256Hex(canonicalJson(value));
}

/** A commit as people read it. */
export function shortCommit(commit: string | null): string {
  return commit === null ? "nothing" : commit.slice(0, 12);
}

/** `main (0123456789ab)`, `v1.0.0 (0123456789ab)`, `0123456789ab`. */
export function describeCheckout({ branch, commit, label }: CheckoutState): string {
  const name = label ?? branch?.replace(/^refs\/heads\//, "");
  return name === undefined || commit === null || name === commit
    ? shortCommit(commit)
    : `${name} (${shortCommit(commit)})`;
}
