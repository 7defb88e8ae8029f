/**
 * Branches of the remotes of components: pushed with a lease, so that what somebody else pushed meanwhile is never
 * overwritten. Taken back by pushing the commit of before, which the others may have seen already.
 */
import { join } from "node:path";
import * as z from "zod";
import { RollbackError, StorageError } from "#/core/errors.ts";
import { canonicalJson, formatJson, type JsonObject } from "#/core/json.ts";
import { makeFolders, writeOutputFile } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { sha256Hex } from "#/core/sha256.ts";
import type { SavedTarget } from "#/store/model.ts";
import { type Checkout, openCheckout } from "./components/checkout.ts";
import { gitChild, networkEnvironment } from "./components/git_child.ts";
import { shortCommit } from "./components/model.ts";
import { ProgramError, runProgram } from "./run_program.ts";
import type {
  PlanContext,
  Restored,
  TargetChange,
  TargetContext,
  TargetDriver,
  TargetSpec,
} from "./target.ts";

const branch = z.strictObject({
  component: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/),
  ref: z.string().regex(/^refs\/heads\/[A-Za-z0-9_][A-Za-z0-9._/+-]*$/),
});

const schema = z.strictObject({
  path: z.string().min(1).describe("The folder that has `components/`."),
  branches: z.array(branch).min(1).describe("Branches of the remote `origin` of components' checkouts."),
});

export type RemoteBranchesConfig = z.infer<typeof schema>;
type Branch = z.infer<typeof branch>;
type Target = TargetSpec<RemoteBranchesConfig>;

export interface RemoteBranch extends Branch {
  /** Null: there is no such branch. */
  readonly commit: string | null;
  /** Only of a state to be reached: what must be there, else somebody pushed meanwhile. */
  readonly expect?: string | null;
}

export const driver: TargetDriver<RemoteBranchesConfig> = {
  type: "remote_branches",
  summary: "Branches of the remotes of components; a restore pushes, with a lease.",
  schema,
  restoreMethod: "push",
  undo: () => "compensating",
  programs: () => [{ program: "git", package: "git" }],
  needsNetwork: () => true,
  capture: async (target, context) => {
    const branches = await lookAtAll(target.config, context);
    return {
      method: "remote_branches",
      metadata: {},
      state: stateOfBranches(branches),
      roots: [],
      fingerprint: fingerprintOfBranches(branches),
      files: 0,
      bytes: 0,
      warnings: [],
    };
  },
  plan: async (target, saved, context) => {
    const now = await lookAtAll(target.config, context);
    const wanted = branchesOf(saved);
    const problems = wanted.flatMap(({ component, ref, commit, expect }, i) => {
      const is = now[i]?.commit ?? null;
      if (expect === undefined || is === expect || is === commit) return [];
      return [
        `${component}: ${ref} of its remote is at ${shortCommit(is)}, not at ${
          shortCommit(expect)
        }: fetch and merge first`,
      ];
    });
    const changes = differences(now, wanted);
    const summary = changes.length === 0
      ? "nothing to push"
      : `push ${changes.map(({ path }) => path).join(", ")}`;
    return { changes, summary, problems, uncommitted: [], warnings: [] };
  },
  restore,
  fingerprint: async ({ config }, context) => fingerprintOfBranches(await lookAtAll(config, context)),
  diff: async ({ config }, from, to, context) =>
    differences(branchesOf(from), to === undefined ? await lookAtAll(config, context) : branchesOf(to)),
  exportTo: (saved, folder) => {
    makeFolders(folder);
    writeOutputFile(join(folder, "branches.json"), formatJson(branchesOf(saved)));
    const done = {
      method: "remote_branches_export",
      changed: 1,
      removed: 0,
      bytes: 0,
      details: { folder },
      warnings: [],
    };
    return Promise.resolve(done);
  },
};

export function stateOfBranches(branches: readonly RemoteBranch[]): JsonObject {
  return { branches } as unknown as JsonObject;
}

export function fingerprintOfBranches(branches: readonly RemoteBranch[]): string {
  return sha256Hex(canonicalJson(branches.map(({ component, ref, commit }) => ({ component, ref, commit }))));
}

function branchesOf(saved: SavedTarget): readonly RemoteBranch[] {
  const { branches } = saved.state as { readonly branches?: unknown };
  if (Array.isArray(branches)) return branches as readonly RemoteBranch[];
  throw new RollbackError(`The snapshot of ${saved.name} is not one of remote branches`);
}

async function lookAtAll(
  config: RemoteBranchesConfig,
  context: TargetContext,
): Promise<readonly RemoteBranch[]> {
  const found: RemoteBranch[] = [];
  for (const one of config.branches) {
    found.push({ ...one, commit: await remoteCommit(config.path, one, context) });
  }
  return found;
}

