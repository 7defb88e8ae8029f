import { ExitCode, UsageError } from "#/core/errors.ts";
import { nearest } from "#/core/nearest.ts";
import { type Cell, renderTable, type Styler } from "#/report/mod.ts";
import type { PolicyExplanation, RuleExplanation } from "#/mod.ts";
import type { Command } from "./command.ts";
import { lazyConfig } from "./context.ts";
import { printView } from "./read.ts";
import { factLines } from "./view_text.ts";

export const command: Command = {
  summary: "What a rule protects, and what the configuration says of it",
  description:
    "Show one rule: what it protects, its severity and parameters, its waivers, and what to do when it denies. " +
    "Without a rule, show all of them with the severity that holds now.",
  arguments: [{ name: "[rule]", description: "the rule's id" }],
  examples: [
    { command: "backout policy explain", note: "all rules" },
    { command: "backout policy explain freeze-window", note: "one of them" },
  ],
  run: async (args, context) => {
    const { explainPolicy } = await import("#/mod/release.ts");
    const config = await lazyConfig(context)();
    const all = await explainPolicy(config?.policy);
    const [id] = args.positionals;
    const source = config?.path ?? null;
    const { style } = context.printer;
    if (id === undefined) {
      printView({ config: source, ...all }, (view) => overview(view, source, style), context);
    } else {
      printView({ config: source, ...ruleOf(all, id) }, (view) => detail(view, source, style), context);
    }
    return ExitCode.done;
  },
};

function ruleOf({ rules }: PolicyExplanation, id: string): RuleExplanation {
  const found = rules.find((rule) => rule.id === id);
  if (found !== undefined) return found;
  const near = nearest(id, rules.map((rule) => rule.id));
  throw new UsageError(`There is no rule ${JSON.stringify(id)}`, {
    hint: near === undefined
      ? "`backout policy explain` lists all rules."
      : `Did you mean ${JSON.stringify(near)}?`,
    context: { rule: id },
  });
}

function overview({ mode, rules }: PolicyExplanation, source: string | null, style: Styler): string {
  const rows = rules.map((rule): readonly Cell[] => [
    rule.id,
    paintSeverity(rule, style),
    rule.needs.length > 0 ? `${rule.purpose} (needs ${rule.needs.join(", ")})` : rule.purpose,
  ]);
  const table = renderTable([["RULE", "NOW", "PROTECTS"], ...rows], { style, width: Infinity });
  const expired = rules.flatMap(({ waivers }) => waivers.filter((waiver) => waiver.expired));
  const notes = expired.map(({ rule, scope, approver, expires }) =>
    `${
      style.yellow("Warning:")
    } the waiver of ${rule} for ${scope} by ${approver} expired at ${expires}; remove it\n`
  );
  const from = source === null ? "no backout.yaml: the built-in severities hold" : source;
  return `${table}${notes.join("")}\nMode: ${mode} (${from})\n`;
}

function detail(rule: RuleExplanation, source: string | null, style: Styler): string {
  const now = rule.needs.length > 0 ? `off, because ${rule.needs.join(", ")} is not given` : rule.severity;
  const facts = factLines([
    ["Protects", rule.purpose],
    ["Severity", `${now} (by default: ${rule.default_severity})`],
    ["Denial", `exit code ${rule.exit_code}`],
    ["Judges", rule.operations.join(", ")],
    ["What to do", rule.hint],
    ["Configuration", source ?? "none"],
  ]);
  const parameters = rule.parameters.map(({ name, about, required, value, example }) =>
    `  ${style.cyan(name)}: ${about}${required ? "" : " (may be left out)"}\n    ${
      value === null ? `not given; for example ${name}: ${example}` : `now: ${value}`
    }\n`
  );
  const waivers = rule.waivers.map(({ scope, approver, expires, reason, expired }) =>
    `  ${scope} by ${approver} until ${expires}: ${reason}${expired ? style.yellow(" (expired)") : ""}\n`
  );
  return [
    `${style.bold(rule.id)}${rule.custom ? " (a rule of your own)" : ""}\n`,
    facts,
    ...(parameters.length === 0 ? [] : ["Parameters:\n", ...parameters]),
    ...(waivers.length === 0 ? [] : ["Waivers:\n", ...waivers]),
  ].join("");
}

function paintSeverity({ severity }: RuleExplanation, style: Styler): Cell {
  const paints = { deny: style.red, warn: style.yellow, off: style.dim };
  return { text: severity, paint: paints[severity] };
}
