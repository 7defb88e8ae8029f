/** What a component's checkout lacks is fetched from its repository: a clone, a commit, a tag. */
import { join } from "node:path";
import { RollbackVersionNotFoundError, StorageError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { shownUrl } from "#/component/repo_url.ts";
import { ProgramError, runProgram } from "#/target/run_program.ts";
import { networkEnvironment } from "#/target/components/git_child.ts";
import type { TargetContext } from "#/target/target.ts";
import { gitUrl, needsNetwork } from "./repo_url.ts";

export type GitContext = Pick<TargetContext, "env" | "signal">;

/** Where new objects go instead of the repository's own folder, so that a dry run leaves it alone. */
export interface ObjectPlace {
  readonly own: string;
  readonly repository: string;
}

export function objectEnvironment(place: ObjectPlace | undefined): Record<string, string> {
  if (place === undefined) return {};
  return { GIT_OBJECT_DIRECTORY: place.own, GIT_ALTERNATE_OBJECT_DIRECTORIES: place.repository };
}

/** A repository that may be asked. */
export interface Remote {
  readonly component: string;
  /** As git is given it. */
  readonly url: string;
}

/**
 * Undefined where nothing may be fetched: no address is known, or it needs the network and that is off.
 * @throws {UsageError} the address is not given to git
 */
export function remoteOf(
  component: string,
  url: string | undefined,
  { root, offline }: { readonly root: string; readonly offline: boolean },
): Remote | undefined {
  if (url === undefined) return undefined;
  const given = gitUrl(component, url, root);
  return offline && needsNetwork(given) ? undefined : { component, url: given };
}

async function remoteGit(
  args: readonly string[],
  context: GitContext,
  options: {
    readonly cwd?: string;
    readonly place?: ObjectPlace | undefined;
    readonly stdin?: string;
    readonly doing: string;
  },
): Promise<string> {
  const { stdout } = await runProgram({
    program: "git",
    args,
    package: "git",
    context,
    env: {
      ...networkEnvironment(context),
      ...objectEnvironment(options.place),
    },
    doing: options.doing,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.stdin === undefined ? {} : { stdin: new TextEncoder().encode(options.stdin) }),
  });
  return new TextDecoder().decode(stdout);
}

/** A clone without a work tree's files. @throws {StorageError} 52: the repository cannot be reached */
export async function clone(remote: Remote, folder: string, context: GitContext): Promise<void> {
  const args = [
    "clone",
    "--quiet",
    "--no-checkout",
    "--template=",
    "--origin",
    "origin",
    "--",
    remote.url,
    folder,
  ];
  try {
    await remoteGit(args, context, { doing: `clone ${remote.component}` });
  } catch (error) {
    throw notReached(remote, error);
  }
}

/** Tags of the repository, by name: what each comes to, annotated ones as their own object. */
async function remoteRefs(remote: Remote, context: GitContext): Promise<ReadonlyMap<string, string>> {
  try {
    const text = await remoteGit(["ls-remote", "--quiet", "--", remote.url], context, {
      doing: `ask the repository of ${remote.component}`,
    });
    return new Map(
      text.split("\n").flatMap((line) => {
        const [oid = "", name = ""] = line.split("\t");
        return name.startsWith("refs/") && !name.endsWith("^{}") ? [[name, oid] as const] : [];
      }),
    );
  } catch (error) {
    throw notReached(remote, error);
  }
}

export interface Fetched {
  /** Names of all tags there. */
  readonly tags: readonly string[];
  /** The tag that was asked for and what its ref comes to; undefined where there is none. */
  readonly tag?: { readonly name: string; readonly oid: string };
}

/**
 * Fetches objects, no refs.
 * @param wanted tags of which one is enough, or a commit
 */
export async function fetchObjects(
  remote: Remote,
  folder: string,
  wanted: { readonly tags: readonly string[] } | { readonly commit: string },
  place: ObjectPlace | undefined,
  context: GitContext,
): Promise<Fetched> {
  const refs = await remoteRefs(remote, context);
  const tags = [...refs.keys()].filter((it) => it.startsWith("refs/tags/")).map((it) => it.slice(10));
  if (place !== undefined && posix.lstat(place.own) === undefined) posix.mkdir(place.own, 0o700);
  const fetch = async (asked: readonly string[]) => {
    const args = [
      "fetch",
      "--quiet",
      "--no-write-fetch-head",
      "--no-tags",
      "--refmap=",
      "--no-auto-maintenance",
    ];
    const words = [...args, "--no-recurse-submodules", "--stdin", "--", remote.url];
    await remoteGit(words, context, {
      cwd: folder,
      place,
      stdin: asked.map((it) => `${it}\n`).join(""),
      doing: `fetch from the repository of ${remote.component}`,
    });
  };
  try {
    if ("tags" in wanted) {
      const name = wanted.tags.find((it) => refs.has(`refs/tags/${it}`));
      if (name === undefined) return { tags };
      await fetch([`refs/tags/${name}`]);
      return { tags, tag: { name, oid: refs.get(`refs/tags/${name}`)! } };
    }
    const { commit } = wanted;
    if (commit.length >= 40 && await succeeds(() => fetch([commit]))) return { tags };
    const all = [...refs.keys()].filter((it) => /^refs\/(heads|tags)\//.test(it));
    if (all.length > 0) await fetch(all);
    return { tags };
  } catch (error) {
    throw notReached(remote, error);
  }
}

/** A server may refuse to give a commit that no ref names. */
async function succeeds(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof ProgramError && error.end === "failed") return false;
    throw error;
  }
}

function notReached({ component, url }: Remote, error: unknown): unknown {
  if (!(error instanceof ProgramError) || error.end !== "failed") return error;
  const said = error.stderr === "" ? "" : `: ${error.stderr}`;
  const options = {
    hint: "Check the address in the manifest, the network, and that git may read it.",
    context: { component, repo: shownUrl(url) },
    cause: error,
  };
  if (/does not appear to be a git repository|does not exist|not found/i.test(error.stderr)) {
    return new RollbackVersionNotFoundError(
      `There is no repository ${shownUrl(url)} of ${component}${said}`,
      options,
    );
  }
  return new StorageError(`Cannot reach the repository ${shownUrl(url)} of ${component}${said}`, options);
}

/** Where a dry run puts what it fetches. @param scratch a folder of the operation's own */
export function dryObjects(scratch: string, component: string, commonDir: string): ObjectPlace {
  return { own: join(scratch, `objects-${component}`), repository: join(commonDir, "objects") };
}
