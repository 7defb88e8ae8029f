/**
 * What rules see of an operation: one document, with the same names in the built-in rules, in expressions and in
 * the cases of `backout policy test`.
 */
import type { OperationKind, PolicyMode, RollbackType } from "#/report/model.ts";
import {
  SNAPSHOT_FIELDS,
  type SnapshotFacts,
  TARGET_FIELDS,
  type TargetFacts,
} from "#/policy/snapshot_view.ts";
import { FAILURE_FIELDS, type FailureFacts } from "#/policy/failure_view.ts";
import type { VersionState } from "#/repository/views.ts";

export {
  NO_SNAPSHOT,
  type SnapshotFacts,
  snapshotPolicyFacts,
  type TargetFacts,
} from "#/policy/snapshot_view.ts";

export interface OperationFacts {
  readonly kind: OperationKind;
  /** Empty where the operation has no type. */
  readonly type: RollbackType | "";
  readonly mode: PolicyMode;
  readonly forced: boolean;
  readonly dry_run: boolean;
  readonly partial: boolean;
  readonly no_backup: boolean;
  readonly signed: boolean;
  readonly reason: string;
}

export interface ReleaseFacts {
  readonly version: string;
  readonly state: VersionState;
  /** RFC 3339; absent when the index does not say. */
  readonly published_at?: string;
  readonly size_bytes: number;
  readonly artifacts: number;
  readonly artifacts_present: number;
  readonly artifacts_without_digest: number;
  readonly channels: readonly string[];
  readonly depends_on: readonly string[];
  readonly mark: "good" | "bad" | "";
  readonly labels: Readonly<Record<string, string>>;
}

export interface HoldFacts {
  readonly name: string;
  readonly reason: string;
}

export interface RepositoryFacts {
  readonly location: string;
  readonly type: "local" | "s3" | "gcs";
  readonly serial: number;
  readonly releases: number;
  readonly good_releases: number;
  readonly newest: string;
  readonly channels: Readonly<Record<string, string>>;
  /** Absent when unknown. */
  readonly free_bytes?: number;
  readonly problems: readonly string[];
  readonly holds: readonly HoldFacts[];
}

