/** What the pipeline needs to know of one kind of operation. */
import type { Signer } from "#/audit/sign.ts";
import type { PlanFacts } from "#/policy/view.ts";
import type { FileRecord } from "#/repository/index_format.ts";
import type { RepositoryView } from "#/repository/inspect.ts";
import type { JournalMove } from "#/operation/journal.ts";
import type { BackupReport, OperationKind, OperationReport, RollbackType } from "#/report/model.ts";
import type { Binding, Plan } from "#/step/repository_step.ts";
import type { BatchOptions, ObjectReader, StagedFile } from "#/storage/object_store.ts";

/** What is made before the commit, worked out before anything is written. */
export interface Prepared {
  readonly objects?: ReadonlyMap<string, Uint8Array>;
  readonly copies?: readonly { readonly from: string; readonly to: string; readonly sha256: string | null }[];
  readonly staged?: readonly StagedFile[];
  /** Where the content tags of `staged` go; it counts as one of `objects`. */
  readonly contentTagsKey?: string;
  readonly moves?: readonly JournalMove[];
  readonly backups?: readonly BackupReport[];
  readonly warnings?: readonly string[];
}

export interface PrepareContext extends BatchOptions {
  readonly binding: Binding;
  readonly host: string;
  readonly reason: string;
  /** Lenient or forced: what is damaged is taken as it is, with a warning. */
  readonly tolerant: boolean;
  readonly signer: Signer | undefined;
}

/** One kind of operation. `V` is what it sees; everything but `inspect` and `prepare` is pure. */
export interface Definition<V extends RepositoryView = RepositoryView> {
  readonly operation: OperationKind;
  /** Verb and object: `roll back v1.0.2`. */
  readonly title: string;
  /** What the report shows as the version asked for, where it is known before looking. */
  readonly version: string;
  readonly rollbackType: RollbackType | null;
  /** A run that finds nothing to do leaves no trace in history and audit: it comes every night. @default false */
  readonly silentWhenIdle?: boolean;
  /**
   * Looks at the world.
   * @throws {RollbackError} 44, 40 or 46: what is refused whatever the policy says
   */
  readonly inspect: (store: ObjectReader, view: RepositoryView, context: BatchOptions) => Promise<V>;
  readonly facts: (view: V) => OwnFacts;
  readonly plan: (view: V, binding: Binding) => Plan;
  /** Why the execution would fail: 45 in a run, 47 in a dry run. */
  readonly problems: (view: V, tolerant: boolean) => readonly string[];
  readonly warnings: (view: V, tolerant: boolean) => readonly string[];
  /** The numbers and lists of the report that follow from what was seen. */
  readonly describe: (view: V, plan: Plan) => Partial<OperationReport>;
  readonly prepare: (store: ObjectReader, view: V, plan: Plan, context: PrepareContext) => Promise<Prepared>;
  /** One sentence for the report of a success; `dryRun` puts it as an intention. */
  readonly summary: (report: OperationReport) => string;
}

/** Everything that is decided before the first write. */
export interface Planned<V extends RepositoryView = RepositoryView> {
  readonly view: V;
  readonly plan: Plan;
  readonly report: OperationReport;
}

/** A version that the operation takes out, as it was found. */
export interface LeavingFacts {
  readonly version: string;
  /** Artifacts that the index says are published. */
  readonly listed: number;
  /** Artifacts of them that are really there. */
  readonly present: number;
  /** Artifacts of them of which no digest was recorded. */
  readonly undigested: number;
}

/** What only the operation itself can tell the policy; the rest follows from the index and the plan. */
export interface OwnFacts extends Pick<PlanFacts, "dependents" | "missing_dependencies" | "stuck_channels"> {
  readonly operation: OperationKind;
  readonly type: RollbackType | null;
  readonly partial: boolean;
  readonly no_backup: boolean;
  readonly leaving: readonly LeavingFacts[];
  /** A channel target that the caller asked for and that may not be named, with why. */
  readonly bad_channel_target: string | null;
}

/** Facts of an operation that takes nothing out. */
export function plainFacts(operation: OperationKind, _view: RepositoryView): OwnFacts {
  return {
    operation,
    type: null,
    partial: false,
    no_backup: false,
    leaving: [],
    dependents: [],
    missing_dependencies: [],
    stuck_channels: [],
    bad_channel_target: null,
  };
}

/** The files that a plan puts in place before its commit. */
export function addedFiles(plan: Plan): readonly FileRecord[] {
  return plan.steps.flatMap((step) => step.kind === "add_artifacts" ? step.files : []);
}
