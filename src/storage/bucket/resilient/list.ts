/** A listing that survives failures on the way: without gaps, and nothing twice. */
import type { Bucket, ListPage, ListRequest } from "#/storage/bucket/bucket.ts";
import { Deadline, type DeadlineOptions } from "./deadline.ts";
import type { Attempts } from "./retry.ts";

/**
 * Lists, and after a transient failure lists again from the beginning, leaving out what was given already (the port has
 * no place to go on from; a driver's pages hold a thousand keys, so the pages before are few). What is written
 * meanwhile appears or not, as in any listing.
 */
export async function* listPages(
  inner: Bucket,
  request: ListRequest,
  attempts: Attempts,
  limits: () => DeadlineOptions,
): AsyncGenerator<ListPage, void> {
  let last: string | undefined;
  for (;;) {
    attempts.begin();
    try {
      for await (const page of pagesInTime(inner, request, limits())) {
        const fresh = last === undefined ? page : pageAfter(page, last);
        const end = lastName(fresh);
        if (last !== undefined && end === undefined) continue;
        last = end ?? last;
        attempts.reset();
        yield fresh;
      }
      return;
    } catch (error) {
      await attempts.pauseAfter(error);
    }
  }
}

/** Each page has the deadline for itself; the time that the reader takes between two pages does not count. */
async function* pagesInTime(
  inner: Bucket,
  request: ListRequest,
  options: DeadlineOptions,
): AsyncGenerator<ListPage, void> {
  using deadline = new Deadline(options);
  const pages = inner.list({ ...request, signal: deadline.signal })[Symbol.asyncIterator]();
  let isOver = false;
  try {
    for (;;) {
      deadline.check();
      deadline.restart();
      let page: IteratorResult<ListPage, void> | undefined;
      // The race is lost to `passed` for as long as that lives: it must not hold the page.
      const next = pages.next().then((it) => void (page = it));
      next.catch(() => {});
      isOver = true;
      await Promise.race([next, deadline.passed]);
      if (page === undefined || (page as IteratorResult<ListPage, void>).done === true) return;
      isOver = false;
      deadline.stop();
      yield (page as IteratorYieldResult<ListPage>).value;
    }
  } catch (error) {
    throw deadline.explain(error);
  } finally {
    if (!isOver) await pages.return?.(); // a listing that hangs would never return
  }
}

function pageAfter(page: ListPage, last: string): ListPage {
  return {
    objects: page.objects.filter((it) => compareKeys(it.key, last) > 0),
    prefixes: page.prefixes.filter((it) => compareKeys(it, last) > 0),
  };
}

function lastName(page: ListPage): string | undefined {
  const key = page.objects.at(-1)?.key;
  const prefix = page.prefixes.at(-1);
  if (key === undefined || prefix === undefined) return key ?? prefix;
  return compareKeys(key, prefix) > 0 ? key : prefix;
}

/** The services sort by the bytes of UTF-8, which is the order of code points, and not that of JavaScript's strings. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all others. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit <= 0xdfff ? unit + 0x2000 : unit - 0x800;
}
