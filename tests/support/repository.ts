/** Repositories for tests of the command line, made through it. */
import assert from "node:assert/strict";
import { runCli } from "./cli.ts";
import type { CliResult, InProcessOptions } from "./cli.ts";

export interface TestRepository {
  /** The working folder of all commands. */
  readonly cwd: string;
  /** The repository's folder. */
  readonly path: string;
  /** Runs a command on it, with `-r` at the end. */
  readonly cli: (...args: readonly string[]) => Promise<CliResult>;
  /** Runs a command with `--json` that must end with `code`, and answers its document. */
  readonly json: (code: number, ...args: readonly string[]) => Promise<Document>;
  /** Makes a folder with the files of a release; `content` makes the bytes of two releases differ. */
  readonly source: (version: string, content?: string) => string;
  readonly publish: (version: string, ...flags: readonly string[]) => Promise<Document>;
  /** The versions in the index, newest first. */
  readonly versions: () => readonly string[];
  /** The state that `release show` names. */
  readonly state: (version: string) => Promise<string>;
}

// deno-lint-ignore no-explicit-any -- a JSON document, looked into freely by tests
export type Document = any;

/** A repository in a folder of its own; it is made by the first publish. */
export function testRepository(
  cwd: string,
  run: typeof runCli = runCli,
  options: InProcessOptions = {},
): TestRepository {
  const path = `${cwd}/releases`;
  const cli = (...args: readonly string[]) => run([...args, "-r", path], { cwd, ...options });
  const json = async (code: number, ...args: readonly string[]): Promise<Document> => {
    const result = await cli(...args, "--json");
    assert.equal(
      result.code,
      code,
      `${args.join(" ")} ended with ${result.code}: ${result.stdout}${result.stderr}`,
    );
    return JSON.parse(result.stdout);
  };
  const source = (version: string, content = version): string => {
    const folder = `${cwd}/source-${version}-${content}`;
    Deno.mkdirSync(`${folder}/docs`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/app.txt`, `app ${content}\n`);
    Deno.writeTextFileSync(`${folder}/README.md`, `# ${content}\n`);
    Deno.writeTextFileSync(`${folder}/docs/index.html`, `<p>${content}\n`);
    return folder;
  };
  return {
    cwd,
    path,
    cli,
    json,
    source,
    publish: (version, ...flags) => json(0, "release", "publish", version, source(version), ...flags),
    versions: () => {
      const index = JSON.parse(Deno.readTextFileSync(`${path}/index.json`));
      return index.releases.map((release: { version: string }) => release.version);
    },
    state: async (version) => {
      const result = await cli("release", "show", version, "--json");
      return result.code === 40 ? "absent" : JSON.parse(result.stdout).state;
    },
  };
}
