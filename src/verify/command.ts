import { isAbsolute, resolve } from "node:path";
import * as z from "zod";
import { ProgramError, runProgram } from "#/target/run_program.ts";
import type { CheckDriver } from "./check.ts";
import { short, sight } from "./sight.ts";

const schema = z.strictObject({
  command: z.array(z.string()).min(1).refine((words) => words[0]!.trim() !== "", {
    error: "names no program",
  }).describe("Program and arguments; no shell. A program with a slash is relative to backout.yaml."),
  expected_exit: z.int().min(0).max(255).describe("The exit code that means well (0).").optional(),
});

/** A program of the user's own says that all is well. */
export const driver: CheckDriver<z.output<typeof schema>> = {
  type: "command",
  summary: "A program ends with the expected exit code.",
  schema,
  // Arguments may be secrets.
  subject: ({ command }) => command[0]!,
  run: async ({ command, expected_exit = 0 }, context) => {
    const [program = "", ...args] = command;
    const path = program.includes("/") && !isAbsolute(program) ? resolve(context.folder, program) : program;
    const what = `exit code of ${program}`;
    try {
      await runProgram({
        program: path,
        args,
        package: "",
        cwd: context.folder,
        context,
        okCodes: [expected_exit],
      });
      return sight(true, what, String(expected_exit), String(expected_exit));
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
      if (error.end !== "failed" && error.end !== "killed") throw error;
      const said = error.stderr === "" ? "" : ` (${short(error.stderr)})`;
      const found = error.end === "killed" ? "the end by a signal" : String(error.exitCode);
      return sight(false, what, String(expected_exit), `${found}${said}`);
    }
  },
};
