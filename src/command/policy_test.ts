import { resolve } from "node:path";
import { ExitCode, UsageError } from "#/core/errors.ts";
import type { PolicyTestResult } from "#/config/policy_cases.ts";
import type { Styler } from "#/report/mod.ts";
import type { Command } from "./command.ts";
import { lazyConfig } from "./context.ts";
import { printView } from "./read.ts";

export const command: Command = {
  summary: "Run cases against the policy",
  description:
    "Run a file of cases against the policy of backout.yaml (or the file's own): each says what is asked for, and " +
    "which outcomes it expects. Exit code 51 when a case fails, 2 when the file is wrong. docs/policy.md has the format.",
  arguments: [{ name: "<file>", description: "the cases, as YAML or JSON" }],
  examples: [
    { command: "backout policy test policy_cases.yaml", note: "against the backout.yaml of this folder" },
    { command: "backout --config prod.yaml policy test policy_cases.yaml --json", note: "for a pipeline" },
  ],
  run: async (args, context) => {
    const [file] = args.positionals;
    if (file === undefined) {
      throw new UsageError("No file of cases was given", {
        hint: "For example: backout policy test policy_cases.yaml",
      });
    }
    const { testPolicy } = await import("#/config/policy_cases.ts");
    const config = await lazyConfig(context)();
    const view = await testPolicy(resolve(context.cwd, file), config?.policy ?? {});
    const source = view.own_policy ? "the file's own policy" : config?.path ?? "the built-in rules";
    printView({ ...view, policy: source }, (shown) => textOf(shown, source, context.printer.style), context);
    return view.failed === 0 ? ExitCode.done : ExitCode.verification;
  },
};

function textOf({ cases, passed, failed }: PolicyTestResult, source: string, style: Styler): string {
  const lines = cases.map(({ name, passed: ok, exit_code, differences }) =>
    `${ok ? style.green("✔") : style.red("✘")} ${name} ${style.dim(`(exit ${exit_code})`)}\n` +
    differences.map((difference) => `    ${difference}\n`).join("")
  );
  const total = `${passed} passed, ${failed} failed, against ${source}`;
  return `${lines.join("")}${failed === 0 ? style.green("✔") : style.red("✘")} ${total}\n`;
}
