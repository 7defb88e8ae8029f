/** Repositories for tests of the command line, made through it: in folders, and wherever else a location leads. */
import assert from "node:assert/strict";
import { runCli } from "./cli.ts";
import type { CliResult, InProcessOptions } from "./cli.ts";

/** A repository of any storage. */
export interface AnyRepository {
  /** The working folder of all commands. */
  readonly cwd: string;
  /** What `-r` gets. */
  readonly location: string;
  /** Runs a command line as it is, where this repository's commands run. */
  readonly run: typeof runCli;
  /** Runs a command on it, with `-r` at the end. */
  readonly cli: (...args: readonly string[]) => Promise<CliResult>;
  /** Runs a command with `--json` that must end with `code`, and answers its document. */
  readonly json: (code: number, ...args: readonly string[]) => Promise<Document>;
  /** Makes a folder with the files of a release; `content` makes the bytes of two releases differ. */
  readonly source: (version: string, content?: string) => string;
  readonly publish: (version: string, ...flags: readonly string[]) => Promise<Document>;
  /** The text of a file of the repository as it is stored, undefined when there is none. */
  readonly read: (key: string) => Promise<string | undefined>;
  /** Writes or removes such a file as somebody would who does not know of backout. */
  readonly write: (key: string, content: string) => Promise<void>;
  readonly remove: (key: string) => Promise<void>;
  /** The versions in the index, newest first. */
  readonly listed: () => Promise<readonly string[]>;
  /** The state that `release show` names. */
  readonly state: (version: string) => Promise<string>;
}

/** A repository in a folder. */
export interface TestRepository extends AnyRepository {
  /** The repository's folder. */
  readonly path: string;
  /** As `listed`, at once. */
  readonly versions: () => readonly string[];
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
  const read = async (key: string): Promise<string | undefined> => {
    try {
      return await Deno.readTextFile(`${path}/${key}`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  };
  const files = {
    read,
    write: (key: string, content: string) => Deno.writeTextFile(`${path}/${key}`, content),
    remove: (key: string) => Deno.remove(`${path}/${key}`),
  };
  const repository = repositoryAt(path, { cwd, run, options, ...files });
  return { ...repository, path, versions: () => versionsOf(Deno.readTextFileSync(`${path}/index.json`)) };
}

export interface RepositoryParts extends Pick<AnyRepository, "cwd" | "run" | "read" | "write" | "remove"> {
  /** Given to every command. */
  readonly options?: InProcessOptions;
}

/** A repository at a location; it is made by the first publish. */
export function repositoryAt(location: string, parts: RepositoryParts): AnyRepository {
  const { cwd, run, read, write, remove, options = {} } = parts;
  const cli = (...args: readonly string[]) => run([...args, "-r", location], { cwd, ...options });
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
    location,
    run,
    cli,
    json,
    source,
    read,
    write,
    remove,
    publish: (version, ...flags) => json(0, "release", "publish", version, source(version), ...flags),
    listed: async () => versionsOf(await read("index.json") ?? assert.fail(`no index.json in ${location}`)),
    state: async (version) => {
      const result = await cli("release", "show", version, "--json");
      return result.code === 40 ? "absent" : JSON.parse(result.stdout).state;
    },
  };
}

function versionsOf(index: string): readonly string[] {
  return JSON.parse(index).releases.map((release: { version: string }) => release.version);
}
