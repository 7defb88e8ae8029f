/** Edits of manifests and lock files: a value is replaced where it stands, every other byte stays as it is. */
import { Document, isMap, isScalar, parse, type Scalar } from "yaml";
import { canonicalJson, isJsonObject, type JsonObject } from "#/core/json.ts";
import { isNumberElsewhere, parseToEdit, parseYaml, yamlText } from "./document.ts";

/** Fields to be set, by component. */
export type ComponentFields = Readonly<Record<string, Readonly<Record<string, string>>>>;

interface Replacement {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * Sets fields of components that the document has; others are left out.
 * @param top fields at the top of the document
 * @throws {RollbackManifestError} 48: it cannot be read
 */
export function setFields(
  text: string,
  path: string,
  fields: ComponentFields,
  top: Readonly<Record<string, string>> = {},
): string {
  const { document } = parseYaml(text, path, "document");
  const replacements: Replacement[] = [];
  const missing: { readonly keys: readonly string[]; readonly value: string }[] = [];
  const set = (keys: readonly string[], value: string): void => {
    const node = document.getIn(keys, true);
    if (!isScalar(node) || node.range === undefined || node.range === null || node.anchor !== undefined) {
      missing.push({ keys, value });
    } else if (
      String(node.source ?? node.value) !== value || typeof node.value !== "string" || isNumberElsewhere(node)
    ) {
      replacements.push({ start: node.range[0], end: node.range[1], text: written(node, value) });
    }
  };
  for (const [name, values] of Object.entries(fields)) {
    if (!isMap(document.getIn(["components", name], true))) continue;
    for (const [key, value] of Object.entries(values)) set(["components", name, key], value);
  }
  for (const [key, value] of Object.entries(top)) set([key], value);
  if (missing.length === 0) return replaced(text, replacements);
  // Something is to be added, or stands somewhere else: the writer does that, and keeps comments and order.
  const again = parseToEdit(replaced(text, replacements), path, "document").document;
  for (const { keys, value } of missing) again.setIn(keys, value);
  return yamlText(again);
}

/** Sets fields at the top of a document. @throws {RollbackManifestError} 48: it cannot be read */
export function setTop(text: string, path: string, fields: Readonly<Record<string, string>>): string {
  return setFields(text, path, {}, fields);
}

function replaced(text: string, replacements: readonly Replacement[]): string {
  return replacements.toSorted((a, b) => b.start - a.start)
    .reduce((all, { start, end, text: by }) => all.slice(0, start) + by + all.slice(end), text);
}

/** In the same quotes as before; without any only where it stays text. */
function written({ type }: Scalar, value: string): string {
  if (type === "QUOTE_SINGLE") return `'${value.replaceAll("'", "''")}'`;
  if (type === "PLAIN" && /^[A-Za-z0-9][A-Za-z0-9._+~/-]*$/.test(value) && parse(value) === value) {
    return value;
  }
  return JSON.stringify(value);
}

/**
 * A lock file with other components in it: comments, order, and what else it says of those that stay are kept.
 * @returns the same text where nothing is different
 */
export function lockDocument(
  text: string,
  path: string,
  head: Readonly<Record<string, string>>,
  components: Readonly<Record<string, JsonObject>>,
  now: string,
): string {
  const { document, value } = parseYaml(text, path, "lock file");
  const before = isJsonObject(value["components"]) ? value["components"] : {};
  const isAs = (name: string, fields: JsonObject) =>
    Object.entries(fields).every(([key, it]) =>
      canonicalJson(it) === canonicalJson(fieldsOf(before[name])[key] ?? null) &&
      !isNumberElsewhere(document.getIn(["components", name, key], true))
    );
  const gone = Object.keys(before).filter((name) => !Object.hasOwn(components, name));
  const changed = Object.entries(components).filter(([name, fields]) => !isAs(name, fields));
  const heads = Object.entries(head).filter(([key, it]) => value[key] !== it);
  if (gone.length + changed.length + heads.length === 0) return text;
  // What is text and stays is edited in its place; only what comes and goes is the writer's.
  const isThere = (name: string) => isMap(document.getIn(["components", name], true));
  const edits = changed.filter(([name]) => isThere(name)).map(([name, fields]) =>
    [name, Object.fromEntries(Object.entries(fields).filter(([, it]) => typeof it === "string"))] as const
  );
  const edited = setFields(text, path, Object.fromEntries(edits) as ComponentFields, {
    generated_at: now,
    ...head,
  });
  const others = changed.filter(([name, fields]) =>
    !isThere(name) || Object.values(fields).some((it) => typeof it !== "string")
  );
  if (gone.length + others.length === 0) return edited;
  const again = parseToEdit(edited, path, "lock file").document;
  for (const name of gone) again.deleteIn(["components", name]);
  for (const [name, fields] of others) {
    if (!isThere(name)) again.setIn(["components", name], again.createNode(fields));
    else {
      for (const [key, it] of Object.entries(fields)) {
        if (typeof it !== "string") again.setIn(["components", name, key], again.createNode(it));
      }
    }
  }
  quoteTime(again);
  return yamlText(again);
}

/** Other readers would take a bare time for something else than text. */
function quoteTime(document: Document): void {
  const node = document.get("generated_at", true);
  if (isScalar(node)) node.type = "QUOTE_DOUBLE";
}

function fieldsOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

/** A lock file as it is written anew. */
export function newLockText(
  head: Readonly<Record<string, string>>,
  components: Readonly<Record<string, JsonObject>>,
): string {
  const document = new Document({ ...head, components });
  quoteTime(document);
  return yamlText(document);
}
