/** YAML documents of a meta repository: read strictly, edited without touching what was not meant. */
import { Document, isMap, isScalar, parseDocument, Scalar, visit } from "yaml";
import { RollbackManifestError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import { isJsonObject, type JsonObject } from "#/core/json.ts";
import * as posix from "#/core/posix.ts";

const MAX_BYTES = 16 * 1024 * 1024;
/** A document that repeats itself by aliases is a trap. */
const MAX_ALIASES = 100;

/**
 * The text of a document.
 * @throws {RollbackVersionNotFoundError} 40: it is not there
 * @throws {RollbackManifestError} 48: it is not a file, too large, or not text
 */
export function readText(path: string, what: string, hint: string): string {
  const info = posix.lstat(path);
  if (info === undefined) {
    throw new RollbackVersionNotFoundError(`There is no ${what} ${path}`, { hint, context: { path } });
  }
  const target = info.isSymlink ? Deno.statSync(path) : info;
  if (!target.isFile) throw unreadable(path, what, "it is not a file");
  if (target.size > MAX_BYTES) throw unreadable(path, what, `it is larger than ${MAX_BYTES >> 20} MiB`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof TypeError) throw unreadable(path, what, "it is not UTF-8 text");
    throw unreadable(path, what, error instanceof Error ? error.message : String(error), error);
  }
}

/** A document whose root is a block of keys. */
export interface YamlDocument {
  readonly document: Document.Parsed;
  readonly value: JsonObject;
}

/** An operation reads, compares and edits the same two or three documents. */
const KEPT = 3;
const MOST_KEPT_LENGTH = 4 * 1024 * 1024;
const kept = new Map<string, YamlDocument>();

/**
 * Parses a document: duplicate keys and unknown tags are errors. Others may have the same value: it is not to be changed.
 * @throws {RollbackManifestError} 48, with the line
 */
export function parseYaml(text: string, path: string, what: string): YamlDocument {
  const found = kept.get(text);
  if (found !== undefined) return found;
  const parsed = parseToEdit(text, path, what);
  if (text.length > MOST_KEPT_LENGTH) return parsed;
  if (kept.size >= KEPT) kept.delete(kept.keys().next().value!);
  kept.set(text, parsed);
  return parsed;
}

/**
 * The same, of its own: it may be changed.
 * @throws {RollbackManifestError} 48, with the line
 */
export function parseToEdit(text: string, path: string, what: string): YamlDocument {
  const document = parseDocument(text, { uniqueKeys: true, strict: true });
  const problem = document.errors[0];
  if (problem !== undefined) {
    throw unreadable(path, what, problem.message.split("\n")[0]!.replace(/:$/, ""));
  }
  if (document.contents === null) throw unreadable(path, what, "it is empty");
  if (!isMap(document.contents)) throw unreadable(path, what, "it is not a block of keys");
  keepAsWritten(document);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    throw unreadable(path, what, "it repeats itself by aliases", error);
  }
  if (!isJsonObject(value)) throw unreadable(path, what, "it is not a block of keys");
  return { document, value };
}

/** What other readers take for numbers, and {@link keepAsWritten} made text. */
const numbers = new WeakMap<Scalar, number>();

/**
 * Makes text of a number that would not be written again as it is: `1.0` is a version, `0123456` and
 * `12345e6789` are beginnings of commits.
 */
function keepAsWritten(document: Document.Parsed): void {
  visit(document, {
    Scalar(_key, node) {
      const { value, source } = node;
      if (typeof value !== "number" || source === undefined || String(value) === source) return;
      numbers.set(node, value);
      node.value = source;
    },
  });
}

/** Whether a value reads as text here and as a number elsewhere. */
export function isNumberElsewhere(node: unknown): boolean {
  return isScalar(node) && numbers.has(node);
}

/** Numbers again, so that they get no quotes: those of them that the writer writes as they were. */
function numbersAgain(document: Document): void {
  visit(document, {
    Scalar(key, node) {
      const number = numbers.get(node);
      if (key === "key" || number === undefined || node.value !== node.source) return;
      const { format, minFractionDigits } = node;
      const alone = new Document(Object.assign(new Scalar(number), { format, minFractionDigits }));
      if (alone.toString().trim() === node.source) node.value = number;
    },
  });
}

/** The document as text again: what was not changed is as it was. */
export function yamlText(document: Document): string {
  numbersAgain(document);
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

/** What is wrong with a document, as an error of exit code 48. */
export function unreadable(
  path: string,
  what: string,
  why: string,
  cause?: unknown,
): RollbackManifestError {
  return new RollbackManifestError(`Cannot use the ${what} ${path}: ${why}`, {
    hint: "Mend the file, or take it from version control or a backup.",
    context: { path },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Text of a field; numbers as they are written, since people write `version: 1.0`. */
export function textField(fields: JsonObject, name: string): string | undefined {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (typeof value === "string") return value === "" ? undefined : value;
  if (typeof value === "number") return String(value);
  return undefined;
}
