/** HTML and XML from templates that escape whatever is put into them, so that no value can become markup. */
import { visible, visibleLines } from "#/report/visible.ts";

/** Text that is markup already. */
export class Markup {
  constructor(readonly text: string) {}
}

/** What may stand in a template: text and numbers are escaped, markup is taken as it is, undefined is nothing. */
export type Content = string | number | Markup | undefined | readonly Content[];

/**
 * Template tag: `` markup`<b>${name}</b>` ``. A value in an attribute must stand between double quotes.
 * Control characters, and those that turn the direction of text around, are spelt out.
 */
export function markup(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(parts.reduce((text, part, i) => text + toMarkup(values[i - 1]) + part));
}

/** Like a text in a template, but line breaks stay. */
export function lines(text: string): Markup {
  return new Markup(escape(visibleLines(text)));
}

/** Joins what is there, each on a line of its own. */
export function stack(parts: readonly Content[]): Markup {
  return new Markup(parts.map(toMarkup).filter((text) => text !== "").join("\n"));
}

function toMarkup(content: Content): string {
  if (content === undefined) return "";
  if (content instanceof Markup) return content.text;
  if (typeof content === "number") return String(content);
  if (typeof content === "string") return escape(visible(content));
  return content.map(toMarkup).join("");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Half a surrogate pair and the two non-characters are allowed in no XML document. */
function escape(text: string): string {
  return text.toWellFormed()
    .replace(/[\ufffe\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16)}`)
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
