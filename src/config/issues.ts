/** What a schema found wrong, in the words of this program: for the file itself, and for the targets and checks in it. */
import * as z from "zod";
import { nearest } from "#/core/nearest.ts";
import { nameOf, type Path, type PolicyProblem, wordList } from "#/policy/problem.ts";

/** A schema with the place of its value in the document. */
export interface SchemaPlace {
  readonly schema: z.ZodType;
  readonly path: Path;
  /** Where in the schema it is. @default at its root */
  readonly below?: readonly PropertyKey[];
  /** Keys that stand beside those of the schema, for "did you mean". */
  readonly beside?: readonly string[];
  /** What the message calls the value when it is the document itself. */
  readonly document?: string;
}

/** Values are never repeated: they may be secrets that `${NAME}` put there. */
export function schemaProblems(
  issues: readonly z.core.$ZodIssue[],
  place: SchemaPlace,
): readonly PolicyProblem[] {
  return issues.flatMap((issue) => describeIssue(issue, place));
}

function describeIssue(issue: z.core.$ZodIssue, place: SchemaPlace): readonly PolicyProblem[] {
  const path = [...place.path, ...issue.path as Path];
  const name = nameOf(path);
  const problem = (message: string, hint: string | null = null): readonly PolicyProblem[] => [
    { path, message, hint },
  ];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownKey(key, issue.path as Path, place));
    case "invalid_type": {
      if (isMissing(issue)) return [lacking(path)];
      return problem(`${name === "" ? place.document ?? "the file" : name} must be ${words(issue.expected)}`);
    }
    case "invalid_value":
      return problem(`${name} must be ${issue.values.map(String).join(" or ")}`);
    case "too_small":
      if (issue.origin === "number") return problem(`${name} must be at least ${issue.minimum}`);
      return problem(`${name} is empty`, `Give ${name} a value, or leave the line out.`);
    case "invalid_union":
      return unionProblems(issue.errors, { ...place, path, below: [...place.below ?? [], ...issue.path] });
    default:
      return problem(`${name}: ${issue.message}`);
  }
}

/** Of what may be one thing or another: what is wrong with the one that was most likely meant. */
function unionProblems(
  branches: readonly (readonly z.core.$ZodIssue[])[],
  place: SchemaPlace,
): readonly PolicyProblem[] {
  const ofItsKind = branches.filter((issues) =>
    !issues.some(({ code, path }) => code === "invalid_type" && path.length === 0)
  );
  const [meant] = ofItsKind.toSorted((a, b) => a.length - b.length);
  if (meant !== undefined && meant.length > 0) return schemaProblems(meant, place);
  if (branches.flat().every((it) => it.message.endsWith("received undefined"))) return [lacking(place.path)];
  const kinds = branches.flat().flatMap((it) => it.code === "invalid_type" ? [words(it.expected)] : []);
  const message = kinds.length === 0 ? "cannot be used" : `must be ${wordList([...new Set(kinds)])}`;
  return [{ path: place.path, message: `${nameOf(place.path)} ${message}`, hint: null }];
}

/** Told where the block stands that lacks it. */
function lacking(path: Path): PolicyProblem {
  return { path, message: `${nameOf(path.slice(0, -1))} lacks ${String(path.at(-1))}`, hint: null };
}

function isMissing(issue: z.core.$ZodIssue & { readonly code: "invalid_type" }): boolean {
  return issue.path.length > 0 && issue.message.endsWith("received undefined");
}

function unknownKey(
  key: string,
  parent: Path,
  { schema, path, below = [], beside = [] }: SchemaPlace,
): PolicyProblem {
  const inSchema = [...below, ...parent];
  const known = [...new Set([...knownKeys(schema, inSchema), ...inSchema.length === 0 ? beside : []])];
  const near = nearest(key, known);
  const whole = [...path, ...parent];
  const where = whole.length === 0 ? "" : ` in ${nameOf(whole)}`;
  return {
    path: [...whole, key],
    key: true,
    message: `${JSON.stringify(key)} is not a known key${where}`,
    hint: near === undefined
      ? `Known keys${where}: ${known.join(", ")}.`
      : `Did you mean ${JSON.stringify(near)}?`,
  };
}

const WORDS: Readonly<Record<string, string>> = {
  string: "text",
  boolean: "true or false",
  object: "a block of keys",
  record: "a block of keys",
  array: "a list",
  number: "a number",
  int: "a whole number",
};

function words(expected: string): string {
  return WORDS[expected] ?? expected;
}

/** The keys that may stand at `path` below a schema; empty where none can. */
export function knownKeys(schema: z.ZodType, path: readonly PropertyKey[] = []): readonly string[] {
  let current: readonly unknown[] = [schema];
  for (const key of path) current = current.flatMap((it) => insideOf(it, key));
  return [...new Set(current.flatMap((it) => shapesOf(it).flatMap((shape) => Object.keys(shape))))];
}

function insideOf(schema: unknown, key: PropertyKey): readonly unknown[] {
  const inner = plain(schema);
  return inner.flatMap((it) => {
    if (it instanceof z.ZodObject) return Object.hasOwn(it.shape, key) ? [it.shape[String(key)]] : [];
    if (it instanceof z.ZodArray) return [it.element];
    if (it instanceof z.ZodRecord) return [it.valueType];
    return [];
  });
}

function shapesOf(schema: unknown): readonly Record<string, unknown>[] {
  return plain(schema).flatMap((it) => it instanceof z.ZodObject ? [it.shape] : []);
}

/** A schema without what is wrapped around it; of a union each part. */
function plain(schema: unknown): readonly unknown[] {
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(plain);
  if (schema instanceof z.ZodLazy) return plain(schema.unwrap());
  if (schema instanceof z.ZodPipe) {
    // `preprocess` has the schema behind it, `transform` before it.
    return plain(schema.in instanceof z.ZodTransform ? schema.out : schema.in);
  }
  if (
    schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault || schema instanceof z.ZodReadonly
  ) return plain(schema.unwrap());
  return [schema];
}
