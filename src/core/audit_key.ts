/** The names of the audit log's files: entries by their number, archives by the numbers that they hold. */

export const AUDIT_FOLDER = ".backout/audit";
export const MAX_SEQ = 99_999_999;

/** A range of entries, both ends included. */
export interface EntryRange {
  readonly first: number;
  readonly last: number;
}

/** Where the entry with this number is. */
export function entryKey(seq: number): string {
  return `${AUDIT_FOLDER}/${entryFileName(seq)}`;
}

/** The file name of the entry with this number, e.g. `00000012.json`. */
export function entryFileName(seq: number): string {
  return `${digits(seq)}.json`;
}

/** The number in an entry's file name; undefined for any other name. */
export function seqOfFileName(name: string): number | undefined {
  const match = /^(\d{8})\.json$/.exec(name);
  const seq = match === null ? 0 : Number(match[1]);
  return seq === 0 ? undefined : seq;
}

/** Where the archive of these entries is. */
export function archiveKey(range: EntryRange): string {
  return `${AUDIT_FOLDER}/${archiveFileName(range)}`;
}

/** The file name of an archive, e.g. `archive-00000001-00000090.jsonl.gz`. */
export function archiveFileName({ first, last }: EntryRange): string {
  return `archive-${digits(first)}-${digits(last)}.jsonl.gz`;
}

/** The entries that an archive's file name promises; undefined for any other name. */
export function rangeOfFileName(name: string): EntryRange | undefined {
  const match = /^archive-(\d{8})-(\d{8})\.jsonl\.gz$/.exec(name);
  const range = { first: Number(match?.[1] ?? 0), last: Number(match?.[2] ?? 0) };
  return isEntryRange(range) ? range : undefined;
}

/** Whether these are numbers that entries can have, in order. */
export function isEntryRange({ first, last }: EntryRange): boolean {
  return Number.isInteger(first) && Number.isInteger(last) && first >= 1 && first <= last && last <= MAX_SEQ;
}

function digits(seq: number): string {
  return String(seq).padStart(8, "0");
}
