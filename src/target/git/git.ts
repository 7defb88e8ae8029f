/**
 * Runs git on one repository: no hooks, no file system monitor, no network, no questions, no locks that it does not
 * need. Filters (line ends, LFS) run where git itself needs them to compare or write a file, as the repository says.
 */
import { RollbackError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { kindOf, readTextIfThere } from "#/core/quick_look.ts";
import {
  ProgramError,
  type ProgramRequest,
  type ProgramResult,
  runProgram,
  streamProgram,
} from "../run_program.ts";
import type { TargetContext } from "../target.ts";

const SETTINGS: readonly string[] = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.quotePath=false",
  "protocol.allow=never",
  "protocol.ext.allow=never",
  "protocol.file.allow=never",
  "submodule.recurse=false",
  "gc.auto=0",
  "maintenance.auto=false",
  "advice.detachedHead=false",
];

const ENVIRONMENT: Readonly<Record<string, string>> = {
  LC_ALL: "C",
  GIT_TERMINAL_PROMPT: "0",
  GIT_OPTIONAL_LOCKS: "0",
  GIT_NO_LAZY_FETCH: "1",
  GIT_NO_REPLACE_OBJECTS: "1",
  GIT_ALLOW_PROTOCOL: "none",
};

export interface GitOptions {
  /** Another index than the repository's own. */
  readonly index?: string;
  readonly stdin?: Uint8Array | ReadableStream<Uint8Array>;
  readonly okCodes?: readonly number[];
  readonly doing?: string;
}

/** Git with one work tree as its working folder. */
export class Git {
  constructor(readonly folder: string, readonly context: Pick<TargetContext, "env" | "signal">) {}

  run(args: readonly string[], options: GitOptions = {}): Promise<ProgramResult> {
    return runProgram({ ...this.#request(args, options), maxOutput: 1 << 30 });
  }

  async bytes(args: readonly string[], options: GitOptions = {}): Promise<Uint8Array> {
    return (await this.run(args, options)).stdout;
  }

  /** Standard output without the newline at its end. */
  async text(args: readonly string[], options: GitOptions = {}): Promise<string> {
    return new TextDecoder().decode(await this.bytes(args, options)).replace(/\n$/, "");
  }

  /** Undefined where git exits with 1: there is no such thing. */
  async maybe(args: readonly string[], options: GitOptions = {}): Promise<string | undefined> {
    const { exitCode, stdout } = await this.run(args, { ...options, okCodes: [0, 1] });
    return exitCode === 0 ? new TextDecoder().decode(stdout).replace(/\n$/, "") : undefined;
  }

  /** What git prints with `-z`. @throws {RollbackError} a name is not UTF-8 */
  async list(args: readonly string[], options: GitOptions = {}): Promise<readonly string[]> {
    return paths(await this.bytes(args, options), this.folder);
  }

  stream(args: readonly string[], options: GitOptions = {}): ReadableStream<Uint8Array<ArrayBuffer>> {
    return streamProgram(this.#request(args, options));
  }

  /**
   * Runs git where it changes something, and under a lock on the folder that the system gives up when it has ended: so
   * that what a killed process left running is waited for.
   */
  async change(gitDir: string, args: readonly string[], options: GitOptions = {}): Promise<ProgramResult> {
    const { program, args: words, ...request } = this.#request(args, options);
    const locked = { ...request, program: "flock", args: [gitDir, program, ...words], package: "util-linux" };
    try {
      return await runProgram(locked);
    } catch (error) {
      if (!(error instanceof ProgramError) || error.end !== "missing") throw error;
      return await runProgram({ ...request, program, args: words });
    }
  }

  #request(args: readonly string[], options: GitOptions): ProgramRequest {
    const { index, stdin, okCodes, doing } = options;
    // A saved index says what is to be left out of the work tree, not what is left out now.
    const settings = index === undefined
      ? SETTINGS
      : [...SETTINGS, "sparse.expectFilesOutsideOfPatterns=true"];
    return {
      program: "git",
      args: ["-C", this.folder, ...settings.flatMap((it) => ["-c", it]), ...args],
      package: "git",
      context: this.context,
      env: { ...ENVIRONMENT, ...(index === undefined ? {} : { GIT_INDEX_FILE: index }) },
      ...(stdin === undefined ? {} : { stdin }),
      ...(okCodes === undefined ? {} : { okCodes }),
      doing: doing ?? `run git ${args[0]} in ${this.folder}`,
    };
  }
}

/** Names that end with NUL, as `-z` prints them. */
export function paths(bytes: Uint8Array, folder: string): readonly string[] {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes).split("\0").slice(0, -1);
  } catch (error) {
    throw new RollbackError(`Cannot work on ${folder}: it has changed files whose names are not UTF-8`, {
      hint: "Rename them, or commit them as they are: names of unchanged files may be anything.",
      cause: error,
    });
  }
}

/** Names for `--stdin -z`. */
export function nulLines(names: readonly string[]): Uint8Array {
  return new TextEncoder().encode(names.map((it) => `${it}\0`).join(""));
}

/** A repository with a work tree, opened; nothing of it is known to be at rest. */
export interface Repository {
  readonly git: Git;
  /** Root of the work tree, real path. */
  readonly folder: string;
  /** Of this work tree: HEAD and index are there. */
  readonly gitDir: string;
  /** Of all linked work trees: refs and objects are there. */
  readonly commonDir: string;
  readonly shallow: boolean;
}

