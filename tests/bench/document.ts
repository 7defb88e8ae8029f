/** `docs/benchmarks.md`: a section for each part that is measured, replaced when that part is measured again. */
import { join } from "node:path";
import { markdownTable, type Row } from "./measure.ts";
import { root } from "./subject.ts";

export interface Section {
  /** What the part is called on the command line. */
  readonly name: string;
  readonly title: string;
  /** What was measured, one line. */
  readonly subject: string;
  /** Of the last minute, before it began. */
  readonly load: number;
  readonly rows: readonly Row[];
}

const HEAD = [
  "# Benchmarks",
  "",
  "Written by `deno task bench`: what is compared is measured in one run, in turn, and told as medians. Machines are",
  "noisy, so compare within a row and not with a clock elsewhere. Goals that are missed say so.",
  "",
].join("\n");

export function writeSection(section: Section): void {
  const path = join(root, "docs", "benchmarks.md");
  Deno.writeTextFileSync(path, withSection(Deno.readTextFileSync(path), section));
}

/** The document with this section in the place of the one of its name, or at the end. */
export function withSection(text: string, section: Section): string {
  const [begin, end] = [`<!-- ${section.name} -->`, `<!-- end of ${section.name} -->`];
  const part = [begin, "", ...linesOf(section), "", end].join("\n");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from >= 0 && to > from) return text.slice(0, from) + part + text.slice(to + end.length);
  const sections = text.includes("<!-- ") ? text : HEAD;
  return `${sections.trimEnd()}\n\n${part}\n`;
}

function linesOf({ title, subject, load, rows }: Section): readonly string[] {
  const missed = rows.filter((row) => !row.met).length;
  const cores = navigator.hardwareConcurrency;
  return [
    `## ${title}`,
    "",
    `Measured: ${subject}, on ${cores} cores (${Deno.build.target}), ${
      new Date().toISOString().slice(0, 10)
    }. ` +
    (missed === 0 ? "All goals met." : `${missed} of ${rows.length} goals missed.`) +
    (load > cores ? ` The machine was busy with other work: a load of ${load.toFixed(0)}.` : ""),
    "",
    markdownTable(rows),
  ];
}
