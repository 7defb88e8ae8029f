/** What retention says of each snapshot, as a table. */
import type { OperationReport } from "#/report/model.ts";
import type { Styler } from "#/report/style.ts";
import { renderTable } from "#/report/table.ts";
import { formatAge, formatBytes } from "#/report/units.ts";

export interface PruneTableOptions {
  readonly style: Styler;
  /** Columns of the terminal; `Infinity` cuts nothing. */
  readonly width: number;
}

/** Newest first, with the reasons. Empty for a report that has nothing to say of that; ends with a newline otherwise. */
export function renderPruneTable(
  { prune, timestamp }: Pick<OperationReport, "prune" | "timestamp">,
  { style, width }: PruneTableOptions,
): string {
  if (prune === undefined) return "";
  if (prune.snapshots.length === 0) return "No snapshots yet.\n";
  const now = new Date(timestamp);
  const rows = prune.snapshots.map(({ id, action, created_at, origin, bytes, reasons }) => [
    id,
    action === "delete" ? { text: action, paint: style.yellow } : action,
    formatAge(created_at, now),
    origin,
    formatBytes(bytes),
    reasons.join("; "),
  ]);
  return renderTable([["SNAPSHOT", "ACTION", "MADE", "KIND", "SIZE", "WHY"], ...rows], {
    style,
    width,
    right: [4],
  });
}