/**
 * @throws {RollbackVersionNotFoundError} 40: it is not there, or not a repository
 * @throws {RollbackError} 49: bare, of another owner, or only a part of a repository
 */
export async function openRepository(
  path: string,
  context: Pick<TargetContext, "env" | "signal">,
): Promise<Repository> {
  const info = posix.lstat(path) === undefined ? undefined : await Deno.stat(path);
  if (info === undefined) {
    throw new RollbackVersionNotFoundError(`There is no folder ${path}`, {
      hint: "Mend `repo_path` of the target. If the checkout was deleted, clone it there again first.",
      context: { repo_path: path },
    });
  }
  if (!info.isDirectory) {
    throw new RollbackVersionNotFoundError(`${path} is a file, not the folder of a git repository`, {
      hint: "Mend `repo_path` of the target.",
      context: { repo_path: path },
    });
  }
  const folder = await Deno.realPath(path);
  const git = new Git(folder, context);
  const said = await asked(git, [
    "rev-parse",
    "--is-bare-repository",
    "--show-toplevel",
    "--absolute-git-dir",
    "--git-common-dir",
  ]);
  if (said === undefined) {
    throw new RollbackError(`${path} is a bare repository: it has no work tree that could be taken back`, {
      hint:
        "Name a clone with a work tree; keep the bare repository itself with a target of type file_system.",
      context: { repo_path: path },
    });
  }
  const [, top = "", gitDir = "", common = ""] = said.split("\n");
  if (top !== folder) {
    throw new RollbackError(`${path} is a folder inside the repository ${top}, not its root`, {
      hint: `Write \`repo_path: ${top}\`; a git repository is taken back as a whole.`,
      context: { repo_path: path, root: top },
    });
  }
  const commonDir = common.startsWith("/") ? common : `${folder}/${common}`;
  const shallow = posix.lstat(`${commonDir}/shallow`) !== undefined;
  return { git, folder, gitDir, commonDir, shallow };
}

/** Undefined for a bare repository. */
async function asked(git: Git, args: readonly string[]): Promise<string | undefined> {
  try {
    return await git.text(args);
  } catch (error) {
    if (!(error instanceof ProgramError) || error.end !== "failed") throw error;
    if (/must be run in a work tree/.test(error.stderr)) return undefined;
    const context = { repo_path: git.folder };
    if (/dubious ownership/.test(error.stderr)) {
      throw new RollbackError(
        `Cannot work on ${git.folder}: it belongs to another user, and git refuses to trust it`,
        {
          hint: `Run as its owner, or trust it: git config --global --add safe.directory '${git.folder}'`,
          context,
          cause: error,
        },
      );
    }
    if (/not a git repository/.test(error.stderr)) {
      throw new RollbackVersionNotFoundError(`${git.folder} is not a git repository`, {
        hint: "Mend `repo_path` of the target, or keep the folder with a target of type file_system.",
        context,
        cause: error,
      });
    }
    throw error;
  }
}

const UNDER_WAY: readonly (readonly [string, string, string])[] = [
  ["rebase-merge", "a rebase", "git rebase --continue or git rebase --abort"],
  ["rebase-apply", "a rebase or git am", "git rebase --abort or git am --abort"],
  ["MERGE_HEAD", "a merge", "git commit or git merge --abort"],
  ["CHERRY_PICK_HEAD", "a cherry-pick", "git cherry-pick --continue or --abort"],
  ["REVERT_HEAD", "a revert", "git revert --continue or --abort"],
  [
    "sequencer",
    "a cherry-pick or revert of several commits",
    "git cherry-pick --abort or git revert --abort",
  ],
  ["BISECT_LOG", "a bisection", "git bisect reset"],
];

const MAX_OWN_LOCK = 1024;

/** What starts the file `index.lock` when it is a restore of ours that holds it. */
export const LOCK_MARK = "backout restore\n";

/** Why nothing can be captured or restored now; undefined when the repository is at rest. */
export function unrest(
  { folder, gitDir }: Pick<Repository, "folder" | "gitDir">,
): { message: string; hint: string } | undefined {
  for (const [file, what, way] of UNDER_WAY) {
    if (kindOf(`${gitDir}/${file}`) === undefined) continue;
    return { message: `${what} is under way in ${folder}`, hint: `End it first: ${way}.` };
  }
  for (const file of ["index.lock", "HEAD.lock"]) {
    const path = `${gitDir}/${file}`;
    if (kindOf(path) === undefined || isOwnLock(path)) continue;
    return {
      message: `${path} exists: another git process is at work in ${folder}, or died in it`,
      hint: `Wait for it to end. If no git process runs there, remove the file: rm '${path}'`,
    };
  }
  return undefined;
}

/** True for the lock that a killed restore left behind: the next one takes it over. */
export function isOwnLock(path: string): boolean {
  const info = kindOf(path) === "file" ? posix.lstat(path) : undefined;
  if (info === undefined || info.size > MAX_OWN_LOCK) return false; // git's may be an index of megabytes
  return readTextIfThere(path)?.startsWith(LOCK_MARK) === true;
}

/** @throws {RollbackError} something is under way in it */
export function assertAtRest(repository: Repository): void {
  const problem = unrest(repository);
  if (problem === undefined) return;
  throw new RollbackError(`Cannot work on the repository: ${problem.message}`, {
    hint: problem.hint,
    context: { repo_path: repository.folder },
  });
}
