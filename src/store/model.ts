/** What the snapshot store keeps, as values: content, trees, and a manifest for each snapshot. */
import type { JsonObject } from "#/core/json.ts";

/** SHA-256 of a chunk in hex; in an encrypted store keyed (HMAC-SHA-256), so that it says nothing of the bytes. */
export type ChunkId = string;

/** Where the bytes of a file, a dump or a tree are: its chunks in order. No chunk: no byte. */
export interface ContentRef {
  /** Bytes, all chunks together. */
  readonly size: number;
  readonly chunks: readonly ChunkId[];
  /** SHA-256 of the whole content in hex, where it is known (always for content of at most one chunk). */
  readonly sha256?: string;
}

export type UndoClass = "exact" | "compensating" | "none";

/** What one target looked like. Holds no secret: configuration is kept by reference. */
export interface SavedTarget {
  readonly name: string;
  /** A key of the target registry. */
  readonly type: string;
  readonly undo: UndoClass;
  /** The target's configuration as it was written down: environment references unexpanded, passwords removed. */
  readonly config: JsonObject;
  /** How it was taken, by its established name: `git_commit`, `configuration_files`, `filesystem_backup`, … */
  readonly method: string;
  /** Facts for people and scripts (`metadata` of the plugin's answers): commit_hash, branch, server version, … Never a secret. */
  readonly metadata: JsonObject;
  /** The target's own description of what it stored; only its driver reads it. Refers to content by `ContentRef`. */
  readonly state: JsonObject;
  /** Every content that `state` refers to, directly or through a tree: what collection must keep. Trees name their own. */
  readonly roots: readonly StoredRoot[];
  /** Equal for equal states of the target: what "equal to before" means for it. */
  readonly fingerprint: string;
  readonly files: number;
  /** Bytes of the target itself. */
  readonly bytes: number;
  /** Bytes that this snapshot added to the store for it, compressed. */
  readonly stored_bytes: number;
  readonly seconds: number;
  readonly warnings: readonly string[];
}

/** Content that is kept alive: plain bytes, or a tree whose segments name further content. */
export interface StoredRoot {
  readonly kind: "content" | "tree";
  readonly content: ContentRef;
}

/** Who asked for a snapshot: a person, a restore (the state before it), a guard, an import of another tool's. */
export type SnapshotOrigin = "manual" | "safety" | "guard" | "import";

/** `snapshots/<id>.json` of the store. Written last: a snapshot without a manifest does not exist. */
export interface SnapshotManifest {
  readonly format: 1;
  readonly id: string;
  readonly description: string;
  /** RFC 3339 in UTC. */
  readonly created_at: string;
  readonly origin: SnapshotOrigin;
  /** The operation that made it. */
  readonly operation_id: string;
  readonly by: string;
  readonly host: string;
  readonly machine_id: string;
  /** The workspace that it is of, an absolute path. */
  readonly workspace: string;
  readonly pinned: boolean;
  /** What people and policies say of it: `good`, `bad`, or nothing yet. */
  readonly mark: "good" | "bad" | "";
  readonly labels: Readonly<Record<string, string>>;
  /** In the order in which they are restored. */
  readonly targets: readonly SavedTarget[];
  readonly warnings: readonly string[];
}
