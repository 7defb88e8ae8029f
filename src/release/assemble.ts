/** Everything that an operation will write, worked out in memory before the first write. */
import { sha256Hex } from "#/core/sha256.ts";
import type { Journal } from "#/operation/journal.ts";
import type { Preparation } from "#/operation/phases.ts";
import { addedFiles, type Planned, type Prepared } from "#/release/definition.ts";
import type { Scope } from "#/release/scope.ts";
import { applyChanges, invertChanges } from "#/repository/index_change.ts";
import { encodeIndex, stampIndex } from "#/repository/index_file.ts";
import type { RepositoryIndex } from "#/repository/index_format.ts";
import type { RepositoryView } from "#/repository/inspect.ts";
import type { OperationReport } from "#/report/model.ts";
import { type Binding, changesOf } from "#/step/repository_step.ts";

/** The newest audit entry, undefined when there is none. */
export type Head = { readonly seq: number; readonly sha256: string } | undefined;

/** The journal, and what `prepare` makes beside it. */
export function assemble<V extends RepositoryView>(
  scope: Scope,
  planned: Planned<V>,
  prepared: Prepared,
  binding: Binding,
  head: Head,
): { readonly journal: Journal; readonly preparation: Preparation } {
  const { view, plan } = planned;
  const { index } = view;
  const changes = changesOf(plan.steps);
  const before = index.serial ?? 0;
  const stamp = {
    operation: binding.id,
    at: binding.at,
    serial: before + 1,
    auditHead: head,
  };
  const newIndex = encodeIndex(stampIndex(applyChanges(index, changes), stamp));
  const report: OperationReport = {
    ...planned.report,
    rollback_id: binding.id,
    serial_after: before + 1,
    index_sha256_before: view.indexSha256,
    index_sha256_after: sha256Hex(newIndex),
    index_updated: true,
    backup: prepared.backups ?? [],
    backup_created: (prepared.backups ?? []).length > 0,
    undo: plan.undo,
    warnings: [...planned.report.warnings, ...prepared.warnings ?? []],
  };
  const journal: Journal = {
    format: 1,
    id: binding.id,
    title: titleOf(planned.report),
    steps: plan.steps,
    index: {
      serial_before: before,
      serial_after: before + 1,
      before_sha256: view.indexSha256,
      after_sha256: sha256Hex(newIndex),
      last_operation_before: index.last_operation ?? null,
      undo: invertChanges(index, changes),
    },
    moves: prepared.moves ?? [],
    added: addedFiles(plan),
    created: [...(prepared.objects ?? new Map()).keys(), ...given(prepared.contentTagsKey)],
    backups: (prepared.backups ?? []).map((backup) => backup.id),
    report,
    signing_key_file: scope.signingKeyFile ?? null,
  };
  return {
    journal,
    preparation: {
      newIndex,
      undoIndex: encodeIndex(undoIndex(index, before + 2, binding.at)),
      objects: prepared.objects ?? new Map(),
      copies: prepared.copies ?? [],
      staged: prepared.staged ?? [],
      contentTagsKey: prepared.contentTagsKey,
    },
  };
}

function given<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}

/** The index as it was, re-issued with a higher serial. */
function undoIndex(index: RepositoryIndex, serial: number, at: string): RepositoryIndex {
  return { ...index, serial, last_updated: at };
}

function titleOf(report: OperationReport): string {
  const what = report.operation.replaceAll("_", " ");
  const { versions } = report;
  if (versions.length === 0) return what;
  return versions.length > 3 ? `${what} of ${versions.length} releases` : `${what} of ${versions.join(", ")}`;
}
