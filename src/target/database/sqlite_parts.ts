/** What an SQLite file holds: a digest of all its pages, and for each table and index one of its own. */
import { sha256Hex } from "#/core/sha256.ts";
import { createHash, hash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { RollbackBackupError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import type { Parts } from "./engine.ts";

export interface SqliteFacts {
  readonly parts: Parts;
  readonly rows: Readonly<Record<string, number>>;
  readonly version: string;
  readonly encoding: string;
  readonly pageSize: number;
  readonly journalMode: string;
}

/**
 * Bytes of the header that are counters of SQLite's own: a copy has others. Write and read version (18, 19: with a
 * write-ahead log or not), change counter (24), version-valid-for and version (92).
 */
const COUNTERS: readonly (readonly [number, number])[] = [[18, 20], [24, 28], [92, 100]];

/**
 * Reads a copy that nobody else has open.
 * @throws {RollbackBackupError} it is not whole
 */
export function readSqliteParts(path: string, signal: AbortSignal): SqliteFacts {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const get = <T>(sql: string) => database.prepare(sql).get() as T;
    const check = get<{ integrity_check: string }>("PRAGMA integrity_check(1)").integrity_check;
    if (check !== "ok") {
      throw new RollbackBackupError(`The SQLite database is malformed: ${check}`, {
        hint: "Repair it (sqlite3 FILE .recover), or restore an earlier snapshot.",
      });
    }
    const { page_size: pageSize } = get<{ page_size: number }>("PRAGMA page_size");
    const pages = pageDigests(path, pageSize, signal);
    const parts: Record<string, string> = { "data of all pages": pages.whole };
    const objects = database.prepare(
      "SELECT type, name, coalesce(sql, '') AS sql FROM sqlite_schema ORDER BY type, name",
    ).all() as { type: string; name: string; sql: string }[];
    for (const { type, name, sql } of objects) parts[`${type} ${name}`] = sha256Hex(sql);
    const rows = countRows(database, objects.filter((it) => it.type === "table"));
    const trees = treeDigests(database, pages.each);
    for (const [name, count] of Object.entries(rows)) {
      parts[`rows of ${name}`] = `${count} rows, ${trees.get(name) ?? ""}`;
    }
    return {
      parts,
      rows,
      version: get<{ v: string }>("SELECT sqlite_version() AS v").v,
      encoding: get<{ encoding: string }>("PRAGMA encoding").encoding,
      pageSize,
      journalMode: get<{ journal_mode: string }>("PRAGMA journal_mode").journal_mode,
    };
  } finally {
    database.close();
  }
}

/** Not those of virtual tables: their module may be missing, and what they hold is in tables of its own. */
function countRows(
  database: DatabaseSync,
  tables: readonly { readonly name: string; readonly sql: string }[],
): Record<string, number> {
  const rows: Record<string, number> = {};
  for (const { name, sql } of tables) {
    if (/^\s*create\s+virtual\s/i.test(sql)) continue;
    const quoted = `"${name.replaceAll('"', '""')}"`;
    rows[name] = (database.prepare(`SELECT count(*) AS n FROM ${quoted}`).get() as { n: number }).n;
  }
  return rows;
}

interface PageDigests {
  readonly whole: string;
  /** By the page's number less one. */
  readonly each: readonly string[];
}

function pageDigests(path: string, pageSize: number, signal: AbortSignal): PageDigests {
  const whole = createHash("sha256");
  const each: string[] = [];
  const perRead = Math.max(1, Math.floor((4 << 20) / pageSize));
  const buffer = new Uint8Array(perRead * pageSize);
  using file = Deno.openSync(path, { read: true });
  for (let first = true;; first = false) {
    throwIfStopped(signal);
    const filled = fill(file, buffer);
    if (filled === 0) return { whole: whole.digest("hex"), each };
    if (first) { for (const [from, to] of COUNTERS) buffer.fill(0, from, to); }
    whole.update(buffer.subarray(0, filled));
    for (let at = 0; at < filled; at += pageSize) {
      each.push(hash("sha1", buffer.subarray(at, Math.min(filled, at + pageSize))));
    }
  }
}

function fill(file: Deno.FsFile, buffer: Uint8Array): number {
  let filled = 0;
  while (filled < buffer.length) {
    const count = file.readSync(buffer.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return filled;
}

/** One digest for each table or index, of the pages that are its own. */
function treeDigests(database: DatabaseSync, pages: readonly string[]): ReadonlyMap<string, string> {
  const digests = new Map<string, ReturnType<typeof createHash>>();
  const own = database.prepare(
    "SELECT name, pageno FROM dbstat WHERE aggregate = FALSE ORDER BY name, pageno",
  );
  for (const row of own.iterate() as Iterable<{ name: string; pageno: number }>) {
    let digest = digests.get(row.name);
    if (digest === undefined) digests.set(row.name, digest = createHash("sha256"));
    digest.update(pages[row.pageno - 1] ?? "");
  }
  return new Map([...digests].map(([name, digest]) => [name, digest.digest("hex").slice(0, 32)]));
}
