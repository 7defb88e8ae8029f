/** The formats a report can be written in. A new one is a file and a line here. */
import { formatJson } from "#/core/json.ts";
import { renderHtml } from "#/report/html.ts";
import { reportToJson } from "#/report/json_report.ts";
import { renderJunit } from "#/report/junit.ts";
import type { OperationReport } from "#/report/model.ts";
import { renderStepSummary } from "#/report/step_summary.ts";
import { plainStyle } from "#/report/style.ts";
import { renderReport } from "#/report/text_report.ts";

export type ReportFormat = "text" | "json" | "junit" | "html" | "step_summary";

/** A whole document for a file: complete, without colours, with a newline at its end. */
export type ReportRenderer = (report: OperationReport) => string;

export const reportFormats: Readonly<Record<ReportFormat, ReportRenderer>> = {
  text: (report) => renderReport(report, plainStyle, { verbose: true }),
  json: (report) => formatJson(reportToJson(report)),
  junit: renderJunit,
  html: renderHtml,
  step_summary: renderStepSummary,
};