export interface ChannelMoveFacts {
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

export interface DependentFacts {
  readonly version: string;
  readonly needs: readonly string[];
}

export interface StuckChannelFacts {
  readonly channel: string;
  readonly candidates: readonly string[];
}

export interface PlanFacts {
  readonly versions: readonly string[];
  readonly releases: readonly ReleaseFacts[];
  readonly artifacts: readonly string[];
  readonly total_artifacts: number;
  readonly total_bytes: number;
  readonly artifacts_added: number;
  readonly bytes_added: number;
  readonly channels: readonly ChannelMoveFacts[];
  readonly releases_left: number;
  readonly good_releases_left: number;
  readonly dependents: readonly DependentFacts[];
  readonly missing_dependencies: readonly string[];
  readonly stuck_channels: readonly StuckChannelFacts[];
  readonly bad_channel_target: string;
}

export interface UserFacts {
  readonly name: string;
  readonly host: string;
}

/** Everything that rules are pure functions of. */
export interface PolicyFacts {
  readonly operation: OperationFacts;
  readonly repository: RepositoryFacts;
  readonly plan: PlanFacts;
  /** Absent where the operation is on releases. */
  readonly snapshot?: SnapshotFacts;
  /** Only where `policy.automatic` is asked. */
  readonly failure?: FailureFacts;
  readonly user: UserFacts;
  /** RFC 3339. */
  readonly now: string;
}

/** The shapes of records, by name. */
interface Shapes {
  readonly Operation: OperationFacts;
  readonly Release: ReleaseFacts;
  readonly Hold: HoldFacts;
  readonly Repository: RepositoryFacts;
  readonly ChannelMove: ChannelMoveFacts;
  readonly Dependent: DependentFacts;
  readonly StuckChannel: StuckChannelFacts;
  readonly Plan: PlanFacts;
  readonly Snapshot: SnapshotFacts;
  readonly Target: TargetFacts;
  readonly Failure: FailureFacts;
  readonly User: UserFacts;
}

export type RecordName = keyof Shapes;

/** What a field holds: a plain value, texts, texts by name, one record, or a list of records. */
export type FieldType =
  | "text"
  | "whole number"
  | "true or false"
  | "time"
  | "texts"
  | "texts by name"
  | { readonly record: RecordName }
  | { readonly list: RecordName };

export interface Field {
  readonly type: FieldType;
  readonly about: string;
  /** May be absent: ask with `has()` first. */
  readonly optional?: true;
  /** The only texts that it can be. */
  readonly choices?: readonly string[];
}

export type Fields = Readonly<Record<string, Field>>;

/** What the policy is asked about; recovery finishes what it was asked about before. */
const KINDS: Readonly<Record<Exclude<OperationKind, "recover">, true>> = {
  publish: true,
  rollback: true,
  restore: true,
  yank: true,
  unyank: true,
  mark: true,
  channel_set: true,
  channel_rollback: true,
  backup_delete: true,
  backup_pin: true,
  backup_unpin: true,
  hold_set: true,
  hold_release: true,
  audit_archive: true,
  retention: true,
  snapshot_create: true,
  snapshot_restore: true,
  snapshot_delete: true,
  snapshot_prune: true,
  snapshot_pin: true,
  snapshot_unpin: true,
  snapshot_mark: true,
  snapshot_import: true,
  component_rollback: true,
  component_lock: true,
  component_mark: true,
  changeset_rollback: true,
  confirm: true,
  guard: true,
};

export const OPERATION_KINDS = Object.keys(KINDS) as readonly OperationKind[];

const STATES: readonly VersionState[] = [
  "absent",
  "active",
  "yanked",
  "bad",
  "partial",
  "emptied",
  "hidden",
  "removed",
];

const text = (about: string): Field => ({ type: "text", about });
const oneOf = (choices: readonly string[], about: string): Field => ({ type: "text", about, choices });
const number = (about: string): Field => ({ type: "whole number", about });
const flag = (about: string): Field => ({ type: "true or false", about });
const texts = (about: string): Field => ({ type: "texts", about });
const list = (name: RecordName, about: string): Field => ({ type: { list: name }, about });

/** Every field of every record, in the order of the documentation. */
export const RECORDS: { readonly [Name in RecordName]: { readonly [Key in keyof Shapes[Name]]-?: Field } } = {
  Operation: {
    kind: oneOf(OPERATION_KINDS, "what is done"),
    type: oneOf(["full", "artifacts_only", "index_only", ""], "the type of a rollback, else empty"),
    mode: oneOf(["strict", "lenient"], "how denials are taken"),
    forced: flag("`--force` was given"),
    dry_run: flag("nothing will be changed"),
    partial: flag("only some artifacts leave (`--artifact`)"),
    no_backup: flag("what leaves cannot be restored (`--no-backup`)"),
    signed: flag("the audit entry will be signed"),
    reason: text("what `--reason` says, else empty"),
  },
  Release: {
    version: text("its name"),
    state: oneOf(STATES, "what it is before the operation"),
    published_at: { type: "time", about: "when it was published, where the index says it", optional: true },
    size_bytes: number("bytes of its artifacts, as the index says"),
    artifacts: number("artifacts that the index lists and the operation touches"),
    artifacts_present: number("how many of them are really there"),
    artifacts_without_digest: number("how many of them have no recorded digest"),
    channels: texts("the channels that name it before the operation"),
    depends_on: texts("the versions that it needs"),
    mark: oneOf(["good", "bad", ""], "what `release mark` said of it, else empty"),
    labels: { type: "texts by name", about: "the further fields of its entry, from `--metadata`" },
  },
  Repository: {
    location: text("where it is"),
    type: oneOf(["local", "s3", "gcs"], "on what storage"),
    serial: number("the serial of its index"),
    releases: number("releases in the index"),
    good_releases: number("how many of them are active and not marked bad"),
    newest: text("the newest version, empty when there is none"),
    channels: { type: "texts by name", about: "each channel with the version that it names" },
    free_bytes: {
      type: "whole number",
      about: "free space; unknown on object storage",
      optional: true,
    },
    problems: texts("what is wrong with the index"),
    holds: list("Hold", "the holds that are set"),
  },
  Plan: {
    versions: texts("the versions that it changes, newest first"),
    releases: list("Release", "what is known of these versions"),
    artifacts: texts("the paths of the artifacts that leave or come"),
    total_artifacts: number("artifacts that leave"),
    total_bytes: number("bytes that leave"),
    artifacts_added: number("artifacts that come"),
    bytes_added: number("bytes that come"),
    channels: list("ChannelMove", "the channels that it moves"),
    releases_left: number("releases in the index afterwards"),
    good_releases_left: number("how many of them are active and not marked bad"),
    dependents: list("Dependent", "releases that stay and need one that leaves"),
    missing_dependencies: texts("what a new release needs and is not published"),
    stuck_channels: list("StuckChannel", "channels that have no version to go to"),
    bad_channel_target: text("why `--channel-to` cannot be used, else empty"),
  },
  Snapshot: SNAPSHOT_FIELDS,
  Target: TARGET_FIELDS,
  Failure: FAILURE_FIELDS,
  User: {
    name: text("who runs it"),
    host: text("on which machine"),
  },
  Hold: { name: text("its name"), reason: text("why it was set") },
  ChannelMove: {
    name: text("the channel"),
    from: text("the version that it names now, empty for a new channel"),
    to: text("the version that it will name, empty when it is removed"),
  },
  Dependent: { version: text("the release that stays"), needs: texts("what leaves and it needs") },
  StuckChannel: { channel: text("the channel"), candidates: texts("versions that it could name") },
};

/** The names that an expression begins with. */
export const VARIABLES: Fields = {
  operation: { type: { record: "Operation" }, about: "what was asked for" },
  release: {
    type: { record: "Release" },
    about: "the first of `plan.releases`, for the many plans that have one",
  },
  repository: { type: { record: "Repository" }, about: "the repository before the operation" },
  plan: { type: { record: "Plan" }, about: "what will happen" },
  snapshot: { type: { record: "Snapshot" }, about: "the rollback point, where the operation is on one" },
  failure: { type: { record: "Failure" }, about: "what went wrong; only in `policy.automatic`" },
  user: { type: { record: "User" }, about: "who asks" },
  now: { type: "time", about: "when" },
  labels: { type: "texts by name", about: "`release.labels`" },
};

/** A release of which nothing is known: what `release` is where a plan has none. */
export const NO_RELEASE: ReleaseFacts = {
  version: "",
  state: "absent",
  size_bytes: 0,
  artifacts: 0,
  artifacts_present: 0,
  artifacts_without_digest: 0,
  channels: [],
  depends_on: [],
  mark: "",
  labels: {},
};
