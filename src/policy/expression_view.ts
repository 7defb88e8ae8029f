/** The facts as expressions see them, and how long their lists are. */
import { NO_FAILURE } from "#/policy/failure_view.ts";
import type { Sizes } from "#/policy/expression_cost.ts";
import {
  type Field,
  type FieldType,
  NO_RELEASE,
  NO_SNAPSHOT,
  type PolicyFacts,
  type RecordName,
  RECORDS,
  VARIABLES,
} from "#/policy/view.ts";

/** Longer texts are cut before an expression sees them. */
export const LONGEST_TEXT = 1_024;

/** Records that expressions see, one class each: that is how the library knows their types. */
export const CLASSES = Object.fromEntries(
  Object.keys(RECORDS).map((name) => [
    name,
    class {
      constructor(fields: object) {
        Object.assign(this, fields);
      }
    },
  ]),
) as unknown as Readonly<Record<RecordName, new (fields: object) => object>>;

/** The facts as the library wants them: whole numbers as bigint, times as Date, records with their class. */
export function viewOf(facts: PolicyFacts): Record<string, unknown> {
  const release = facts.plan.releases[0] ?? NO_RELEASE;
  const values: Readonly<Record<string, unknown>> = {
    ...facts,
    release,
    snapshot: facts.snapshot ?? NO_SNAPSHOT,
    failure: facts.failure ?? NO_FAILURE,
    labels: release.labels,
  };
  return Object.fromEntries(
    Object.entries(VARIABLES).map(([name, { type }]) => [name, convert(type, values[name])]),
  );
}

function convert(type: FieldType, value: unknown): unknown {
  if (typeof type === "object") {
    if ("list" in type) {
      return (value as readonly object[]).map((item) => convert({ record: type.list }, item));
    }
    const fields: readonly (readonly [string, Field])[] = Object.entries(RECORDS[type.record]);
    const source = value as Readonly<Record<string, unknown>>;
    return new CLASSES[type.record](
      Object.fromEntries(
        fields.filter(([key]) => source[key] !== undefined).map((
          [key, field],
        ) => [key, convert(field.type, source[key])]),
      ),
    );
  }
  switch (type) {
    case "text":
      return cut(value as string);
    case "whole number":
      return BigInt(Math.trunc(value as number));
    case "true or false":
      return value;
    case "time":
      return new Date(value as string);
    case "texts":
      return (value as readonly string[]).map(cut);
    case "texts by name":
      return new Map(Object.entries(value as Record<string, string>).map(([key, text]) => [key, cut(text)]));
    default:
      return type satisfies never;
  }
}

function cut(text: string): string {
  return text.length > LONGEST_TEXT ? text.slice(0, LONGEST_TEXT) : text;
}

/** The longest list in each field, over all records of the facts. */
export function sizesOf(facts: PolicyFacts): Sizes {
  const found = new Map<string, number>();
  const visit = (type: FieldType, value: unknown, name: string): void => {
    if (value === undefined) return;
    if (typeof type === "object" && "record" in type) {
      for (const [key, field] of Object.entries(RECORDS[type.record])) {
        visit(field.type, (value as Record<string, unknown>)[key], `${type.record}.${key}`);
      }
      return;
    }
    if (type !== "texts" && type !== "texts by name" && typeof type !== "object") return;
    const size = Array.isArray(value) ? value.length : Object.keys(value as object).length;
    found.set(name, Math.max(found.get(name) ?? 0, size));
    if (typeof type === "object") {
      for (const item of value as readonly unknown[]) visit({ record: type.list }, item, name);
    }
  };
  const { operation, repository, plan, snapshot, failure, user } = facts;
  for (
    const [name, value] of Object.entries({
      Operation: operation,
      Repository: repository,
      Plan: plan,
      Snapshot: snapshot ?? NO_SNAPSHOT,
      Failure: failure ?? NO_FAILURE,
      User: user,
    })
  ) {
    visit({ record: name as RecordName }, value, "");
  }
  return (record, field) => found.get(`${record}.${field}`) ?? 1;
}
