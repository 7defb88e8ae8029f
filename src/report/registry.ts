/** The formats a report can be written in. A new one is a file and a line here. */
import { formatJson } from "#/core/json.ts";
import { reportToJson } from "#/report/json_report.ts";
import type { OperationReport } from "#/report/model.ts";
import { plainStyle } from "#/report/style.ts";
import { renderReport } from "#/report/text_report.ts";

export type ReportFormat = "text" | "json";

/** A whole document for a file: complete, without colours, with a newline at its end. */
export type ReportRenderer = (report: OperationReport) => string;

export const reportFormats: Readonly<Record<ReportFormat, ReportRenderer>> = {
  text: (report) => renderReport(report, plainStyle, { verbose: true }),
  json: (report) => formatJson(reportToJson(report)),
};
