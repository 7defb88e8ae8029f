/** Changesets: one change that went through several repositories, `.meta/changesets/<id>.yaml`. */
import { join } from "node:path";
import { RollbackManifestError, RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import { isJsonObject, type JsonObject } from "#/core/json.ts";
import { nearest } from "#/core/nearest.ts";
import * as posix from "#/core/posix.ts";
import { quoteShort } from "#/core/safe_path.ts";
import { parseYaml, readText, textField, unreadable } from "./document.ts";
import { setTop } from "./edit.ts";
import { CHANGESETS_FOLDER, componentNameProblem } from "./model.ts";

const WHAT = "changeset";
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const BRANCH = /^[A-Za-z0-9_][A-Za-z0-9._/+-]{0,199}$/;

/** One commit of a changeset. */
export interface ChangesetCommit {
  /** Of the component. */
  readonly name: string;
  readonly repo: string | undefined;
  readonly commit: string;
  /** Undefined: the one that is checked out. */
  readonly branch: string | undefined;
  readonly message: string;
}

export interface Changeset {
  readonly id: string;
  /** From the root. */
  readonly path: string;
  readonly text: string;
  /** RFC 3339 as written; empty where it is not said. */
  readonly timestamp: string;
  readonly author: string;
  readonly description: string;
  readonly status: string;
  /** In the order in which they were made. */
  readonly commits: readonly ChangesetCommit[];
}

export const ROLLED_BACK = "rolled-back";

/** Newest first; files that cannot be read are named. */
export function listChangesets(
  root: string,
): { readonly changesets: readonly Changeset[]; readonly damaged: readonly string[] } {
  const changesets: Changeset[] = [];
  const damaged: string[] = [];
  for (const id of changesetIds(root)) {
    try {
      changesets.push(readOne(root, id));
    } catch (error) {
      if (!(error instanceof RollbackManifestError)) throw error;
      damaged.push(error.message);
    }
  }
  const sorted = changesets.toSorted((
    a,
    b,
  ) => (a.timestamp < b.timestamp ? 1 : a.timestamp > b.timestamp ? -1 : 0));
  return { changesets: sorted, damaged };
}

function changesetIds(root: string): readonly string[] {
  return (posix.readFolder(join(root, CHANGESETS_FOLDER)) ?? [])
    .filter(({ name, isFile }) => isFile && name.endsWith(".yaml"))
    .map(({ name }) => name.slice(0, -".yaml".length)).filter((id) => ID.test(id)).sort();
}

/**
 * @param given an id, or a unique beginning of one
 * @throws {UsageError} 2: it cannot be an id, or is the beginning of several
 * @throws {RollbackVersionNotFoundError} 40
 * @throws {RollbackManifestError} 48: it cannot be used
 */
export function readChangeset(root: string, given: string): Changeset {
  if (!ID.test(given) || given.includes("..")) {
    throw new UsageError(`Cannot use ${quoteShort(given)} as the id of a changeset`, {
      hint: "Give an id as `backout changeset list` shows it.",
    });
  }
  const ids = changesetIds(root);
  const found = ids.includes(given) ? [given] : ids.filter((id) => id.startsWith(given));
  if (found.length === 1) return readOne(root, found[0]!);
  if (found.length > 1) {
    throw new UsageError(`${given} is the beginning of several changesets: ${found.slice(0, 5).join(", ")}`, {
      hint: "Give more of it.",
    });
  }
  const near = nearest(given, ids);
  throw new RollbackVersionNotFoundError(`There is no changeset ${given} in ${CHANGESETS_FOLDER}`, {
    hint: near === undefined ? "List them with `backout changeset list`." : `Did you mean ${near}?`,
    context: { changeset: given },
  });
}

function readOne(root: string, id: string): Changeset {
  const path = `${CHANGESETS_FOLDER}/${id}.yaml`;
  const full = join(root, path);
  const text = readText(full, WHAT, "");
  const { value } = parseYaml(text, full, WHAT);
  const said = textField(value, "id");
  if (said !== undefined && said !== id) {
    throw unreadable(full, WHAT, `it says that it is ${quoteShort(said)}`);
  }
  const repos = value["repos"];
  if (!Array.isArray(repos) || repos.length === 0) {
    throw unreadable(full, WHAT, "`repos:` is not a list of commits");
  }
  return {
    id,
    path,
    text,
    timestamp: textField(value, "timestamp") ?? "",
    author: textField(value, "author") ?? "",
    description: textField(value, "description") ?? "",
    status: textField(value, "status") ?? "",
    commits: repos.map((item: unknown, i) => commitOf(isJsonObject(item) ? item : {}, i, full)),
  };
}

function commitOf(fields: JsonObject, index: number, path: string): ChangesetCommit {
  const at = `repos[${index}]`;
  const name = textField(fields, "name") ?? "";
  const problem = componentNameProblem(name);
  if (problem !== undefined) {
    throw unreadable(path, WHAT, `${at} has the name ${quoteShort(name)}: ${problem}`);
  }
  const commit = textField(fields, "commit") ?? "";
  if (!/^[0-9a-f]{7,64}$/i.test(commit)) {
    throw unreadable(path, WHAT, `${at} has the commit ${quoteShort(commit)}: 7 to 64 hex digits are needed`);
  }
  const branch = textField(fields, "branch");
  if (branch !== undefined && (!BRANCH.test(branch) || branch.includes("..") || branch.endsWith(".lock"))) {
    throw unreadable(path, WHAT, `${at} has the branch ${quoteShort(branch)}, which git would not have`);
  }
  return {
    name,
    repo: textField(fields, "repo"),
    commit: commit.toLowerCase(),
    branch,
    message: textField(fields, "message") ?? "",
  };
}

/** The document of a changeset that was taken back: only its status is another one. */
export function rolledBack({ text, path }: Changeset): string {
  return setTop(text, path, { status: ROLLED_BACK });
}
