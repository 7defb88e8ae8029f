/** What `component apply` is asked, and what came of it. */
import type { ExitCode } from "#/core/errors.ts";
import type { StepName } from "../commands.ts";
import type { OperationEvent } from "#/report/model.ts";

export interface ApplyOptions {
  /** The meta repository's root; absolute. */
  readonly folder: string;
  /** Names; empty: all of the manifest. */
  readonly components: readonly string[];
  /** Components at the same time. @default 4 */
  readonly jobs?: number;
  /** Given to the commands as `BACKOUT_ENV`; says which lock file `locked` means. */
  readonly environment?: string | undefined;
  /** Refuse unless every checkout is at the commit of the lock file. @default false */
  readonly locked?: boolean;
  /** After a failure go on with what does not depend on it. @default false */
  readonly keepGoing?: boolean;
  readonly dryRun?: boolean;
  readonly now?: () => Date;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: (event: OperationEvent) => void;
}

export type ComponentState = "planned" | "done" | "nothing to do" | "failed" | "skipped" | "stopped";

export interface AppliedStep {
  readonly name: StepName;
  readonly state: "planned" | "done" | "failed" | "stopped";
  readonly seconds: number;
  /** Null where it did not end by itself. */
  readonly code: number | null;
  /** All that it printed; null where it was not run. */
  readonly log: string | null;
}

export interface AppliedComponent {
  readonly name: string;
  readonly state: ComponentState;
  readonly steps: readonly AppliedStep[];
  readonly seconds: number;
  /** Why it failed or was left out, with the last lines of the log; empty otherwise. */
  readonly reason: string;
}

export interface ApplyReport {
  readonly format: 1;
  readonly operation: "component_apply";
  readonly status: "success" | "failed" | "stopped" | "dry_run";
  /** RFC 3339, when it began. */
  readonly timestamp: string;
  readonly seconds: number;
  readonly environment: string | null;
  readonly jobs: number;
  /** In the order of dependencies. */
  readonly components: readonly AppliedComponent[];
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
  /** The folder of the logs; null where nothing ran. */
  readonly logs: string | null;
  readonly exit_code: ExitCode;
  /** One sentence. */
  readonly summary: string;
}
