import { type Cell, renderTable, type Styler } from "#/report/mod.ts";
import type { PolicyCheck } from "#/repository/views.ts";
import type { RollbackType, RuleResult } from "#/report/model.ts";
import type { Command } from "./command.ts";
import { changeOptions, policyFlags, signingFlags } from "./context.ts";
import { placeFlags, withPlace } from "./place.ts";
import { printView } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { defined, textOption } from "./values.ts";

export const command: Command = {
  summary: "What the policy would say to a rollback",
  description:
    "Judge the rollback of a version as it would be judged now, and show every rule with its outcome and its " +
    "reason. Nothing is changed or recorded. Exit code 41 or 42 when it would be denied.",
  arguments: [{ name: "[version]", description: "the version that would be taken out" }],
  options: [
    {
      flags: "--to <version>",
      description: "judge taking out everything newer than this",
      completes: "none",
    },
    {
      flags: "--type <type>",
      description: "the type of the rollback (default: full)",
      choices: ["full", "artifacts_only", "index_only"],
    },
    { flags: "--no-backup", description: "judge it without a backup" },
    { flags: "--channel-to <version>", description: "where its channels would go", completes: "none" },
    ...policyFlags,
    ...repositoryFlags,
    ...signingFlags,
  ],
  examples: [
    { command: "backout policy check v1.0.2 -r /srv/releases", note: "may it be rolled back now?" },
    { command: "backout policy check v1.0.2 -r /srv/releases --json", note: "for a pipeline" },
  ],
  run: async (args, context) => {
    const { options } = args;
    const { checkPolicy } = await import("#/mod/release.ts");
    const change = await changeOptions(options, context, () => {});
    const view = await checkPolicy({
      ...change,
      ...defined({
        version: args.positionals[0],
        to: textOption(options, "to"),
        type: textOption(options, "type") as RollbackType | undefined,
        noBackup: options.backup === false || undefined,
        channelTo: textOption(options, "channelTo"),
      }),
    });
    const place = placeFlags(args, context, change);
    printView(view, (shown) => withPlace(textOf(shown, context.printer.style), place), context);
    return view.exit_code;
  },
};

function textOf(view: PolicyCheck, style: Styler): string {
  const rows = view.rules.map((
    rule,
  ): readonly Cell[] => [rule.id, paintOutcome(rule, style), reasonOf(rule)]);
  // A reason that is cut is of no use: the lines may be as long as they are.
  const table = renderTable([["RULE", "OUTCOME", "REASON"], ...rows], { style, width: Infinity });
  const further = view.warnings.filter((warning) => !rulesSay(warning, view.rules));
  const notes = further.map((warning) => `${style.yellow("Warning:")} ${warning}\n`).join("");
  return `${table}${notes}\n${verdict(view, style)}`;
}

function reasonOf({ outcome, reason, hint }: RuleResult): string {
  return outcome === "deny" && hint !== undefined ? `${reason} (${hint})` : reason;
}

function rulesSay(warning: string, rules: readonly RuleResult[]): boolean {
  return rules.some(({ id, reason }) => warning === `${id}: ${reason}`);
}

function verdict(view: PolicyCheck, style: Styler): string {
  if (view.message !== null) {
    const hint = view.hint === null ? "" : `${view.hint}\n`;
    return `${style.red("✘")} ${view.message} (exit ${view.exit_code})\n${hint}`;
  }
  const mode = view.forced ? "with --force" : `in ${view.policy_mode} mode`;
  return `${style.green("✔")} Nothing denies to ${view.operation} ${mode}.\n`;
}

function paintOutcome({ outcome, waived_by }: RuleResult, style: Styler): Cell {
  switch (outcome) {
    case "deny":
      return { text: "deny", paint: style.red };
    case "warn":
      return { text: waived_by === undefined ? "warn" : "waived", paint: style.yellow };
    case "pass":
      return { text: "pass", paint: style.green };
    default:
      return outcome satisfies never;
  }
}
