/** `--locked`: whether every checkout is at the commit that the lock file says. */
import { join } from "node:path";
import { cleanEnvironment } from "#/core/child_process.ts";
import { type RollbackError, RollbackVersionNotFoundError, VerificationError } from "#/core/errors.ts";
import { readLock } from "../lock.ts";
import { checkoutPath, lockPath } from "../model.ts";
import type { ApplyOptions } from "./model.ts";

/** Checkouts that are asked at the same time. */
const AT_ONCE = 8;
const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/**
 * @throws {VerificationError} 51: some are at another commit, or the lock file does not name them; all are named
 * @throws {RollbackVersionNotFoundError} 40: there is no lock file
 */
export async function assertLocked(
  { folder, environment }: ApplyOptions,
  names: readonly string[],
): Promise<void> {
  const path = join(folder, lockPath(environment));
  const lock = readLock(path);
  const problems: string[] = [];
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const some = names.slice(at, at + AT_ONCE);
    const heads = await Promise.all(some.map((name) => headOf(checkoutPath(folder, name))));
    some.forEach((name, i) => {
      const wanted = lock.components.get(name)?.commit;
      const head = heads[i]!;
      if (wanted === undefined) problems.push(`${name} is not in it`);
      else if ("why" in head) problems.push(`${name} has no checkout with a commit${head.why}`);
      else if (!head.commit.startsWith(wanted)) {
        problems.push(`${name} is at ${head.commit.slice(0, 12)} instead of ${wanted.slice(0, 12)}`);
      }
    });
  }
  if (problems.length > 0) throw unlocked(path, problems);
}

function unlocked(path: string, problems: readonly string[]): RollbackError {
  const shown = problems.slice(0, 5).join("; ");
  const more = problems.length > 5 ? `; and ${problems.length - 5} more` : "";
  return new VerificationError(`Nothing was run: ${path} is not what is checked out: ${shown}${more}`, {
    hint:
      "Check out what it says with `backout component rollback --lock FILE`, or write it anew with `backout component lock`.",
    context: { lock: path, problems: [...problems] },
  });
}

/** The commit of a checkout; where there is none, what git says of it. */
async function headOf(folder: string): Promise<{ readonly commit: string } | { readonly why: string }> {
  try {
    const { success, stdout, stderr } = await new Deno.Command("git", {
      args: ["-C", folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"],
      clearEnv: true,
      env: {
        ...cleanEnvironment((name) => Deno.env.get(name)),
        GIT_OPTIONAL_LOCKS: "0",
        GIT_NO_LAZY_FETCH: "1",
        // A folder that is no checkout is not taken for a part of the repository around it.
        GIT_CEILING_DIRECTORIES: join(folder, ".."),
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const commit = new TextDecoder().decode(stdout).trim();
    if (success && COMMIT.test(commit)) return { commit };
    const said = new TextDecoder().decode(stderr).trim().split("\n")[0]!;
    return { why: said === "" ? "" : ` (${said})` };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new RollbackVersionNotFoundError("git was not found, which says what is checked out", {
        hint: "Install git.",
        cause: error,
      });
    }
    throw error;
  }
}
