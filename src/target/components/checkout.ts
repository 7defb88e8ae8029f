/** Reads a checkout's refs from its files, without a process: two hundred components are looked at in milliseconds. */
import { join, resolve } from "node:path";
import { RollbackError, UnfinishedOperationError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { kindOf, readTextIfThere as readIfThere } from "#/core/quick_look.ts";
import { Git } from "../git/git.ts";
import type { TargetContext } from "../target.ts";
import type { CheckoutState } from "./model.ts";

export const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;
const MOST_LINKS = 5;

/** A component's work tree, with its repository. */
export interface Checkout {
  readonly name: string;
  readonly folder: string;
  /** Of this work tree: HEAD and index are there. */
  readonly gitDir: string;
  /** Refs and objects are there. */
  readonly commonDir: string;
}

/** Where a component is checked out. @throws {RollbackError} the name climbs out */
export function checkoutFolder(root: string, name: string): string {
  if (NAME.test(name) && !name.includes("..")) return join(root, "components", name);
  throw new RollbackError(`Refused the component ${JSON.stringify(name)}: it is no plain name`);
}

/**
 * Undefined where there is no checkout.
 * @throws {RollbackError} a symlink, a file, or a folder that is no git repository is in its place
 */
export function openCheckout(root: string, name: string): Checkout | undefined {
  const folder = checkoutFolder(root, name);
  if (kindOf(join(root, "components")) === "symlink") {
    throw inTheWay(join(root, "components"), "it is a symlink");
  }
  const kind = kindOf(folder);
  if (kind === undefined) return undefined;
  if (kind !== "folder") {
    throw inTheWay(folder, kind === "symlink" ? "it is a symlink" : "it is not a folder");
  }
  const place = join(folder, ".git");
  const git = kindOf(place);
  if (git === undefined) {
    if ((posix.readFolder(folder) ?? []).length === 0) return undefined; // an empty folder, as for a submodule
    throw inTheWay(folder, "it is not a git repository of its own");
  }
  if (git === "symlink") throw inTheWay(place, "it is a symlink");
  const gitDir = git === "folder" ? place : linkedFolder(folder, place);
  const common = readIfThere(join(gitDir, "commondir"))?.trim();
  return { name, folder, gitDir, commonDir: common === undefined ? gitDir : resolve(gitDir, common) };
}

/** A linked work tree, or a submodule: `.git` is a file that says where. */
function linkedFolder(folder: string, place: string): string {
  const said = /^gitdir: (.+)\n?$/.exec(readIfThere(place) ?? "")?.[1];
  if (said === undefined) throw inTheWay(folder, "its .git does not say where the repository is");
  return resolve(folder, said);
}

function inTheWay(path: string, why: string): RollbackError {
  return new RollbackError(`Cannot work on ${path}: ${why}`, {
    hint: "Move it away; a component's checkout is a plain git clone.",
    context: { path },
  });
}

/** What it looks like now. @param refs full names of further refs that belong to the state */
export async function lookAt(
  root: string,
  name: string,
  refs: readonly string[],
  context: Pick<TargetContext, "env" | "signal">,
): Promise<CheckoutState> {
  const checkout = openCheckout(root, name);
  if (checkout === undefined) return { name, branch: null, commit: null, refs: {} };
  const head = await readHead(checkout, context);
  const values: Record<string, string | null> = {};
  for (const ref of refs) values[ref] = await readRef(checkout, ref, context) ?? null;
  return { name, ...head, refs: values };
}

async function readHead(
  checkout: Checkout,
  context: Pick<TargetContext, "env" | "signal">,
): Promise<Pick<CheckoutState, "branch" | "commit">> {
  const text = readIfThere(join(checkout.gitDir, "HEAD"))?.trim() ?? "";
  if (COMMIT.test(text)) return { branch: null, commit: text };
  if (text === "") throw inTheWay(checkout.folder, "its HEAD is missing or empty");
  const branch = /^ref: (refs\/heads\/\S+)$/.exec(text)?.[1];
  if (branch === undefined || branch.endsWith("/.invalid")) return await askForHead(checkout, context);
  return { branch, commit: await readRef(checkout, branch, context) ?? null };
}

/** Git keeps its refs in some other way than files, or HEAD is unusual. */
async function askForHead(
  { folder }: Checkout,
  context: Pick<TargetContext, "env" | "signal">,
): Promise<Pick<CheckoutState, "branch" | "commit">> {
  const git = new Git(folder, context);
  const branch = await git.maybe(["symbolic-ref", "-q", "HEAD"]);
  const commit = await git.maybe(["rev-parse", "-q", "--verify", "HEAD^{commit}"]);
  return { branch: branch ?? null, commit: commit ?? null };
}

/** A ref's commit; undefined where there is none. */
export async function readRef(
  checkout: Checkout,
  ref: string,
  context: Pick<TargetContext, "env" | "signal">,
): Promise<string | undefined> {
  if (isTable(checkout)) {
    const args = ["rev-parse", "-q", "--verify", "--end-of-options", `${ref}^{commit}`];
    return await new Git(checkout.folder, context).maybe(args);
  }
  let name = ref;
  for (let i = 0; i < MOST_LINKS; i++) {
    const text = readIfThere(join(checkout.commonDir, name))?.trim();
    if (text === undefined || text === "") return packedRefs(checkout).get(name);
    if (COMMIT.test(text)) return text;
    const next = /^ref: (refs\/\S+)$/.exec(text)?.[1];
    if (next === undefined || next.split("/").includes("..")) break;
    name = next;
  }
  throw new UnfinishedOperationError(`Cannot read ${ref} in ${checkout.folder}: it is damaged`, {
    hint: "Look at it with `git fsck`.",
  });
}

export function isTable({ commonDir }: Checkout): boolean {
  return kindOf(join(commonDir, "reftable")) !== undefined;
}

/** Refs that were packed, and what annotated tags of them come to (under `NAME^{}`). */
export function packedRefs({ commonDir }: Checkout): ReadonlyMap<string, string> {
  const refs = new Map<string, string>();
  let last = "";
  for (const line of (readIfThere(join(commonDir, "packed-refs")) ?? "").split("\n")) {
    if (line.startsWith("^")) refs.set(`${last}^{}`, line.slice(1));
    const match = /^([0-9a-f]{40,64}) (refs\/\S.*)$/.exec(line);
    if (match === null) continue;
    last = match[2]!;
    refs.set(last, match[1]!);
  }
  return refs;
}
