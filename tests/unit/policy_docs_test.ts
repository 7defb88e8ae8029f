/** The tables of `docs/policy.md` are those of the rules and of the view; `BACKOUT_UPDATE_GOLDEN=1` writes them anew. */
import assert from "node:assert/strict";
import { celType } from "#/policy/expression.ts";
import { parseExpression } from "#/policy/expression.ts";
import { exampleOf } from "#/policy/parameters.ts";
import { RULES } from "#/policy/registry.ts";
import type { Rule } from "#/policy/rule.ts";
import { type Field, type RecordName, RECORDS, VARIABLES } from "#/policy/view.ts";
import { parse } from "yaml";
import { policyFor } from "./policy_support.ts";

const file = new URL("../../docs/policy.md", import.meta.url);

function rulesTable(): string {
  return table([["rule", "severity", "what it protects", "parameters"], ...RULES.map(ruleRow)]);
}

function ruleRow(rule: Rule): readonly string[] {
  const parameters = Object.entries(rule.parameters ?? {}).map(([name, { about, required, kind }]) => {
    const example = kind === "windows" || kind === "operations" ? "" : `, e.g. \`${exampleOf(kind)}\``;
    return `${required ? `**${name}**` : name}: ${about}${example}`;
  });
  return [`\`${rule.id}\``, rule.severity, rule.purpose, parameters.join("; ")];
}

function viewTable(): string {
  const variables = Object.entries(VARIABLES).flatMap(([name, field]) => {
    const { type } = field;
    if (typeof type !== "object" || name === "release") return [row(name, field)];
    return fieldRows(name, "record" in type ? type.record : type.list);
  });
  const release = fieldRows("release", "Release");
  const lists = (["Hold", "ChannelMove", "Dependent", "StuckChannel", "Target"] as const).flatMap((name) =>
    fieldRows(name, name)
  );
  return table([["name", "type", "what it is"], ...variables, ...release, ...lists]);
}

function fieldRows(path: string, record: RecordName): readonly (readonly string[])[] {
  return Object.entries(RECORDS[record]).map(([name, field]) => row(`${path}.${name}`, field));
}

function row(name: string, { type, about, optional, choices }: Field): readonly string[] {
  const shown = choices?.filter((choice) => choice !== "") ?? [];
  const values = shown.length === 0 || shown.length > 8
    ? ""
    : `: ${shown.map((choice) => `\`${choice}\``).join(", ")}`;
  return [
    `\`${name}\``,
    `\`${celType(type)}\``,
    `${about}${values}${optional === true ? "; may be missing" : ""}`,
  ];
}

/** As `deno fmt` leaves it. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  const [heading, ...rest] = rows;
  return [line(heading!), line(widths.map((width) => "-".repeat(width))), ...rest.map(line)].join("\n");
}

function withTable(text: string, name: string, content: string): string {
  const begin = `<!-- ${name}: made by a test, do not edit -->\n`;
  const end = `<!-- end of ${name} -->`;
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(end);
  assert.ok(from >= begin.length && to >= from, `docs/policy.md has no place for ${name}`);
  return `${text.slice(0, from)}\n${content}\n\n${text.slice(to)}`;
}

Deno.test("docs/policy.md has every rule and every field", async () => {
  const found = await Deno.readTextFile(file);
  const wanted = withTable(withTable(found, "rules", rulesTable()), "view", viewTable());
  if (Deno.env.get("BACKOUT_UPDATE_GOLDEN") === "1") await Deno.writeTextFile(file, wanted);
  assert.equal(await Deno.readTextFile(file), wanted, "BACKOUT_UPDATE_GOLDEN=1 writes it anew");
});

Deno.test("the examples of docs/policy.md are right", async () => {
  const text = await Deno.readTextFile(file);
  const blocks = [...text.matchAll(/(?:^ {4}.*\n(?:\n(?= {4}))?)+/gm)].map(([block]) =>
    block.replaceAll(/^ {4}/gm, "")
  );
  const policy = blocks.find((block) => block.startsWith("policy:"));
  const custom = blocks.find((block) => block.startsWith("custom:"));
  await policyFor(parse(policy!).policy);
  const automatic = blocks.find((block) => block.startsWith("automatic:"));
  await policyFor(parse(automatic!));
  for (const rule of parse(custom!).custom) assert.ok("expression" in parseExpression(rule.when), rule.when);
  await policyFor(parse(custom!));
});
