/** What a policy rule is. Rules are pure: they see a value and answer with reasons. */
import type { OperationKind, RollbackType } from "#/report/model.ts";
import type { VersionState } from "#/repository/views.ts";

export type Severity = "deny" | "warn" | "off";

/** A version that the operation takes out. */
export interface LeavingFacts {
  readonly version: string;
  readonly state: VersionState;
  /** Artifacts that the index says are published. */
  readonly listed: number;
  /** Artifacts of them that are really there. */
  readonly present: number;
}

/** What the rules see. */
export interface PolicyFacts {
  readonly operation: OperationKind;
  readonly type: RollbackType | null;
  readonly partial: boolean;
  readonly no_backup: boolean;
  readonly leaving: readonly LeavingFacts[];
  /** The newest version of the index, null when it is empty. */
  readonly newest: string | null;
  readonly index_problems: readonly string[];
  readonly dependents: readonly { readonly version: string; readonly needs: readonly string[] }[];
  /** What a new release depends on and is not in the index. */
  readonly missing_dependencies: readonly string[];
  readonly stuck_channels: readonly { readonly channel: string; readonly candidates: readonly string[] }[];
  /** A channel target that the caller asked for and that may not be named, with why. */
  readonly bad_channel_target: string | null;
}

/** What a rule found wrong. */
export interface Finding {
  readonly reason: string;
  readonly hint?: string;
  /** A finding may be milder than its rule's severity. */
  readonly severity?: "warn";
}

export interface Rule {
  readonly id: string;
  /** One line: what it protects. */
  readonly purpose: string;
  readonly severity: Severity;
  /** Exit code class of a denial. @default "policy" */
  readonly denial?: "policy" | "dependency";
  readonly appliesTo: (facts: PolicyFacts) => boolean;
  /** Empty when the rule is kept. */
  readonly check: (facts: PolicyFacts) => readonly Finding[];
}
