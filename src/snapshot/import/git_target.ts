/** A commit that another tool noted, as a `git_commit` target: captured from a repository that shares its objects and has it checked out, unchanged. */
import { resolve } from "node:path";
import * as posix from "#/core/posix.ts";
import { RollbackError } from "#/core/errors.ts";
import type { JsonValue } from "#/core/json.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { StoreWriter } from "#/store/store.ts";
import type { Git } from "#/target/git/git.ts";
import type { TargetSpec } from "#/target/target.ts";
import type { Change } from "../change.ts";
import { callTarget, temporaryScratch } from "../target_context.ts";
import type { FoundSnapshot } from "./found.ts";

const NAME = "git_commit";

/** @throws {RollbackError} the repository is not there, or does not have the commit */
export async function gitTarget(
  change: Change,
  git: NonNullable<FoundSnapshot["git"]>,
  writer: StoreWriter,
): Promise<SavedTarget> {
  const { Git } = await import("#/target/git/git.ts");
  const { driver } = await import("#/target/git_commit.ts");
  const { workspace } = change;
  const store = await workspace.store();
  const scratch = temporaryScratch();
  try {
    const config = { repo_path: git.repo_path };
    const call = {
      workspace,
      spec: { name: NAME, type: "git_commit", config, written: config, after: [] },
      scratch,
      phase: "reading",
      signal: workspace.scope.signal,
      warn: change.warn,
    };
    return await callTarget(call, async (context) => {
      const clone = `${context.scratch}/clone`;
      await checkOut(git, clone, new Git(git.repo_path, context), new Git(clone, context));
      const spec: TargetSpec<{ repo_path: string }> = { ...call.spec, config: { repo_path: clone } };
      const before = writer.storedBytes;
      const captured = await driver.capture(spec, { ...context, store, writer, previous: undefined });
      const metadata = named(captured.metadata, clone, git.repo_path) as SavedTarget["metadata"];
      return {
        name: NAME,
        type: "git_commit",
        undo: driver.undo(spec.config),
        config,
        ...captured,
        metadata: { ...metadata, repo_path: git.repo_path },
        stored_bytes: Math.max(0, writer.storedBytes - before),
        seconds: 0,
      };
    });
  } finally {
    await scratch.remove();
  }
}

/** Makes a repository that shares the objects: also a commit that no branch has can be checked out in it. */
async function checkOut(
  { repo_path, commit, branch }: NonNullable<FoundSnapshot["git"]>,
  clone: string,
  original: Git,
  copy: Git,
): Promise<void> {
  let id: string;
  try {
    id = await original.text(["rev-parse", "--verify", "--quiet", "--end-of-options", `${commit}^{commit}`]);
  } catch (cause) {
    throw new RollbackError(`${repo_path} has no commit ${commit}`, { cause });
  }
  const objects = resolve(repo_path, await original.text(["rev-parse", "--git-path", "objects"]));
  await original.run(["init", "--quiet", "--template=", clone]);
  posix.writeNewFile(`${clone}/.git/objects/info/alternates`, new TextEncoder().encode(`${objects}\n`));
  const valid = branch !== "" && /^[A-Za-z0-9_][A-Za-z0-9._/-]{0,200}$/.test(branch) && branch !== "HEAD";
  await copy.run(valid ? ["checkout", "--quiet", "-B", branch, id] : ["checkout", "--quiet", "--detach", id]);
}

/** Names the repository instead of the clone. */
function named(value: JsonValue, clone: string, original: string): JsonValue {
  if (typeof value === "string") return value.replaceAll(clone, original);
  if (Array.isArray(value)) return value.map((one: JsonValue) => named(one, clone, original));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, one]) => [key, named(one as JsonValue, clone, original)]);
  return Object.fromEntries(entries) as JsonValue;
}
