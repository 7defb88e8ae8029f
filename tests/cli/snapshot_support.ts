/** A workspace as a person has one: configuration files, data, a git checkout and a SQLite database. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { type CliOptions, type CliResult, runCli } from "../support/cli.ts";
import { withTempDir } from "../support/temp.ts";

export interface TestWorkspace {
  /** The folder of backout.yaml. */
  readonly folder: string;
  /** Runs `backout ARGS` in it. */
  readonly run: (args: readonly string[], options?: CliOptions) => Promise<CliResult>;
  /** The same, which must end with 0: its JSON. */
  // deno-lint-ignore no-explicit-any -- documents of many shapes, whose fields the tests look at
  readonly json: (...args: readonly string[]) => Promise<any>;
  readonly write: (path: string, text: string) => void;
  readonly read: (path: string) => string;
}

/** Runs `body` in a folder with this backout.yaml (below `version: 1`). */
export async function withWorkspace(
  config: string,
  body: (workspace: TestWorkspace) => Promise<void>,
): Promise<void> {
  await withTempDir(async (folder) => {
    const run = (args: readonly string[], options: CliOptions = {}) =>
      runCli(args, { cwd: folder, env: { PATH: Deno.env.get("PATH")!, HOME: folder }, ...options });
    const write = (path: string, text: string) => {
      const file = `${folder}/${path}`;
      Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
      Deno.writeTextFileSync(file, text);
    };
    if (config !== "") write("backout.yaml", `version: 1\n${config}`);
    await body({
      folder,
      run,
      json: async (...args) => {
        const { code, stdout, stderr } = await run([...args, "--json"]);
        assert.equal(code, 0, `${args.join(" ")}: ${stderr}${stdout}`);
        return JSON.parse(stdout);
      },
      write,
      read: (path) => Deno.readTextFileSync(`${folder}/${path}`),
    });
  });
}

/** Two targets of files. */
export const FILES = `targets:
  config: {type: configuration, config_files: [etc/app.conf]}
  data: {type: file_system, paths: [data]}
`;

/** Runs git, which must succeed. */
export function git(folder: string, ...args: readonly string[]): string {
  const identity = [
    "-c",
    "user.name=test",
    "-c",
    "user.email=test@example.org",
    "-c",
    "init.defaultBranch=main",
  ];
  const { success, stdout, stderr } = new Deno.Command("git", {
    args: [...identity, ...args],
    cwd: folder,
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH")!, HOME: folder },
  }).outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

/** A repository with one commit of `file`. @returns the commit */
export function makeRepository(folder: string, file: string, text: string): string {
  Deno.mkdirSync(folder, { recursive: true });
  git(folder, "init", "--quiet");
  Deno.writeTextFileSync(`${folder}/${file}`, text);
  git(folder, "add", ".");
  git(folder, "commit", "--quiet", "-m", "first");
  return git(folder, "rev-parse", "HEAD");
}

/** Runs SQL on a database of SQLite, and answers the rows of the last statement's table `t`. */
export function sql(path: string, statements: string): readonly unknown[] {
  const database = new DatabaseSync(path);
  try {
    database.exec(statements);
    return database.prepare("select x from t order by x").all().map((row) => (row as { x: unknown }).x);
  } finally {
    database.close();
  }
}
