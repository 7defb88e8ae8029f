import { ExitCode, UsageError } from "#/core/errors.ts";
import { checkWord, count, formatDuration, visible } from "#/report/mod.ts";
import type { CheckResult } from "#/verify/check.ts";
import { readChecks } from "./check_flags.ts";
import type { Command, CommandContext } from "./command.ts";
import { runWorkspaceReading, workspaceFlags } from "./workspace.ts";

export const command: Command = {
  summary: "Run the checks, and change nothing",
  description:
    "Run the checks of backout.yaml or of a file, as a restore does afterwards. Exit code 51 when a required one fails.",
  arguments: [{ name: "[file]", description: "checks instead of those of backout.yaml (YAML or JSON)" }],
  options: workspaceFlags,
  examples: [
    { command: "backout check run", note: "those of the nearest backout.yaml" },
    { command: "backout check run checks.yaml --json", note: "for a pipeline" },
  ],
  run: async (args, context) => {
    const { runChecks } = await import("#/mod/snapshot.ts");
    const [file] = args.positionals;
    return await runWorkspaceReading(args, context, {
      read: async (options) => {
        const checks = file === undefined ? options.checks : await readChecks(file, context);
        if (checks.length === 0) {
          throw new UsageError("There are no checks to run", {
            hint: "Write `checks:` into backout.yaml, or name a file with checks.",
          });
        }
        const { folder, env, offline = false } = options;
        return await runChecks(checks, { folder, env, offline, signal: context.signal });
      },
      text: (results) => textOf(results, context),
      json: viewOf,
      exitCode: (results) => results.some(failed) ? ExitCode.verification : ExitCode.done,
    });
  },
};

function failed(result: CheckResult): boolean {
  return checkWord(result) === "failed";
}

function viewOf(results: readonly CheckResult[]) {
  const passed = results.filter((result) => result.passed).length;
  return {
    status: results.some(failed) ? "failed" : "success",
    passed,
    total: results.length,
    results,
  };
}

function textOf(results: readonly CheckResult[], context: CommandContext): string {
  const { style } = context.printer;
  const marks = { passed: style.green("✔"), failed: style.red("✘"), advisory: style.yellow("!") };
  const lines = results.map((result) => {
    const tries = result.tries > 1 ? `, ${result.tries} tries` : "";
    const took = style.dim(` (${formatDuration(result.seconds)}${tries})`);
    return `${marks[checkWord(result)]} ${visible(result.name)}: ${visible(result.detail)}${took}\n`;
  });
  const passed = results.filter((result) => result.passed).length;
  return `${lines.join("")}${passed} of ${count(results.length, "check")} passed.\n`;
}
