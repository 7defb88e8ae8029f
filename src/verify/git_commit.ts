import { resolve } from "node:path";
import * as z from "zod";
import { ProgramError, programText } from "#/target/run_program.ts";
import type { CheckContext, CheckDriver } from "./check.ts";
import { sight } from "./sight.ts";

const schema = z.strictObject({
  expected_commit: z.string().regex(/^[0-9a-fA-F]{4,64}$/, {
    error: "must be a commit: 4 to 64 hex digits",
  }).describe("The commit that is checked out; the first digits are enough."),
  repo_path: z.string().min(1).describe("The repository (the folder of backout.yaml).").optional(),
});

/** The commit that a repository has checked out. */
export const driver: CheckDriver<z.output<typeof schema>> = {
  type: "git_commit",
  summary: "A git repository has a commit checked out.",
  schema,
  programs: ["git"],
  subject: ({ repo_path, expected_commit }) => `${repo_path ?? "."} at ${expected_commit}`,
  run: async ({ expected_commit, repo_path }, context) => {
    const expected = expected_commit.toLowerCase();
    const found = await headOf(resolve(context.folder, repo_path ?? "."), context);
    return sight(found.startsWith(expected), `the commit of ${repo_path ?? context.folder}`, expected, found);
  },
};

async function headOf(folder: string, context: CheckContext): Promise<string> {
  try {
    const text = await programText({
      program: "git",
      package: "git",
      // A repository of another user is looked at, too: nothing of its own is run by this.
      args: ["-c", "safe.directory=*", "-C", folder, "rev-parse", "--verify", "HEAD^{commit}"],
      env: { GIT_OPTIONAL_LOCKS: "0", GIT_TERMINAL_PROMPT: "0" },
      context,
    });
    return text.trim();
  } catch (error) {
    if (error instanceof ProgramError && error.end === "failed") {
      return /needed a single revision|unknown revision|ambiguous argument/i.test(error.stderr)
        ? "no commit yet"
        : `no repository (${error.stderr})`;
    }
    throw error;
  }
}