function differences(from: readonly RemoteBranch[], to: readonly RemoteBranch[]): readonly TargetChange[] {
  return to.flatMap(({ component, ref, commit }, i): TargetChange[] => {
    const now = from[i]?.commit ?? null;
    if (now === commit) return [];
    const path = `${component} ${ref.slice("refs/heads/".length)}`;
    const action = now === null ? "create" : commit === null ? "remove" : "replace";
    return [{ action, path, detail: `push: ${shortCommit(now)} → ${shortCommit(commit)}` }];
  });
}

/** Each push is noted before it is made: only what this operation pushed is taken back. */
async function restore({ config }: Target, saved: SavedTarget, context: PlanContext): Promise<Restored> {
  let changed = 0;
  for (const one of branchesOf(saved)) {
    const note = noteFile(one, context.scratch);
    const pushed = readNote(note);
    if (one.expect === undefined) {
      await locked(config.path, one.component, [], `wait for a push of ${one.component}`, context);
    }
    const now = await remoteCommit(config.path, one, context);
    if (now === one.commit) continue;
    const expect = one.expect !== undefined ? one.expect : pushed ?? now;
    if (now !== expect) {
      throw new StorageError(
        `${one.component}: somebody else pushed to ${one.ref} meanwhile (${shortCommit(now)})`,
        {
          hint: "Fetch it and look; nothing of theirs was overwritten.",
          context: { component: one.component, ref: one.ref },
        },
      );
    }
    if (one.expect !== undefined) writeNote(note, one.commit);
    await push(config.path, one, expect, context);
    changed++;
  }
  return { method: "push", changed, removed: 0, bytes: 0, details: { pushed: changed }, warnings: [] };
}

function noteFile({ component, ref }: Branch, scratch: string): string {
  return join(scratch, `pushed-${component}-${sha256Hex(ref).slice(0, 12)}`);
}

function writeNote(path: string, commit: string | null): void {
  if (posix.lstat(path) !== undefined) posix.unlink(path);
  posix.writeNewFile(path, new TextEncoder().encode(commit ?? ""), 0o600);
  posix.syncFolder(join(path, ".."));
}

/** Undefined where nothing was noted: nothing was pushed, or another operation did. */
function readNote(path: string): string | null | undefined {
  if (posix.lstat(path) === undefined) return undefined;
  const text = Deno.readTextFileSync(path);
  return text === "" ? null : text;
}

async function remoteCommit(
  root: string,
  { component, ref }: Branch,
  context: TargetContext,
): Promise<string | null> {
  const text = await git(
    root,
    component,
    ["ls-remote", "--quiet", "--", "origin", ref],
    `ask the remote of ${component}`,
    context,
  );
  const line = text.split("\n").find((it) => it.endsWith(`\t${ref}`));
  return line === undefined ? null : line.slice(0, line.indexOf("\t"));
}

async function push(
  root: string,
  { component, ref, commit }: RemoteBranch,
  expect: string | null,
  context: TargetContext,
): Promise<void> {
  const lease = `--force-with-lease=${ref}:${expect ?? ""}`;
  await locked(root, component, [lease, `${commit ?? ""}:${ref}`], `push ${ref} of ${component}`, context);
}

/** A push that a killed backout left running ends first; without words nothing is pushed. */
async function locked(
  root: string,
  component: string,
  words: readonly string[],
  doing: string,
  context: TargetContext,
): Promise<void> {
  const checkout = checkoutOf(root, component);
  try {
    await gitChild({
      script: '[ -z "$1" ] || git push --quiet --no-verify --no-follow-tags "$1" -- origin "$2"',
      words,
      cwd: checkout.folder,
      gitDir: checkout.gitDir,
      env: networkEnvironment(context),
      doing,
      context,
    });
  } catch (error) {
    throw asStorageError(error);
  }
}

function checkoutOf(root: string, component: string): Checkout {
  const checkout = openCheckout(root, component);
  if (checkout !== undefined) return checkout;
  throw new RollbackError(`${component} is not checked out`);
}

function asStorageError(error: unknown): unknown {
  if (!(error instanceof ProgramError) || error.end !== "failed") return error;
  return new StorageError(error.message, {
    hint: "Look at the remote and at what it accepts.",
    cause: error,
  });
}

async function git(
  root: string,
  component: string,
  args: readonly string[],
  doing: string,
  context: TargetContext,
): Promise<string> {
  const checkout = checkoutOf(root, component);
  try {
    const { stdout } = await runProgram({
      program: "git",
      args,
      package: "git",
      cwd: checkout.folder,
      context,
      env: networkEnvironment(context),
      doing,
    });
    return new TextDecoder().decode(stdout);
  } catch (error) {
    throw asStorageError(error);
  }
}
