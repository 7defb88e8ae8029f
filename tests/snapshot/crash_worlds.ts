/** Workspaces of three targets that the crash sweep restores: the engine's own kind, and real ones. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { driver as database } from "#/target/database.ts";
import { driver as fileSystem } from "#/target/file_system.ts";
import { driver as git } from "#/target/git_commit.ts";
import type { WorkspaceOptions } from "#/snapshot/mod.ts";
import type { TargetDriver, TargetSpec } from "#/target/target.ts";
import { readTree } from "../support/tree.ts";
import { changeAll, look, makeWorld, optionsOf } from "./world.ts";

export interface CrashWorld {
  /** Makes the workspace in its first state. */
  setUp(folder: string): void;
  /** The change that is rolled back. */
  change(folder: string): void;
  look(folder: string): unknown;
  /** After the whole world was copied: git notices files by their inodes. */
  settle?(folder: string): void;
  open(folder: string): WorkspaceOptions;
}

export const CRASH_WORLDS: Readonly<Record<string, CrashWorld>> = {
  text: {
    setUp: (folder) => void makeWorld(folder),
    change: (folder) => changeAll(folder, "v2"),
    look: (folder) => look(folder),
    open: (folder) => optionsOf(folder),
  },
  real: { setUp: setUpReal, change: changeReal, look: lookReal, settle: settleReal, open: openReal },
};

export function openCrashWorld(world: string, folder: string): WorkspaceOptions {
  return CRASH_WORLDS[world]!.open(folder);
}

function setUpReal(folder: string): void {
  for (const name of ["ws", "files/deep", "repo"]) Deno.mkdirSync(join(folder, name), { recursive: true });
  for (let i = 0; i < 4; i++) Deno.writeTextFileSync(join(folder, "files", `f${i}`), `file ${i}`);
  Deno.writeTextFileSync(join(folder, "files/deep/leaf"), "leaf");
  runGit(folder, ["init", "--quiet", "--initial-branch=main", "."]);
  Deno.writeTextFileSync(join(folder, "repo/a.txt"), "a v1");
  runGit(folder, ["add", "."]);
  runGit(folder, ["commit", "--quiet", "-m", "one"]);
  sql(folder, "CREATE TABLE t (word TEXT); INSERT INTO t VALUES ('v1')");
}

function changeReal(folder: string): void {
  Deno.writeTextFileSync(join(folder, "files/f0"), "file 0 v2");
  Deno.removeSync(join(folder, "files/f1"));
  Deno.writeTextFileSync(join(folder, "files/new"), "came later");
  Deno.removeSync(join(folder, "files/deep"), { recursive: true });
  Deno.writeTextFileSync(join(folder, "repo/a.txt"), "a v2");
  runGit(folder, ["commit", "--quiet", "-am", "two"]);
  sql(folder, "UPDATE t SET word = 'v2'; CREATE TABLE more (n INTEGER)");
}

function settleReal(folder: string): void {
  const lock = join(folder, "repo/.git/index.lock");
  const isLocked = [...Deno.readDirSync(join(folder, "repo/.git"))].some(({ name }) => lock.endsWith(name));
  if (!isLocked) runGit(folder, ["update-index", "-q", "--really-refresh", "--ignore-missing"], true);
}

function lookReal(folder: string): unknown {
  const db = new DatabaseSync(join(folder, "db.sqlite"), { readOnly: true });
  try {
    return {
      files: readTree(join(folder, "files")),
      repo: readTree(join(folder, "repo"), { ignore: (path) => path === ".git" }),
      head: runGit(folder, ["rev-parse", "HEAD"]),
      status: runGit(folder, ["status", "--porcelain"]),
      tables: db.prepare("SELECT sql FROM sqlite_master ORDER BY name").all().map((row) => row.sql),
      rows: db.prepare("SELECT word FROM t").all().map((row) => row.word),
    };
  } finally {
    db.close();
  }
}

function openReal(folder: string): WorkspaceOptions {
  return {
    folder: join(folder, "ws"),
    store: { location: join(folder, "store") },
    targets: [
      spec("files", fileSystem as unknown as TargetDriver, { paths: [join(folder, "files")] }),
      spec("repo", git as unknown as TargetDriver, { repo_path: join(folder, "repo") }),
      spec("db", database as unknown as TargetDriver, {
        connection_string: `sqlite://${join(folder, "db.sqlite")}`,
      }),
    ],
    checks: [],
    env: (name) => Deno.env.get(name),
    by: "tester",
  };
}

function spec(
  name: string,
  { type, schema }: TargetDriver,
  written: Record<string, never> | object,
): TargetSpec {
  return { name, type, config: schema.parse(written), written: written as never, after: [] };
}

function sql(folder: string, statements: string): void {
  const db = new DatabaseSync(join(folder, "db.sqlite"));
  db.exec(statements);
  db.close();
}

function runGit(folder: string, args: readonly string[], mayFail = false): string {
  const { success, stdout, stderr } = new Deno.Command("git", {
    args: ["-c", "user.name=t", "-c", "user.email=t@t", ...args],
    cwd: join(folder, "repo"),
  }).outputSync();
  assert.ok(success || mayFail, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
