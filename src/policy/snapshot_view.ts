/** What rules see of an operation on rollback points: the facts, and their description for expressions and the docs. */
import type {
  Field,
  OperationFacts,
  PlanFacts,
  PolicyFacts,
  RepositoryFacts,
  UserFacts,
} from "#/policy/view.ts";

/** One target of the snapshot, with what the operation would do to it. */
export interface TargetFacts {
  readonly name: string;
  /** `git_commit`, `database`, … */
  readonly type: string;
  readonly undo: "exact" | "compensating" | "none";
  /** What a restore creates, replaces, removes or runs; 0 where it is as the snapshot has it, and for other operations. */
  readonly changes: number;
  /** How many of these are removals. */
  readonly removes: number;
  /** Bytes of the target in the snapshot. */
  readonly bytes: number;
  /** What would be lost of work that is not in the snapshot. */
  readonly uncommitted: readonly string[];
}

/** The rollback point that an operation makes, restores or changes. */
export interface SnapshotFacts {
  /** Empty where it is not known yet. */
  readonly id: string;
  readonly description: string;
  /** RFC 3339; absent for one that is only being made. */
  readonly created_at?: string;
  /** Empty for one that is only being made by nobody knows whom. */
  readonly origin: "manual" | "safety" | "guard" | "import" | "";
  readonly pinned: boolean;
  readonly mark: "good" | "bad" | "";
  readonly labels: Readonly<Record<string, string>>;
  /** Those that the operation works on, not all of the snapshot. */
  readonly targets: readonly TargetFacts[];
  /** Checks that will run afterwards. */
  readonly checks: number;
  /** How many of them must pass. */
  readonly required_checks: number;
  readonly rollback_on_failure: boolean;
  /** The operation is taken back unless somebody confirms it (`--confirm-within`). */
  readonly needs_confirmation: boolean;
  readonly discard_changes: boolean;
}

/** What `snapshot` is where an operation has nothing to do with one. */
export const NO_SNAPSHOT: SnapshotFacts = {
  id: "",
  description: "",
  origin: "",
  pinned: false,
  mark: "",
  labels: {},
  targets: [],
  checks: 0,
  required_checks: 0,
  rollback_on_failure: false,
  needs_confirmation: false,
  discard_changes: false,
};

export interface SnapshotQuestion {
  /** Without `type`, `partial`, `no_backup`: a snapshot has none of these. */
  readonly operation: Omit<OperationFacts, "type" | "partial" | "no_backup">;
  /** The folder of `backout.yaml`, absolute. */
  readonly workspace: string;
  readonly snapshot: SnapshotFacts;
  /** Free bytes where the snapshot store is; absent where nobody can say (object storage). */
  readonly freeBytes?: number;
  /** Bytes that the operation is expected to write. @default 0 */
  readonly bytesAdded?: number;
  readonly user: UserFacts;
  readonly now: Date;
}

/**
 * The facts of an operation on rollback points. Of a repository it has only the place: rules about releases and
 * channels find nothing to object to. `plan.versions` is the snapshot's id, so that a waiver's scope can name it.
 */
export function snapshotPolicyFacts(question: SnapshotQuestion): PolicyFacts {
  const { snapshot, user, now } = question;
  return {
    operation: { ...question.operation, type: "", partial: false, no_backup: false },
    repository: workspaceFacts(question),
    plan: snapshotPlan(question),
    snapshot,
    user,
    now: now.toISOString(),
  };
}

function workspaceFacts({ workspace, freeBytes }: SnapshotQuestion): RepositoryFacts {
  return {
    location: workspace,
    type: "local",
    serial: 0,
    releases: 0,
    good_releases: 0,
    newest: "",
    channels: {},
    ...(freeBytes === undefined ? {} : { free_bytes: freeBytes }),
    problems: [],
    holds: [],
  };
}

function snapshotPlan({ snapshot, bytesAdded }: SnapshotQuestion): PlanFacts {
  return {
    versions: snapshot.id === "" ? [] : [snapshot.id],
    releases: [],
    artifacts: [],
    total_artifacts: 0,
    total_bytes: 0,
    artifacts_added: 0,
    bytes_added: bytesAdded ?? 0,
    channels: [],
    releases_left: 0,
    good_releases_left: 0,
    dependents: [],
    missing_dependencies: [],
    stuck_channels: [],
    bad_channel_target: "",
  };
}

type Described<T> = { readonly [Key in keyof T]-?: Field };

export const SNAPSHOT_FIELDS: Described<SnapshotFacts> = {
  id: { type: "text", about: "the rollback point, empty for operations on releases" },
  description: { type: "text", about: "what it was made for" },
  created_at: { type: "time", about: "when it was made; unknown while it is being made", optional: true },
  origin: {
    type: "text",
    about: "who asked for it",
    choices: ["manual", "safety", "guard", "import", ""],
  },
  pinned: { type: "true or false", about: "it is pinned" },
  mark: { type: "text", about: "what `snapshot mark` said of it, else empty", choices: ["good", "bad", ""] },
  labels: { type: "texts by name", about: "its labels" },
  targets: { type: { list: "Target" }, about: "the targets that the operation works on" },
  checks: { type: "whole number", about: "checks that run afterwards" },
  required_checks: { type: "whole number", about: "how many of them must pass" },
  rollback_on_failure: { type: "true or false", about: "`--rollback-on-failure` was given" },
  needs_confirmation: { type: "true or false", about: "`--confirm-within` was given" },
  discard_changes: { type: "true or false", about: "`--discard-changes` was given" },
};

export const TARGET_FIELDS: Described<TargetFacts> = {
  name: { type: "text", about: "its name in `backout.yaml`" },
  type: { type: "text", about: "`git_commit`, `database`, …" },
  undo: {
    type: "text",
    about: "how well a restore of it can be taken back",
    choices: ["exact", "compensating", "none"],
  },
  changes: { type: "whole number", about: "what a restore changes of it" },
  removes: { type: "whole number", about: "how many of these are removals" },
  bytes: { type: "whole number", about: "its bytes in the snapshot" },
  uncommitted: { type: "texts", about: "work that is not in the snapshot and would be lost" },
};
