/** What a repository looks like, as values: read from the world (`look.ts`) or from a snapshot (`saved.ts`). */
import type { KeptFile } from "../kept/model.ts";

/** A line of the index. */
export interface IndexEntry {
  readonly path: string;
  /** As git writes it: `100644`, `100755`, `120000`, `160000`. */
  readonly mode: string;
  readonly oid: string;
  readonly stage: number;
  readonly skipWorktree: boolean;
  /** By `git add -N`: its content is not in the index. */
  readonly announced: boolean;
}

export interface Sparse {
  /** `core.sparseCheckout`, `core.sparseCheckoutCone`, `index.sparse`; null where not set. */
  readonly settings: Readonly<Record<string, string | null>>;
  /** `info/sparse-checkout`; null where there is none. */
  readonly patterns: string | null;
}

/** One repository at a moment; submodules that are checked out are repositories of their own. */
export interface RepositoryState {
  /** Where it is checked out below the outermost; empty for that one. */
  readonly path: string;
  /** Full name of the ref that HEAD names; null when detached. */
  readonly branch: string | null;
  /** Null when unborn. */
  readonly commit: string | null;
  readonly entries: readonly IndexEntry[];
  /** Equal for equal entries and flags, whatever the times in the index. */
  readonly indexDigest: string;
  /** Changed, missing and untracked paths, sorted. */
  readonly kept: readonly KeptFile[];
  /** Of tracked, unchanged files: permission bits that are not 644 or 755. */
  readonly modes: Readonly<Record<string, number>>;
  readonly sparse: Sparse;
}

/** All of a target. */
export interface GitState {
  /** The outermost first, submodules after the repository they are in. */
  readonly repositories: readonly RepositoryState[];
  readonly configFiles: readonly KeptFile[];
}
