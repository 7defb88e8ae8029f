/** From the report of an operation to the CloudEvents (version 1.0, structured JSON) that tell of it. */
import { pathToFileURL } from "node:url";
import { ExitCode } from "#/core/errors.ts";
import { newOperationId } from "#/core/ids.ts";
import type { OperationReport } from "#/report/model.ts";
import type { NotifyOutcome } from "./target.ts";

/** One event, written out: receivers, the spool and the signature all see the same bytes. */
export interface NotifyEvent {
  /** The operation's id (a fresh one for what has none), with `-recovery` after it where the event tells of a recovery. */
  readonly id: string;
  /** `backout.<operation>.<outcome>` */
  readonly type: string;
  readonly outcome: NotifyOutcome;
  /** The CloudEvent as JSON, on one line. */
  readonly body: string;
}

export const EVENT_CONTENT_TYPE = "application/cloudevents+json; charset=utf-8";

/** Receivers refuse large messages: beyond this, long lists and texts of the report are cut. */
const LARGEST_BODY_BYTES = 256 * 1024;
const LONGEST_LIST = 100;
const LONGEST_TEXT = 1_000;

/**
 * The events of an operation: one that says how it ended, and one more where it found another operation unfinished and
 * recovered it first. None for a dry run.
 * @param now for the id of what has none
 */
export function eventsOf(report: OperationReport, now: Date): readonly NotifyEvent[] {
  if (report.dry_run) return [];
  const id = report.rollback_id ?? newOperationId(now);
  if (report.operation === "recover") {
    // A recovery that found nothing to do is no news.
    const outcome = isDone(report) ? "recovery" : endOf(report);
    return outcome === "recovery" && report.recovered.length === 0
      ? []
      : [event(report, id, "recover", outcome)];
  }
  const ended = event(report, id, report.operation, endOf(report));
  return report.recovered.length === 0
    ? [ended]
    : [event(report, `${id}-recovery`, "recover", "recovery"), ended];
}

function isDone(report: OperationReport): boolean {
  return report.exit_code === ExitCode.done;
}

/** Done, but not as it should be (51), is a failure for who is told of it. */
function endOf(report: OperationReport): Exclude<NotifyOutcome, "recovery"> {
  if (isDone(report)) return "success";
  const { exit_code } = report;
  return exit_code === ExitCode.policyViolation || exit_code === ExitCode.dependency ? "denial" : "failure";
}

function event(report: OperationReport, id: string, operation: string, outcome: NotifyOutcome): NotifyEvent {
  const type = `backout.${operation}.${outcome}`;
  const envelope = {
    specversion: "1.0",
    id,
    source: sourceOf(report),
    type,
    ...(report.version === "" ? {} : { subject: report.version }),
    time: report.timestamp,
    datacontenttype: "application/json",
  };
  let body = JSON.stringify({ ...envelope, data: report });
  if (isTooLarge(body)) body = JSON.stringify({ ...envelope, data: shortened(report) });
  return { id, type, outcome, body };
}

/** A URI-reference: the location, with what a URI cannot hold written as %XX. */
function sourceOf({ repository_location: location }: OperationReport): string {
  if (/^[A-Za-z]:[\\/]/.test(location)) return pathToFileURL(location).href;
  const source = encodeURI(location.toWellFormed()).replace(/[?#[\]]/g, encodeURIComponent);
  return source === "" ? "/" : source;
}

function isTooLarge(body: string): boolean {
  return body.length > LARGEST_BODY_BYTES || new TextEncoder().encode(body).length > LARGEST_BODY_BYTES;
}

/** The report with the beginnings of its lists and texts; `truncated` names the fields that lost something. */
function shortened(report: OperationReport): Record<string, unknown> {
  const truncated: string[] = [];
  const fields = Object.entries(report).map(([name, value]): [string, unknown] => {
    const cut = { any: false };
    const short = shorten(value, cut);
    if (cut.any) truncated.push(name);
    return [name, short];
  });
  return { ...Object.fromEntries(fields), truncated };
}

function shorten(value: unknown, cut: { any: boolean }): unknown {
  if (typeof value === "string" && value.length > LONGEST_TEXT) {
    cut.any = true;
    return `${value.slice(0, LONGEST_TEXT)}…`;
  }
  if (Array.isArray(value)) {
    if (value.length > LONGEST_LIST) cut.any = true;
    return value.slice(0, LONGEST_LIST).map((it) => shorten(it, cut));
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shorten(inner, cut)]));
}
