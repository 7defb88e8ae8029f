/**
 * SQLite: copied by SQLite's own backup, page by page, with what is in the write-ahead log; put back the same way into
 * the file that is there, in one transaction of its own. So programs that have it open go on with the restored content.
 */
import { statfsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import {
  messageOf,
  RollbackBackupError,
  RollbackError,
  RollbackVersionNotFoundError,
} from "#/core/errors.ts";
import { chmod, chown, lstat, rename, syncFile, syncFolder, unlink } from "#/core/posix.ts";
import type { ContentRef } from "#/store/model.ts";
import type { CaptureContext, PlanContext, RestoreContext, TargetContext } from "#/target/target.ts";
import {
  compareRestored,
  type Database,
  type DatabaseState,
  differingParts,
  type Engine,
  type EnginePlan,
  type EngineRestored,
  type EngineShot,
  type Parts,
} from "./engine.ts";
import { readSqliteParts, type SqliteFacts } from "./sqlite_parts.ts";

/** How long somebody else's transaction is waited for, in milliseconds. */
const BUSY_MS = 30_000;
const PAGES_AT_ONCE = 16_384;
/** What may lie beside a database: its write-ahead log, the index of that, a journal to be rolled back. */
const BESIDE = ["-wal", "-shm", "-journal"];

export const sqlite: Engine = {
  name: "SQLite",
  undo: "exact",
  programs: [],
  capture,
  parts: async (database, context) => {
    if (lstat(database.connection.database) === undefined) return undefined;
    return await withCopy(database, context, ({ parts }) => Promise.resolve(parts));
  },
  plan,
  restore,
};

interface Copy extends SqliteFacts {
  readonly path: string;
}

function capture(database: Database, context: CaptureContext): Promise<EngineShot> {
  return withCopy(database, context, async (copy) => {
    const file = database.connection.database;
    const size = Deno.statSync(copy.path).size;
    const previous = context.previous?.roots[0]?.content;
    const [stored] = await context.writer.addFiles([{
      path: copy.path,
      size,
      ...(previous === undefined ? {} : { previous }),
    }], { signal: context.signal });
    if (stored?.kind !== "stored") throw new RollbackBackupError(`Cannot store the copy of ${file}`);
    const { mode, uid, gid } = Deno.statSync(file);
    return {
      state: {
        format: 1,
        engine: "sqlite",
        parts: copy.parts,
        dumps: [{ name: basename(file), content: stored.content }],
        details: { mode: (mode ?? 0o600) & 0o777, uid: uid ?? 0, gid: gid ?? 0, page_size: copy.pageSize },
      },
      metadata: {
        library_version: copy.version,
        encoding: copy.encoding,
        journal_mode: copy.journalMode,
        size_bytes: size,
        row_counts: copy.rows,
      },
      warnings: [],
      bytes: size,
    };
  });
}

/** Copies the database into the scratch folder, checks the copy, reads it, and removes it again. */
async function withCopy<T>(
  { connection }: Database,
  context: TargetContext,
  body: (copy: Copy) => Promise<T>,
): Promise<T> {
  const file = connection.database;
  if (lstat(file) === undefined) {
    throw new RollbackVersionNotFoundError(`There is no database ${file}`, {
      hint: "Check the path in the connection string (sqlite:///absolute/path.db).",
    });
  }
  const path = join(context.scratch, `copy-${crypto.randomUUID()}.sqlite`);
  try {
    const journalMode = await copyDatabase(file, path);
    const facts = readSqliteParts(path, context.signal);
    return await body({ ...facts, journalMode, path });
  } catch (error) {
    if (error instanceof RollbackError || context.signal.aborted) throw error;
    throw new RollbackBackupError(`Cannot copy ${file}: ${messageOf(error)}`, {
      hint: /not a database|malformed|corrupt/.test(messageOf(error))
        ? "It is damaged, or no SQLite database. A restore replaces it whole."
        : "Is it locked by a long transaction, and may this user read it and its folder?",
      cause: error,
    });
  } finally {
    removeAll(path);
  }
}

/** A copy of one moment: the read transaction keeps what the copy is taken of. */
async function copyDatabase(file: string, copy: string): Promise<string> {
  const source = openDatabase(file);
  try {
    const mode = source.prepare("PRAGMA journal_mode").get() as { journal_mode: string };
    source.exec("BEGIN");
    source.prepare("SELECT count(*) FROM sqlite_schema").get();
    await backup(source, copy, { rate: PAGES_AT_ONCE });
    source.exec("COMMIT");
    return mode.journal_mode;
  } finally {
    source.close();
  }
}

/** Writable where this user may: a database with a write-ahead log can often not be opened otherwise. */
function openDatabase(file: string): DatabaseSync {
  const open = (readOnly: boolean) => {
    const database = new DatabaseSync(file, { readOnly });
    try {
      database.exec(`PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA query_only = 1`);
      database.prepare("SELECT count(*) FROM sqlite_schema").get();
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  };
  try {
    return open(false);
  } catch (error) {
    if (!/readonly|unable to open/.test(messageOf(error))) throw error;
    return open(true);
  }
}

function removeAll(path: string): void {
  for (const each of [path, ...BESIDE.map((it) => path + it)]) {
    if (lstat(each) !== undefined) unlink(each);
  }
}

function plan(database: Database, state: DatabaseState, context: PlanContext): Promise<EnginePlan> {
  const file = database.connection.database;
  const problems: string[] = [];
  const size = state.dumps[0]!.content.size;
  const folder = dirname(file);
  if (lstat(folder) === undefined) problems.push(`there is no folder ${folder}`);
  else {
    const { bavail, bsize } = statfsSync(folder);
    // The copy beside it, and the journal of the transaction that replaces the content.
    const needed = size + (lstat(file)?.size ?? 0);
    if (bavail * bsize < needed) {
      problems.push(`${folder} has ${bavail * bsize} bytes free, the restore needs ${needed}`);
    }
  }
  context.signal.throwIfAborted();
  const warnings = lstat(file) === undefined
    ? []
    : ["programs that have it open see the restored content from their next transaction on"];
  return Promise.resolve({ facts: [`${size} bytes`], problems, warnings });
}

async function restore(
  database: Database,
  state: DatabaseState,
  context: RestoreContext,
): Promise<EngineRestored> {
  const file = realPath(database.connection.database);
  const staged = `${file}.backout-${database.tag}`;
  removeAll(staged);
  const health = await healthOf(database, state.parts, context);
  if (health === "as saved") return { changed: false, details: {}, warnings: [] };
  const content = state.dumps[0]!.content;
  try {
    await stage(database, staged, state, content, context);
    const replaced = health === "damaged" || !await writeInto(file, staged);
    if (replaced) replaceFile(file, staged, state);
    const warnings = replaced && health !== "missing"
      ? [`${file} was replaced by a new file: restart the programs that had it open`]
      : [];
    return { changed: true, details: { file, replaced_file: replaced }, warnings };
  } finally {
    removeAll(staged);
  }
}

function realPath(file: string): string {
  return lstat(file)?.isSymlink === true ? Deno.realPathSync(file) : file;
}

type Health = "as saved" | "other" | "missing" | "damaged";

async function healthOf(database: Database, saved: Parts, context: RestoreContext): Promise<Health> {
  if (lstat(database.connection.database) === undefined) return "missing";
  try {
    const same = await withCopy(
      database,
      context,
      ({ parts }) => Promise.resolve(differingParts(saved, parts).length === 0),
    );
    return same ? "as saved" : "other";
  } catch (error) {
    if (error instanceof RollbackBackupError && /not a database|malformed|corrupt/.test(error.message)) {
      return "damaged";
    }
    throw error;
  }
}

/** Writes the saved database beside the live one, and looks at every page of it. */
async function stage(
  database: Database,
  staged: string,
  state: DatabaseState,
  content: ContentRef,
  context: RestoreContext,
): Promise<void> {
  await context.store.writeFiles([{ content, path: staged }], { signal: context.signal });
  const { parts } = readSqliteParts(staged, context.signal);
  compareRestored(database.connection.label, state.parts, parts);
}

/**
 * Puts all pages into the live file in one transaction, which SQLite itself takes back after a crash.
 * @returns false where that cannot be: there is none, or its pages have another size and a log
 */
async function writeInto(file: string, staged: string): Promise<boolean> {
  if (lstat(file) === undefined) return false;
  const live = new DatabaseSync(file);
  try {
    live.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    const { page_size: size } = live.prepare("PRAGMA page_size").get() as { page_size: number };
    const { journal_mode: mode } = live.prepare("PRAGMA journal_mode").get() as { journal_mode: string };
    // Waits for whoever writes; the copy below would wait without an end.
    live.exec("BEGIN EXCLUSIVE; COMMIT");
    if (mode === "wal" && size !== pageSizeOf(staged)) return false;
  } catch (error) {
    throw new RollbackError(`Cannot restore ${file}: ${messageOf(error)}`, {
      hint: "Somebody holds it in a long transaction: stop that program, then restore again.",
      cause: error,
    });
  } finally {
    live.close();
  }
  const source = new DatabaseSync(staged, { readOnly: true });
  try {
    await backup(source, file, { rate: PAGES_AT_ONCE });
  } finally {
    source.close();
  }
  return true;
}

function pageSizeOf(file: string): number {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return (database.prepare("PRAGMA page_size").get() as { page_size: number }).page_size;
  } finally {
    database.close();
  }
}

/** For a file that is missing, or that SQLite cannot read. The log of a replaced file goes first: it is not of the new one. */
function replaceFile(file: string, staged: string, state: DatabaseState): void {
  const live = lstat(file);
  const { mode, uid, gid } = state.details as { mode: number; uid: number; gid: number };
  const owner = live === undefined ? { uid, gid } : { uid: live.uid, gid: live.gid };
  const now = lstat(staged)!;
  if (owner.uid !== now.uid || owner.gid !== now.gid) chown(staged, owner.uid, owner.gid);
  chmod(staged, (live === undefined ? mode : live.mode ?? mode) & 0o777);
  syncFile(staged);
  for (const each of BESIDE) {
    if (lstat(staged + each) !== undefined) unlink(staged + each);
    if (lstat(file + each) !== undefined) unlink(file + each);
  }
  rename(staged, file);
  syncFolder(dirname(file));
}
