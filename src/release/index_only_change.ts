/** Operations that change nothing but the index: yank, mark, channels, pins. Their definitions are the same but for the change. */
import { type Definition, plainFacts } from "#/release/definition.ts";
import type { IndexChange } from "#/repository/index_change.ts";
import type { RepositoryView } from "#/repository/inspect.ts";
import type { OperationKind, OperationReport } from "#/report/model.ts";
import type { Binding, RepositoryStep } from "#/step/repository_step.ts";

export interface IndexOnlyChange {
  readonly operation: OperationKind;
  readonly title: string;
  readonly version: string;
  /** @throws {RollbackError} 40, 46, …: what is refused whatever the policy says */
  readonly refuse: (view: RepositoryView) => void;
  readonly changes: (view: RepositoryView, binding: Binding) => readonly IndexChange[];
  /** Steps after the commit. */
  readonly after?: readonly RepositoryStep[];
  readonly warnings?: (view: RepositoryView) => readonly string[];
  readonly channels?: (view: RepositoryView) => OperationReport["channels_moved"];
  readonly undo: (view: RepositoryView) => string | null;
  /** What was done, e.g. `Yanked v1.0.2`. */
  readonly done: (view: RepositoryView) => string;
  /** What a dry run says, e.g. `Would yank v1.0.2`. */
  readonly intended: string;
}

export function indexOnlyDefinition(change: IndexOnlyChange): Definition {
  return {
    operation: change.operation,
    title: change.title,
    version: change.version,
    rollbackType: null,
    inspect: (_store, view) => {
      change.refuse(view);
      return Promise.resolve(view);
    },
    facts: (view) => plainFacts(change.operation, view),
    plan: (view, binding) => {
      const changes = change.changes(view, binding);
      const markdown: readonly RepositoryStep[] = view.hasMarkdown ? [{ kind: "update_markdown" }] : [];
      return {
        operation: change.operation,
        versions: change.version === "" ? [] : [change.version],
        steps: [{ kind: "commit_index", changes }, ...change.after ?? [], ...markdown],
        undo: change.undo(view),
      };
    },
    problems: () => [],
    warnings: (view) => change.warnings?.(view) ?? [],
    describe: (view) => ({ channels_moved: change.channels?.(view) ?? [], summary: change.done(view) }),
    prepare: () => Promise.resolve({}),
    summary: (report) => report.dry_run ? change.intended : report.summary,
  };
}
