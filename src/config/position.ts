/** YAML with places: where a value or a key stands, for messages that can be clicked. */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
} from "yaml";
import type { PolicyProblem } from "#/policy/problem.ts";

/** One mistake in a file. Line and column count from 1. */
export interface ConfigProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint: string | null;
}

export type At = (offset: number, message: string, hint: string | null) => ConfigProblem;

export interface YamlFile {
  readonly text: string;
  readonly document: Document;
  readonly lines: LineCounter;
  readonly at: At;
}

/** Reads one document; what is no YAML, or empty, is told with its place. */
export function readYaml(
  text: string,
  emptyHint: string,
): YamlFile | { readonly problems: readonly ConfigProblem[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    version: "1.2",
    logLevel: "error",
  });
  const at: At = (offset, message, hint) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col), message, hint };
  };
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    return { problems: broken.map((it) => at(it.pos[0], yamlMessage(it), yamlHint(it.code))) };
  }
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    return { problems: [at(0, "the file is empty", emptyHint)] };
  }
  return { text, document, lines, at };
}

/** The place of a problem that was found in the document's value. */
export function locate(problem: PolicyProblem, file: YamlFile): ConfigProblem {
  const { path, message, hint } = problem;
  const { document } = file;
  const value = offsetOf(document, path);
  const parent = path.slice(0, -1);
  const key = path.length === 0 ? undefined : keyOffset(document, parent, String(path.at(-1)));
  const offset = problem.key === true ? key ?? value : value ?? key ?? nearestOffset(document, parent);
  const shift = problem.within === undefined || value === undefined
    ? 0
    : shiftInside(file, path, value, problem.within);
  return file.at((offset ?? 0) + shift, message, hint);
}

/** What lacks a key is told where the block stands. */
function nearestOffset(document: Document, path: readonly PropertyKey[]): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const offset = offsetOf(document, path.slice(0, length));
    if (offset !== undefined) return offset;
  }
  return undefined;
}

/** From the beginning of a text to one of its characters; 0 where it is not written as it reads (folded, escaped). */
function shiftInside(
  { text, document }: YamlFile,
  path: readonly PropertyKey[],
  offset: number,
  within: number,
): number {
  const value = document.getIn(path);
  if (typeof value !== "string") return 0;
  const quote = text[offset] === '"' || text[offset] === "'" ? 1 : 0;
  if (text.startsWith(value, offset + quote)) return quote + within;
  if (text[offset] !== "|") return 0;
  const before = value.slice(0, within).split("\n");
  const line = value.split("\n")[before.length - 1]!;
  let start = text.indexOf("\n", offset) + 1;
  for (let i = 1; i < before.length; i++) start = text.indexOf("\n", start) + 1;
  const indent = text.slice(start, text.indexOf("\n", start)).indexOf(line);
  return indent < 0 ? 0 : start + indent + before.at(-1)!.length - offset;
}

/** Where the value at `path` stands, undefined when there is none. */
export function offsetOf(document: Document, path: readonly PropertyKey[]): number | undefined {
  let node: unknown = document.contents;
  for (const key of path) {
    const container = follow(node, document);
    if (!isCollection(container)) return undefined;
    node = container.get(key, true);
  }
  return isNode(node) ? node.range?.[0] : undefined;
}

/** Where a key of the block at `parent` stands. */
export function keyOffset(
  document: Document,
  parent: readonly PropertyKey[],
  key: string,
): number | undefined {
  let node: unknown = document.contents;
  for (const part of parent) {
    const container = follow(node, document);
    if (!isCollection(container)) return undefined;
    node = container.get(part, true);
  }
  const map = follow(node, document);
  if (!isMap(map)) return undefined;
  const pair = map.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
  return (pair?.key as Node | undefined)?.range?.[0];
}

function follow(node: unknown, document: Document): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

function yamlMessage({ code, message }: { readonly code: string; readonly message: string }): string {
  return code === "DUPLICATE_KEY" ? "this key stands here a second time" : message;
}

function yamlHint(code: string): string | null {
  switch (code) {
    case "DUPLICATE_KEY":
      return "Remove one of the two.";
    case "TAB_AS_INDENT":
      return "Indent with spaces.";
    case "MULTIPLE_DOCS":
      return "Keep one document: remove what follows `---`.";
    default:
      return null;
  }
}
