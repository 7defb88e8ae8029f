/** Backups that the storage did not let go of, as the report shows them. */
import { type RefusedDeletion, refusedSentence } from "#/operation/delete_backup.ts";
import type { Journal } from "#/operation/journal.ts";
import type { OperationReport, StepReport } from "#/report/model.ts";

/** The report with a warning for each, and without the space that they still take. */
export function withRefusals(
  report: OperationReport,
  refused: readonly RefusedDeletion[],
): OperationReport {
  if (refused.length === 0) return report;
  const stayed = new Set(refused.map(({ backup }) => backup));
  const still = (report.retention?.to_delete ?? []).filter(({ id }) => stayed.has(id))
    .reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    ...report,
    bytes_reclaimed: Math.max(0, report.bytes_reclaimed - still),
    warnings: [...report.warnings, ...new Set(refused.map(refusedSentence))],
  };
}

/** Their steps failed; the others are done. */
export function stepsWithRefusals(
  steps: readonly StepReport[],
  journal: Journal,
  refused: readonly RefusedDeletion[],
): readonly StepReport[] {
  if (refused.length === 0) return steps;
  const stayed = new Set(refused.map(({ backup }) => backup));
  return steps.map((step, i) => {
    const planned = journal.steps[i];
    const failed = planned?.kind === "delete_backup" && stayed.has(planned.backup);
    return failed ? { ...step, status: "failed" } : step;
  });
}
