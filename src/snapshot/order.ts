/** In which order targets are captured and restored. Pure. */
import { UsageError } from "#/core/errors.ts";
import type { UndoClass } from "#/store/model.ts";

/** What the order depends on. */
export interface Ordered {
  readonly name: string;
  readonly undo: UndoClass;
  /** Names of those that come before it; names that are not among the items mean nothing. */
  readonly after: readonly string[];
}

const RANK: Readonly<Record<UndoClass, number>> = { exact: 0, compensating: 1, none: 2 };
const HOW: Readonly<Record<UndoClass, string>> = {
  exact: "is taken back exactly",
  compensating: "is taken back by another change",
  none: "cannot be taken back",
};

/**
 * What can be taken back exactly first, then what is taken back by another change, then the one that cannot be taken
 * back: so the least is in doubt when one of them fails. `after` is respected within; otherwise the order given stays.
 * @throws {UsageError} `after` asks for another order or goes round in a circle
 */
export function restoreOrder<T extends Ordered>(items: readonly T[]): readonly T[] {
  refuseConflicts(items);
  const left = [...items];
  const done = new Set<string>();
  const names = new Set(items.map(({ name }) => name));
  const ordered: T[] = [];
  while (left.length > 0) {
    const ready = left.filter(({ after }) => after.every((name) => done.has(name) || !names.has(name)));
    if (ready.length === 0) throw circle(left);
    const next = ready.reduce((best, item) => RANK[item.undo] < RANK[best.undo] ? item : best);
    left.splice(left.indexOf(next), 1);
    done.add(next.name);
    ordered.push(next);
  }
  return ordered;
}

function refuseConflicts(items: readonly Ordered[]): void {
  const undo = new Map(items.map((item) => [item.name, item.undo]));
  for (const item of items) {
    for (const name of item.after) {
      const other = undo.get(name);
      if (other === undefined || RANK[other] <= RANK[item.undo]) continue;
      throw new UsageError(
        `Cannot order the targets: ${item.name} is said to be after ${name}, but ${name} ${HOW[other]} and ` +
          `${item.name} ${HOW[item.undo]}, so it comes first`,
        {
          hint: `Take ${name} out of \`after\` of ${item.name} in backout.yaml, or work on them one by one ` +
            "with --target.",
        },
      );
    }
  }
}

/** @throws {UsageError} when a failure of one could leave another behind that cannot be taken back */
export function refuseSeveralFinal(items: readonly Ordered[]): void {
  const final = items.filter(({ undo }) => undo === "none");
  if (final.length <= 1) return;
  throw new UsageError(
    `Cannot restore ${final.map(({ name }) => name).join(" and ")} at once: they cannot be taken back`,
    { hint: "Restore them one by one, with --target." },
  );
}

function circle(left: readonly Ordered[]): UsageError {
  return new UsageError(
    `Cannot order the targets: ${left.map(({ name }) => name).join(", ")} wait for each other`,
    { hint: "Mend `after` in backout.yaml." },
  );
}

/**
 * Does `work` for every item, those that do not wait for another at the same time, at most `limit`. After the first
 * failure nothing more is begun; it is thrown when what was under way has ended.
 * @param onFailure called at the first failure, to stop what is under way
 */
export async function inOrder<T extends Pick<Ordered, "name" | "after">, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
  onFailure: (error: unknown) => void,
): Promise<readonly R[]> {
  const results = new Array<R>(items.length);
  const failures: unknown[] = [];
  const names = new Set(items.map(({ name }) => name));
  const done = new Set<string>();
  const waiting = new Set(items.keys());
  const running = new Set<Promise<void>>();
  const isReady = (index: number) => items[index]!.after.every((name) => done.has(name) || !names.has(name));
  const begin = (index: number) => {
    waiting.delete(index);
    const one: Promise<void> = (async () => {
      try {
        results[index] = await work(items[index]!, index);
        done.add(items[index]!.name);
      } catch (error) {
        if (failures.length === 0) onFailure(error);
        failures.push(error);
      }
    })().finally(() => running.delete(one));
    running.add(one);
  };
  for (;;) {
    for (const index of [...waiting]) {
      if (failures.length === 0 && running.size < limit && isReady(index)) begin(index);
    }
    if (running.size === 0) break;
    await Promise.race(running);
  }
  if (failures.length > 0) throw failures[0];
  if (waiting.size > 0) throw circle([...waiting].map((index) => ({ ...items[index]!, undo: "exact" })));
  return results;
}
