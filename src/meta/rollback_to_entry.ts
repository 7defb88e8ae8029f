/**
 * `component rollback C --to-store HASH`. What the entry holds becomes a commit of the component's repository, and the
 * component goes back to that like to any other: with its journal, its checks, and a snapshot of the state before. Where a
 * commit that has the same files is there already, it is that one.
 */
import { join } from "node:path";
import { RollbackVersionNotFoundError } from "#/core/errors.ts";
import { makeTemporaryFolder } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { checkoutPath, chosenComponents, COMPONENTS_FOLDER } from "#/component/model.ts";
import { readManifest } from "#/component/manifest.ts";
import type { EntryView } from "#/component/entry/entry.ts";
import { removeStaged } from "#/component/entry/swap.ts";
import { stageForRollback } from "#/component/store/stage_for_rollback.ts";
import type { OperationReport } from "#/report/model.ts";
import { Git } from "#/target/git/git.ts";
import type { ComponentRollbackOptions } from "./options.ts";
import { rollbackComponents } from "./rollback.ts";

export interface RollbackToEntryOptions extends Omit<ComponentRollbackOptions, "target"> {
  readonly component: string;
  /** Of an entry of the store, or a unique beginning of it. */
  readonly hash: string;
  /** A shared store that is asked where this machine's has it not. */
  readonly remote?: string;
  readonly onWarning: (message: string) => void;
}

/** Commits among which one with the same files is looked for. */
const MOST_COMMITS = 20_000;

/**
 * A dry run writes objects that nothing refers to; git's own collection takes them.
 * @throws {RollbackVersionNotFoundError} 40: no such component, checkout or entry
 * @throws {IntegrityError} 54: the entry is damaged
 */
export async function rollbackToEntry(options: RollbackToEntryOptions): Promise<OperationReport> {
  const { component, hash: _hash, remote: _remote, onWarning: _onWarning, ...rest } = options;
  const commit = await commitOfEntry(options);
  return await rollbackComponents({ ...rest, target: { kind: "commit", component, commit } });
}

async function commitOfEntry(options: RollbackToEntryOptions): Promise<string> {
  const { folder, component, hash, store, env, remote, onWarning } = options;
  chosenComponents(readManifest(folder), [component]);
  const checkout = checkoutPath(folder, component);
  if (posix.lstat(checkout)?.isDirectory !== true) throw noCheckout(component);
  const signal = options.signal ?? new AbortController().signal;
  const own = new Git(checkout, { env, signal });
  const gitDir = await own.maybe(["rev-parse", "--absolute-git-dir"]);
  const top = await own.maybe(["rev-parse", "--show-prefix"]);
  if (gitDir === undefined || top !== "") throw noCheckout(component);
  const scratch = makeTemporaryFolder("backout-entry-");
  try {
    const staged = join(scratch, "entry");
    const entry = await stageForRollback(
      { folder, component, hash, store, env, remote, onWarning, signal },
      staged,
    );
    const git = new Git(staged, { env, signal });
    const place = ["--git-dir", gitDir, "--work-tree", staged];
    const index = { index: join(scratch, "index") };
    // All of it, also what the repository ignores.
    await git.run([...place, "add", "--all", "--force", "."], index);
    const tree = await git.text([...place, "write-tree"], index);
    return await sameFiles(own, tree) ?? await newCommit(own, tree, entry);
  } finally {
    removeStaged(scratch);
  }
}

/** The newest commit that has exactly these files; undefined where none has. */
async function sameFiles(git: Git, tree: string): Promise<string | undefined> {
  const words = ["log", "--all", "HEAD", `--max-count=${MOST_COMMITS}`, "--format=%H %T"];
  const lines = (await git.maybe(words))?.split("\n") ?? [];
  return lines.find((line) => line.endsWith(` ${tree}`))?.split(" ")[0];
}

async function newCommit(git: Git, tree: string, { hash, component }: EntryView): Promise<string> {
  const message = `Take ${component} from the store: ${hash}`;
  const identity = ["-c", "user.name=backout", "-c", "user.email=backout@localhost"];
  const head = await git.maybe(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]);
  const parent = head === undefined ? [] : ["-p", head];
  return await git.text([...identity, "commit-tree", tree, ...parent, "-m", message]);
}

function noCheckout(component: string): RollbackVersionNotFoundError {
  return new RollbackVersionNotFoundError(
    `${component} is not checked out in ${COMPONENTS_FOLDER}/${component}`,
    {
      hint:
        `Check it out, for example with \`backout component rollback ${component} --to-version VERSION\`, or write ` +
        "the entry somewhere with `backout store get HASH --target FOLDER`.",
      context: { component },
    },
  );
}
