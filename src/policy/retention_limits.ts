/** The size limits of retention. */
import type { RetentionDecision, RetentionFacts, RetentionItem, RetentionRules } from "./retention_rules.ts";
import { sizeWords } from "./retention_words.ts";

export interface Usage {
  /** What the kept items take together. */
  readonly kept: number;
  /** What will be free, undefined where nobody can say. */
  readonly free: number | undefined;
}

/** A size limit that holds neither before nor after. */
export interface UnmetLimit {
  readonly limit: "max_size" | "min_free";
  readonly message: string;
}

/** What deleting an item frees. */
export function bytesOf(item: RetentionItem): number {
  return Number.isFinite(item.bytes) && item.bytes > 0 ? item.bytes : 0;
}

/** Which limits `usage` breaks, as reasons to delete the oldest. */
export function brokenLimits(rules: RetentionRules, usage: Usage): readonly string[] {
  const { maxBytes = 0, minFreeBytes = 0 } = rules;
  const broken: string[] = [];
  if (maxBytes > 0 && usage.kept > maxBytes) {
    broken.push(`over ${sizeWords(maxBytes)} in total: oldest first`);
  }
  if (usage.free !== undefined && usage.free < minFreeBytes) {
    broken.push(`less than ${sizeWords(minFreeBytes)} free: oldest first`);
  }
  return broken;
}

/** What is kept, and what will be free, once `decisions` are carried out. */
export function usageAfter(
  items: readonly RetentionItem[],
  keeps: (index: number) => boolean,
  facts: RetentionFacts,
): Usage {
  let kept = 0;
  let freed = 0;
  items.forEach((item, index) => {
    if (keeps(index)) kept += bytesOf(item);
    else freed += bytesOf(item);
  });
  return { kept, free: facts.freeBytes === undefined ? undefined : facts.freeBytes + freed };
}

/**
 * The limits that do not hold even after `decisions`: what is left may not be deleted, so a person has to raise the
 * limit, unpin, lower keep_last or find a bigger disk. Empty when all is well.
 * @param decisions the answer of `decideRetention` for the same items, rules and facts
 */
export function unmetLimits(
  items: readonly RetentionItem[],
  decisions: readonly RetentionDecision[],
  rules: RetentionRules,
  facts: RetentionFacts = {},
): readonly UnmetLimit[] {
  const { maxBytes = 0, minFreeBytes = 0 } = rules;
  const { kept, free } = usageAfter(items, (index) => decisions[index]?.action === "keep", facts);
  const unmet: UnmetLimit[] = [];
  if (maxBytes > 0 && kept > maxBytes) {
    unmet.push({
      limit: "max_size",
      message: `${sizeWords(kept)} stay, over max_size ${sizeWords(maxBytes)}: the rest may not be deleted`,
    });
  }
  if (minFreeBytes > 0 && free === undefined) {
    unmet.push({
      limit: "min_free",
      message: `min_free ${
        sizeWords(minFreeBytes)
      } deletes nothing: the free space of this storage is not known`,
    });
  }
  if (free !== undefined && free < minFreeBytes) {
    unmet.push({
      limit: "min_free",
      message: `${sizeWords(free)} will be free, below min_free ${sizeWords(minFreeBytes)}: ` +
        "the rest may not be deleted",
    });
  }
  return unmet;
}
