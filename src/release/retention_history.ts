/** Which history records go. Ids carry their time, so no record has to be read. */
import { idTime } from "#/core/ids.ts";
import { historyIds } from "#/operation/history.ts";
import { decideRetention, type HistoryRules } from "#/policy/retention.ts";
import type { HistoryCut } from "#/repository/index_format.ts";
import type { ObjectReader } from "#/storage/object_store.ts";

export interface HistoryDecision {
  readonly records: number;
  readonly delete: number;
  /** The newest that goes, null when none does. */
  readonly upTo: HistoryCut | null;
}

/** So many of the newest stay whatever the rules say: the serial is looked up in them. */
const ALWAYS_KEPT = 50;
/**
 * History alone is worth an operation from so many records on; otherwise a nightly run would delete the record of the
 * night before, and write its own.
 */
export const WORTH_A_RUN = 100;

/** What the rules say of the history; all of it stays where there are none. */
export async function decideHistory(
  store: ObjectReader,
  rules: HistoryRules | undefined,
  now: Date,
): Promise<HistoryDecision> {
  const ids = await historyIds(store);
  const isRuled = (rules?.keepLast ?? 0) > 0 || (rules?.keepWithin ?? 0) > 0;
  if (rules === undefined || !isRuled) return { records: ids.length, delete: 0, upTo: null };
  const items = ids.map((id) => ({ id, at: idTime(id) ?? "", bytes: 0 }));
  const keepLast = Math.max(rules.keepLast ?? 0, ALWAYS_KEPT);
  const decided = decideRetention(items, { keepLast, keepWithin: rules.keepWithin }, now);
  // Newest first, as `historyIds` has them: an unbroken oldest part goes.
  const lastKept = decided.findLastIndex(({ action }) => action === "keep");
  const gone = decided.slice(lastKept + 1);
  const newest = gone[0];
  return {
    records: ids.length,
    delete: gone.length,
    upTo: newest === undefined ? null : { operation: newest.id, at: idTime(newest.id)! },
  };
}
