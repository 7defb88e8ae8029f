/** The report as one JSON document. */
import type { OperationReport } from "#/report/model.ts";

/** The document that `--output json` and `--json-report` write: every field of the report, as it is. */
export function reportToJson(report: OperationReport): OperationReport {
  return report;
}
